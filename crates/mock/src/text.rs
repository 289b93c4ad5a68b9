//! Text as the simulator sees it: tokens, filler prose, identifiers, signatures.
//! It does not tokenize as any vendor does; the rule is simple, exact and the same for counting, charging and chunking.

use std::{fmt::Write as _, sync::LazyLock};

/// Letters after which a word is cut into another token.
const TOKEN_LETTERS_MAX: usize = 16;

const WORDS: [&str; 48] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua",
    "enim",
    "ad",
    "minim",
    "veniam",
    "quis",
    "nostrud",
    "exercitation",
    "ullamco",
    "laboris",
    "nisi",
    "aliquip",
    "ex",
    "ea",
    "commodo",
    "consequat",
    "duis",
    "aute",
    "irure",
    "in",
    "reprehenderit",
    "voluptate",
    "velit",
    "esse",
    "cillum",
    "fugiat",
    "nulla",
    "pariatur",
    "excepteur",
    "sint",
];

const BASE62: [char; 62] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a',
    'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '0', '1',
    '2', '3', '4', '5', '6', '7', '8', '9',
];

/// The tokens of a text, in order; joined they are the text. A token is a run of ASCII white space with the word after
/// it, a word of more than 16 letters being several.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (head, tail) = rest.split_at(token_end(rest));
        rest = tail;
        Some(head)
    })
}

fn token_end(text: &str) -> usize {
    let mut letters = 0;
    for (at, byte) in text.bytes().enumerate() {
        // The inner bytes of a character are no letters: a cut never falls among them.
        if matches!(byte, 0x80..0xc0) {
            continue;
        }
        let space = byte.is_ascii_whitespace();
        if (space && 0 < letters) || letters == TOKEN_LETTERS_MAX {
            return at;
        }
        letters += usize::from(!space);
    }
    text.len()
}

/// How many tokens a text of ours has.
pub(crate) fn token_count(text: &str) -> u64 {
    tokens(text).count() as u64
}

/// How many tokens a text of the caller's counts for: a quarter of its bytes, rounded up (fast on long prompts).
pub(crate) fn input_token_count(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// The first tokens of a text.
pub(crate) fn first_tokens(text: &str, tokens_max: u64) -> &str {
    let kept: usize = tokens(text)
        .take(usize::try_from(tokens_max).unwrap_or(usize::MAX))
        .map(str::len)
        .sum();
    text.get(..kept).unwrap_or(text)
}

/// Filler prose of exactly `tokens` tokens.
pub(crate) fn lorem(tokens: u64) -> String {
    let mut text = String::with_capacity(usize::try_from(tokens).unwrap_or(0).saturating_mul(8));
    for (at, word) in (0..tokens).zip(WORDS.iter().cycle()) {
        if 0 < at {
            text.push(' ');
        }
        text.push_str(word);
        if at % 12 == 11 || at + 1 == tokens {
            text.push('.');
        }
    }
    text
}

/// Filler prose of exactly `bytes` bytes; copied in long pieces, for it is what benchmarks ask for.
pub(crate) fn lorem_bytes(bytes: usize) -> String {
    static CYCLE: LazyLock<String> = LazyLock::new(|| lorem(WORDS.len() as u64) + " ");
    let mut text = String::with_capacity(bytes + CYCLE.len());
    while text.len() < bytes {
        text.push_str(&CYCLE);
    }
    text.truncate(bytes);
    text
}

/// One step of splitmix64: well mixed, and the same for the same seed.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An identifier of `letters` base-62 letters after its prefix, e.g. `chatcmpl-…`.
pub(crate) fn identifier(prefix: &str, letters: usize, seed: u64) -> String {
    let mut out = String::with_capacity(prefix.len() + letters);
    out.push_str(prefix);
    let mut state = seed;
    for at in 0..letters {
        // Ten letters are taken from one 64-bit value: 62^10 < 2^64.
        state = if at % 10 == 0 {
            mix(seed.wrapping_add(at as u64))
        } else {
            state / 62
        };
        let letter = usize::try_from(state % 62).unwrap_or(0);
        out.push(BASE62.get(letter).copied().unwrap_or('0'));
    }
    out
}

/// `req_` and 32 hexadecimal digits, as OpenAI names its requests.
pub(crate) fn request_id_hex(seed: u64) -> String {
    let mut out = String::with_capacity(36);
    // Writing to a String cannot fail.
    let _ = write!(out, "req_{:016x}{:016x}", mix(seed), mix(seed ^ 0x5555));
    out
}

fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The signature that belongs to a thinking text. The text decides it, so that a replayed block can be checked
/// without memory: one changed byte of either makes it invalid.
pub(crate) fn signature(thinking: &str) -> String {
    identifier("EsMock", 122, digest(thinking)) + "=="
}

/// The payload of a redacted thinking block, checkable in the same way.
pub(crate) fn redacted_data(seed: u64) -> String {
    let head = identifier("EmMock", 60, seed);
    let tail = identifier("", 60, digest(&head));
    head + &tail
}

/// Is this a payload that [`redacted_data`] made?
pub(crate) fn redacted_data_is_ours(data: &str) -> bool {
    data.split_at_checked(66)
        .is_some_and(|(head, tail)| tail == identifier("", 60, digest(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_join_to_the_text() {
        for text in [
            "",
            " ",
            "a",
            "hello world",
            "  two  spaces ",
            "äöü 😀 漢字",
            "averyveryverylongwordindeed x\n\ny",
        ] {
            assert_eq!(tokens(text).collect::<String>(), text);
        }
    }

    #[test]
    fn lorem_has_the_tokens_asked_for() {
        for n in [0, 1, 2, 12, 13, 200, 1000] {
            assert_eq!(token_count(&lorem(n)), n);
        }
        for n in [0, 1, 5, 6, 1024, 65_536] {
            assert_eq!(lorem_bytes(n).len(), n);
        }
    }

    #[test]
    fn first_tokens_cut_at_a_token() {
        assert_eq!(first_tokens("one two three", 2), "one two");
        assert_eq!(first_tokens("one", 9), "one");
        assert_eq!(first_tokens("one", 0), "");
    }

    #[test]
    fn signatures_follow_the_text() {
        assert_eq!(signature("a"), signature("a"));
        assert_ne!(signature("a"), signature("b"));
        let data = redacted_data(7);
        assert!(redacted_data_is_ours(&data));
        assert!(!redacted_data_is_ours(&data.replace('A', "B").replace('a', "b")[..120]));
    }

    #[test]
    fn identifiers_differ() {
        assert_eq!(identifier("x-", 29, 1).len(), 31);
        assert_ne!(identifier("x-", 29, 1), identifier("x-", 29, 2));
    }
}
