//! How alike two texts are, by their words: the cosine of the angle between their word counts. Order and meaning do not count; no model is asked.

use std::collections::BTreeMap;

/// The words of a text that are looked at.
const WORDS_MAX: usize = 20_000;

/// From 0, no word in common, to 1, the same words as often. Two texts without any word are alike.
#[must_use]
pub fn similarity(one: &str, other: &str) -> f64 {
    let (one, other) = (counts(one), counts(other));
    if one.is_empty() && other.is_empty() {
        return 1.0;
    }
    let square = |counts: &BTreeMap<String, f64>| counts.values().map(|count| count * count).sum::<f64>();
    let common: f64 = one
        .iter()
        .filter_map(|(word, count)| other.get(word).map(|others| count * others))
        .sum();
    let lengths = (square(&one) * square(&other)).sqrt();
    if lengths > 0.0 { (common / lengths).min(1.0) } else { 0.0 }
}

fn counts(text: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    for word in words.take(WORDS_MAX) {
        *counts.entry(word.to_lowercase()).or_insert(0.0) += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_alike_by_their_words() {
        let rows = [
            ("", "", 1.0),
            ("", "something", 0.0),
            ("The cat sat.", "the cat SAT", 1.0),
            ("cat sat the", "the cat sat", 1.0),
            ("a b c d", "a b x y", 0.5),
            ("one two", "three four", 0.0),
            ("ja ja ja", "ja", 1.0),
        ];
        for (one, other, expected) in rows {
            let found = similarity(one, other);
            assert!((found - expected).abs() < 1e-9, "{one} / {other}: {found}");
        }
    }
}
