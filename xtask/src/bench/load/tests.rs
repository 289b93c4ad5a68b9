//! The generator against the bench provider, in one process: it counts what it sends, waits for its schedule and refuses broken answers.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;

use hyper::{
    HeaderMap, Uri,
    header::{HOST, HeaderValue},
};
use tokio::net::TcpListener;

use super::*;
use crate::bench::provider;

const CALM: Calm = Calm { rests: Duration::ZERO };

fn no_cpu() -> Result<Duration, String> {
    Ok(Duration::ZERO)
}

fn call(address: SocketAddr, model: &str) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("bench"));
    let streamed = model.starts_with("stream-");
    Call {
        address,
        path: Uri::from_static("/v1/chat/completions"),
        headers,
        body: format!(r#"{{"model":"{model}"}}"#).into(),
        terminator: if streamed { b"[DONE]" } else { b"}" },
    }
}

async fn with_provider(test: impl AsyncFnOnce(SocketAddr)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::select! {
        ended = provider::accept(&listener) => ended.unwrap(),
        () = test(address) => {}
    }
}

#[tokio::test]
async fn an_open_loop_sends_its_whole_schedule_in_its_time() {
    with_provider(async |address| {
        let shape = open::Open {
            connections: 4,
            period: Duration::from_millis(2),
            requests: 50,
            calm: CALM,
        };
        let sample = open::run(&call(address, "bench-600"), shape, &no_cpu).await.unwrap();
        assert_eq!(sample.requests, 50);
        assert!(Duration::from_millis(98) <= sample.wall, "{:?}", sample.wall);
        assert!(sample.percentile_ns(50) <= sample.percentile_ns(99));
    })
    .await;
}

#[tokio::test]
async fn an_open_loop_charges_a_slow_answer_for_those_behind_it() {
    with_provider(async |address| {
        // 2 chunks 30 ms apart on one connection, one request per 10 ms: the n-th answer is complete some 20 ms later than the one before.
        let shape = open::Open {
            connections: 1,
            period: Duration::from_millis(10),
            requests: 4,
            calm: CALM,
        };
        let sample = open::run(&call(address, "stream-2-30ms"), shape, &no_cpu).await.unwrap();
        assert!(85_000_000 <= sample.times_ns.last().copied().unwrap(), "{:?}", sample.times_ns);
    })
    .await;
}

#[tokio::test]
async fn streams_are_timed_to_their_first_chunk_and_read_to_their_end() {
    with_provider(async |address| {
        let shape = streams::Streams {
            connections: 3,
            per_connection: 2,
            stagger: Duration::from_millis(1),
        };
        let (call, warm) = (call(address, "stream-5-10ms"), call(address, "bench-600"));
        let sample = streams::run(&call, &warm, shape, &no_cpu).await.unwrap();
        assert_eq!(sample.requests, 6);
        assert!(Duration::from_millis(80) <= sample.wall, "{:?}", sample.wall);
        assert!(sample.percentile_ns(50).unwrap() < 20_000_000, "{:?}", sample.times_ns);
    })
    .await;
}

#[tokio::test]
async fn a_closed_loop_counts_what_ended_in_its_window() {
    with_provider(async |address| {
        let shape = closed::Closed {
            connections: 4,
            warm: Duration::from_millis(10),
            measured: Duration::from_millis(50),
            calm: CALM,
        };
        let sample = closed::run(&call(address, "bench-600"), shape, &no_cpu).await.unwrap();
        assert!(0 < sample.requests);
        assert!(sample.requests < sample.cpu_requests, "those before the window are paid for too");
        assert_eq!(sample.requests, sample.times_ns.len() as u64);
    })
    .await;
}

#[tokio::test]
async fn what_is_put_off_is_waited_for_and_counted() {
    // Busy for three readings after the load, then at rest.
    let readings = std::cell::Cell::new(0);
    let cpu = || {
        readings.set(readings.get() + 1);
        Ok(Duration::from_millis(10) * readings.get().min(4))
    };
    let calm = Calm {
        rests: Duration::from_millis(1),
    };
    assert_eq!(calm.cpu(&cpu).await.unwrap(), Duration::from_millis(40));
    assert_eq!(readings.get(), 5);
}

#[tokio::test]
async fn an_error_or_a_missing_end_fails_the_sample() {
    with_provider(async |address| {
        let shape = open::Open {
            connections: 1,
            period: Duration::from_millis(1),
            requests: 1,
            calm: CALM,
        };
        let unknown = open::run(&call(address, "gpt-4o"), shape, &no_cpu).await.unwrap_err();
        assert!(unknown.contains("404"), "{unknown}");
        let endless = Call {
            terminator: b"message_stop",
            ..call(address, "stream-2-0ms")
        };
        let endless = open::run(&endless, shape, &no_cpu).await.unwrap_err();
        assert!(endless.contains("without its end"), "{endless}");
    })
    .await;
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let sample = |times_ns: Vec<u64>| Sample {
        requests: 0,
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
        cpu_requests: 0,
        times_ns,
    };
    let rows = [
        (100, 50, Some(50)),
        (100, 99, Some(99)),
        (1, 99, Some(1)),
        (3, 50, Some(2)),
        (0, 50, None),
    ];
    for (count, percent, expected) in rows {
        assert_eq!(sample((1..=count).collect()).percentile_ns(percent), expected, "{count} {percent}");
    }
}
