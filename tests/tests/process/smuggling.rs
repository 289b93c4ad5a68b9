//! R-E1: requests whose end is a matter of opinion. Each is followed by a second request that must not be taken for one where a
//! stricter reader would see none: refused and closed, or read as RFC 9112 says, and never in two ways.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tollgate_tests::caller::drain;
use tollgate_tests::rig::CALLER_KEY;
use tollgate_tests::{Dialect, Rig};

const QUIET: Duration = Duration::from_millis(700);

fn body() -> String {
    Dialect::OpenAi.ask("openai/echo", "hello there", false).to_string()
}

/// A head up to these lines and the empty one.
fn head(lines: &str) -> String {
    first_line("POST /v1/chat/completions HTTP/1.1", lines)
}

fn first_line(line: &str, lines: &str) -> String {
    format!("{line}\r\nhost: t\r\nauthorization: Bearer {CALLER_KEY}\r\ncontent-type: application/json\r\n{lines}\r\n")
}

/// A request with a body of this `content-length`, or whatever stands there.
fn sized(line: &str) -> String {
    head(&format!("{line}\r\n")) + &body()
}

/// A request in one chunk, under this line.
fn chunked(line: &str) -> String {
    coded(line, &one_chunk())
}

/// A request whose chunks are written so.
fn chunks(coding: &str) -> String {
    coded("transfer-encoding: chunked", coding)
}

fn coded(line: &str, coding: &str) -> String {
    head(&format!("{line}\r\n")) + coding
}

fn one_chunk() -> String {
    format!("{:x}\r\n{}\r\n0\r\n\r\n", body().len(), body())
}

