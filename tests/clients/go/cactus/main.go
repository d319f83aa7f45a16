// Go's cactus/go-statsd-client. VARIANT: udp, buffered, infix (tags as InfluxDB writes them).
package main

import (
	"log"
	"os"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
)

func connect(variant, address string) statsd.Statter {
	config := &statsd.ClientConfig{
		Address:       address,
		Prefix:        "m",
		UseBuffered:   variant == "buffered",
		FlushInterval: 300 * time.Millisecond,
		TagFormat:     statsd.SuffixOctothorpe,
	}
	if variant == "infix" {
		config.TagFormat = statsd.InfixComma
	}
	client, err := statsd.NewClientWithConfig(config)
	check(err)
	return client
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	client := connect(os.Args[1], os.Args[2])
	check(client.Inc("hits", 1, 1))
	check(client.Inc("bytes", 5, 1))
	check(client.Inc("bytes", 7, 1))
	for i := 0; i < 3; i++ {
		check(client.Dec("stock", 1, 1))
	}
	check(client.Inc("tagged", 1, 1, statsd.Tag{"env", "prod"}, statsd.Tag{"region", "eu"}))
	check(client.Inc("größe", 1, 1))
	check(client.Gauge("level", 42, 1))
	check(client.Raw("ratio", "0.25|g", 1))
	check(client.Gauge("depth", -7, 1))
	check(client.Gauge("queue", 100, 1))
	check(client.GaugeDelta("queue", 5, 1))
	check(client.GaugeDelta("queue", -20, 1))
	check(client.Timing("login", 320, 1))
	for _, elapsed := range []int64{10, 20, 60} {
		check(client.Timing("query", elapsed, 1))
	}
	check(client.TimingDuration("fraction", 1500*time.Microsecond, 1))
	for _, user := range []string{"ann", "bob", "ann", "cat"} {
		check(client.Set("users", user, 1))
	}
	for _, code := range []int64{200, 404, 200} {
		check(client.SetInt("codes", code, 1))
	}
	for i := 0; i < 1000; i++ {
		check(client.Inc("drawn", 1, 0.5))
		check(client.Timing("lap", 5, 0.5))
	}
	check(client.Close())
}
