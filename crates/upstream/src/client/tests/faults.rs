//! Connections and bodies that fail: F01–F11, F42, F44 as far as the door sees them.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http_body::Body as _;
use http_body_util::BodyExt;

use super::super::TransportFaultKind as Kind;
use super::*;

#[tokio::test]
async fn f01_a_refused_connection_is_told_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = origin(&format!("http://{address}"), HttpVersion::Auto);
    let start = Instant::now();
    let fault = send(&client(), &origin, &timeouts()).await.unwrap_err();
    assert_eq!((fault.kind, fault.response_bytes), (Kind::Refused, false), "{fault}");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn f02_a_name_without_address_is_told_as_such() {
    let origin = origin("http://nowhere.invalid", HttpVersion::Auto);
    let fault = send(&client(), &origin, &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Dns, "{fault}");
    assert!(fault.detail.contains("nowhere.invalid"), "{fault}");
}

#[tokio::test]
async fn f02_the_last_good_address_serves_while_dns_fails() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let origin = origin(&format!("http://nowhere.invalid:{}", server.address.port()), HttpVersion::Auto);
    let client = client();
    let learned = tokio::time::Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    client.pool(&origin).resolver().seed(vec![server.address], learned);
    assert_eq!(fetch(&client, &origin, &timeouts()).await.unwrap(), (200, Bytes::from("ok")));
}

#[tokio::test]
async fn a_dead_first_address_does_not_hide_a_living_second() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = origin("http://two.invalid", HttpVersion::Auto);
    let client = client();
    client
        .pool(&origin)
        .resolver()
        .seed(vec![dead, server.address], tokio::time::Instant::now());
    assert_eq!(fetch(&client, &origin, &timeouts()).await.unwrap().0, 200);
}

/// A listener whose queue is full, so that the kernel drops further SYNs; and the connections that fill it.
fn full_listener() -> (socket2::Socket, SocketAddr, Vec<TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    while let Ok(tcp) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        fill.push(tcp);
    }
    (socket, address, fill)
}

#[tokio::test]
async fn f04_a_dropped_syn_ends_at_the_connect_timer() {
    let (_socket, address, _fill) = full_listener();
    let origin = origin(&format!("http://{address}"), HttpVersion::Auto);
    let start = Instant::now();
    let fault = send(
        &client(),
        &origin,
        &Timeouts {
            connect: Duration::from_millis(200),
            ..timeouts()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(fault.kind, Kind::ConnectTimeout, "{fault}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    // The exchange's own deadline counts here too, and says so.
    let fault = send(
        &client(),
        &origin,
        &Timeouts {
            total: Duration::from_millis(100),
            ..timeouts()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(fault.kind, Kind::TotalTimeout, "{fault}");
}

#[tokio::test]
async fn f05_a_connection_lost_before_the_head_is_not_repeated_on_a_new_connection() {
    for (name, with_reset) in [("fin", false), ("rst", true)] {
        let server = Server::start(move |mut tcp, _| {
            read_request(&mut tcp);
            if with_reset {
                reset(tcp);
            }
        });
        let fault = send(&client(), &server.origin(), &timeouts()).await.unwrap_err();
        assert_eq!((fault.kind, fault.response_bytes), (Kind::Reset, false), "{name}: {fault}");
        assert_eq!(server.connections(), 1, "{name}");
    }
}

#[tokio::test]
async fn f06_a_body_that_breaks_is_never_taken_for_a_whole_one() {
    let rows = [
        ("content-length, fin", "content-length: 10\r\n\r\n12345", false, Kind::Truncated),
        (
            "chunked, fin in a chunk",
            "transfer-encoding: chunked\r\n\r\na\r\n12345",
            false,
            Kind::Truncated,
        ),
        (
            "chunked, fin between chunks",
            "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
            false,
            Kind::Truncated,
        ),
        ("content-length, rst", "content-length: 10\r\n\r\n12345", true, Kind::Reset),
        (
            "chunked, rst",
            "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
            true,
            Kind::Reset,
        ),
        (
            "bad chunk size",
            "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n",
            false,
            Kind::BadResponse,
        ),
    ];
    for (name, answer, with_reset, kind) in rows {
        let (go, gone) = mpsc::sync_channel::<()>(1);
        let gone = std::sync::Mutex::new(gone);
        let server = Server::start(move |mut tcp, _| {
            read_request(&mut tcp);
            tcp.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes()).unwrap();
            gone.lock().unwrap().recv_timeout(LONG).unwrap();
            if with_reset {
                reset(tcp);
            }
        });
        let mut body = send(&client(), &server.origin(), &timeouts()).await.unwrap().into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "12345", "{name}");
        go.send(()).unwrap();
        let fault = body.frame().await.unwrap().unwrap_err();
        assert_eq!((fault.kind, fault.response_bytes), (kind, true), "{name}: {fault}");
        assert!(body.frame().await.is_none(), "{name}: a fault is the end");
    }
}

#[tokio::test]
async fn f09_silence_before_the_head_ends_at_the_first_byte_timer() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        wait_for_close(&mut tcp);
    });
    for (limits, kind) in [
        (
            Timeouts {
                first_byte: Duration::from_millis(100),
                ..timeouts()
            },
            Kind::FirstByteTimeout,
        ),
        (
            Timeouts {
                total: Duration::from_millis(100),
                ..timeouts()
            },
            Kind::TotalTimeout,
        ),
    ] {
        let start = Instant::now();
        let fault = send(&client(), &server.origin(), &limits).await.unwrap_err();
        assert_eq!((fault.kind, fault.response_bytes), (kind, false), "{fault}");
        assert!(Duration::from_millis(100) <= start.elapsed() && start.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn f09_half_a_head_is_no_head() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\nx-half: ").unwrap();
        wait_for_close(&mut tcp);
    });
    let limits = Timeouts {
        first_byte: Duration::from_millis(100),
        ..timeouts()
    };
    let fault = send(&client(), &server.origin(), &limits).await.unwrap_err();
    assert_eq!((fault.kind, fault.response_bytes), (Kind::FirstByteTimeout, true), "{fault}");
}

