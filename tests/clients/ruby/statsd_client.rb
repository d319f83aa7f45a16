# Debian's ruby-statsd. VARIANT: udp, batch, tcp.
#
# On TCP it ends no line, so it can only send one batch a connection: also what a server does with a last
# line that nothing ends.

require "statsd"

def send_all(client)
  client.increment "hits"
  client.count "bytes", 5
  client.count "bytes", 7
  3.times { client.decrement "stock" }
  client.count "part", 2.5
  client.gauge "level", 42
  client.gauge "ratio", 0.25
  client.gauge "depth", -7
  client.gauge "queue", 100
  client.gauge "queue", "+5"
  client.gauge "queue", -20
  client.timing "login", 320
  [10, 20, 60].each { |elapsed| client.timing "query", elapsed }
  client.timing "fraction", 1.5
  client.time("block") {}
  %w[ann bob ann cat].each { |user| client.set "users", user }
  [200, 404, 200].each { |code| client.set "codes", code }
  1000.times do
    client.increment "drawn", 0.5
    client.timing "lap", 5, 0.5
  end
end

variant, address = ARGV
host, port = address.split(":")
client = Statsd.new(host, port.to_i, variant == "tcp" ? :tcp : :udp)
client.namespace = "m"
client.batch_size = nil if variant == "tcp"
variant == "udp" ? send_all(client) : client.batch { |batch| send_all(batch) }
