//! The Rust tests: `cargo test --workspace`, doctests included, and what its output says.
//!
//! A test that lacks its data prints one line that begins with `skipped:` and returns; it is then counted as skipped, not as
//! passed. What passing tests print is shown (figures over the corpus, for example), the list of passing tests is not.

use super::command::{bounded, watch};
use super::count::Count;

/// Runs everything, also after a failure. `prepare` sets what the tests need in their environment.
pub(crate) fn run(prepare: impl Fn(&mut std::process::Command)) -> Result<Count, String> {
    let mut command = bounded(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"])
        .env("CARGO_TERM_COLOR", "never");
    prepare(&mut command);

    let mut tally = Tally::default();
    let mut started = 0_u64;
    let show = |line: &str| {
        if tally.see(line) {
            println!("{line}");
        }
    };
    let status = watch(command, show, |line| {
        started += u64::from(starts_binary(line));
        eprintln!("{line}");
    })?;
    Ok(tally.finish(started, status.success()))
}

/// Whether cargo says that it starts a test binary, or the doctests of a crate.
fn starts_binary(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Running ") || line.starts_with("Doc-tests ")
}

/// Reads the standard output of libtest, many binaries one after the other.
#[derive(Default)]
struct Tally {
    count: Count,
    /// Tests of the current binary that passed with a word that they were skipped.
    said_skipped: u64,
    /// Binaries that came to their end.
    finished: u64,
    place: Place,
}

/// Where in the output of one binary we are.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The list of tests, or what a failed test printed.
    #[default]
    Open,
    /// Behind `successes:`: what passing tests printed.
    Successes,
    /// The same, of a test that said `skipped:`.
    Skipped,
    /// Behind the second `successes:`: the names of passing tests.
    Names,
}

impl Tally {
    /// Takes one line; true when a reader should see it.
    fn see(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.place = Place::Open;
            return self.result(result);
        }
        match (line, self.place) {
            ("successes:", Place::Open) => self.place = Place::Successes,
            ("successes:", _) => self.place = Place::Names,
            ("failures:", _) => {
                self.place = Place::Open;
                return true;
            }
            (_, Place::Open) => {
                let passing = line.starts_with("test ") && line.ends_with(" ... ok");
                let opening = line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test"));
                return !(passing || opening || line.is_empty());
            }
            (_, Place::Names) => {}
            (_, Place::Successes | Place::Skipped) => {
                self.printed(line);
                return !line.is_empty();
            }
        }
        false
    }

    /// A line that a passing test printed, or the head of what it printed.
    fn printed(&mut self, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" stdout ----") {
            self.place = Place::Successes;
        } else if line.starts_with("skipped:") && self.place == Place::Successes {
            self.place = Place::Skipped;
            self.said_skipped += 1;
        }
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`; shown when something was run.
    fn result(&mut self, text: &str) -> bool {
        let number = |word: &str| {
            let part = text.split(['.', ';']).find_map(|part| part.trim().strip_suffix(word));
            part.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        let (passed, failed, ignored) = (number("passed"), number("failed"), number("ignored"));
        let said = std::mem::take(&mut self.said_skipped).min(passed);
        self.finished += 1;
        self.count += Count {
            passed: passed - said,
            failed,
            skipped: ignored + said,
        };
        passed + failed + ignored > 0
    }

    /// A binary that began and gave no result died, and counts as one failure; so does a cargo that failed without one.
    fn finish(mut self, started: u64, success: bool) -> Count {
        self.count.failed += started.saturating_sub(self.finished);
        if !success && self.count.failed == 0 {
            self.count += Count::BROKEN;
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test a ... ok
test b ... ok
test c ... FAILED
test d ... ignored

successes:

---- a stdout ----
corpus: 10 tried, 10 passed
---- b stdout ----
skipped: corpus absent
skipped: and said twice

successes:
    a
    b

failures:

---- c stdout ----
assertion failed

failures:
    c

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 0 tests

test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn tally(output: &str) -> (Tally, Vec<&str>) {
        let mut tally = Tally::default();
        let shown = output.lines().filter(|line| tally.see(line)).collect();
        (tally, shown)
    }

    #[test]
    fn results_are_summed_and_skipped_ones_told_apart() {
        let (tally, _) = tally(OUTPUT);
        assert_eq!(
            tally.finish(2, false),
            Count {
                passed: 1,
                failed: 1,
                skipped: 2
            }
        );
    }

    #[test]
    fn failures_and_figures_are_shown_and_the_rest_is_not() {
        let (_, shown) = tally(OUTPUT);
        let expected = [
            "test c ... FAILED",
            "test d ... ignored",
            "---- a stdout ----",
            "corpus: 10 tried, 10 passed",
            "---- b stdout ----",
            "skipped: corpus absent",
            "skipped: and said twice",
            "failures:",
            "---- c stdout ----",
            "assertion failed",
            "failures:",
            "    c",
            "test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_binary_that_died_is_a_failure() {
        let fine = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let rows = [
            (fine, 1, true, 0),
            (fine, 2, false, 1),
            ("", 0, false, 1),
            ("", 1, false, 1),
            (fine, 1, false, 1),
        ];
        for (output, started, success, failed) in rows {
            assert_eq!(
                tally(output).0.finish(started, success).failed,
                failed,
                "{output} {started} {success}"
            );
        }
    }

    #[test]
    fn the_start_of_a_binary_is_seen() {
        let rows = [
            ("     Running unittests src/lib.rs (target/debug/deps/a-1)", true),
            ("   Doc-tests tollgate_wire", true),
            ("   Compiling a v0.1.0", false),
        ];
        for (line, expected) in rows {
            assert_eq!(starts_binary(line), expected, "{line}");
        }
    }
}
