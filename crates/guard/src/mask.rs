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

/// The text with every credential cut to its first characters. One pass: error bodies may be long and hostile.
#[must_use]
pub fn credentials(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut kept_to, mut at) = (0, 0);
    while at < bytes.len() {
        let inside = at > 0 && bytes.get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        match (!inside).then(|| credential_at(bytes, at)).flatten() {
            Some((shown_to, end)) => {
                out.push_str(text.get(kept_to..shown_to).unwrap_or_default());
                out.push_str("***");
                (kept_to, at) = (end, end);
            }
            None => at += 1,
        }
    }
    out.push_str(text.get(kept_to..).unwrap_or_default());
    out
}

/// A credential that begins there: up to where it may be shown, and its end. All bytes of it are ASCII.
fn credential_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let (mark, least) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark.as_bytes()))?;
    let after = rest.get(mark.len()..)?;
    let secret = after
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(byte))
        .count();
    let start = at + mark.len();
    (secret >= *least).then_some((start + KEPT_CHARS.min(secret), start + secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was quadratic once: 21,000 of them kept a worker busy for minutes.
    #[test]
    fn a_long_row_of_credentials_takes_one_pass() {
        let many = "sk-aaaaaaaa ".repeat(200_000);
        assert_eq!(credentials(&many), "sk-aaaa*** ".repeat(200_000));
    }

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
