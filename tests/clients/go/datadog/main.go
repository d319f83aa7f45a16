// Go's datadog-go. VARIANT: udp, plain, aggregated, unixgram, unix.
//
// As it comes (udp, unixgram, unix) it adds up counts, gauges and sets before it sends; plain does not;
// aggregated does it also for timers and histograms, which makes packed values of them.
package main

import (
	"log"
	"os"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

func connect(variant, address string) *statsd.Client {
	options := []statsd.Option{statsd.WithNamespace("m"), statsd.WithMaxSamplesPerContext(10000)}
	switch variant {
	case "plain":
		options = append(options, statsd.WithoutClientSideAggregation())
	case "aggregated":
		options = append(options, statsd.WithExtendedClientSideAggregation())
	case "unixgram":
		address = "unixgram://" + address
	case "unix":
		address = "unixstream://" + address
	}
	client, err := statsd.New(address, options...)
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
	check(client.Incr("hits", nil, 1))
	check(client.Count("bytes", 5, nil, 1))
	check(client.Count("bytes", 7, nil, 1))
	for i := 0; i < 3; i++ {
		check(client.Decr("stock", nil, 1))
	}
	check(client.Incr("tagged", []string{"env:prod", "region:eu"}, 1))
	check(client.Incr("größe", nil, 1))
	check(client.Gauge("level", 42, nil, 1))
	check(client.Gauge("ratio", 0.25, nil, 1))
	check(client.Gauge("depth", -7, nil, 1))
	check(client.TimeInMilliseconds("login", 320, nil, 1))
	for _, elapsed := range []float64{10, 20, 60} {
		check(client.TimeInMilliseconds("query", elapsed, nil, 1))
	}
	check(client.Timing("fraction", 1500*time.Microsecond, nil, 1))
	for _, size := range []float64{3, 5, 10} {
		check(client.Histogram("size", size, nil, 1))
	}
	for _, spread := range []float64{1, 9} {
		check(client.Distribution("spread", spread, nil, 1))
	}
	for _, user := range []string{"ann", "bob", "ann", "cat"} {
		check(client.Set("users", user, nil, 1))
	}
	for _, code := range []string{"200", "404", "200"} {
		check(client.Set("codes", code, nil, 1))
	}
	for i := 0; i < 1000; i++ {
		check(client.Incr("drawn", nil, 0.5))
		check(client.TimeInMilliseconds("lap", 5, nil, 0.5))
	}
	check(client.CountWithTimestamp("stamped", 3, nil, 1, time.Now().Add(-2*time.Hour)))
	check(client.SimpleEvent("deploy", "v2 is out"))
	check(client.SimpleServiceCheck("db", statsd.Warn))
	check(client.Close())
}
