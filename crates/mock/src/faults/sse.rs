//! Faults of event streams: framing, terminators, errors in the middle. Whole answers are left as they are.

use bytes::Bytes;

use super::{
    Effect, Row, Scene,
    edit::{cut, each_frame, extra, figure, half, in_pieces, middle_frame, part},
    row,
};
use crate::{
    answer::{Answer, FramePart, Step},
    dialects::Refusal,
};

pub(super) static ROWS: &[Row] = &[
    row(
        "F12",
        "malformed-sse",
        "a line without a field and a JSON-less event in the middle",
        &[Effect::Answer(malformed)],
    ),
    row(
        "F12",
        "sse-no-blank-line",
        "events without the blank line between them",
        &[Effect::Answer(no_blank_line)],
    ),
    row(
        "F12",
        "sse-glued",
        "an event and the next one's data on one line",
        &[Effect::Answer(glued)],
    ),
    row(
        "F12",
        "sse-cr-only",
        "lines end with CR alone (legal, seldom understood)",
        &[Effect::Answer(cr_only)],
    ),
    row("-", "sse-crlf", "lines end with CR LF (legal)", &[Effect::Answer(crlf)]),
    row("-", "sse-no-space", "no space after the colon (legal)", &[Effect::Answer(no_space)]),
    row(
        "-",
        "sse-comments",
        "a comment before every event (legal)",
        &[Effect::Answer(comments)],
    ),
    row(
        "-",
        "sse-split-{n}",
        "sent in pieces of {n} bytes, each flushed (legal)",
        &[Effect::Answer(split)],
    ),
    row(
        "F13",
        "truncated-json",
        "JSON cut in the middle of an event, or of the body",
        &[Effect::Answer(truncated)],
    ),
    row(
        "F19",
        "no-terminator",
        "everything but [DONE] or message_stop, then a clean end",
        &[Effect::Answer(no_terminator)],
    ),
    row(
        "F19",
        "no-finish",
        "neither finish nor terminator, then a clean end",
        &[Effect::Answer(no_finish)],
    ),
    row(
        "F20",
        "bytes-after-terminator",
        "another content event after the terminator",
        &[Effect::Answer(bytes_after)],
    ),
    row(
        "F20",
        "double-terminator",
        "the terminator twice",
        &[Effect::Answer(double_terminator)],
    ),
    row(
        "F20",
        "double-usage",
        "the event with the usage twice",
        &[Effect::Answer(double_usage)],
    ),
    row(
        "-",
        "error-event",
        "an error event (overloaded) after half of the content, then a clean end",
        &[Effect::Answer(error_event)],
    ),
    row(
        "-",
        "error-event-after-{n}-chunks",
        "the same after {n} content events",
        &[Effect::Answer(error_event)],
    ),
    row(
        "-",
        "error-event-first",
        "an error event (overloaded) as the only event",
        &[Effect::Answer(error_first)],
    ),
];

fn malformed(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    if !answer.is_whole() {
        middle_frame(answer, |bytes| [b"this is no field\n\ndata: {not json}\n\n", bytes].concat());
    }
}

fn streams_only(answer: &mut Answer, change: impl Fn(&str) -> String) {
    if !answer.is_whole() {
        each_frame(answer, |bytes| change(&String::from_utf8_lossy(bytes)).into_bytes());
    }
}

fn no_blank_line(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    streams_only(answer, |event| event.replace("\n\n", "\n"));
}

fn glued(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    if !answer.is_whole() {
        middle_frame(answer, |bytes| bytes.strip_suffix(b"\n\n").unwrap_or(bytes).to_vec());
    }
}

fn cr_only(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    streams_only(answer, |event| event.replace('\n', "\r"));
}

fn crlf(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    streams_only(answer, |event| event.replace('\n', "\r\n"));
}

fn no_space(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    streams_only(answer, |event| {
        event.replacen("data: ", "data:", 1).replacen("event: ", "event:", 1)
    });
}

fn comments(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    streams_only(answer, |event| format!(": TOLLGATE MOCK PROCESSING\n\n{event}"));
}

fn split(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    in_pieces(answer, usize::try_from(figure(figures, 0)).unwrap_or(1), &Step::Flush);
}

fn truncated(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    let whole = answer.is_whole();
    middle_frame(answer, |bytes| {
        let kept = bytes.get(..bytes.len() / 2).unwrap_or(bytes);
        if whole { kept.to_vec() } else { [kept, b"\n\n"].concat() }
    });
}

fn without(answer: &mut Answer, parts: &[FramePart]) {
    answer.steps.retain(|step| part(step).is_none_or(|part| !parts.contains(&part)));
}

fn no_terminator(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    without(answer, &[FramePart::Terminator]);
}

fn no_finish(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    without(answer, &[FramePart::Finish, FramePart::Usage, FramePart::Terminator]);
}

fn find(answer: &Answer, wanted: FramePart) -> Option<Step> {
    answer.steps.iter().find(|step| part(step) == Some(wanted)).cloned()
}

fn bytes_after(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    if let Some(Step::Send(frame)) = find(answer, FramePart::Content) {
        answer.steps.push(extra(frame.bytes));
    }
}

fn double_terminator(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.steps.extend(find(answer, FramePart::Terminator));
}

fn double_usage(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    let states_usage = |step: &Step| match step {
        Step::Send(frame) if matches!(frame.part, FramePart::Finish | FramePart::Usage) => {
            frame.bytes.windows(9).any(|bytes| bytes == b"\"usage\":{")
        }
        _ => false,
    };
    if let Some(at) = answer.steps.iter().position(states_usage)
        && let Some(step) = answer.steps.get(at).cloned()
    {
        answer.steps.insert(at, step);
    }
}

fn overloaded(scene: &Scene<'_>) -> Bytes {
    scene.dialect.error_event(&Refusal::new(529, "Overloaded"), scene.stamp)
}

fn error_event(answer: &mut Answer, scene: &Scene<'_>, figures: &[u64]) {
    if !answer.is_whole() {
        let contents = figures.first().copied().unwrap_or_else(|| half(answer));
        cut(answer, contents);
        answer.steps.push(extra(overloaded(scene)));
    }
}

fn error_first(answer: &mut Answer, scene: &Scene<'_>, _: &[u64]) {
    if !answer.is_whole() {
        answer.steps = vec![extra(overloaded(scene))];
        answer.usage = crate::reply::Usage::default();
    }
}
