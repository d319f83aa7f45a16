# What Statsd::Admin of Debian's ruby-statsd makes of a management interface, as JSON. ADDRESS.

require "json"
require "statsd"

host, port = ARGV.first.split(":")
admin = Statsd::Admin.new(host, port.to_i)
seen = { stats: admin.stats, counters: admin.counters, gauges: admin.gauges, timers: admin.timers }
deleted = { counters: admin.delcounters("folder.*"), gauges: admin.delgauges("no.such"), timers: admin.deltimers("t.a") }
left = { counters: admin.counters, gauges: admin.gauges, timers: admin.timers }
puts JSON.generate(seen:, deleted:, left:)
