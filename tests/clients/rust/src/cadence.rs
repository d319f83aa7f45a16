//! Rust's cadence. VARIANT: udp, buffered, unixgram.

use cadence::prelude::*;
use cadence::{
    BufferedUdpMetricSink, BufferedUnixMetricSink, MetricResult, StatsdClient, UdpMetricSink,
};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn connect(variant: &str, address: &str) -> MetricResult<StatsdClient> {
    let udp = || UdpSocket::bind("127.0.0.1:0");
    Ok(match variant {
        "unixgram" => {
            let socket = UnixDatagram::unbound()?;
            StatsdClient::from_sink("m", BufferedUnixMetricSink::from(address, socket))
        }
        "buffered" => StatsdClient::from_sink("m", BufferedUdpMetricSink::from(address, udp()?)?),
        _ => StatsdClient::from_sink("m", UdpMetricSink::from(address, udp()?)?),
    })
}

fn send(client: &StatsdClient) -> MetricResult<()> {
    client.incr("hits")?;
    client.count("bytes", 5)?;
    client.count("bytes", 7)?;
    for _ in 0..3 {
        client.decr("stock")?;
    }
    client
        .incr_with_tags("tagged")
        .with_tag("env", "prod")
        .with_tag("region", "eu")
        .try_send()?;
    client.incr("größe")?;
    client.gauge("level", 42u64)?;
    client.gauge("ratio", 0.25)?;
    client.gauge("depth", -7.0)?;
    client.time("login", 320u64)?;
    client.time("query", 10u64)?;
    client.time("query", vec![20u64, 60u64])?;
    let started = SystemTime::now();
    client.time("block", started.elapsed().unwrap_or(Duration::ZERO))?;
    client.histogram("size", vec![3u64, 5u64, 10u64])?;
    client.distribution("spread", 1u64)?;
    client.distribution("spread", 9.0)?;
    for code in [200, 404, 200] {
        client.set("codes", code)?;
    }
    let two_hours_ago = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        - 7200;
    client
        .count_with_tags("stamped", 3)
        .with_timestamp(two_hours_ago)
        .try_send()?;
    // It leaves the drawing to its caller: every second of a thousand.
    for _ in 0..500 {
        client
            .count_with_tags("drawn", 1)
            .with_sampling_rate(0.5)
            .try_send()?;
        client
            .time_with_tags("lap", 5u64)
            .with_sampling_rate(0.5)
            .try_send()?;
    }
    client.flush()
}

fn main() -> MetricResult<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let client = connect(&arguments[1], &arguments[2])?;
    send(&client)
}
