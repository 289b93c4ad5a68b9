//! What is longer than HOUSE section 9 would have it. Printed as places to look, never a failure: cutting a straight line in two
//! to please a number is worse than the line.

use std::fmt::Write as _;

use super::rust::{Keep, blank, functions, without_tests};
use super::tree::File;

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;
const ARGUMENTS: usize = 5;
const MEDIAN_LINES: usize = 150;

/// The report on all code that is not test code; one line when nothing is long.
pub(crate) fn report(files: &[File]) -> String {
    let code: Vec<&File> = files.iter().filter(|file| file.is_rust() && !file.is_test()).collect();
    let mut lengths: Vec<usize> = code.iter().map(|file| file.text().lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);

    let mut out = String::new();
    for file in &code {
        let lines = file.text().lines().count();
        if lines > FILE_LINES {
            let _ = writeln!(
                out,
                "long: {}: {lines} lines, more than {FILE_LINES}; what is the second thing in here?",
                file.path
            );
        }
        out.extend(long_functions(file));
    }
    let verdict = if median > MEDIAN_LINES {
        format!(", more than {MEDIAN_LINES}")
    } else {
        String::new()
    };
    let _ = writeln!(out, "tidy: {} code files, median {median} lines{verdict}", code.len());
    out
}

fn long_functions(file: &File) -> Vec<String> {
    let code = without_tests(&blank(file.text(), Keep::Code));
    let mut out = Vec::new();
    for function in functions(&code) {
        let place = format!("long: {}:{}: {}", file.path, function.line, function.name);
        if function.lines > FUNCTION_LINES {
            out.push(format!("{place} has {} lines, more than {FUNCTION_LINES}\n", function.lines));
        }
        if function.arguments > ARGUMENTS {
            out.push(format!("{place} takes {} arguments, more than {ARGUMENTS}\n", function.arguments));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_things_are_named_and_others_are_not() {
        let long = format!("fn long() {{\n{}}}\n", "a();\n".repeat(FUNCTION_LINES));
        let wide = "fn wide(a: A, b: B, c: C, d: D, e: E, f: F) {}\n".to_owned();
        let rows = [
            ("src/a.rs", long.clone(), "src/a.rs:1: long has 72 lines"),
            ("src/a.rs", wide, "src/a.rs:1: wide takes 6 arguments"),
            ("src/a.rs", "\n".repeat(FILE_LINES + 1), "src/a.rs: 401 lines"),
        ];
        for (path, text, expected) in rows {
            let seen = report(&[File::new(path, &text)]);
            assert!(seen.contains(expected), "{seen}");
            assert!(!report(&[File::new("src/tests.rs", &text)]).contains("long:"));
        }
        assert!(!report(&[File::new("src/a.rs", "fn a(x: X) {}\n")]).contains("long:"));
    }

    #[test]
    fn the_median_is_of_code_files_alone() {
        let files = [
            File::new("a.rs", "1\n2\n3\n"),
            File::new("b.rs", "1\n"),
            File::new("c.rs", "1\n2\n"),
            File::new("tests/d.rs", ""),
        ];
        assert!(report(&files).contains("3 code files, median 2 lines"));
    }
}
