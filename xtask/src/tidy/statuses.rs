//! HTTP statuses stand only where a vendor's errors are read and written: `dialects/*/fault.rs`. Everywhere else in the pure
//! crates an error is a `Fault`, which knows who is at fault and whether to try again.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::finding::Finding;
use super::rust::{Keep, blank, line_of, without_tests};
use super::tree::File;

/// `StatusCode::…`, or a number that is an error status of HTTP or of a vendor (498, 499, 529, 530 among them).
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"StatusCode::\w+|\b(?:4(?:0[0-9]|1[0-8]|2[1-9]|31|51|9[89])|5(?:0[0-9]|11|2[0-9]|30))(?:_u16|u16)?\b").ok()
});

/// Names on the same line that say that the number is something else.
const QUANTITIES: &[&str] = &["_ms", "_bytes", "_max", "_min", "capacity", "_tokens"];

/// Statuses in `wire` and `policy`, tests and `fault.rs` of a dialect excepted.
pub(crate) fn check(file: &File) -> Vec<Finding> {
    let Some(pattern) = STATUS.as_ref().filter(|_| applies(file)) else {
        return Vec::new();
    };
    let code = without_tests(&blank(file.text(), Keep::Code));
    let lines: Vec<&str> = code.lines().collect();
    let hits = pattern.find_iter(&code).map(|hit| (line_of(&code, hit.start()), hit.as_str()));
    let is_quantity = |line: usize| {
        let text = lines.get(line - 1).copied().unwrap_or_default().to_lowercase();
        QUANTITIES.iter().any(|name| text.contains(name))
    };
    hits.filter(|(line, status)| status.starts_with("StatusCode") || !is_quantity(*line))
        .map(|(line, status)| {
            let message = format!("HTTP status {status} outside dialects/*/fault.rs; speak of a fault kind, and let the dialect render it");
            Finding::new(&file.path, line, message)
        })
        .collect()
}

fn applies(file: &File) -> bool {
    let pure = ["crates/wire/src/", "crates/policy/src/"]
        .iter()
        .any(|folder| file.path.starts_with(folder));
    let vendor_errors = file.path.contains("/dialects/") && (file.path.ends_with("/fault.rs") || file.path.contains("/fault/"));
    pure && file.is_rust() && !file.is_test() && !vendor_errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_where_it_must_not_stand() {
        let wire = "crates/wire/src/dialects/anthropic/response.rs";
        let rows = [
            (wire, "if status == 429 {}", 1),
            (wire, "a;\nlet s = StatusCode::NOT_FOUND;", 1),
            ("crates/policy/src/retry.rs", "matches!(status, 500..=599 | 529u16)", 2),
            (wire, "// 404 means that\nlet text = \"529 overloaded\";", 0),
            (wire, "let capacity = Vec::with_capacity(512);", 0),
            (wire, "const LINE_BYTES_MAX: usize = 500;", 0),
            (wire, "let big = 40_400 + 4040 + 0x404;", 0),
            (wire, "#[cfg(test)]\nmod tests { const S: u16 = 404; }", 0),
            ("crates/wire/src/dialects/anthropic/fault.rs", "429", 0),
            ("crates/wire/src/dialects/anthropic/tests.rs", "429", 0),
            ("crates/gateway/src/ingress.rs", "StatusCode::OK", 0),
        ];
        for (path, text, expected) in rows {
            assert_eq!(check(&File::new(path, text)).len(), expected, "{path}: {text}");
        }
    }
}
