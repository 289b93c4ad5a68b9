//! What belongs to one machine or one account and to no repository: absolute paths, private package mirrors, credentials.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::finding::Finding;
use super::rust::line_of;
use super::tree::File;

/// What a pattern shows, the pattern, and the remedy. No pattern matches its own text.
const RULES: &[(&str, &str, &str)] = &[
    (
        "a path of one machine",
        r"(?m)(?:^|[^A-Za-z0-9_.}])/(?:work|root|home|farm|Users)/[A-Za-z0-9_.]",
        "write it relative to the repository",
    ),
    ("an OpenAI key", r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}", CREDENTIAL),
    ("an Anthropic key", r"\bsk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{20,}", CREDENTIAL),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", CREDENTIAL),
    ("a Google key", r"\bAIza[A-Za-z0-9_-]{35}\b", CREDENTIAL),
    (
        "a GitHub token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})",
        CREDENTIAL,
    ),
    ("a Slack token", r"\bxox[abprs]-[A-Za-z0-9-]{20,}", CREDENTIAL),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----", CREDENTIAL),
];

const CREDENTIAL: &str = "revoke it, then refer to the environment or a file";

/// AWS publishes keys of this form for documentation.
const EXAMPLE: &str = "EXAMPLE";

/// A setting that names where packages come from, and the address it names.
const MIRROR: &str = r#"(?i)(?:index-url|index_url|find-links|find_links|"resolved"|\bregistry\b|replace-with)["']?\s*[:=]\s*["']?(?:registry\+|sparse\+)?(https?://[^\s"',]+|[a-z-]+)"#;

/// Where everybody gets packages from.
const PUBLIC: &[&str] = &[
    "https://registry.npmjs.org/",
    "https://pypi.org/",
    "https://files.pythonhosted.org/",
    "https://github.com/rust-lang/crates.io-index",
    "https://index.crates.io/",
];

static COMPILED: LazyLock<Vec<(&'static str, Regex, &'static str)>> = LazyLock::new(|| {
    RULES
        .iter()
        .filter_map(|(what, pattern, remedy)| Some((*what, Regex::new(pattern).ok()?, *remedy)))
        .collect()
});
static MIRROR_SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(MIRROR).ok());

/// Everything private in one file. The private thing itself is not printed.
pub(crate) fn check(file: &File) -> Vec<Finding> {
    let text = file.text();
    let mut findings = Vec::new();
    for (what, pattern, remedy) in COMPILED.iter() {
        let hits = pattern.find_iter(text).filter(|hit| !hit.as_str().ends_with(EXAMPLE));
        findings.extend(hits.map(|hit| {
            let line = line_of(text, hit.end().saturating_sub(1));
            Finding::new(&file.path, line, format!("{what} does not belong here; {remedy}"))
        }));
    }
    for hit in MIRROR_SETTING.iter().flat_map(|pattern| pattern.captures_iter(text)) {
        let Some(address) = hit.get(1).filter(|address| is_private(address.as_str())) else {
            continue;
        };
        let message = "a package mirror does not belong here; set it in the environment of the machine that needs it";
        findings.push(Finding::new(&file.path, line_of(text, address.start()), message));
    }
    findings
}

/// Only an address is judged; `registry = "name"` says nothing by itself.
fn is_private(address: &str) -> bool {
    address.starts_with("http") && !PUBLIC.iter().any(|public| address.starts_with(public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
        assert!(MIRROR_SETTING.is_some());
    }

    #[test]
    fn planted_private_things_are_found() {
        // Put together here, so that this file holds none of them.
        let rows = [
            (format!("see /{}/main/a.rs", "work"), 1),
            (format!("/{}/.cargo", "root"), 1),
            (format!("path = \"/{}/me/x\"", "home"), 1),
            (format!("sk-{}-{}", "proj", "a1".repeat(20)), 1),
            (format!("sk-{}-api03-{}", "ant", "a1".repeat(20)), 1),
            (format!("{}{}", "AKIA", "A1B2C3D4E5F6G7H8"), 1),
            (format!("AKIAIOSFODNN7{EXAMPLE}"), 0),
            (format!("{}{}", "ghp_", "a".repeat(36)), 1),
            (format!("-----BEGIN RSA {} KEY-----", "PRIVATE"), 1),
            (format!("registry={}://npm.company.test/", "https"), 1),
            (format!("index-url = {}://mirror.test/simple", "https"), 1),
            (format!("\"resolved\": \"{}://mirror.test/a.tgz\"", "https"), 1),
            ("\"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\"".to_owned(), 0),
            ("source = \"registry+https://github.com/rust-lang/crates.io-index\"".to_owned(), 0),
            ("the registry: one line per entry".to_owned(), 0),
            ("https://host/work/items, crates/work/a, $HOME/work/x".to_owned(), 0),
            ("sk-proj-short and sk-ant-api03-…".to_owned(), 0),
        ];
        for (text, expected) in rows {
            assert_eq!(check(&File::new("a.txt", &text)).len(), expected, "{text}");
        }
    }
}
