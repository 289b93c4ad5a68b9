//! What a call asks, in 128 bits. Its words make a SimHash (Charikar 2002: texts that share most of their features differ in few bits); what
//! has digits in it, and the tools, make a digest that has to be equal, because "page 7" and "page 8" are two questions however long the rest
//! is. Stamps that differ each time by themselves (times of day, UUIDs, long hexadecimal ids, seconds since 1970) count as one word.

/// Bits in which near texts may differ. One word of twenty that is another makes about eight, one of a thousand one.
const NEAR_BITS_MAX: u32 = 3;
/// The longest text that is looked at, in words; of a longer one the last.
const WORDS_MAX: usize = 2_000;

/// What a call asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    words: u64,
    exact: u64,
}

impl Fingerprint {
    /// Of some texts, which together are what is asked, and of the tools that are offered.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>, tools: &[u8]) -> Self {
        let mut votes = [0_i32; 64];
        let mut exact = fold(0, tools);
        for text in texts {
            let count = text.split_whitespace().count();
            let words = text.split_whitespace().skip(count.saturating_sub(WORDS_MAX));
            let mut before = 0;
            for word in words.map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric())) {
                let Some(word) = feature(word, &mut exact) else { continue };
                vote(&mut votes, word);
                vote(&mut votes, mix(before ^ word.rotate_left(17)));
                before = word;
            }
            exact = mix(exact ^ 1);
        }
        let words = votes
            .iter()
            .enumerate()
            .filter(|(_, vote)| 0 < **vote)
            .fold(0, |bits, (at, _)| bits | (1 << at));
        Self { words, exact }
    }

    /// Whether two calls ask nearly the same.
    #[must_use]
    pub fn is_near(self, other: Self) -> bool {
        self.exact == other.exact && (self.words ^ other.words).count_ones() <= NEAR_BITS_MAX
    }
}

/// Goes on with a digest: FNV-1a over the bytes, mixed. No protection against who looks for two texts with one digest.
#[must_use]
pub fn fold(digest: u64, bytes: &[u8]) -> u64 {
    let start = digest ^ 0xcbf2_9ce4_8422_2325;
    mix(bytes
        .iter()
        .fold(start, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The number of a word; `None`: it is none. A word with digits in it goes into the exact digest, too.
fn feature(word: &str, exact: &mut u64) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some(fold(2, word.to_lowercase().as_bytes()));
    }
    if is_stamp(word) {
        return Some(fold(3, b"stamp"));
    }
    *exact = fold(*exact, word.as_bytes());
    Some(fold(4, b"number"))
}

/// Something that differs from call to call by itself.
fn is_stamp(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let id = hex && 16 <= word.bytes().filter(u8::is_ascii_hexdigit).count();
    let seconds = digits == word.len() && (10..=19).contains(&digits);
    // 16:12:29, 2026-11-20T16:12:29.5Z
    let time = word.split(':').count() == 3 && 6 <= digits && word.bytes().all(|byte| b"0123456789-:.+TZ".contains(&byte));
    id || seconds || time
}

fn vote(votes: &mut [i32; 64], feature: u64) {
    for (at, vote) in votes.iter_mut().enumerate() {
        *vote += if feature >> at & 1 == 1 { 1 } else { -1 };
    }
}

/// The finalizer of SplitMix64: every bit of the input moves half of the output's.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Fingerprint {
        Fingerprint::of([text], b"")
    }

    /// A text of so many words, one of which may be another.
    fn long(words: usize, other: Option<&str>) -> String {
        let word = |at: usize| match other {
            Some(other) if at == words / 2 => other.to_owned(),
            _ => format!("{}{}", ["alpha", "beta", "gamma", "delta"][at % 4], "x".repeat(at / 4)),
        };
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn near_and_far_pairs() {
        let uuid = |end: &str| format!("Retry of 1b4e28ba-2fa1-11d2-883f-0016d3cca4{end}: is the deployment ready?");
        let rows = [
            ("Is it ready?".to_owned(), "is it ready".to_owned(), true),
            ("Is it\n ready?".to_owned(), "Is it ready ?".to_owned(), true),
            (uuid("27"), uuid("99"), true),
            ("At 16:12:29: is it ready?".into(), "At 16:12:30: is it ready?".into(), true),
            ("2026-11-20T16:12:29Z state".into(), "2026-11-20T16:13:29Z state".into(), true),
            ("1763654400 state?".into(), "1763654460 state?".into(), true),
            (long(1000, None), long(1000, Some("omega")), true),
            // Work that goes on.
            ("Is it ready?".into(), "Is it broken?".into(), false),
            ("Summarize page 7".into(), "Summarize page 8".into(), false),
            (long(300, Some("17")), long(300, Some("18")), false),
            (long(20, None), long(20, Some("omega")), false),
            ("Report for 2026-11-20".into(), "Report for 2026-11-21".into(), false),
            (
                "Translate: the cat sat on the mat".into(),
                "Translate: the dog lay in the sun".into(),
                false,
            ),
            ("yes".into(), "no".into(), false),
            (String::new(), "something".into(), false),
        ];
        for (one, other, near) in rows {
            assert_eq!(of(&one).is_near(of(&other)), near, "{one:.80} / {other:.80}");
        }
    }

    #[test]
    fn an_agent_that_gets_on_is_no_loop_and_one_that_does_not_is() {
        let task = "Fix the failing test and tell me when it passes";
        let step = |result: &str| Fingerprint::of([task, "run_tests {}", result], b"[tools]");
        assert!(!step("3 of 40 failed").is_near(step("2 of 40 failed")));
        assert!(!step("error: no such file").is_near(step("error: permission denied")));
        assert!(step("3 of 40 failed").is_near(step("3 of 40 failed")));
        let other_tools = Fingerprint::of([task, "run_tests {}", "3 of 40 failed"], b"[other]");
        assert!(!step("3 of 40 failed").is_near(other_tools));
    }

    #[test]
    fn a_thousand_questions_of_a_kind_are_a_thousand() {
        let cities = [
            "Rome", "Oslo", "Lima", "Cairo", "Quito", "Delhi", "Accra", "Tunis", "Sofia", "Hanoi",
        ];
        let things = [
            "weather",
            "population",
            "mayor",
            "area",
            "river",
            "climate",
            "airport",
            "history",
            "food",
            "economy",
        ];
        let all: Vec<Fingerprint> = cities
            .iter()
            .flat_map(|city| things.iter().map(move |thing| of(&format!("What is the {thing} of {city}?"))))
            .collect();
        let near = |at: usize| all.iter().skip(at + 1).filter(|other| all[at].is_near(**other)).count();
        let pairs: usize = (0..all.len()).map(near).sum();
        assert!(pairs <= 10, "{pairs} of 4950 pairs are taken for one question");
    }
}
