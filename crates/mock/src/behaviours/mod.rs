//! The registry of behaviours: what the model name makes the simulator say. One row each; the manual prints them.
//! A behaviour drafts an answer from the question alone; limits, dialects and faults come after it.

mod prose;
mod structured;
mod tools;

use crate::{
    question::Question,
    reply::{Draft, Part},
    text,
};

/// Tokens of one answer, at most.
pub(crate) const TOKENS_MAX: u64 = 100_000;

/// A behaviour.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its name; see `pattern.rs`.
    pub(crate) pattern: &'static str,
    /// What it does, for the manual.
    pub(crate) summary: &'static str,
    /// Is the request not validated, for speed?
    pub(crate) unchecked: bool,
    /// Drafts the answer; the numbers are those of the name.
    pub(crate) draft: fn(&Question, &[u64]) -> Draft,
}

const fn row(pattern: &'static str, summary: &'static str, draft: fn(&Question, &[u64]) -> Draft) -> Row {
    Row {
        pattern,
        summary,
        unchecked: false,
        draft,
    }
}

const fn unchecked(pattern: &'static str, summary: &'static str, draft: fn(&Question, &[u64]) -> Draft) -> Row {
    Row {
        pattern,
        summary,
        unchecked: true,
        draft,
    }
}

/// What a name of no other behaviour gets.
pub(crate) static ASSISTANT: Row = row(
    "any other name",
    "a friendly assistant: calls a tool when one is forced, gives JSON when asked, else quotes the user",
    prose::assistant,
);

/// Every behaviour with a name.
pub(crate) static ROWS: &[Row] = &[
    row("echo", "the text of the last user message", prose::echo),
    row("lorem", "200 tokens of prose", prose::lorem),
    row("lorem-{n}", "{n} tokens of prose (at most 100,000)", prose::lorem),
    row(
        "tool-caller",
        "calls the first tool (or the forced one); quotes the result after it",
        tools::call_first,
    ),
    row(
        "tool-caller-2",
        "calls every tool at once, unless parallel calls are off",
        tools::call_all,
    ),
    row(
        "json",
        "an instance of the JSON schema asked for, or some JSON object",
        structured::json,
    ),
    row(
        "reasoner",
        "thinks first: reasoning_content, or a thinking block with its signature",
        prose::reasoner,
    ),
    row(
        "reasoner-redacted",
        "thinks in secret: a redacted_thinking block, or only reasoning tokens",
        prose::redacted,
    ),
    row("refuser", "refuses: message.refusal, or stop_reason refusal", prose::refuser),
    row("content-filter", "begins, and is cut by a content filter", prose::filtered),
    row(
        "vision",
        "names the images and documents it was shown, with media type and size or URL",
        prose::vision,
    ),
    row("empty", "says nothing at all, in zero tokens", prose::empty),
    row(
        "unicode",
        "text that breaks at wrong byte boundaries: emoji, CJK, combining marks, escapes",
        prose::unicode,
    ),
    row(
        "usage-{n}-{n}",
        "a short answer that is charged exactly {n} input and {n} output tokens",
        prose::usage,
    ),
    row(
        "usage-{n}-{n}-{n}",
        "the same, the third being how many of the input were cached",
        prose::usage,
    ),
    unchecked(
        "bench-{n}",
        "an answer of about {n} bytes of JSON; the request is not validated",
        prose::bench,
    ),
    unchecked(
        "stream-{n}-{d}",
        "{n} tokens with {d} between them; the request is not validated",
        prose::paced,
    ),
];

/// Bytes of generated content in some parts.
pub(crate) fn content_bytes(parts: &[Part]) -> u64 {
    let bytes = |part: &Part| match part {
        Part::Thinking(text) | Part::Text(text) | Part::Refusal(text) => text.len(),
        Part::Call { arguments, .. } => arguments.len(),
        Part::Redacted(_) => 0,
    };
    parts.iter().map(|part| bytes(part) as u64).sum()
}

/// A figure of the name, or what it is without one.
fn figure(figures: &[u64], at: usize, otherwise: u64) -> u64 {
    figures.get(at).copied().unwrap_or(otherwise)
}

/// Filler within the bound.
fn lorem_text(tokens: u64) -> String {
    text::lorem(tokens.min(TOKENS_MAX))
}
