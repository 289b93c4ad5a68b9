//! How many tests passed, failed and were skipped, and the one line that says so.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

/// The result of a suite, or of several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// A suite that could not run at all: one failure, so that it is never taken for nothing to do.
    pub(crate) const BROKEN: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// Reads `N passed, N failed, N skipped`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split(", ");
        let mut number = |word: &str| parts.next()?.strip_suffix(word)?.strip_suffix(' ')?.parse().ok();
        let count = Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("skipped")?,
        };
        parts.next().is_none().then_some(count)
    }

    /// Reads the last line of a suite, `NAME: N passed, N failed, N skipped`.
    pub(crate) fn parse_named(line: &str) -> Option<Self> {
        line.rsplit_once(": ").and_then(|(_, text)| Self::parse(text))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(out, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        let mut total = Self::default();
        counts.for_each(|count| total += count);
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_suite_is_read() {
        let rows = [
            ("sdk: 12 passed, 0 failed, 3 skipped", Some((12, 0, 3))),
            ("sdk/python: 1 passed, 2 failed, 0 skipped ", Some((1, 2, 0))),
            ("12 passed, 0 failed, 3 skipped", None),
            ("sdk: 12 passed, 0 failed", None),
            ("sdk: 12 passed, 0 failed, 3 skipped, 1 odd", None),
            ("sdk: many passed, 0 failed, 0 skipped", None),
        ];
        for (line, expected) in rows {
            let expected = expected.map(|(passed, failed, skipped)| Count { passed, failed, skipped });
            assert_eq!(Count::parse_named(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let count = Count {
            passed: 1,
            failed: 2,
            skipped: 3,
        };
        assert_eq!(Count::parse(&count.to_string()), Some(count));
    }
}
