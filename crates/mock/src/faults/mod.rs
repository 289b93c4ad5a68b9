//! The registry of faults: what can be asked to go wrong, one row each, with its number in FAULTS 3.2 (`-` for things
//! that are legal but seldom met). A row is a name and its effects; the manual prints it.
//! What lies below HTTP (refused connections, stalled handshakes) is `OnAccept`; DNS and TLS are not played.

mod body;
mod edit;
mod head;
mod instead;
mod sse;
mod transport;

use crate::{
    answer::Answer,
    dialects::{Dialect, Stamp},
    question::Question,
    reply::{Hollow, Part, Reply, Usage},
};

/// A fault.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its number in FAULTS 3.2.
    pub(crate) id: &'static str,
    /// Its name; see `pattern.rs`.
    pub(crate) pattern: &'static str,
    /// What it does, for the manual.
    pub(crate) summary: &'static str,
    /// How it does it.
    pub(crate) effects: &'static [Effect],
}

/// Where a fault takes hold. The numbers are those of its name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    /// It answers instead of any behaviour, or declines.
    Instead(fn(&Scene<'_>, &[u64]) -> Option<Answer>),
    /// It hears something else than was asked.
    Question(fn(&mut Question)),
    /// It ignores the token limit.
    Unlimited,
    /// It changes what is said.
    Reply(fn(&mut Reply, &[u64])),
    /// It changes how the answer travels.
    Answer(fn(&mut Answer, &Scene<'_>, &[u64])),
}

/// What an effect may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The dialect of the request.
    pub(crate) dialect: &'static dyn Dialect,
    /// What makes this answer unique.
    pub(crate) stamp: &'a Stamp,
}

/// Every fault.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    [transport::ROWS, sse::ROWS, body::ROWS, SAID, instead::ROWS, head::ROWS]
        .into_iter()
        .flatten()
}

const fn row(id: &'static str, pattern: &'static str, summary: &'static str, effects: &'static [Effect]) -> Row {
    Row {
        id,
        pattern,
        summary,
        effects,
    }
}

/// Faults of what is said, not of how.
static SAID: &[Row] = &[
    row(
        "F16",
        "empty-choices",
        "a 200 without choices, or without content blocks",
        &[Effect::Reply(empty_choices)],
    ),
    row(
        "F16",
        "null-content",
        "a 200 with null content, or one empty text block",
        &[Effect::Reply(null_content)],
    ),
    row("F21", "usage-missing", "no usage is stated", &[Effect::Reply(usage_missing)]),
    row(
        "F21",
        "usage-zero",
        "zero tokens are stated (the bill has the truth, here and below)",
        &[Effect::Reply(usage_zero)],
    ),
    row(
        "F21",
        "usage-negative",
        "negative tokens are stated",
        &[Effect::Reply(usage_negative)],
    ),
    row(
        "F21",
        "usage-times-{n}",
        "{n} times the tokens are stated",
        &[Effect::Reply(usage_times)],
    ),
    row(
        "F22",
        "ignore-max-tokens",
        "the answer is four times as long as max_tokens allows",
        &[Effect::Unlimited],
    ),
    row(
        "-",
        "bill-in-full",
        "everything is charged even when the caller leaves early",
        &[Effect::Answer(in_full)],
    ),
];

fn empty_choices(reply: &mut Reply, _: &[u64]) {
    reply.hollow = Some(Hollow::NoChoices);
}

fn null_content(reply: &mut Reply, _: &[u64]) {
    reply.hollow = Some(Hollow::NullContent);
}

fn usage_missing(reply: &mut Reply, _: &[u64]) {
    reply.stated = None;
}

fn usage_zero(reply: &mut Reply, _: &[u64]) {
    reply.stated = Some(Usage::default());
}

fn scaled(usage: Usage, factor: i64) -> Usage {
    Usage {
        input: usage.input.saturating_mul(factor),
        cached: usage.cached.saturating_mul(factor),
        output: usage.output.saturating_mul(factor),
        reasoning: usage.reasoning.saturating_mul(factor),
    }
}

fn usage_negative(reply: &mut Reply, _: &[u64]) {
    reply.stated = Some(scaled(reply.charged, -1));
}

fn usage_times(reply: &mut Reply, figures: &[u64]) {
    let factor = figures.first().and_then(|factor| i64::try_from(*factor).ok()).unwrap_or(1);
    reply.stated = Some(scaled(reply.charged, factor));
}

fn in_full(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.charged_in_full = true;
}

/// The text of a reply that a fault may mark or lengthen.
fn text_of(reply: &mut Reply) -> Option<&mut String> {
    reply.parts.iter_mut().find_map(|part| match part {
        Part::Text(text) | Part::Thinking(text) | Part::Refusal(text) => Some(text),
        Part::Call { .. } | Part::Redacted(_) => None,
    })
}
