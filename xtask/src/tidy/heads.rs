//! Every Rust file begins with a `//!` line. Whether that line is any good is for a reader to judge.

use super::finding::Finding;
use super::tree::File;

/// A file without its first line of documentation.
pub(crate) fn check(file: &File) -> Option<Finding> {
    let words = file
        .text()
        .lines()
        .next()
        .unwrap_or_default()
        .strip_prefix("//!")
        .unwrap_or_default();
    let missing = file.is_rust() && words.trim().is_empty();
    missing.then(|| {
        Finding::new(
            &file.path,
            1,
            "the first line is not a `//!` line; say what the file does and what it does not",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rust_file_says_first_what_it_is() {
        let rows = [
            ("a.rs", "//! Reads bytes.\nfn a() {}", false),
            ("a.rs", "fn a() {}", true),
            ("a.rs", "//!\n//! Late.", true),
            ("a.rs", "// Not documentation.", true),
            ("a.rs", "", true),
            ("a.py", "print()", false),
        ];
        for (path, text, wrong) in rows {
            assert_eq!(check(&File::new(path, text)).is_some(), wrong, "{text}");
        }
    }
}
