//! The model: features of texts, verdicts, the file of weights, fitting.
#![expect(clippy::unwrap_used, reason = "tests")]

mod figures;

use std::collections::BTreeMap;

use super::fit::{Example, Scores, fit};
use super::*;
use crate::plan::Dice;

fn features(text: &str) -> BTreeMap<&'static str, u16> {
    Features::of(&Ask::about(text)).named().collect()
}

#[test]
fn features_of_texts() {
    // A text, features that it must have, features that it must not have.
    let rows: [(&str, &[&str], &[&str]); 16] = [
        (
            "Translate this to German: Prove the theorem.",
            &["lead_simple", "short"],
            &["reason", "maths"],
        ),
        (
            "Prove that the sum converges.",
            &["reason", "lead_hard", "maths", "short_hard"],
            &["simple", "lead_simple"],
        ),
        (
            "What is the capital of Peru?",
            &["fact", "lead_fact", "questions", "short"],
            &["reason", "build"],
        ),
        (
            "Design a distributed cache and compare both ways.",
            &["build", "reason", "code", "both_hard"],
            &["fact"],
        ),
        (
            "```rust\nfn main() { let x = vec![1, 2]; }\n```",
            &["fence", "symbols", "digits"],
            &["fact"],
        ),
        ("Solve x^2 + 3x = 4 for x", &["build", "formula", "digits"], &["chat"]),
        ("hello, thanks!", &["chat", "short"], &["reason"]),
        (
            "1. must be fast\n2. must be safe\n- never fail",
            &["items", "constraint"],
            &["chat"],
        ),
        ("Write it briefly", &["brief"], &["deep"]),
        ("A detailed and rigorous essay", &["deep"], &["brief"]),
        ("Beweise den Satz Schritt für Schritt", &["reason", "steps", "maths"], &["foreign"]),
        ("请证明这个定理", &["reason", "maths", "foreign"], &["simple"]),
        ("翻译这句话", &["simple", "foreign"], &["reason"]),
        ("Докажи и сравни", &["reason", "foreign"], &["simple"]),
        ("Fix the word \"prove\"", &["build"], &["reason"]),
        ("", &["short"], &["length", "reason"]),
    ];
    for (text, there, absent) in rows {
        let seen = features(text);
        for name in there {
            assert!(seen.contains_key(name), "{text}: no {name} in {seen:?}");
        }
        for name in absent {
            assert!(!seen.contains_key(name), "{text}: {name} in {seen:?}");
        }
    }
}

