//! Edits of an answer's steps that several faults share. Nothing here is a fault.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::answer::{Answer, Ending, Frame, FramePart, Step};

/// A stall: longer than any timer of a gateway, and yet not for ever.
pub(super) const STALL: Duration = Duration::from_secs(3_600);

/// The n-th figure of a name.
pub(super) fn figure(figures: &[u64], at: usize) -> u64 {
    figures.get(at).copied().unwrap_or(0)
}

/// A duration among the figures.
pub(super) fn duration(figures: &[u64], at: usize) -> Duration {
    Duration::from_millis(figure(figures, at)).min(STALL)
}

/// Ends the steps after so many content events, or where content ends; cuts a whole body in half.
pub(super) fn cut(answer: &mut Answer, contents: u64) {
    if answer.is_whole() {
        if let Some(Step::Send(frame)) = answer.steps.first_mut() {
            frame.bytes.truncate(frame.bytes.len() / 2);
        }
        return;
    }
    let at = cut_place(answer, contents);
    answer.steps.truncate(at);
}

/// Where so many content events are over: before the next one, or before the finish.
pub(super) fn cut_place(answer: &Answer, contents: u64) -> usize {
    let mut seen = 0;
    let place = answer.steps.iter().position(|step| match part(step) {
        Some(FramePart::Content) => {
            seen += 1;
            contents < seen
        }
        Some(FramePart::Finish | FramePart::Usage | FramePart::Terminator) => true,
        _ => false,
    });
    place.unwrap_or(answer.steps.len())
}

/// Half of the content events.
pub(super) fn half(answer: &Answer) -> u64 {
    answer.steps.iter().filter(|step| part(step) == Some(FramePart::Content)).count() as u64 / 2
}

pub(super) fn part(step: &Step) -> Option<FramePart> {
    if let Step::Send(frame) = step { Some(frame.part) } else { None }
}

/// Lets what was written reach the peer, then breaks the connection.
pub(super) fn break_here(answer: &mut Answer, ending: Ending) {
    answer
        .steps
        .extend([Step::Flush, Step::Wait(crate::answer::BREAK_AFTER), Step::Break(ending)]);
}

/// Changes the bytes of every frame.
pub(super) fn each_frame(answer: &mut Answer, change: impl Fn(&[u8]) -> Vec<u8>) {
    for step in &mut answer.steps {
        if let Step::Send(frame) = step {
            frame.bytes = Bytes::from(change(&frame.bytes));
        }
    }
    declare_length(answer);
}

/// Changes the bytes of the frame in the middle: the middle content event, or the whole body.
pub(super) fn middle_frame(answer: &mut Answer, change: impl Fn(&[u8]) -> Vec<u8>) {
    let wanted = half(answer);
    let fits = |step: &&mut Step| matches!(part(step), Some(FramePart::Content | FramePart::Whole));
    let at = usize::try_from(wanted).unwrap_or(0);
    if let Some(Step::Send(frame)) = answer.steps.iter_mut().filter(fits).nth(at) {
        frame.bytes = Bytes::from(change(&frame.bytes));
    }
    declare_length(answer);
}

/// Puts all frames into one, with other bytes.
pub(super) fn as_one(answer: &mut Answer, change: impl Fn(&[u8]) -> Vec<u8>) {
    let mut bytes = BytesMut::new();
    let mut one = Frame {
        part: FramePart::Whole,
        ..Frame::default()
    };
    for step in &answer.steps {
        if let Step::Send(frame) = step {
            bytes.extend_from_slice(&frame.bytes);
            one.tokens += frame.tokens;
            one.content_bytes += frame.content_bytes;
        }
    }
    one.bytes = Bytes::from(change(&bytes));
    answer.steps = vec![Step::Send(one)];
    declare_length(answer);
}

fn declare_length(answer: &mut Answer) {
    if answer.is_whole() {
        let length = |step: &Step| {
            if let Step::Send(frame) = step {
                frame.bytes.len() as u64
            } else {
                0
            }
        };
        answer.length_bytes = Some(answer.steps.iter().map(length).sum());
    }
}

/// Sends every frame in pieces of so many bytes, with a step after each.
pub(super) fn in_pieces(answer: &mut Answer, piece_bytes: usize, between: &Step) {
    let mut steps = Vec::new();
    for step in std::mem::take(&mut answer.steps) {
        let Step::Send(frame) = step else {
            steps.push(step);
            continue;
        };
        let Frame {
            mut bytes,
            part,
            tokens,
            content_bytes,
        } = frame;
        let (mut tokens, mut content_bytes) = (tokens, content_bytes);
        while !bytes.is_empty() {
            let piece = bytes.split_to(piece_bytes.clamp(1, bytes.len()));
            let (tokens, content_bytes) = (std::mem::take(&mut tokens), std::mem::take(&mut content_bytes));
            steps.push(Step::Send(Frame {
                bytes: piece,
                part,
                tokens,
                content_bytes,
            }));
            steps.push(between.clone());
        }
    }
    answer.steps = steps;
}

/// A frame that is no part of the answer.
pub(super) fn extra(bytes: impl Into<Bytes>) -> Step {
    Step::Send(Frame {
        bytes: bytes.into(),
        ..Frame::default()
    })
}