/// What must be refused: nothing is answered but an error, and the connection is closed.
fn refused() -> Vec<(&'static str, String)> {
    let body = body();
    let n = body.len();
    let length = format!("content-length: {n}");
    let line = |line: &str| first_line(line, &format!("content-length: {n}\r\n")) + &body;
    let extra = |extra: &str| head(&format!("{extra}\r\ncontent-length: {n}\r\n")) + &body;
    vec![
        // Lengths.
        ("two lengths", sized(&format!("content-length: {n}\r\ncontent-length: 5"))),
        ("a list of lengths", sized(&format!("content-length: {n}, 5"))),
        ("a signed length", sized(&format!("content-length: +{n}"))),
        ("a negative length", sized("content-length: -1")),
        ("minus nothing", sized("content-length: -0")),
        ("a hex length", sized(&format!("content-length: 0x{n:x}"))),
        ("hex digits", sized(&format!("content-length: {n}a"))),
        ("an empty length", sized("content-length:")),
        ("a length in quotes", sized(&format!("content-length: \"{n}\""))),
        ("a length with a blank in it", sized("content-length: 1 0")),
        ("a length with a point", sized(&format!("content-length: {n}.0"))),
        ("a length with an exponent", sized("content-length: 1e2")),
        ("a length with an underscore", sized("content-length: 1_0")),
        ("a length beyond 64 bits", sized("content-length: 18446744073709551616")),
        ("a length of 40 digits", sized(&format!("content-length: {}", "9".repeat(40)))),
        ("a length behind a vertical tab", sized(&format!("content-length: \x0b{n}"))),
        ("a blank before the length's colon", sized(&format!("content-length : {n}"))),
        ("a tab before the length's colon", sized(&format!("content-length\t: {n}"))),
        ("a folded length", sized(&format!("content-length:\r\n {n}"))),
        // Codings.
        ("an unknown coding", chunked("transfer-encoding: xchunked")),
        ("a coding cut short", chunked("transfer-encoding: chunk")),
        ("a coding in quotes", chunked("transfer-encoding: \"chunked\"")),
        ("a coding with a parameter", chunked("transfer-encoding: chunked;q=1")),
        ("an empty coding", chunked("transfer-encoding:")),
        ("identity alone", chunked("transfer-encoding: identity")),
        ("chunked not last", chunked("transfer-encoding: chunked, identity")),
        (
            "chunked not on the last line",
            chunked("transfer-encoding: chunked\r\ntransfer-encoding: identity"),
        ),
        ("chunked behind a vertical tab", chunked("transfer-encoding: \x0bchunked")),
        ("chunked before a NUL", chunked("transfer-encoding: chunked\0")),
        ("a blank before the coding's colon", chunked("transfer-encoding : chunked")),
        ("a folded coding", chunked("transfer-encoding:\r\n chunked")),
        (
            "a coding in HTTP/1.0",
            first_line("POST /v1/chat/completions HTTP/1.0", "transfer-encoding: chunked\r\n") + &one_chunk(),
        ),
        // What only another reader may take for something else.
        ("one length twice in a list", sized(&format!("{length}, {n}"))),
        ("chunked twice", chunked("transfer-encoding: chunked, chunked")),
        ("a coding below chunked", chunked("transfer-encoding: gzip, chunked")),
        ("an unknown coding below chunked", chunked("transfer-encoding: xyz, chunked")),
        ("identity below chunked", chunked("transfer-encoding: identity, chunked")),
        (
            "identity on a line before",
            chunked("transfer-encoding: identity\r\ntransfer-encoding: chunked"),
        ),
        ("two hosts", extra("host: other")),
        ("HTTP/1.2", line("POST /v1/chat/completions HTTP/1.2")),
        ("a byte of DEL", extra("x-a: \x7f")),
        ("no host", sized(&length).replace("host: t\r\n", "")),
        // Chunks.
        ("a chunk size that is none", chunks(&format!("zz\r\n{body}\r\n0\r\n\r\n"))),
        ("a signed chunk size", chunks(&format!("+{n:x}\r\n{body}\r\n0\r\n\r\n"))),
        ("a negative chunk size", chunks(&format!("-{n:x}\r\n{body}\r\n0\r\n\r\n"))),
        ("a chunk size of 0x", chunks(&format!("0x{n:x}\r\n{body}\r\n0\r\n\r\n"))),
        ("an empty chunk size", chunks(&format!("\r\n{body}\r\n0\r\n\r\n"))),
        ("a blank before the chunk size", chunks(&format!(" {n:x}\r\n{body}\r\n0\r\n\r\n"))),
        ("a blank in the chunk size", chunks(&format!("{n:x} 1\r\n{body}\r\n0\r\n\r\n"))),
        ("a huge chunk size", chunks("fffffffffffffffff\r\n")),
        ("a chunk size that ends with LF", chunks(&format!("{n:x}\n{body}\r\n0\r\n\r\n"))),
        ("a chunk longer than its size", chunks(&format!("5\r\n{body}\r\n0\r\n\r\n"))),
        ("a chunk that ends with LF", chunks(&format!("{n:x}\r\n{body}\n0\r\n\r\n"))),
        ("a LF in an extension", chunks(&format!("{n:x};a\nb\r\n{body}\r\n0\r\n\r\n"))),
        (
            "an extension of 64 KiB",
            chunks(&format!("{n:x};{}\r\n{body}\r\n0\r\n\r\n", "e".repeat(64 << 10))),
        ),
        (
            "trailers of 128 KiB",
            chunks(&format!("{n:x}\r\n{body}\r\n0\r\nx: {}\r\n\r\n", "t".repeat(128 << 10))),
        ),
        // The request line.
        ("no HTTP version", "POST /v1/chat/completions\r\n\r\n".into()),
        ("another version", line("POST /v1/chat/completions HTTP/3.0")),
        ("HTTP/2 without its preface", line("POST /v1/chat/completions HTTP/2.0")),
        ("a version with a zero before it", line("POST /v1/chat/completions HTTP/01.1")),
        ("a version in small letters", line("POST /v1/chat/completions http/1.1")),
        ("words behind the version", line("POST /v1/chat/completions HTTP/1.1 x")),
        ("two blanks before the path", line("POST  /v1/chat/completions HTTP/1.1")),
        ("two blanks behind the path", line("POST /v1/chat/completions  HTTP/1.1")),
        ("a tab before the path", line("POST\t/v1/chat/completions HTTP/1.1")),
        ("a blank before the method", line(" POST /v1/chat/completions HTTP/1.1")),
        ("a blank in the path", line("POST /v1/chat /completions HTTP/1.1")),
        ("a control character in the path", line("POST /v1/\x01 HTTP/1.1")),
        ("a NUL in the path", line("POST /v1/chat/completions\0 HTTP/1.1")),
        ("a path of 128 KiB", line(&format!("POST /{} HTTP/1.1", "p".repeat(128 << 10)))),
        ("half a preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".into()),
        // Header lines.
        ("a NUL in a header", extra("x-a: \0")),
        ("a bare CR in a header", extra("x-a: b\rc: d")),
        ("a header without a colon", extra("x-a")),
        ("a header without a name", extra(": b")),
        ("a blank in a header's name", extra("x a: b")),
        ("a bracket in a header's name", extra("x(a): b")),
        ("a NUL in a header's name", extra("x\0a: b")),
        ("a folded header", extra("x-a: b\r\n c")),
        ("a header of 128 KiB", extra(&format!("x-a: {}", "h".repeat(128 << 10)))),
        (
            "300 headers",
            extra(&(0..300).map(|n| format!("x-{n}: v")).collect::<Vec<_>>().join("\r\n")),
        ),
    ]
}

