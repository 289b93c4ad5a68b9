//! "did you mean": the legal name that a wrong one was probably meant to be, by edit distance. It suggests nothing rather than something
//! far off.

/// `did you mean "gpt-4o"?`, when a legal name is near enough.
pub(super) fn did_you_mean<'a>(wrong: &str, legal: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, legal).map(|name| format!("did you mean \"{name}\"?"))
}

/// The nearest legal name: other in case or punctuation only, or at most a third of the letters away.
pub(super) fn nearest<'a>(wrong: &str, legal: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NAME_CHARS_MAX: usize = 100;
    let length = wrong.chars().count();
    if length == 0 || NAME_CHARS_MAX < length {
        return None;
    }
    let wrong = plain(wrong);
    let distance_max = (length / 3).clamp(1, 4);
    legal
        .filter(|name| name.chars().count().abs_diff(length) <= distance_max)
        .map(|name| (strsim::osa_distance(&wrong, &plain(name)), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Case and the choice between `-`, `_` and a space are not what tells names apart.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if matches!(c, '-' | ' ') { '_' } else { c.to_ascii_lowercase() })
        .collect()
}

/// Names as a sentence lists them; two dozen at most.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 24;
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let legal = ["gpt-4o", "gpt-4o-mini", "first_byte", "openai", "to", "support-chat"];
        let rows = [
            ("gtp-4o", Some("gpt-4o")),
            ("gpt-4o-min", Some("gpt-4o-mini")),
            ("first-byte", Some("first_byte")),
            ("FirstByte", Some("first_byte")),
            ("OpenAI", Some("openai")),
            ("opnai", Some("openai")),
            ("ot", Some("to")),
            ("suport_chat", Some("support-chat")),
            ("claude", None),
            ("x", None),
            ("", None),
            ("gpt-4o-mini-but-much-longer", None),
        ];
        for (wrong, expected) in rows {
            assert_eq!(nearest(wrong, legal.into_iter()), expected, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(1_000), legal.into_iter()), None);
    }
}
