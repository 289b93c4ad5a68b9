//! Behaviours that answer in words.

use std::{fmt::Write as _, time::Duration};

use super::{figure, lorem_text, structured, tools};
use crate::{
    question::{Format, Media, Question, Source, ToolChoice},
    reply::{Draft, Finish, Part, Usage},
    text,
};

/// Bytes of a `bench` answer, at most.
const BENCH_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) fn assistant(question: &Question, figures: &[u64]) -> Draft {
    if matches!(question.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) && !question.tools.is_empty() {
        return tools::call_first(question, figures);
    }
    if !matches!(question.format, Format::Text) {
        return structured::json(question, figures);
    }
    if !question.tool_results.is_empty() {
        return tools::quote_results(question);
    }
    let Question { model, last_user_text, .. } = question;
    Draft::text(format!("Hello! I am the simulated model {model}. You said: {last_user_text}"))
}

pub(super) fn echo(question: &Question, _: &[u64]) -> Draft {
    Draft::text(question.last_user_text.clone())
}

pub(super) fn lorem(_: &Question, figures: &[u64]) -> Draft {
    Draft::text(lorem_text(figure(figures, 0, 200)))
}

pub(super) fn reasoner(question: &Question, _: &[u64]) -> Draft {
    let said = format!("The answer to “{}” is 42.", question.last_user_text);
    if question.thinking_disabled {
        return Draft::text(said);
    }
    let thought = format!(
        "The user said “{}”. I think about it step by step, then I answer.",
        question.last_user_text
    );
    Draft {
        parts: vec![Part::Thinking(thought), Part::Text(said)],
        ..Draft::default()
    }
}

pub(super) fn redacted(question: &Question, _: &[u64]) -> Draft {
    // The text is the seed, so that the same question has the same payload.
    let seed = question
        .last_user_text
        .bytes()
        .fold(0, |seed, byte| text::mix(seed ^ u64::from(byte)));
    let parts = vec![
        Part::Redacted(text::redacted_data(seed)),
        Part::Text("I thought about it, in secret.".to_owned()),
    ];
    Draft { parts, ..Draft::default() }
}

pub(super) fn refuser(_: &Question, _: &[u64]) -> Draft {
    let parts = vec![Part::Refusal("I'm sorry, but I can't help with that.".to_owned())];
    Draft {
        parts,
        finish: Finish::Refusal,
        ..Draft::default()
    }
}

pub(super) fn filtered(_: &Question, _: &[u64]) -> Draft {
    Draft {
        finish: Finish::ContentFilter,
        ..Draft::text(lorem_text(8))
    }
}

pub(super) fn empty(_: &Question, _: &[u64]) -> Draft {
    Draft::text("")
}

pub(super) fn unicode(_: &Question, _: &[u64]) -> Draft {
    Draft::text("ASCII, Umläute, 漢字かな交じり, 👩‍👩‍👧‍👦 🇺🇳, e\u{301}, \u{2028} \"quoted\" \\back\\ </tag>\ttab\nline\n\ndata: no event")
}

pub(super) fn usage(_: &Question, figures: &[u64]) -> Draft {
    let tokens = |at| i64::try_from(figure(figures, at, 0)).unwrap_or(i64::MAX);
    let usage = Usage {
        input: tokens(0),
        output: tokens(1),
        cached: tokens(2).min(tokens(0)),
        reasoning: 0,
    };
    Draft {
        usage: Some(usage),
        ..Draft::text("Charged as asked.")
    }
}

pub(super) fn bench(question: &Question, figures: &[u64]) -> Draft {
    let bytes = figure(figures, 0, 1024)
        .min(BENCH_BYTES_MAX)
        .saturating_sub(question.envelope_bytes)
        .max(1);
    Draft::text(text::lorem_bytes(usize::try_from(bytes).unwrap_or(1)))
}

pub(super) fn paced(_: &Question, figures: &[u64]) -> Draft {
    let pace = Duration::from_millis(figure(figures, 1, 0));
    Draft {
        pace,
        ..Draft::text(lorem_text(figure(figures, 0, 40)))
    }
}

pub(super) fn vision(question: &Question, _: &[u64]) -> Draft {
    if question.media.is_empty() {
        return Draft::text("I see nothing but text.");
    }
    let count = |kind: &str| question.media.iter().filter(|medium| medium.kind == kind).count();
    let mut said = format!(
        "I see {} image(s), {} document(s) and {} audio clip(s).",
        count("image"),
        count("document"),
        count("audio")
    );
    for Media { kind, source } in &question.media {
        // Writing to a String cannot fail.
        let _ = match source {
            Source::Inline { media_type, bytes } => write!(said, " {kind}: {media_type}, {bytes} bytes."),
            Source::Reference(url) => write!(said, " {kind}: {url} ."),
        };
    }
    Draft::text(said)
}
