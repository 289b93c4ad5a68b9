//! What the bench provider answers: bytes built once per model name, in the dialect of the path. The model name says everything, so the
//! provider keeps no state: `bench-1024` is a whole answer of 1,024 bytes, `stream-40-20ms` is 40 chunks 20 ms apart (`0ms`: at once).
//! It does not check keys, read prompts or count tokens: that is `tollgate mock`.

mod anthropic;
mod openai;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use memchr::memmem;

const ANSWER_BYTES_MAX: usize = 1 << 20;
const CHUNKS_MAX: usize = 10_000;
const PACE_MS_MAX: u64 = 10_000;
/// Answers kept ready; a bench asks for a handful.
const ANSWERS_KEPT_MAX: usize = 64;

/// One answer: a whole body is one chunk, a stream is many.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) content_type: &'static str,
    pub(super) chunks: Arc<[Bytes]>,
    /// Time between two chunks; the first leaves at once, with the head.
    pub(super) pace: Duration,
}

/// What a model name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Whole { bytes: usize },
    Stream { chunks: usize, pace: Duration },
}

impl Shape {
    fn parse(model: &str) -> Option<Self> {
        if let Some(bytes) = model.strip_prefix("bench-") {
            let bytes = bytes.parse().ok().filter(|bytes| *bytes <= ANSWER_BYTES_MAX)?;
            return Some(Self::Whole { bytes });
        }
        let (chunks, pace) = model.strip_prefix("stream-")?.split_once('-')?;
        let chunks = chunks.parse().ok().filter(|chunks| (1..=CHUNKS_MAX).contains(chunks))?;
        let pace_ms = pace.strip_suffix("ms")?.parse().ok().filter(|ms| *ms <= PACE_MS_MAX)?;
        Some(Self::Stream {
            chunks,
            pace: Duration::from_millis(pace_ms),
        })
    }
}

/// How one dialect spells an answer.
struct Spelling {
    /// A whole answer of exactly so many bytes (or the shortest possible, when that is longer).
    whole: fn(bytes: usize) -> Bytes,
    /// A stream in exactly so many writes, its end in the last one. `usage`: the caller asked for the usage event.
    stream: fn(chunks: usize, usage: bool) -> Vec<Bytes>,
}

/// The answers given so far, by spelling, model and whether usage was asked for.
#[derive(Default)]
pub(super) struct Answers {
    ready: HashMap<(&'static str, String, bool), Answer>,
}

impl Answers {
    /// The answer to a request body sent to `path`; `None` when the path or the model name means nothing here.
    pub(super) fn find(&mut self, path: &str, body: &[u8]) -> Option<Answer> {
        let (name, spelling) = match path {
            "/v1/chat/completions" => ("chat", &openai::SPELLING),
            "/v1/messages" => ("messages", &anthropic::SPELLING),
            _ => return None,
        };
        let model = model_in(body)?;
        let usage = memmem::find(body, b"\"include_usage\":true").is_some();
        let key = (name, model.to_owned(), usage);
        if let Some(answer) = self.ready.get(&key) {
            return Some(answer.clone());
        }
        let answer = build(spelling, Shape::parse(model)?, usage);
        if self.ready.len() < ANSWERS_KEPT_MAX {
            self.ready.insert(key, answer.clone());
        }
        Some(answer)
    }
}

fn build(spelling: &Spelling, shape: Shape, usage: bool) -> Answer {
    match shape {
        Shape::Whole { bytes } => Answer {
            content_type: "application/json",
            chunks: Arc::from([(spelling.whole)(bytes)]),
            pace: Duration::ZERO,
        },
        Shape::Stream { chunks, pace } => Answer {
            content_type: "text/event-stream; charset=utf-8",
            chunks: (spelling.stream)(chunks, usage).into(),
            pace,
        },
    }
}

/// The first `"model": "…"` in a body. A scan, not a parse: our own generator and a gateway's writer both put the model near the front,
/// and a provider that parsed 64 KB prompts would take the processor from what is measured.
fn model_in(body: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"model\":";
    let value = body
        .get(memmem::find(body, KEY)? + KEY.len()..)?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    std::str::from_utf8(value.get(..end)?).ok()
}

/// `text` repeated and cut to so many bytes: plain ASCII words, nothing to escape.
fn words(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog and asks what the gateway costs. "
        .chars()
        .cycle()
        .take(bytes)
        .collect()
}

#[cfg(test)]
mod tests;
