//! Mutated requests and answers: whatever comes, no panic, and an answer within bounds.

use super::super::OpenAiChat;
use super::view;
use super::{ANSWER, REQUEST, STREAM};
use crate::dialects::{Dialect, Operation};
use crate::loss::Loss;
use crate::target::{Quirks, Target};

/// Mutations per kind of document.
const ROUNDS: u32 = 20_000;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// A document with a few bytes changed, pieces left out or doubled, or tokens exchanged.
    fn mutate(&mut self, document: &str) -> Vec<u8> {
        const TOKENS: &[&str] = &[
            "null",
            "[]",
            "{}",
            "\"\"",
            "-1",
            "1e999",
            "true",
            "\"\\ud800\"",
            "[[",
            "}",
            ",",
            ":",
            "\n\n",
            "data: ",
            "\u{0}",
            "é",
        ];
        let mut bytes = document.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let piece: Vec<u8> = bytes.get(at..end).unwrap().to_vec();
                    bytes.splice(at..at, piece);
                }
                2 => drop(bytes.splice(at..end, TOKENS.get(self.below(TOKENS.len())).unwrap().bytes())),
                3 => {
                    // A value for another: from one colon to the next comma.
                    let from = bytes.iter().skip(at).position(|byte| *byte == b':').map(|found| at + found + 1);
                    let to = from.and_then(|from| {
                        bytes
                            .iter()
                            .skip(from)
                            .position(|byte| *byte == b',' || *byte == b'}')
                            .map(|found| from + found)
                    });
                    if let (Some(from), Some(to)) = (from, to) {
                        bytes.splice(from..to, TOKENS.get(self.below(8)).unwrap().bytes());
                    }
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = u8::try_from(self.below(256)).unwrap();
                    }
                }
            }
        }
        bytes
    }
}

#[test]
fn mutated_requests_never_panic() {
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    let quirks = Quirks {
        drop: vec!["user".to_owned(), "seed".to_owned()],
        rename: vec![("max_completion_tokens".to_owned(), "max_tokens".to_owned())],
        developer_as_system: true,
        reasoning_field: Some("reasoning_details".to_owned()),
        ..Quirks::default()
    };
    let target = Target {
        model: "other".to_owned(),
        quirks,
        ..Target::default()
    };
    let (mut scanned, mut read) = (0, 0);
    for _ in 0..ROUNDS {
        let body = dice.mutate(REQUEST);
        if let Ok(envelope) = OpenAiChat.scan(Operation::Chat, &body) {
            scanned += 1;
            let patched = OpenAiChat
                .patch(Operation::Chat, &envelope, &body, &target, &mut Loss::default())
                .apply(&body);
            let again = OpenAiChat
                .scan(Operation::Chat, &patched)
                .unwrap_or_else(|malformed| panic!("{malformed}: {}", String::from_utf8_lossy(&patched)));
            assert_eq!(again.model, "other");
        }
        if let Ok(request) = OpenAiChat.read_request(Operation::Chat, &body) {
            read += 1;
            let written = OpenAiChat.write_request(Operation::Chat, &request, &target, &mut Loss::default());
            let again = OpenAiChat.read_request(Operation::Chat, &written);
            assert!(again.is_ok(), "{again:?}: {}", String::from_utf8_lossy(&written));
        }
    }
    eprintln!("mutated requests: {ROUNDS} tried, {scanned} scanned, {read} read");
    assert!(scanned > 100 && read > 100, "some survive");
}

#[test]
fn mutated_answers_never_panic() {
    let mut dice = Dice(0xFEDC_BA98_7654_3211);
    let (mut streams, mut wholes) = (0, 0);
    for round in 0..ROUNDS {
        let streamed = round % 2 == 0;
        let body = dice.mutate(if streamed { STREAM } else { ANSWER });
        let cut = dice.below(body.len());
        let (head, tail) = body.split_at(cut);
        let (events, result) = view::decode(streamed, [head, tail]);
        if result.is_ok() {
            *(if streamed { &mut streams } else { &mut wholes }) += 1;
        }
        for stream in [true, false] {
            let written = view::encode(stream, &events);
            let (_, result) = view::decode(stream, [written.as_slice()]);
            let faulted = written.is_empty()
                || events.is_empty()
                || !events
                    .iter()
                    .any(|event| matches!(event, crate::event::Event::Open { .. } | crate::event::Event::Finish { .. }));
            assert!(result.is_ok() || faulted, "{result:?} {}", String::from_utf8_lossy(&written));
        }
        let _ = OpenAiChat.read_fault(500, &body);
    }
    eprintln!("mutated answers: {ROUNDS} tried, {streams} streams and {wholes} whole ones read");
    assert!(streams > 100 && wholes > 100, "some survive");
}
