//! What keeps related calls together: a number made of whom or what they are about, and a draw among targets that gives the same one for the
//! same number. The draw is weighted rendezvous hashing (highest random weight with logarithmic scores; Schindelhauer and Schomaker 2005): over
//! many numbers each target gets exactly its share, and a target that comes or goes moves no call but its own.

use crate::plan::Dice;

/// What calls are kept together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticky {
    /// Who calls, or whom a service says that it calls for.
    User,
    /// What the caller calls a session.
    Session,
    /// How the prompt begins, which is what providers' prompt caches go by.
    Prefix,
}

impl Sticky {
    /// The word in config and reasons.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Prefix => "prefix",
        }
    }
}

/// A number for each text, the same in every process and version (so none of the standard library's). Not for secrets: it can be inverted.
#[derive(Debug, Clone)]
pub struct Affinity(u64);

/// The fraction of the golden ratio, odd.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl Default for Affinity {
    fn default() -> Self {
        Self(FACTOR)
    }
}

impl Affinity {
    /// Of one text.
    #[must_use]
    pub fn of(text: &str) -> u64 {
        let mut affinity = Self::default();
        affinity.add(text.as_bytes());
        affinity.number()
    }

    /// Takes one more part; where it ends counts too.
    pub fn add(&mut self, part: &[u8]) {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.fold(u64::from_le_bytes(last));
        self.fold(part.len() as u64);
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u64 {
        mix(self.0)
    }

    /// A multiplication whose two halves are laid over one another (as in wyhash by Wang Yi).
    fn fold(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(FACTOR);
        let (high, low) = (wide >> 64, wide & u128::from(u64::MAX));
        // Both fit; the addition keeps a product of nothing from ending everything behind it.
        self.0 = u64::try_from(high ^ low).unwrap_or(0).wrapping_add(FACTOR.rotate_left(32));
    }
}

/// What a target's place in the draw goes by; the smallest is drawn. `salt` is the target's own number, `weight` its share, more than 0.
#[must_use]
pub fn score(affinity: u64, salt: u64, weight: u32) -> f64 {
    let even = mix(affinity ^ mix(salt));
    let (high, low) = (even >> 32, even & u64::from(u32::MAX));
    let part = |half: u64| f64::from(u32::try_from(half).unwrap_or(0));
    // In (0, 1]: the logarithm of nothing is no number.
    let even = (part(high) * 2_f64.powi(32) + part(low) + 1.0) / 2_f64.powi(64);
    -even.ln() / f64::from(weight)
}

fn mix(number: u64) -> u64 {
    Dice::new(number).roll()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_text_has_one_number_and_shares_it_with_none() {
        let mut texts: Vec<String> = (0..50_000).map(|number| format!("user-{number}")).collect();
        texts.extend((0..200).map(|length| "a".repeat(length)));
        texts.extend((1..200).map(|length| "\0".repeat(length)));
        let numbers: HashSet<u64> = texts.iter().map(|text| Affinity::of(text)).collect();
        assert_eq!(numbers.len(), texts.len());
        assert_eq!(
            Affinity::of("ann"),
            8_257_497_217_187_889_256,
            "the same in every process and version: calls would change sides"
        );
    }

    #[test]
    fn parts_end_where_they_end() {
        let of = |parts: &[&str]| {
            let mut affinity = Affinity::default();
            parts.iter().for_each(|part| affinity.add(part.as_bytes()));
            affinity.number()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }
}
