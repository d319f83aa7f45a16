"""Which clients are tried, over what, how each is got, and where its API is not that of the catalogue.

`lacks`   the metrics that its API cannot send; a comment where that is not plain absence
`differs` fields of a point that come out otherwise because the client sends them so
`extras`  what only clients of DogStatsD have: `stamped`, `event`, `check`
`only`    a metric that only some of the variants send
"""

from dataclasses import dataclass, field
from typing import Callable

from catalogue import expected_points, statistics
from install import (SOURCES, crate, debian, debian_python, go_debian, go_module, npm, npm_native,
                     python_packages)

WHOLE = {"fraction": statistics(1)}  # it cuts milliseconds to whole ones
DATADOG_LINES = dict.fromkeys(("stamped", "event", "check"),
                              ("plain", "datadog", "buffered", "aggregated", "tcp"))


@dataclass(frozen=True)
class Client:
    name: str
    language: str
    get: Callable        # of a Shop: the command and what the environment gets; raises Missing
    variants: dict       # variant: transport
    lacks: str = ""
    differs: dict = field(default_factory=dict)
    extras: str = ""
    scope: str = ""      # what it puts before the names of events and checks
    only: dict = field(default_factory=dict)

    def points(self, variant):
        """What must come out, as catalogue.expected_points has it."""
        absent = {metric for metric, variants in self.only.items() if variant not in variants}
        return expected_points(absent | set(self.lacks.split()), self.differs,
                               set(self.extras.split()) - absent, self.scope)


ROSTER = [
    # It encodes names as ASCII.
    Client("python3-statsd", "python", debian_python("python3-statsd", "statsd", "statsd_client.py"),
           {"udp": "udp", "pipeline": "udp", "tcp": "tcp", "unix": "unix"},
           lacks="tagged größe size spread"),
    Client("python3-aiodogstatsd", "python",
           debian_python("python3-aiodogstatsd", "aiodogstatsd", "aiodogstatsd_client.py"),
           {"udp": "udp"}, lacks="queue users codes"),
    # Its events have no colon behind `_e{6,9}`, so nobody can read them.
    Client("python3-aiomeasures", "python",
           debian_python("python3-aiomeasures", "aiomeasures", "aiomeasures_client.py"),
           {"statsd": "udp", "datadog": "udp"}, lacks="spread"),
    Client("datadog (PyPI)", "python", python_packages("datadog_client.py"),
           {"udp": "udp", "buffered": "udp", "unixgram": "unixgram", "unix": "unix"},
           lacks="queue", extras="stamped event check"),
    # It adds up all increments and draws once for the sum of a thousand.
    Client("datadog (PyPI) adding up", "python", python_packages("datadog_client.py"), {"aggregated": "udp"},
           lacks="queue drawn", extras="stamped event check"),
    # It compares bytes sent with characters: a name beyond ASCII is sent six times.
    Client("ruby-statsd", "ruby",
           debian("ruby-statsd", ["ruby", "-e", "require 'statsd'"], ["ruby", SOURCES / "ruby/statsd_client.rb"]),
           {"udp": "udp", "batch": "udp", "tcp": "tcp"}, lacks="tagged größe size spread"),
    Client("libnet-statsd-perl", "perl",
           debian("libnet-statsd-perl", ["perl", "-MNet::Statsd", "-e1"], ["perl", SOURCES / "perl/net_statsd.pl"]),
           {"udp": "udp"}, lacks="tagged block users codes size spread", differs=WHOLE),
    # On TCP it encodes names as Latin-1.
    Client("hot-shots", "node", npm("hot_shots.js"),
           {"plain": "udp", "telegraf": "udp", "datadog": "udp", "buffered": "udp", "aggregated": "udp",
            "tcp": "tcp"},
           extras="stamped event check", scope="m.",
           only=DATADOG_LINES | {"größe": ("plain", "telegraf", "datadog", "buffered", "aggregated")}),
    Client("hot-shots (native)", "node", npm_native("hot_shots.js", "unix-dgram"), {"unixgram": "unixgram"},
           extras="stamped event check", scope="m."),
    Client("node-statsd", "node", npm("node_statsd.js"), {"udp": "udp"}, lacks="block spread"),
    # It does not sample.
    Client("statsd-client", "node", npm("statsd_client.js"), {"udp": "udp", "single": "udp", "tcp": "tcp"},
           lacks="drawn lap"),
    Client("lynx", "node", npm("lynx.js"), {"udp": "udp"}, lacks="tagged size spread"),
    # Its timers cannot be sampled.
    Client("dog-statsy", "node", npm("dog_statsy.js"), {"udp": "udp"}, lacks="lap spread"),
    Client("cactus/go-statsd-client", "go", go_module("cactus"),
           {"udp": "udp", "buffered": "udp", "infix": "udp"}, lacks="part block size spread"),
    Client("DataDog/datadog-go", "go", go_module("datadog"),
           {"udp": "udp", "plain": "udp", "aggregated": "udp", "unixgram": "unixgram", "unix": "unix"},
           lacks="part queue block", extras="stamped event check"),
    Client("alexcesaro/statsd", "go", go_debian("golang-gopkg-alexcesaro-statsd.v1-dev", "alexcesaro"),
           {"udp": "udp", "influx": "udp", "datadog": "udp", "tcp": "tcp"},
           lacks="part ratio fraction size spread", only={"tagged": ["influx", "datadog"]}),
    # A set holds whole numbers only, a gauge has no delta.
    Client("cadence", "rust", crate("cadence"),
           {"udp": "udp", "buffered": "udp", "unixgram": "unixgram"},
           lacks="part queue fraction users", extras="stamped"),
    Client("netcat", "shell", debian("netcat-openbsd", ["sh", "-c", "command -v nc"], [SOURCES / "shell/netcat.sh"]),
           {"udp": "udp", "tcp": "tcp", "unix": "unix", "unixgram": "unixgram"}, lacks="block drawn lap"),
]
