//! Work that was left for later: open ends in code, and tests that do not run.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::finding::Finding;
use super::rust::{Keep, blank, line_of};
use super::tree::File;

/// One thing that must not be left: in which files, whether only outside comments and literals, and what to do.
struct Rule {
    extensions: &'static [&'static str],
    code_only: bool,
    pattern: &'static str,
    remedy: &'static str,
}

const CODE: &[&str] = &["rs", "ts", "tsx", "js", "mjs", "py", "sh"];

const RULES: &[Rule] = &[
    Rule {
        extensions: &["rs"],
        code_only: true,
        pattern: r"\b(?:todo|unimplemented)!",
        remedy: "write it, or leave the feature out",
    },
    Rule {
        extensions: CODE,
        code_only: false,
        // Spelled in two halves, so that this file does not find itself.
        pattern: concat!(r"\b(?:TO", r"DO|FIX", r"ME|X", r"XX)\b|(?i:not yet ", "implemented)"),
        remedy: "do it, or open an issue and say here what holds today",
    },
    Rule {
        extensions: &["rs"],
        code_only: true,
        pattern: r"#\[\s*ignore\b|#\[cfg_attr\([^\]]*\bignore\b",
        remedy: "a test runs or is deleted; one that lacks its data says `skipped: …` and returns",
    },
    Rule {
        extensions: &["ts", "tsx", "js", "mjs"],
        code_only: false,
        pattern: r"\b(?:it|test|describe)\.(?:skip|only|todo)\(",
        remedy: "a test runs or is deleted",
    },
    Rule {
        extensions: &["py"],
        code_only: false,
        pattern: r"@(?:pytest\.mark|unittest)\.(?:skip|xfail)|\bpytest\.skip\(",
        remedy: "a test runs or is deleted; the suite counts what it skips for want of data",
    },
];

/// A rule with its pattern compiled.
static COMPILED: LazyLock<Vec<(&'static Rule, Regex)>> = LazyLock::new(|| {
    RULES
        .iter()
        .filter_map(|rule| Some((rule, Regex::new(rule.pattern).ok()?)))
        .collect()
});

/// Everything left open in one file.
pub(crate) fn check(file: &File) -> Vec<Finding> {
    let extension = file.path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let rules = COMPILED.iter().filter(|(rule, _)| rule.extensions.contains(&extension));
    let mut findings = Vec::new();
    for (rule, pattern) in rules {
        let code = rule.code_only.then(|| blank(file.text(), Keep::Code));
        let text = code.as_deref().unwrap_or(file.text());
        findings.extend(pattern.find_iter(text).map(|hit| {
            Finding::new(
                &file.path,
                line_of(text, hit.start()),
                format!("`{}` is left open; {}", hit.as_str(), rule.remedy),
            )
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn planted_leftovers_are_found() {
        // Spelled in two halves, so that these rows are not found themselves.
        let rows = [
            ("a.rs", format!("fn a() {{ {}!() }}", "todo"), 1),
            ("a.rs", format!("// {}: later", concat!("TO", "DO")), 1),
            ("a.py", format!("# {} later", concat!("FIX", "ME")), 1),
            ("a.ts", concat!("throw Error('not yet ", "implemented')").to_owned(), 1),
            ("a.rs", format!("#[test]\n#[{}]\nfn a() {{}}", "ignore"), 1),
            ("a.rs", format!("#[{} = \"slow\"]", "ignore"), 1),
            ("a.ts", format!("test.{}('a', f)", "skip"), 1),
            ("a.py", format!("@pytest.mark.{}", "skip"), 1),
            ("a.rs", "for row in rows.iter().skip(1) {}".to_owned(), 0),
            ("a.rs", format!("let text = \"{}!\";", "todo"), 0),
            ("a.md", concat!("TO", "DO").to_owned(), 0),
            ("a.rs", "let todos = fixme;".to_owned(), 0),
        ];
        for (path, text, expected) in rows {
            assert_eq!(check(&File::new(path, &text)).len(), expected, "{text}");
        }
    }
}
