//! Requests as they leave and heads as they arrive: F26, F27, F28.

use std::io::{Read, Write};
use std::sync::mpsc;

use http::header;

use super::super::TransportFaultKind as Kind;
use super::*;

#[tokio::test]
async fn a_request_leaves_in_one_write_with_what_the_door_sets() {
    let (seen, was_seen) = mpsc::sync_channel(8);
    let server = Server::start(move |mut tcp, _| {
        let mut bytes = vec![0; 64 * 1024];
        let length = tcp.read(&mut bytes).unwrap();
        bytes.truncate(length);
        seen.send(String::from_utf8(bytes).unwrap()).unwrap();
        tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let request = Request::post("http://evil.example/v1/chat/completions?a=b")
        .header(header::HOST, "evil.example")
        .header(header::CONNECTION, "x-hop")
        .header(header::TRANSFER_ENCODING, "chunked")
        .header(header::CONTENT_LENGTH, "99")
        .header(header::ACCEPT_ENCODING, "gzip")
        .header("x-kept", "1")
        .body(Bytes::from_static(b"{\"a\":1}"))
        .unwrap();
    let origin = server.origin();
    let deadline = std::time::Instant::now() + LONG;
    let answer = client().send(&origin, request, &timeouts(), deadline).await.unwrap();
    assert_eq!(answer.status(), 204);
    let seen = was_seen.recv_timeout(LONG).unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "{\"a\":1}");
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions?a=b HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!(
        lines,
        ["accept-encoding: identity", "content-length: 7", host.as_str(), "x-kept: 1"]
    );
}

#[tokio::test]
async fn f27_a_head_that_breaks_the_rules_is_a_bad_response() {
    let many = "x-h: 1\r\n".repeat(101);
    let huge = format!("x-huge: {}\r\n", "h".repeat(70 * 1024));
    let rows = [
        ("too many headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
        ("too long a header", format!("HTTP/1.1 200 OK\r\n{huge}\r\n")),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
        ),
        ("a length that is none", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_owned()),
        ("a nul in a value", "HTTP/1.1 200 OK\r\nx-bad: a\0b\r\n\r\n".to_owned()),
        ("a bare cr in a value", "HTTP/1.1 200 OK\r\nx-bad: a\rb\r\n\r\n".to_owned()),
        ("a folded line", "HTTP/1.1 200 OK\r\nx-bad: a\r\n b\r\n\r\n".to_owned()),
        ("a space before the colon", "HTTP/1.1 200 OK\r\nx-bad : a\r\n\r\n".to_owned()),
        ("no http at all", "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned()),
        (
            "a switch of protocols",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        ),
    ];
    for (name, answer) in rows {
        let server = Server::answering(answer);
        let fault = send(&client(), &server.origin(), &timeouts()).await.unwrap_err();
        assert_eq!((fault.kind, fault.response_bytes), (Kind::BadResponse, true), "{name}: {fault}");
    }
}

#[tokio::test]
async fn f26_an_encoded_body_was_not_asked_for() {
    for (encoding, taken) in [("gzip", false), ("br", false), ("identity, gzip", false), ("identity", true)] {
        let server = Server::answering(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: 2\r\n\r\nok"
        ));
        let answered = fetch(&client(), &server.origin(), &timeouts()).await;
        assert_eq!(
            answered.as_ref().map_err(|fault| fault.kind).err(),
            (!taken).then_some(Kind::BadResponse),
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn f28_a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = elsewhere.address;
        let server = Server::answering(format!(
            "HTTP/1.1 {status}\r\nlocation: http://{location}/latest/meta-data\r\ncontent-length: 0\r\n\r\n"
        ));
        let answer = send(&client(), &server.origin(), &timeouts()).await.unwrap();
        assert!(answer.status().is_redirection(), "{status}");
    }
    assert_eq!(elsewhere.connections(), 0);
}
