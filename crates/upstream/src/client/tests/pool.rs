//! Which connection serves which exchange.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::BodyExt;

use super::super::TransportFaultKind as Kind;
use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn an_answer_read_to_its_end_leaves_its_connection_to_the_next() {
    let rows = [
        ("content-length", "content-length: 2\r\n\r\nok", 1),
        ("chunked", "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1),
        (
            "chunked with trailers",
            "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n",
            1,
        ),
        ("empty", "content-length: 0\r\n\r\n", 1),
        ("connection: close", "connection: close\r\ncontent-length: 2\r\n\r\nok", 5),
        ("bytes after the end", "content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", 5),
    ];
    for (name, answer, connections) in rows {
        let server = Server::answering(format!("HTTP/1.1 200 OK\r\n{answer}"));
        let client = client();
        for _ in 0..5 {
            let (status, body) = fetch(&client, &server.origin(), &timeouts()).await.unwrap();
            assert_eq!((status, body.len() % 2), (200, 0), "{name}");
        }
        assert_eq!(server.connections(), connections, "{name}");
    }
}

#[tokio::test]
async fn the_last_byte_is_enough_to_give_a_connection_back() {
    let server = Server::answering(OK);
    let client = client();
    for _ in 0..3 {
        let mut body = send(&client, &server.origin(), &timeouts()).await.unwrap().into_body();
        // Not asked again after the last frame, as hyper's server does when it knows the length.
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
        drop(body);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_until_close_ends_well_and_its_connection_with_it() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\nto the end").unwrap();
    });
    let client = client();
    for connections in 1..=2 {
        assert_eq!(fetch(&client, &server.origin(), &timeouts()).await.unwrap().1, "to the end");
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let server = Server::answering(OK);
    let client = Client::new(ClientSettings {
        idle_per_origin_max: 2,
        ..settings()
    });
    for (round, connections) in [(1, 3), (2, 4)] {
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(send(&client, &server.origin(), &timeouts()).await.unwrap());
        }
        for answer in held {
            collect(answer.into_body(), 10).await.unwrap();
        }
        assert_eq!(server.connections(), connections, "round {round}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time_and_close_waits_for_the_sweeper() {
    let (closed, was_closed) = mpsc::sync_channel(8);
    let server = Server::start(move |mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(OK).unwrap();
        closed.send(wait_for_close(&mut tcp)).unwrap();
    });
    let idle_timeout = Duration::from_millis(100);
    let client = Client::new(ClientSettings {
        idle_timeout,
        ..settings()
    });
    fetch(&client, &server.origin(), &timeouts()).await.unwrap();
    let waited = tokio::task::spawn_blocking(move || was_closed.recv_timeout(LONG).unwrap())
        .await
        .unwrap();
    assert!(idle_timeout / 2 <= waited && waited < Duration::from_secs(2), "{waited:?}");
    client.close(LONG).await;
    let fault = send(&client, &server.origin(), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Exhausted, "{fault}");
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_not_used() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(OK).unwrap();
    });
    let client = client();
    for connections in 1..=3 {
        assert_eq!(fetch(&client, &server.origin(), &timeouts()).await.unwrap().0, 200);
        assert_eq!(server.connections(), connections);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server that answers the first request of each connection, and does `then` when the second arrives.
fn second_request(then: &'static [u8], answers_first_up_to: usize) -> (Server, mpsc::Receiver<usize>) {
    let (seen, was_seen) = mpsc::sync_channel(8);
    let server = Server::start(move |mut tcp, number| {
        read_request(&mut tcp);
        seen.send(number).unwrap();
        if number < answers_first_up_to {
            tcp.write_all(OK).unwrap();
            if read_request(&mut tcp).is_some() {
                seen.send(number).unwrap();
                tcp.write_all(then).unwrap();
            }
        }
    });
    (server, was_seen)
}

#[tokio::test]
async fn a_kept_connection_that_dies_without_a_byte_is_replaced_once() {
    let (server, seen) = second_request(b"", usize::MAX);
    let client = client();
    for _ in 0..2 {
        assert_eq!(fetch(&client, &server.origin(), &timeouts()).await.unwrap().0, 200);
    }
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [0, 0, 1], "the second request came twice");

    let (server, seen) = second_request(b"", 1);
    let client = self::client();
    assert_eq!(fetch(&client, &server.origin(), &timeouts()).await.unwrap().0, 200);
    let fault = fetch(&client, &server.origin(), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Reset, "{fault}");
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [0, 0, 1], "and not a third time");
}

#[tokio::test]
async fn a_kept_connection_that_dies_after_a_byte_is_not_replaced() {
    let (server, seen) = second_request(b"H", usize::MAX);
    let client = client();
    assert_eq!(fetch(&client, &server.origin(), &timeouts()).await.unwrap().0, 200);
    let fault = fetch(&client, &server.origin(), &timeouts()).await.unwrap_err();
    assert_eq!((fault.kind, fault.response_bytes), (Kind::Reset, true), "{fault}");
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn a_kept_connection_that_stays_silent_is_not_replaced() {
    let (server, seen) = second_request(b"", usize::MAX);
    let stalling = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(OK).unwrap();
        wait_for_close(&mut tcp);
    });
    drop((server, seen));
    let client = client();
    let limits = Timeouts {
        first_byte: Duration::from_millis(100),
        ..timeouts()
    };
    assert_eq!(fetch(&client, &stalling.origin(), &limits).await.unwrap().0, 200);
    let fault = fetch(&client, &stalling.origin(), &limits).await.unwrap_err();
    assert_eq!(fault.kind, Kind::FirstByteTimeout, "{fault}");
    assert_eq!(stalling.connections(), 1);
}

/// Counts how often a future is polled.
struct Polls<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Polls<F> {
    type Output = F::Output;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

#[tokio::test]
async fn an_exchange_is_polled_once_per_thing_that_happens() {
    const CHUNKS: usize = 20;
    let server = Server::start(|mut tcp, _| {
        while read_request(&mut tcp).is_some() {
            tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
            for _ in 0..CHUNKS {
                std::thread::sleep(Duration::from_millis(5));
                tcp.write_all(b"2\r\nok\r\n").unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
            tcp.write_all(b"0\r\n\r\n").unwrap();
        }
    });
    let client = client();
    let origin = server.origin();
    fetch(&client, &origin, &timeouts()).await.unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let limits = timeouts();
    Polls(Box::pin(fetch(&client, &origin, &limits)), Arc::clone(&polls)).await.unwrap();
    // Once to begin, once for the head, once per chunk, once for the end: no wake that finds nothing. Chunks that the
    // machine delivers late and together make it fewer.
    assert!(polls.load(Ordering::SeqCst) <= CHUNKS + 3, "{polls:?}");
}

#[tokio::test]
async fn an_exchange_is_a_small_future() {
    let (client, origin, limits) = (client(), origin("http://127.0.0.1:1", HttpVersion::Auto), timeouts());
    let size = size_of_val(&client.send(&origin, request(""), &limits, std::time::Instant::now()));
    assert!(size <= 3 * 1024, "{size} bytes move whenever an exchange does");
}
