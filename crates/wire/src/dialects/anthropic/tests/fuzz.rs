//! Nothing that comes from outside makes us panic: mutated requests, answers and error bodies.

use super::*;

/// A small generator of numbers, the same on every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
    }
}

const SEEDS: &[&str] = &[
    include_str!("../fixtures/request.json"),
    include_str!("../fixtures/answer.json"),
    include_str!("../fixtures/answer.sse"),
    r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down","details":{"error_code":"x"}},"request_id":"req_1"}"#,
];

/// Pieces that mean something to some parser.
const PIECES: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e999",
    "\\u0000",
    "\\ud800",
    "\n\n",
    "\r",
    "data: ",
    "event: error\n",
    "\u{0}",
    "é",
    "\"type\":",
    "{\"type\":\"text\",\"text\":\"\"}",
    "[[[[[[[[",
    "18446744073709551616",
    "\"\"",
    "{}",
    "[]",
];

fn mutate(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
            2 => {
                let end = (at + dice.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let piece = PIECES[dice.below(PIECES.len())].as_bytes();
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = (at + dice.below(60)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, copy);
            }
        }
    }
    bytes
}

#[test]
fn twenty_thousand_mutations_cause_no_panic() {
    let mut dice = Dice::new(7);
    let mut read_well = 0;
    for round in 0..20_000 {
        let bytes = mutate(SEEDS[round % SEEDS.len()].as_bytes(), &mut dice);
        let scanned = Anthropic.scan(CHAT, &bytes);
        if let Ok(envelope) = &scanned {
            let patched = Anthropic.patch(CHAT, envelope, &bytes, &able(), &mut Loss::default()).apply(&bytes);
            assert_eq!(patched, bytes, "nothing was to be patched");
        }
        if let Ok(request) = Anthropic.read_request(CHAT, &bytes) {
            let mut loss = Loss::default();
            let written = Anthropic.write_request(CHAT, &request, &Target::default(), &mut loss);
            // Whatever the scanner lets in and was read is written as JSON again. (It refuses lone surrogates; serde_json's raw
            // values do not.)
            if scanned.is_ok() {
                read_well += 1;
                serde_json::from_slice::<Value>(&written).unwrap();
            }
        }
        for streamed in [true, false] {
            if let Ok(events) = decode(&bytes, streamed) {
                encode(&events, true);
                encode(&events, false);
            }
        }
        let fault = Anthropic.read_fault(u16::try_from(dice.below(700)).unwrap(), &bytes);
        let (_, body) = Anthropic.write_fault(&fault, "req_1");
        serde_json::from_slice::<Value>(&body).unwrap();
    }
    assert!(read_well > 200, "only {read_well} mutations left a readable request");
}
