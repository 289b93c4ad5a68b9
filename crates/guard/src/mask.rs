//! Takes credentials out of text that somebody else wrote (a provider's error message) before a caller or a log sees it. Only
//! strings that look like keys are touched; the full detector of secrets in prompts is a guardrail and not this.

/// What marks the start of a credential, and how many characters must follow for it to be one.
const MARKS: &[(&str, usize)] = &[
    ("sk-", 8),
    ("sk_", 8),
    ("gsk_", 8),
    ("xai-", 8),
    ("pplx-", 8),
    ("hf_", 8),
    ("nvapi-", 8),
    ("AIza", 20),
    ("ghp_", 16),
    ("github_pat_", 16),
    ("AKIA", 12),
    ("Bearer ", 8),
    ("bearer ", 8),
];
/// What is left of a credential, so that its owner may recognise it.
const KEPT_CHARS: usize = 4;

/// The text with every credential cut to its first characters.
#[must_use]
pub fn credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, mark, secret)) = next_credential(rest) {
        let (before, from_mark) = rest.split_at(at);
        let (kept, after) = from_mark.split_at(mark + KEPT_CHARS.min(secret));
        out.push_str(before);
        out.push_str(kept);
        out.push_str("***");
        rest = after.get(secret - KEPT_CHARS.min(secret)..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Where the next credential begins, the length of its mark and of what follows.
fn next_credential(text: &str) -> Option<(usize, usize, usize)> {
    MARKS
        .iter()
        .flat_map(|(mark, least)| text.match_indices(mark).map(move |(at, _)| (at, mark.len(), *least)))
        .filter(|(at, ..)| {
            !text
                .get(..*at)
                .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()))
        })
        .filter_map(|(at, mark, least)| {
            let secret = text
                .get(at + mark..)?
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || b"-_.*".contains(b))
                .count();
            (secret >= least).then_some((at, mark, secret))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_cut_and_prose_is_not() {
        let rows = [
            (
                "Incorrect API key provided: sk-abcdefghijklmnop. See docs",
                "Incorrect API key provided: sk-abcd***",
            ),
            (
                "key sk-proj-0123456789abcdef, and gsk_0123456789abcdef!",
                "key sk-proj***, and gsk_0123***!",
            ),
            ("Authorization: Bearer eyJhbGciOi.abc.def", "Authorization: Bearer eyJh***"),
            ("ask-me-anything-you-like-now", "ask-me-anything-you-like-now"),
            ("sk-short", "sk-short"),
            ("no key here, a task-oriented text", "no key here, a task-oriented text"),
            ("", ""),
            ("schlüssel sk-äöü", "schlüssel sk-äöü"),
        ];
        for (text, expected) in rows {
            let masked = credentials(text);
            assert!(masked.starts_with(expected), "{text} → {masked}");
            assert!(!masked.contains("0123456789") && !masked.contains("eyJhbGciOi"));
        }
    }
}
