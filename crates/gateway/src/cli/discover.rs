//! `tollgate` without a config file: a config made of the provider keys in the environment, the simulated provider, and a first key.

use std::fmt::Write;

use tollgate_upstream::providers::Catalog;

use crate::config::MOCK;

/// The variable in which the first key reaches the config made here.
pub const FIRST_KEY_ENV: &str = "TOLLGATE_FIRST_KEY";

/// A config's text, and the vendors whose keys were found.
#[must_use]
pub(super) fn config(catalog: &Catalog, env: impl Fn(&str) -> bool) -> (String, Vec<String>) {
    let mut text = String::from("providers:\n");
    let mut found = Vec::new();
    for row in catalog.rows().iter().filter(|row| row.autodetect && !row.local) {
        if let Some(name) = row.credential_env.iter().find(|name| env(name)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}: {{ credentials: [\"env:{name}\"] }}", row.name);
            found.push(row.name.clone());
        }
    }
    let _ = writeln!(text, "  {MOCK}: {{}}");
    let _ = writeln!(text, "teams:\n  everyone: {{ routes: [\"*\"], models: [\"*\"] }}");
    let _ = writeln!(
        text,
        "keys:\n  - {{ name: first-key, team: everyone, secret: \"env:{FIRST_KEY_ENV}\" }}"
    );
    (text, found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn vendors_are_taken_in_by_the_keys_that_are_there() {
        let catalog = Catalog::built_in().unwrap();
        let (text, found) = config(&catalog, |name| name == "ANTHROPIC_API_KEY" || name == "GITHUB_TOKEN");
        assert_eq!(found, ["anthropic"], "a token that serves other purposes enables nothing");
        assert!(text.contains("anthropic: { credentials: [\"env:ANTHROPIC_API_KEY\"] }"), "{text}");
        assert!(text.contains("mock: {}"));
        let (_, none) = config(&catalog, |_| false);
        assert!(none.is_empty());
    }
}