#[tokio::test]
async fn f10_silence_in_a_body_ends_at_the_idle_timer() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n")
            .unwrap();
        wait_for_close(&mut tcp);
    });
    let limits = Timeouts {
        idle: Duration::from_millis(200),
        ..timeouts()
    };
    let mut body = send(&client(), &server.origin(), &limits).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let start = Instant::now();
    let fault = body.frame().await.unwrap().unwrap_err();
    assert_eq!(fault.kind, Kind::IdleTimeout, "{fault}");
    // R-D2: idle + 250 ms.
    assert!(start.elapsed() < Duration::from_millis(200 + 250), "{:?}", start.elapsed());
}

#[tokio::test]
async fn f11_a_trickle_is_delivered_until_the_deadline() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        while tcp.write_all(b"1\r\nx\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let limits = Timeouts {
        idle: Duration::from_millis(300),
        total: Duration::from_millis(600),
        ..timeouts()
    };
    let mut body = send(&client(), &server.origin(), &limits).await.unwrap().into_body();
    let mut bytes = 0;
    let fault = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => bytes += frame.into_data().unwrap().len(),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.kind, Kind::TotalTimeout, "{fault}");
    assert!(bytes > 5, "{bytes}");
}

#[test]
fn f42_what_this_side_lacks_is_not_the_providers_fault() {
    for (errno, kind) in [
        (24, Kind::Exhausted),
        (23, Kind::Exhausted),
        (99, Kind::Exhausted),
        (111, Kind::Refused),
        (113, Kind::Refused),
        (110, Kind::ConnectTimeout),
    ] {
        assert_eq!(
            TransportFault::of_connect(&std::io::Error::from_raw_os_error(errno)).kind,
            kind,
            "{errno}"
        );
    }
}

#[tokio::test]
async fn f42_an_origin_gets_no_more_connections_than_allowed() {
    let server = Server::start(|mut tcp, _| {
        read_request(&mut tcp);
        tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").unwrap();
        wait_for_close(&mut tcp);
    });
    let client = Client::new(ClientSettings {
        connections_per_origin_max: 2,
        ..settings()
    });
    let held = [
        send(&client, &server.origin(), &timeouts()).await.unwrap(),
        send(&client, &server.origin(), &timeouts()).await.unwrap(),
    ];
    let fault = send(&client, &server.origin(), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Exhausted, "{fault}");
    drop(held);
    assert!(
        send(&client, &server.origin(), &timeouts()).await.is_ok(),
        "given back when dropped"
    );
}

#[tokio::test]
async fn f44_whoever_leaves_cancels_the_provider() {
    for after_head in [false, true] {
        let (closed, was_closed) = mpsc::sync_channel(8);
        let (asked, was_asked) = mpsc::sync_channel(8);
        let server = Server::start(move |mut tcp, _| {
            read_request(&mut tcp);
            if after_head {
                tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
                    .unwrap();
            }
            asked.send(()).unwrap();
            closed.send(wait_for_close(&mut tcp)).unwrap();
        });
        let client = client();
        if after_head {
            let mut body = send(&client, &server.origin(), &timeouts()).await.unwrap().into_body();
            assert!(body.frame().await.unwrap().is_ok());
            assert!(!body.is_end_stream());
        } else {
            let (origin, limits) = (server.origin(), timeouts());
            let waiting = send(&client, &origin, &limits);
            assert!(tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err());
        }
        let left = Instant::now();
        was_asked.recv_timeout(LONG).unwrap();
        was_closed.recv_timeout(LONG).unwrap();
        // R-D4: 100 ms.
        assert!(
            left.elapsed() < Duration::from_millis(100),
            "after head: {after_head}, {:?}",
            left.elapsed()
        );
    }
}
