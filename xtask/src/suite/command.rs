//! Programs that are run and watched: their lines as they come, within a bound of time.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

/// A suite that takes longer is stopped, with everything that it started.
const SUITE_SECONDS_MAX: u32 = 2_700;

/// A command that is stopped, with its process group, after [`SUITE_SECONDS_MAX`]; unbounded where coreutils' `timeout` is
/// missing. The variables that `cargo run` sets for us are taken out, so that a second cargo does not build anew.
pub(crate) fn bounded(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = if on_path("timeout") {
        let mut command = Command::new("timeout");
        command.arg("--kill-after=10").arg(SUITE_SECONDS_MAX.to_string()).arg(program);
        command
    } else {
        Command::new(program)
    };
    let ours = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs to the end; `out` sees each line of the standard output, `err` each of the standard error, as they come.
pub(crate) fn watch(mut command: Command, mut out: impl FnMut(&str), err: impl FnMut(&str) + Send) -> Result<ExitStatus, String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let mut err = err;
        scope.spawn(move || lines(stderr, &mut err));
        lines(stdout, &mut out);
    });
    child
        .wait()
        .map_err(|error| format!("cannot wait for {}: {error}", command.get_program().display()))
}

/// Lines in any encoding: what is not UTF-8 is shown as far as it can be.
fn lines(pipe: Option<impl Read>, see: &mut impl FnMut(&str)) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        see(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}

/// Runs to the end without a word unless it fails; the error is the last lines that it printed.
pub(crate) fn quiet(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let tail: Vec<&str> = text.lines().rev().take(6).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(format!("{program} failed: {}", tail.join("\n  ")))
}

/// Whether a program of this name can be started.
pub(crate) fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| is_executable(&folder.join(program)))
}

/// A file with its run bit.
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_seen_line_by_line() {
        let mut command = bounded("sh");
        command.args(["-c", "echo one; echo two >&2; printf three; exit 3"]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = watch(command, |line| out.push(line.to_owned()), |line| err.push(line.to_owned())).unwrap();
        assert_eq!((out, err), (vec!["one".to_owned(), "three".to_owned()], vec!["two".to_owned()]));
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_failure_tells_what_was_printed_last() {
        let error = quiet(Command::new("sh").args(["-c", "echo why; exit 1"])).unwrap_err();
        assert_eq!(error, "sh failed: why");
        assert_eq!(quiet(&mut Command::new("true")), Ok(()));
    }
}
