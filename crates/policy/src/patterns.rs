//! Lists of names with `*` as wildcard: what a team or a key may call.

/// Names that are allowed; `*` stands for any run of characters, also none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<String>);

impl Patterns {
    /// The patterns as written in config.
    #[must_use]
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// True when one of the patterns covers the name.
    #[must_use]
    pub fn allow(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| covers(pattern, name))
    }
}

/// Whether a pattern in which each `*` stands for any run of characters, also none, describes the whole name. Linear for one star,
/// and without recursion for several.
#[must_use]
pub fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if Some(byte) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, matched)) = star else { return false };
                p = at + 1;
                n = matched + 1;
                star = Some((at, n));
            }
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let rows = [
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("openai/*", "openai/gpt-4o", true),
            ("openai/*", "openai", false),
            ("openai/*", "azure/openai/gpt", false),
            ("*/gpt-4o*", "openai/gpt-4o-mini", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("support-chat", "support-chat", true),
            ("support-chat", "support-chat-2", false),
            ("", "", true),
            ("", "x", false),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-2", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "axcxb", false),
            ("**", "x", true),
            ("é*", "école", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(Patterns::new(vec![pattern.to_owned()]).allow(name), expected, "{pattern} {name}");
        }
        assert!(!Patterns::default().allow("x"));
    }
}
