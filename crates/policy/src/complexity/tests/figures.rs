//! What a verdict costs, by hand: `TOLLGATE_FIGURES=1 cargo test --release -p tollgate-policy complexity::tests::figures -- --nocapture`.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::hint::black_box;
use std::time::Instant;

use tollgate_wire::{envelope, outline};

use super::*;

#[test]
fn a_verdict_costs_microseconds() {
    if std::env::var_os("TOLLGATE_FIGURES").is_none() {
        println!("skipped: it measures, when TOLLGATE_FIGURES is set");
        return;
    }
    let sentence = "Compare the two designs of the queue step by step, and explain why the second one loses updates under load. ";
    let weights = Weights::built_in().unwrap();
    for bytes in [100, 2_048, 32_768, 200_000] {
        let text = sentence.repeat(1 + bytes / sentence.len());
        let text = text.get(..bytes).unwrap();
        let body = format!("{{\"model\":\"r\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}");
        let (fields, _) = envelope::scan(body.as_bytes()).unwrap();
        let judge = || {
            let seen = outline::of(body.as_bytes(), &fields);
            let ask = Ask {
                head: &seen.head,
                tail: &seen.tail,
                text_bytes: seen.text_bytes,
                turns: seen.turns,
                ..Ask::default()
            };
            weights.judge(Features::of(&ask), false)
        };
        (0..500).for_each(|_| drop(black_box(judge())));
        let mut rounds: Vec<f64> = (0..9)
            .map(|_| {
                let began = Instant::now();
                (0..500).for_each(|_| drop(black_box(judge())));
                began.elapsed().as_secs_f64() * 1e6 / 500.0
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("{bytes:>7} bytes of text: {:.1} µs", rounds[4]);
        assert!(cfg!(debug_assertions) || rounds[0] <= 60.0, "{rounds:?}");
    }
}
