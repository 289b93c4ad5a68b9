//! What sizes become, and what is learned.

use proptest::prelude::*;

use super::*;

fn text(bytes: u64, messages: u64) -> Sizes {
    Sizes {
        text_bytes: bytes,
        messages,
        ..Sizes::default()
    }
}

#[test]
fn a_strict_estimate_bounds_every_modality() {
    // Sizes, model, expected text, images, audio, documents.
    let rows = [
        (text(100, 1), "m", [180, 0, 0, 0]),
        (text(0, 0), "m", [64, 0, 0, 0]),
        (text(100, 3), "m", [212, 0, 0, 0]),
        (Sizes { images: 2, ..text(0, 1) }, "gpt-5.4", [80, 20_000, 0, 0]),
        (Sizes { images: 1, ..text(0, 1) }, "gpt-4o-mini-2024-07-18", [80, 48_169, 0, 0]),
        // A minute of speech at 6 kbit/s: 45,000 bytes, 60 s × 32.
        (
            Sizes {
                audio_bytes: 45_000,
                ..text(0, 1)
            },
            "m",
            [80, 0, 1_920, 0],
        ),
        // 100,000 bytes and a page; a very large one is bounded by its pages; one by address has 100 pages.
        (
            Sizes {
                documents: 1,
                document_bytes: 100_000,
                ..text(0, 1)
            },
            "m",
            [80, 0, 0, 105_000],
        ),
        (
            Sizes {
                documents: 1,
                document_bytes: 30_000_000,
                ..text(0, 1)
            },
            "m",
            [80, 0, 0, 3_000_000],
        ),
        (
            Sizes {
                documents: 1,
                documents_unseen: 1,
                ..text(0, 1)
            },
            "m",
            [80, 0, 0, 500_000],
        ),
    ];
    for (sizes, model, [text, images, audio, documents]) in rows {
        let expected = InputTokens {
            text,
            images,
            audio,
            documents,
        };
        assert_eq!(InputTokens::strict(&sizes, model), expected, "{sizes:?}");
    }
}

#[test]
fn a_calibration_falls_at_once_and_rises_slowly() {
    let mut learned = Calibration::default();
    // 2.5 bytes a token, and 2 %.
    assert_eq!(learned.tokens(2_500), 1_020);
    assert_eq!(learned.tokens(0), 0);
    learned.observe(10_000, 10); // too small to tell anything
    assert_eq!(learned, Calibration::default());
    learned.observe(1_500, 1_000);
    assert_eq!(learned.tokens(1_500), 1_020);
    // From 1.5 towards 4.5 by a hundredth of the distance: 1.53.
    learned.observe(4_500, 1_000);
    assert_eq!(learned.tokens(1_530), 1_020);
    // Never below a byte a token.
    learned.observe(10, 1_000);
    assert_eq!(learned.tokens(1_000), 1_020);
}

proptest! {
    #[test]
    fn calibrated_is_never_above_strict(bytes in 0..u64::MAX, seen in 0..100_000_u64, tokens in 0..100_000_u64) {
        let mut learned = Calibration::default();
        learned.observe(seen, tokens);
        let sizes = text(bytes, 2);
        let strict = InputTokens::strict(&sizes, "m").total();
        prop_assert!(InputTokens::calibrated(&sizes, "m", &learned).total() <= strict);
    }

    /// A text like the one just seen is estimated at no less than it took.
    #[test]
    fn what_was_seen_is_covered_the_next_time(bytes in 50..1_000_000_u64, tokens in 50..1_000_000_u64) {
        let tokens = tokens.min(bytes); // no more tokens than bytes
        let mut learned = Calibration { bytes_per_token: BYTES_PER_TOKEN_MAX };
        learned.observe(bytes, tokens);
        prop_assert!(tokens <= learned.tokens(bytes) || bytes / tokens.max(1) >= 8, "{learned:?}");
    }
}

#[test]
fn an_expected_output_is_a_mean_that_forgets() {
    let outputs = Outputs::default();
    assert_eq!(outputs.expected(), None);
    outputs.observe(400);
    assert_eq!(outputs.expected(), Some(400), "the first is all there is");
    outputs.observe(80);
    assert_eq!(outputs.expected(), Some(380));
    for _ in 0..100 {
        outputs.observe(80);
    }
    assert!((80..=81).contains(&outputs.expected().unwrap_or(0)), "{outputs:?}");
    outputs.observe(u64::MAX);
    assert!(outputs.expected().is_some_and(|tokens| tokens < 6_300_000), "{outputs:?}");
    for _ in 0..1000 {
        outputs.observe(0);
    }
    assert_eq!(outputs.expected(), Some(1));
}
