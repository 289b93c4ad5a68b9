//! What callers say of their data.

use super::super::*;
use super::read;

const ALL: Rights<'static> = Rights {
    raise: true,
    lower: true,
    highest: None,
};
const USUAL: Rights<'static> = Rights { lower: false, ..ALL };
const NONE: Rights<'static> = Rights { raise: false, ..USUAL };

fn claim(floor: &str, said: &str, reason: Option<&str>, rights: Rights<'_>) -> Result<String, Refusal> {
    let claim = Claim { label: read(said), reason };
    let labelled = label(read(floor), Some(claim), rights)?;
    let from = labelled.lowered.map_or_else(String::new, |lowered| format!(" < {}", lowered.from));
    Ok(format!("{}{from}", labelled.label))
}

#[test]
fn a_label_is_raised_by_saying_so_and_lowered_with_a_reason_alone() {
    let rows = [
        ("internal", "confidential", None, USUAL, Ok("confidential")),
        ("confidential", "internal", None, USUAL, Ok("confidential")),
        (
            "confidential",
            "public; compartments=hr",
            None,
            USUAL,
            Ok("confidential; compartments=hr"),
        ),
        ("confidential", "confidential", None, NONE, Ok("confidential")),
        ("confidential", "internal", None, NONE, Ok("confidential")),
        ("internal", "confidential", None, NONE, Err(Refusal::MayNotRaise)),
        ("confidential", "internal", Some("published"), USUAL, Err(Refusal::MayNotLower)),
        ("confidential", "internal", Some("published"), ALL, Ok("internal < confidential")),
        // Nothing is given up: the reason is not needed, and no right to lower either.
        ("internal", "confidential", Some("careful"), USUAL, Ok("confidential")),
        ("internal", "internal", Some("same"), USUAL, Ok("internal")),
        (
            "public; regions=eu",
            "public",
            Some("moved"),
            ALL,
            Ok("public < public; regions=eu"),
        ),
        (
            "public; regions=eu",
            "public; regions=eu,us",
            Some("moved"),
            ALL,
            Ok("public; regions=eu,us < public; regions=eu"),
        ),
        (
            "restricted",
            "public; compartments=hr",
            Some("sorted"),
            ALL,
            Ok("public; compartments=hr < restricted"),
        ),
        (
            "restricted",
            "public; compartments=hr",
            Some("sorted"),
            Rights { raise: false, ..ALL },
            Err(Refusal::MayNotRaise),
        ),
        ("restricted", "public", Some(""), ALL, Err(Refusal::Reason)),
        ("restricted", "public", Some("a\tb"), ALL, Err(Refusal::Reason)),
    ];
    for (floor, said, reason, rights, expected) in rows {
        assert_eq!(
            claim(floor, said, reason, rights),
            expected.map(str::to_owned),
            "{floor}, {said}, {reason:?}"
        );
    }
    let reason = |chars: usize| claim("restricted", "public", Some(&"ä".repeat(chars)), ALL);
    assert!(reason(REASON_CHARS_MAX).is_ok());
    assert_eq!(reason(REASON_CHARS_MAX + 1), Err(Refusal::Reason));
}

#[test]
fn nothing_above_the_highest_is_sent() {
    let highest = read("confidential; compartments=hr");
    let rights = Rights {
        highest: Some(&highest),
        ..ALL
    };
    assert!(claim("public", "confidential; compartments=hr", None, rights).is_ok());
    for (floor, said, part) in [
        ("restricted", "public", Part::Level),
        ("public", "internal; compartments=legal", Part::Compartments),
        ("public", "public; regions=eu", Part::Regions),
    ] {
        let refused = claim(floor, said, None, rights);
        assert!(
            matches!(refused, Err(Refusal::TooHigh(_, found)) if found == part),
            "{floor}, {said}: {refused:?}"
        );
    }
    assert!(
        claim("restricted", "public", Some("published"), rights).is_ok(),
        "what was lowered fits again"
    );
    assert!(label(read("restricted"), None, rights).is_err(), "a floor above it is refused, too");
}
