# Debian's libnet-statsd-perl. VARIANT: udp.

use strict;
use warnings;
use Net::Statsd;

my ($variant, $address) = @ARGV;
($Net::Statsd::HOST, $Net::Statsd::PORT) = split /:/, $address;

Net::Statsd::increment('m.hits');
Net::Statsd::update_stats('m.bytes', $_) for 5, 7;
Net::Statsd::decrement('m.stock') for 1 .. 3;
Net::Statsd::update_stats('m.part', 2.5);
Net::Statsd::increment("m.gr\xc3\xb6\xc3\x9fe");
Net::Statsd::gauge('m.level', 42, 'm.ratio', 0.25);
Net::Statsd::gauge('m.depth', -7);
Net::Statsd::gauge('m.queue', 100, 'm.queue', '+5', 'm.queue', -20);
Net::Statsd::timing('m.login', 320);
Net::Statsd::timing('m.query', $_) for 10, 20, 60;
Net::Statsd::timing('m.fraction', 1.5);
for (1 .. 1000) {
    Net::Statsd::increment('m.drawn', 0.5);
    Net::Statsd::timing('m.lap', 5, 0.5);
}
