//! Faults of the body's bytes: wrong type, endless lines, broken UTF-8, compression.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, header};

use super::{
    Effect, Row, Scene,
    edit::{as_one, each_frame, figure},
    row, text_of,
};
use crate::{
    answer::{Answer, Step},
    question::Question,
    reply::Reply,
};

/// A character that no text has, put where bytes are to be broken.
const MARK: &str = "\u{e000}";
/// MiB of a bomb or a line, at most.
const MIB_MAX: u64 = 1024;
const PIECE_BYTES: usize = 64 * 1024;

pub(super) static ROWS: &[Row] = &[
    row("F14", "html-200", "a 200 with an HTML page", &[Effect::Answer(html)]),
    row(
        "F14",
        "json-for-stream",
        "a whole JSON answer though a stream was asked for",
        &[Effect::Question(whole)],
    ),
    row(
        "F14",
        "stream-for-json",
        "a stream though a whole answer was asked for",
        &[Effect::Question(streamed)],
    ),
    row(
        "F14",
        "wrong-content-type",
        "the right body as text/plain",
        &[Effect::Answer(wrong_type)],
    ),
    row(
        "F17",
        "long-line-{n}",
        "one line of {n} MiB: in the first event, or as white space before the JSON",
        &[Effect::Answer(long_line)],
    ),
    row(
        "F18",
        "invalid-utf8",
        "bytes that are no UTF-8 in the text",
        &[Effect::Reply(mark), Effect::Answer(invalid_utf8)],
    ),
    row("F26", "gzip", "a gzip body, declared (legal)", &[Effect::Answer(gzip)]),
    row(
        "F26",
        "gzip-bomb-{n}",
        "{n} MiB of spaces before the body, as gzip",
        &[Effect::Answer(gzip_bomb)],
    ),
    row(
        "F26",
        "wrong-content-encoding",
        "a plain body declared as gzip",
        &[Effect::Answer(wrong_encoding)],
    ),
];

fn html(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    as_one(answer, |_| {
        b"<!DOCTYPE html><html><body><h1>Welcome to the captive portal</h1></body></html>\n".to_vec()
    });
    answer
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
}

fn whole(question: &mut Question) {
    question.stream = false;
}

fn streamed(question: &mut Question) {
    question.stream = true;
}

fn wrong_type(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
}

fn long_line(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    let pieces = figure(figures, 0).min(MIB_MAX) * 1024 * 1024 / PIECE_BYTES as u64;
    let (filler, head): (&[u8], &'static [u8]) = if answer.is_whole() {
        (b" ", b"")
    } else {
        (b"x", b"data: {\"filler\":\"")
    };
    let filler = Bytes::from(filler.repeat(PIECE_BYTES));
    let mut steps = vec![super::edit::extra(head), Step::Repeat(filler, pieces)];
    if !answer.is_whole() {
        steps.push(super::edit::extra(&b"\"}\n\n"[..]));
    }
    // The length is no longer known in advance.
    answer.length_bytes = None;
    answer.steps.splice(0..0, steps);
}

fn mark(reply: &mut Reply, _: &[u64]) {
    if let Some(text) = text_of(reply) {
        let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.insert_str(middle, MARK);
    }
}

fn invalid_utf8(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    each_frame(answer, |bytes| {
        let marked = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes());
        let Some((before, after)) = marked.and_then(|at| bytes.split_at_checked(at)) else {
            return bytes.to_vec();
        };
        [before, &[0xc3, 0x28, 0xff], after.get(MARK.len()..).unwrap_or_default()].concat()
    });
}

fn compressed(spaces_mib: u64, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let spaces = vec![b' '; 1024 * 1024];
    let written = (0..spaces_mib)
        .try_for_each(|_| encoder.write_all(&spaces))
        .and_then(|()| encoder.write_all(bytes));
    // Writing to a Vec cannot fail; were it otherwise, an empty body would be seen by the test that asked for this.
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

fn gzip(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    as_one(answer, |bytes| compressed(0, bytes));
    answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

fn gzip_bomb(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    let spaces_mib = figure(figures, 0).min(MIB_MAX);
    as_one(answer, |bytes| compressed(spaces_mib, bytes));
    answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

fn wrong_encoding(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}
