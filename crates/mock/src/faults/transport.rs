//! Faults of the connection and of time: resets, early ends, stalls, trickles.
//! On HTTP/2, where a connection carries other streams too, a break resets the one stream.

use std::time::Duration;

use super::{
    Effect, Row, Scene,
    edit::{STALL, break_here, cut, cut_place, duration, figure, half, in_pieces},
    row,
};
use crate::answer::{Answer, Ending, Step};

pub(super) static ROWS: &[Row] = &[
    row(
        "F05",
        "reset-before-headers",
        "RST instead of an answer",
        &[Effect::Instead(reset_before_headers)],
    ),
    row(
        "F05",
        "close-before-headers",
        "FIN instead of an answer",
        &[Effect::Instead(close_before_headers)],
    ),
    row(
        "F06",
        "reset-mid-body",
        "RST in the middle of the body",
        &[Effect::Answer(reset_mid_body)],
    ),
    row(
        "F06",
        "close-mid-body",
        "FIN in the middle of the body",
        &[Effect::Answer(close_mid_body)],
    ),
    row(
        "F07",
        "reset-mid-stream",
        "RST after half of the content",
        &[Effect::Answer(reset_mid_body)],
    ),
    row(
        "F07",
        "reset-after-{n}-chunks",
        "RST after {n} content events",
        &[Effect::Answer(reset_after)],
    ),
    row(
        "F08",
        "reset-before-content",
        "RST after the head and the events before content",
        &[Effect::Answer(reset_after)],
    ),
    row(
        "F09",
        "stall-before-first-byte",
        "nothing, for an hour",
        &[Effect::Instead(stall_before)],
    ),
    row(
        "F09",
        "stall-after-head",
        "the head, then nothing",
        &[Effect::Answer(stall_after_head)],
    ),
    row(
        "F09",
        "slow-first-byte-{d}",
        "{d} before the head",
        &[Effect::Answer(slow_first_byte)],
    ),
    row(
        "F10",
        "stall-mid-stream",
        "half of the content, then nothing",
        &[Effect::Answer(stall_mid_stream)],
    ),
    row(
        "F10",
        "stall-after-{n}-chunks",
        "{n} content events, then nothing",
        &[Effect::Answer(stall_after)],
    ),
    row(
        "-",
        "pause-after-{n}-chunks-{d}",
        "{n} content events, {d} of nothing, then the rest",
        &[Effect::Answer(pause_after)],
    ),
    row("F11", "trickle", "one byte a second", &[Effect::Answer(trickle)]),
    row("F11", "trickle-{d}", "one byte every {d}", &[Effect::Answer(trickle)]),
    row(
        "F19",
        "cut-after-{n}-chunks",
        "FIN after {n} content events: no HTTP end",
        &[Effect::Answer(cut_after)],
    ),
    row(
        "F19",
        "end-after-{n}-chunks",
        "a clean HTTP end after {n} content events",
        &[Effect::Answer(end_after)],
    ),
];

fn broken(scene: &Scene<'_>, ending: Ending) -> Answer {
    let mut answer = super::instead::refused(scene, 500, "the connection is broken before this is sent");
    answer.before.push(Step::Break(ending));
    answer
}

fn reset_before_headers(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    Some(broken(scene, Ending::Reset))
}

fn close_before_headers(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    Some(broken(scene, Ending::Close))
}

fn stall_before(scene: &Scene<'_>, _: &[u64]) -> Option<Answer> {
    let mut answer = broken(scene, Ending::Close);
    answer.before.insert(0, Step::Wait(STALL));
    Some(answer)
}

fn reset_mid_body(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    let contents = half(answer);
    cut(answer, contents);
    break_here(answer, Ending::Reset);
}

fn close_mid_body(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    let contents = half(answer);
    cut(answer, contents);
    break_here(answer, Ending::Close);
}

fn reset_after(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    cut(answer, figure(figures, 0));
    break_here(answer, Ending::Reset);
}

fn cut_after(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    cut(answer, figure(figures, 0));
    break_here(answer, Ending::Close);
}

fn end_after(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    cut(answer, figure(figures, 0));
    if answer.is_whole() {
        // A clean end needs a length that is true.
        answer.length_bytes = None;
    }
}

fn slow_first_byte(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    answer.before.insert(0, Step::Wait(duration(figures, 0)));
}

fn stall_after_head(answer: &mut Answer, _: &Scene<'_>, _: &[u64]) {
    answer.steps.insert(0, Step::Wait(STALL));
}

fn stall_mid_stream(answer: &mut Answer, scene: &Scene<'_>, _: &[u64]) {
    let contents = half(answer);
    stall_after(answer, scene, &[contents]);
}

fn stall_after(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    cut(answer, figure(figures, 0));
    answer.steps.push(Step::Wait(STALL));
    break_here(answer, Ending::Close);
}

fn pause_after(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    let at = cut_place(answer, figure(figures, 0));
    answer.steps.insert(at, Step::Wait(duration(figures, 1)));
}

fn trickle(answer: &mut Answer, _: &Scene<'_>, figures: &[u64]) {
    let pause = if figures.is_empty() {
        Duration::from_secs(1)
    } else {
        duration(figures, 0)
    };
    in_pieces(answer, 1, &Step::Wait(pause));
}
