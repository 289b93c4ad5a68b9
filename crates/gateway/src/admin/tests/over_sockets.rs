//! The same over a real connection, on the admin plane's own thread.

use std::io::{Read, Write};

use super::super::Admin;
use super::*;

/// One exchange over a connection of its own.
#[expect(clippy::disallowed_methods, reason = "a test's client, to our own listener")]
fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_need_no_login_and_the_api_does() {
    let stage = Stage::new("sockets").await;
    for with_api in [true, false] {
        let listener = crate::server::listen(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let control = with_api.then(|| Arc::clone(&stage.control));
        let admin = Admin::start(listener, Arc::clone(&stage.telemetry), control).unwrap();
        let get = |path: &str, token: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n");
            exchange(admin.address, &head)
        };
        assert!(get("/metrics", "").contains("tollgate_"));
        assert!(get("/healthz", "").ends_with("ok\n"));
        assert!(get("/", "").starts_with("HTTP/1.1 404"));
        let (junk, good) = (get("/admin/v1/me", "x"), get("/admin/v1/me", &stage.local()));
        let expected = if with_api { ("401", "200") } else { ("404", "404") };
        assert_eq!((&junk[9..12], &good[9..12]), expected, "{good}");
        let post = exchange(
            admin.address,
            "POST /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
        assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    }
}
