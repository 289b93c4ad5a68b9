//! Faults of the response head: too big, too many, twice, forged, not HTTP at all (F27).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use super::{Effect, Row, Scene, edit::figure, row};
use crate::answer::{Answer, Step};

/// KiB of a header value, at most.
const KIB_MAX: u64 = 4 * 1024;
/// Headers added, at most: the map holds 32,768.
const HEADERS_MAX: u64 = 20_000;

pub(super) static ROWS: &[Row] = &[
    row("F27", "huge-header-{n}", "a header of {n} KiB", &[Effect::Answer(huge)]),
    row("F27", "many-headers-{n}", "{n} more headers", &[Effect::Answer(many)]),
    row(
        "F27",
        "duplicate-headers",
        "content-type, request ids and retry-after twice, with different values",
        &[Effect::Answer(duplicate)],
    ),
    row(
        "F27",
        "crlf-header",
        "a header with bare CR and LF and a forged Set-Cookie (HTTP/1.1)",
        &[Effect::Answer(crlf)],
    ),
    row(
        "F27",
        "leaky-headers",
        "headers that must not cross: set-cookie, server, x-amzn-*, connection-nominated",
        &[Effect::Answer(leaky)],
    ),
    row(
        "F27",
        "two-lengths",
        "two different content-length headers (HTTP/1.1)",
        &[Effect::Answer(two_lengths)],
    ),
    row(
        "-",
        "not-http",
        "a banner of another protocol instead of an answer (HTTP/1.1)",
        &[Effect::Answer(not_http)],
    ),
];

fn huge(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    let bytes = usize::try_from(figure(figures, 0).min(KIB_MAX)).unwrap_or(0) * 1024;
    if let Ok(value) = HeaderValue::try_from("h".repeat(bytes)) {
        answer.headers.insert("x-mock-huge", value);
    }
}

fn many(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    for n in 0..figure(figures, 0).min(HEADERS_MAX) {
        if let Ok(name) = HeaderName::try_from(format!("x-mock-{n}")) {
            answer.headers.insert(name, HeaderValue::from_static("one of many"));
        }
    }
}

fn duplicate(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    for name in ["x-request-id", "request-id"] {
        answer.headers.append(name, HeaderValue::from_static("req_second"));
    }
    for value in ["1", "3600"] {
        answer.headers.append(header::RETRY_AFTER, HeaderValue::from_static(value));
    }
}

fn leaky(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    let leaks = [
        ("set-cookie", "__cf_bm=canary; path=/; HttpOnly"),
        ("server", "canary/1.0"),
        ("via", "1.1 canary"),
        ("x-amzn-requestid", "canary"),
        ("x-internal-secret", "canary"),
        ("access-control-allow-origin", "*"),
        ("alt-svc", "h3=\":443\""),
        ("strict-transport-security", "max-age=1"),
        ("proxy-authenticate", "Basic realm=canary"),
        ("www-authenticate", "Bearer realm=canary"),
        ("x-accel-redirect", "/canary"),
    ];
    for (name, value) in leaks {
        answer.headers.append(name, HeaderValue::from_static(value));
    }
}

fn body_of(answer: &Answer) -> Vec<u8> {
    let frames = answer
        .steps
        .iter()
        .filter_map(|step| if let Step::Send(frame) = step { Some(&frame.bytes) } else { None });
    frames.flat_map(|bytes| bytes.iter().copied()).collect()
}

/// The answer by hand, with lines of our own in its head.
fn by_hand(answer: &mut Answer, lines: &str) {
    let body = body_of(answer);
    let kind = answer
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("application/json");
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{lines}\r\n");
    answer.raw = Some(Bytes::from([head.into_bytes(), body].concat()));
}

fn crlf(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    by_hand(answer, "x-request-id: req_one\rset-cookie: forged=1\nx-forged: 1\r\n");
}

fn two_lengths(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    by_hand(answer, "content-length: 5\r\n");
}

fn not_http(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.raw = Some(Bytes::from_static(b"SSH-2.0-OpenSSH_9.6\r\n"));
}
