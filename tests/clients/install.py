"""Gets clients by the ordinary client of their registry, into a cache, once: a stamp holds what was asked for.

Debian's packages are not among it (they need root): scripts/test installs those, here they are only found.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
PATIENCE_S = 300


class Missing(Exception):
    """Why a client is not there, for whoever reads that it was skipped."""


def call(arguments, **options):
    """Raises Missing with the last words of a program that fails."""
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE_S, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{arguments[0]}: {error}") from error
    if done.returncode != 0:
        last = [line for line in done.stdout.splitlines() if line.strip()][-1:]
        raise Missing(f"{' '.join(map(str, arguments[:3]))} failed: {''.join(last)[:200]}")


def fingerprint(paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Shop:
    """What was got, and what may be."""

    def __init__(self, cache, may_install):
        self.cache = Path(cache)
        self._may_install = may_install
        self._refused = {}

    def must_install(self):
        if not self._may_install:
            raise Missing("not in the cache, and --no-install forbids to get it")

    def once(self, name, inputs, fill):
        """The directory `name` of the cache, filled for these inputs. What failed is not tried again."""
        directory = self.cache / name
        if name in self._refused:
            raise Missing(self._refused[name])
        try:
            self._fill(directory, fingerprint(inputs), fill)
        except Missing as why:
            self._refused[name] = str(why)
            raise
        return directory

    def _fill(self, directory, wanted, fill):
        stamp = directory / "stamp"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.must_install()
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        fill(directory)
        stamp.write_text(wanted)


def debian(package, probe, command):
    """A client that a Debian package has installed if `probe` succeeds."""
    def get(_):
        try:
            call(probe)
        except Missing:
            raise Missing(f"not installed (as root: apt-get install {package})") from None
        return command, {}
    return get


def debian_python(package, module, program):
    # Not the python3 of the path: a version of its own does not see Debian's modules.
    python = "/usr/bin/python3"
    return debian(package, [python, "-c", f"import {module}"], [python, SOURCES / "python" / program])


def python_packages(program):
    def fill(directory):
        call([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", directory / "lib",
              "--disable-pip-version-check", "--root-user-action=ignore", "-r", requirements])

    requirements = SOURCES / "python" / "requirements.txt"

    def get(shop):
        directory = shop.once("python", [requirements], fill)
        return [sys.executable, SOURCES / "python" / program], {"PYTHONPATH": str(directory / "lib")}
    return get


def node_modules(shop):
    """The directory of all npm packages, as the lock file names them."""
    def fill(directory):
        for path in inputs:
            shutil.copy(path, directory)
        call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory)

    inputs = [SOURCES / "node" / "package.json", SOURCES / "node" / "package-lock.json"]
    return shop.once("node", inputs, fill) / "node_modules"


def npm(program):
    def get(shop):
        modules = node_modules(shop)
        return ["node", "--no-deprecation", SOURCES / "node" / program], {"NODE_PATH": str(modules)}
    return get


def npm_native(program, module):
    """As npm, and `module` is compiled, which not every machine can."""
    def get(shop):
        found = npm(program)(shop)
        modules = node_modules(shop)
        if not list(modules.glob(f"{module}/build/Release/*.node")):
            shop.must_install()
            call(["npm", "rebuild", module], cwd=modules.parent)
        return found
    return get


def go_module(program):
    def fill(directory):
        call(["go", "build", "-p", "2", "-o", f"{directory}/", "./..."], cwd=source,
             env=os.environ | {"GOTOOLCHAIN": "local"})

    source = SOURCES / "go"

    def get(shop):
        inputs = [path for path in source.rglob("*") if path.is_file()]
        return [shop.once("go", inputs, fill) / program], {}
    return get


def go_debian(package, program):
    """Compiled against the sources in Debian's library package, which is no module."""
    def fill(directory):
        if not Path("/usr/share/gocode/src/gopkg.in/alexcesaro").exists():
            raise Missing(f"not installed (as root: apt-get install {package})")
        call(["go", "build", "-p", "2", "-o", f"{directory}/{program}", source],
             env=os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"})

    source = SOURCES / "go-debian" / f"{program}.go"

    def get(shop):
        return [shop.once("go-debian", [source], fill) / program], {}
    return get


def crate(program):
    def fill(directory):
        package = directory / "package"  # the lock file is written beside Cargo.toml
        shutil.copytree(source, package)
        call(["cargo", "build", "--quiet", "-j2", "--target-dir", directory / "target"], cwd=package)

    source = SOURCES / "rust"

    def get(shop):
        inputs = [path for path in source.rglob("*") if path.is_file()]
        return [shop.once("rust", inputs, fill) / "target" / "debug" / program], {}
    return get
