// Debian's golang-gopkg-alexcesaro-statsd.v1-dev. VARIANT: udp, tcp, influx, datadog (the last two by their tags).
package main

import (
	"log"
	"os"

	"gopkg.in/alexcesaro/statsd.v1"
)

func connect(address string, options ...statsd.Option) *statsd.Client {
	client, err := statsd.New(address, append(options, statsd.WithPrefix("m."))...)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func send(client *statsd.Client) {
	client.Increment("hits")
	client.Count("bytes", 5, 1)
	client.Count("bytes", 7, 1)
	for i := 0; i < 3; i++ {
		client.Count("stock", -1, 1)
	}
	client.Increment("größe")
	client.Gauge("level", 42)
	client.Gauge("depth", -7)
	client.Gauge("queue", 100)
	client.ChangeGauge("queue", 5)
	client.ChangeGauge("queue", -20)
	client.Timing("login", 320, 1)
	for _, elapsed := range []int{10, 20, 60} {
		client.Timing("query", elapsed, 1)
	}
	client.NewTiming().Send("block", 1)
	for _, user := range []string{"ann", "bob", "ann", "cat"} {
		client.Unique("users", user)
	}
	for _, code := range []string{"200", "404", "200"} {
		client.Unique("codes", code)
	}
	for i := 0; i < 1000; i++ {
		client.Count("drawn", 1, 0.5)
		client.Timing("lap", 5, 0.5)
	}
	client.Close()
}

// Tags belong to a client: the tagged metric has one of its own.
func sendTagged(address string, tags statsd.Option) {
	client := connect(address, tags)
	client.Increment("tagged")
	client.Close()
}

func main() {
	variant, address := os.Args[1], os.Args[2]
	if variant == "tcp" {
		// Also on TCP it cuts the line end off what it sends at once: so that must be all.
		send(connect(address, statsd.WithNetwork("tcp"), statsd.WithMaxPacketSize(1<<20), statsd.WithFlushPeriod(0)))
		return
	}
	send(connect(address))
	switch variant {
	case "influx":
		sendTagged(address, statsd.WithInfluxDBTags("env", "prod", "region", "eu"))
	case "datadog":
		sendTagged(address, statsd.WithDatadogTags("env:prod", "region:eu"))
	}
}