/// What is read as RFC 9112 says, and what is answered: to it, and to the request behind it.
fn read_as_written() -> Vec<(&'static str, String, Vec<u16>)> {
    let body = body();
    let n = body.len();
    let length = format!("content-length: {n}");
    let line = |line: &str| first_line(line, &format!("{length}\r\n")) + &body;
    let extra = |extra: &str| sized(&format!("{extra}\r\n{length}"));
    vec![
        ("a plain request", sized(&length), vec![200, 200]),
        ("one length twice", sized(&format!("{length}\r\n{length}")), vec![200, 200]),
        (
            "both framings",
            chunked("content-length: 5\r\ntransfer-encoding: chunked"),
            vec![200],
        ),
        (
            "both framings turned round",
            chunked("transfer-encoding: chunked\r\ncontent-length: 5"),
            vec![200],
        ),
        ("chunked in capitals", chunked("Transfer-Encoding: CHUNKED"), vec![200, 200]),
        ("a coding of another name", extra("transfer_encoding: chunked"), vec![200, 200]),
        ("an extension", chunks(&format!("{n:x};a=b\r\n{body}\r\n0\r\n\r\n")), vec![200, 200]),
        (
            "a size in capitals",
            chunks(&format!("{n:X}\r\n{body}\r\n0\r\n\r\n")),
            vec![200, 200],
        ),
        (
            "a size with zeros before it",
            chunks(&format!("000{n:x}\r\n{body}\r\n0\r\n\r\n")),
            vec![200, 200],
        ),
        (
            "a last size of many zeros",
            chunks(&format!("{n:x}\r\n{body}\r\n0000\r\n\r\n")),
            vec![200, 200],
        ),
        (
            "a length among the trailers",
            chunks(&format!("{n:x}\r\n{body}\r\n0\r\ncontent-length: 5\r\n\r\n")),
            vec![200, 200],
        ),
        (
            "a coding among the trailers",
            chunks(&format!("{n:x}\r\n{body}\r\n0\r\ntransfer-encoding: chunked\r\n\r\n")),
            vec![200, 200],
        ),
        (
            "an upgrade to HTTP/2",
            extra("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAAA"),
            vec![200, 200],
        ),
        (
            "an upgrade to a web socket",
            extra("connection: upgrade\r\nupgrade: websocket"),
            vec![200, 200],
        ),
        ("an unknown expectation", extra("expect: 200-maybe"), vec![200, 200]),
        ("a length that is hop by hop", extra("connection: content-length"), vec![200, 200]),
        (
            "a whole URL",
            line("POST http://other/v1/chat/completions HTTP/1.1"),
            vec![200, 200],
        ),
        ("an asterisk", line("OPTIONS * HTTP/1.1"), vec![404, 200]),
        ("a tunnel", line("CONNECT t:80 HTTP/1.1"), vec![404, 200]),
        ("a small method", line("post /v1/chat/completions HTTP/1.1"), vec![405, 200]),
        ("an unknown method", line("SMUGGLE /v1/chat/completions HTTP/1.1"), vec![405, 200]),
        ("HTTP/1.0", line("POST /v1/chat/completions HTTP/1.0"), vec![200]),
        ("lines that end with LF", sized(&length).replace("\r\n", "\n"), vec![200, 200]),
        ("empty lines before it", format!("\r\n\r\n{}", sized(&length)), vec![200, 200]),
        ("a body of a GET", line("GET /v1/chat/completions HTTP/1.1"), vec![405, 200]),
        ("no body", head(""), vec![400, 200]),
    ]
}

fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    text.match_indices("HTTP/1.")
        .filter_map(|(at, mark)| text.get(at + mark.len() + 2..at + 12)?.parse().ok())
        .collect()
}

/// Sends each row and a request of its own number behind it; gives the statuses that came back, whether the gateway closed, and
/// whether the second request reached the provider.
async fn tried(rig: &Rig, rows: Vec<String>) -> Vec<(Vec<u16>, bool, bool)> {
    let mut running = JoinSet::new();
    let mark = |number: usize| format!("behind-{number:04}");
    for (number, request) in rows.into_iter().enumerate() {
        let behind = sized(&format!("content-length: {}", body().len())).replace("hello there", &mark(number));
        let to = rig.gateway.address;
        running.spawn(async move {
            let mut socket = TcpStream::connect(to).await.unwrap();
            // A gateway that refuses early may close before everything is sent.
            let _ = socket.write_all((request + &behind).as_bytes()).await;
            let answer = drain(&mut socket, QUIET).await;
            let closed = timeout(Duration::from_millis(1), socket.read(&mut [0; 1])).await.is_ok();
            (number, statuses(&answer), closed)
        });
    }
    let mut found = running.join_all().await;
    found.sort();
    let received = rig.mock.requests_json(256);
    let reached = |number: usize| received.contains(&mark(number));
    found
        .into_iter()
        .map(|(number, statuses, closed)| (statuses, closed, reached(number)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e1_ambiguous_framing_is_refused_and_nothing_is_smuggled() {
    let rig = Rig::start().await;
    let (names, requests): (Vec<_>, Vec<_>) = refused().into_iter().unzip();
    for (what, (statuses, closed, reached)) in names.iter().zip(tried(&rig, requests).await) {
        assert!(matches!(*statuses, [400..=499]), "{what}: {statuses:?}");
        assert!(closed && !reached, "{what}: closed {closed}, a second request was read: {reached}");
    }
    println!("r_e1: {} ways to hide a request were refused", names.len());
    assert_eq!(rig.gateway.metric("tollgate_panics_total", "").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e1_clear_framing_is_read_as_it_is_written() {
    let rig = Rig::start().await;
    let rows = read_as_written();
    let requests = rows.iter().map(|(_, request, _)| request.clone()).collect();
    for ((what, _, expected), (statuses, closed, reached)) in rows.iter().zip(tried(&rig, requests).await) {
        assert_eq!(statuses, *expected, "{what}");
        // One answer means that the connection was closed behind it.
        let goes_on = expected.len() == 2;
        assert_eq!((closed, reached), (!goes_on, goes_on), "{what}");
    }
}