#[test]
fn what_stands_around_a_text_counts() {
    let plain = Features::of(&Ask::about("Look at this."));
    let rows: [(&str, Ask<'_>); 9] = [
        (
            "tools",
            Ask {
                tools: 5,
                ..Ask::default()
            },
        ),
        (
            "tool_results",
            Ask {
                tool_results: 3,
                ..Ask::default()
            },
        ),
        (
            "images",
            Ask {
                images: 1,
                ..Ask::default()
            },
        ),
        (
            "json",
            Ask {
                json: true,
                ..Ask::default()
            },
        ),
        (
            "reasoning",
            Ask {
                reasoning: true,
                ..Ask::default()
            },
        ),
        (
            "small_output",
            Ask {
                max_tokens: Some(10),
                ..Ask::default()
            },
        ),
        (
            "large_output",
            Ask {
                max_tokens: Some(16_000),
                ..Ask::default()
            },
        ),
        (
            "task_simple",
            Ask {
                task: "ticket-classification",
                ..Ask::default()
            },
        ),
        (
            "task_hard",
            Ask {
                task: "Code Review",
                ..Ask::default()
            },
        ),
    ];
    for (name, ask) in rows {
        assert!(plain.named().all(|(known, _)| known != name), "{name}");
        let seen: Vec<&str> = Features::of(&ask).named().map(|(name, _)| name).collect();
        assert!(seen.contains(&name), "{name}: {seen:?}");
    }
}

#[test]
fn the_words_of_a_long_material_ask_for_nothing() {
    let material = "The lecture went on to prove the theorem and to design the architecture. ".repeat(60);
    let ask = format!("Summarise this text in two sentences.\n\n{material}\n\nKeep it short.");
    let seen = features(&ask);
    assert!(seen.contains_key("long_simple") && seen.contains_key("material_hard"), "{seen:?}");
    assert!(!seen.contains_key("reason") && !seen.contains_key("build"), "{seen:?}");
    let weights = Weights::built_in().unwrap();
    assert_eq!(weights.judge(Features::of(&Ask::about(&ask)), false).tier, Tier::Simple);
}

#[test]
fn any_text_has_features_and_a_score() {
    let weights = Weights::built_in().unwrap();
    let mut dice = Dice::new(7);
    let pieces = [
        "é",
        "\n\n",
        "```",
        "\"",
        ":",
        "证",
        "明",
        "\u{1F600}",
        "a",
        " ",
        "7",
        "translate",
        "\u{0}",
        "–",
        "x^2",
        "?",
        "- ",
    ];
    for _ in 0..2_000 {
        let text: String = (0..dice.below(60))
            .map(|_| pieces[usize::try_from(dice.below(pieces.len() as u64)).unwrap()])
            .collect();
        let score = weights.judge(Features::of(&Ask::about(&text)), true).score;
        assert!((0.0..=1.0).contains(&score), "{text:?}");
    }
    let ask = Ask {
        turns: u64::MAX,
        system_bytes: u64::MAX,
        text_bytes: u64::MAX,
        tools: u64::MAX,
        max_tokens: Some(u64::MAX),
        ..Ask::default()
    };
    assert!(Features::of(&ask).named().all(|(_, value)| value <= features::VALUE_MAX));
    let long = "é".repeat(20_000);
    let ask = Ask::about(&long);
    assert!(ask.head.len() < 4_100 && ask.tail.len() <= 4_100 && ask.text_bytes == 40_000);
}

#[test]
fn the_reasons_speak_for_the_tier() {
    let mut weights = Weights::zero();
    weights.bias = 0.0;
    let place = |name: &str| FEATURES.iter().position(|(known, _)| *known == name).unwrap();
    weights.weights[place("code")] = 2.0;
    weights.weights[place("length")] = 1.0;
    weights.weights[place("short")] = -4.0;
    let mut seen = Features::default();
    assert!(seen.set("code", 60) && seen.set("length", 80) && !seen.set("nothing", 1));
    let verdict = weights.judge(seen, false);
    assert_eq!((verdict.tier, verdict.why().as_str()), (Tier::Complex, "code +1.2, length +0.8"));
    assert!(seen.set("short", 100));
    let verdict = weights.judge(seen, false);
    assert_eq!((verdict.tier, verdict.why().as_str()), (Tier::Simple, "short -4.0"));
    assert!((verdict.score - 1.0 / (1.0 + 2.0_f64.exp())).abs() < 1e-9);
}

#[test]
fn tiers_begin_at_their_thresholds() {
    let weights = Weights::zero();
    let rows = [
        (0.0, Tier::Simple, Tier::Simple),
        (0.39, Tier::Simple, Tier::Simple),
        (0.4, Tier::Simple, Tier::Medium),
        (0.5, Tier::Complex, Tier::Medium),
        (0.6, Tier::Complex, Tier::Complex),
        (1.0, Tier::Complex, Tier::Complex),
    ];
    for (score, two, three) in rows {
        assert_eq!((weights.tier(score, false), weights.tier(score, true)), (two, three), "{score}");
    }
}

#[test]
fn a_file_of_weights_is_read_as_it_was_written() {
    let built_in = Weights::built_in().unwrap();
    let text = built_in.file("a head\n\nof two paragraphs");
    assert_eq!(Weights::parse(&text).unwrap(), *built_in);
    assert!(text.starts_with("# a head\n#\n# of two paragraphs\n"), "{text}");
    assert!(built_in.figures["two_tiers"] > 0.9 && built_in.data.contains("synthetic"));
    let rows = [
        ("bias = ", "# bias = ", "weights.bias is missing"),
        ("length = ", "lenght = ", "weights.length is missing"),
        ("bias = ", "colour = 1.0\nbias = ", "weights.colour is no feature"),
        ("two = 0.5", "two = 0.01", "out of order"),
        ("two = 0.5", "two = nan", "out of order"),
        ("bias = ", "bias = nan # ", "is no weight"),
        ("bias = ", "bias = \"x\" # ", "line "),
        ("[thresholds]", "[threshold]", "line "),
        ("version = \"", "version = \"\" # ", "version is empty"),
    ];
    for (from, to, expected) in rows {
        let error = Weights::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

/// Requests whose need follows from two features, with some noise.
fn examples(seed: u64, count: usize) -> Vec<Example> {
    let mut dice = Dice::new(seed);
    (0..count)
        .map(|_| {
            let mut features = Features::default();
            let (code, short) = (dice.below(100), dice.below(100));
            features.set("code", u16::try_from(code).unwrap());
            features.set("short", u16::try_from(short).unwrap());
            features.set("length", u16::try_from(dice.below(100)).unwrap());
            let need = code + 100 - short + dice.below(30);
            let tier = match need {
                0..=90 => Tier::Simple,
                91..=130 => Tier::Medium,
                _ => Tier::Complex,
            };
            Example {
                features,
                tier,
                weight: 1.0,
            }
        })
        .collect()
}

#[test]
fn fitting_finds_what_matters_and_is_deterministic() {
    let seen = examples(1, 1_500);
    let fitted = fit(&seen, &Weights::zero(), 1.0);
    assert_eq!(fitted, fit(&seen, &Weights::zero(), 1.0));
    let of = |name: &str| fitted.weights[FEATURES.iter().position(|(known, _)| *known == name).unwrap()];
    assert!(of("code") > 3.0 && of("short") < -3.0 && of("length").abs() < 1.0, "{fitted:?}");
    let mut scores = Scores::default();
    examples(2, 1_500).iter().for_each(|example| scores.add(&fitted, example));
    let quality = scores.quality();
    assert!(
        quality.auc > 0.98 && quality.two_tiers > 0.95 && quality.three_tiers > 0.8,
        "{quality:?}"
    );
    let total: f64 = quality.confusion.iter().flatten().sum();
    assert!((total - 1_500.0).abs() < 1e-9);
}

#[test]
fn few_examples_hardly_move_weights_that_were_there() {
    let prior = fit(&examples(1, 1_500), &Weights::zero(), 1.0);
    let moved = |count| {
        let mut turned = examples(3, count);
        for example in &mut turned {
            example.tier = if example.tier == Tier::Simple {
                Tier::Complex
            } else {
                Tier::Simple
            };
        }
        let after = fit(&turned, &prior, 50.0);
        let code = FEATURES.iter().position(|(known, _)| *known == "code").unwrap();
        (after.weights[code] - prior.weights[code]).abs()
    };
    assert!(moved(3) < 0.1 && moved(3) < moved(1_000), "{} {}", moved(3), moved(1_000));
    assert_eq!(fit(&[], &prior, 5.0).weights, prior.weights);
}

#[test]
fn the_area_under_the_curve_counts_pairs() {
    let weights = Weights::zero();
    let mut scores = Scores::default();
    let mut example = examples(4, 1)[0];
    for tier in Tier::ALL {
        example.tier = tier;
        scores.add(&weights, &example);
    }
    // All score alike: half.
    assert!((scores.quality().auc - 0.5).abs() < 1e-9);
    assert!(Scores::default().quality().auc == 0.0);
}
