//! Suites that are not Rust: every executable `tests/NAME/run`. It finds the product by `TOLLGATE_BIN`, its packages in
//! `TOLLGATE_TEST_DIR`, the recorded exchanges in `TOLLGATE_CORPUS` (unset when they are absent), and prints as its last line
//! `NAME: N passed, N failed, N skipped`. What it does in between is its own affair.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{bounded, is_executable, watch};
use super::count::Count;
use super::needs::Needs;

/// One suite: its folder under `tests/`.
pub(crate) struct Suite {
    pub(crate) name: String,
    folder: PathBuf,
}

/// All suites, in order of name.
pub(crate) fn find(root: &Path) -> Vec<Suite> {
    let entries = std::fs::read_dir(root.join("tests")).into_iter().flatten().flatten();
    let folders = entries
        .map(|entry| entry.path())
        .filter(|folder| is_executable(&folder.join("run")));
    let name = |folder: &Path| Some(folder.file_name()?.to_string_lossy().into_owned());
    let mut suites: Vec<Suite> = folders
        .filter_map(|folder| {
            Some(Suite {
                name: name(&folder)?,
                folder,
            })
        })
        .collect();
    suites.sort_by(|left, right| left.name.cmp(&right.name));
    suites
}

impl Suite {
    /// Installs what the suite needs, runs it, and reads its last line. `test_folder` is the root of everything installed.
    pub(crate) fn run(&self, test_folder: &Path, prepare: impl Fn(&mut Command)) -> Result<Count, String> {
        let needs = std::fs::read_to_string(self.folder.join("needs")).unwrap_or_default();
        Needs::parse(&needs)?.install(&test_folder.join(&self.name))?;

        let mut command = bounded(self.folder.join("run"));
        command.current_dir(&self.folder);
        prepare(&mut command);
        let mut last = String::new();
        let show = |line: &str| {
            println!("{line}");
            if !line.trim().is_empty() {
                line.clone_into(&mut last);
            }
        };
        let status = watch(command, show, |line| eprintln!("{line}"))?;
        judge(&last, status.success()).ok_or_else(|| format!("ended with {status} and \"{last}\" instead of a count"))
    }
}

/// The count of the last line. A suite that fails without counting a failure did not come to its end.
fn judge(last: &str, success: bool) -> Option<Count> {
    let mut count = Count::parse_named(last)?;
    if !success && count.failed == 0 {
        count += Count::BROKEN;
    }
    Some(count)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_judged_by_its_last_line_and_its_end() {
        let rows = [
            ("sdk: 3 passed, 0 failed, 0 skipped", true, Some(0)),
            ("sdk: 3 passed, 2 failed, 0 skipped", false, Some(2)),
            ("sdk: 3 passed, 0 failed, 0 skipped", false, Some(1)),
            ("Traceback (most recent call last):", false, None),
            ("", true, None),
        ];
        for (last, success, failed) in rows {
            assert_eq!(judge(last, success).map(|count| count.failed), failed, "{last}");
        }
    }

    #[test]
    fn a_suite_is_found_by_its_run_bit_and_counted() {
        use std::os::unix::fs::PermissionsExt;
        let root = std::env::temp_dir().join(format!("tollgate-suite-{}", std::process::id()));
        for (name, mode) in [("b", 0o755), ("a", 0o755), ("plain", 0o644)] {
            let folder = root.join("tests").join(name);
            std::fs::create_dir_all(&folder).unwrap();
            let script = "#!/bin/sh\necho \"$GREETING\"\necho 'x: 2 passed, 0 failed, 1 skipped'\n";
            std::fs::write(folder.join("run"), script).unwrap();
            std::fs::set_permissions(folder.join("run"), PermissionsExt::from_mode(mode)).unwrap();
        }
        let suites = find(&root);
        let names: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
        let count = suites.first().unwrap().run(&root.join("env"), |command| {
            command.env("GREETING", "hello");
        });
        assert_eq!(names, ["a", "b"]);
        assert_eq!(
            count,
            Ok(Count {
                passed: 2,
                failed: 0,
                skipped: 1
            })
        );
        std::fs::remove_dir_all(&root).unwrap();
    }
}
