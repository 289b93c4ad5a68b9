//! The files of the repository as they lie on disk: what git tracks or would track. It judges nothing.

use std::path::Path;
use std::process::Command;

/// One file.
pub(crate) struct File {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// Its text; `None` when it is not UTF-8 or larger than [`TEXT_BYTES_MAX`].
    pub(crate) text: Option<String>,
}

/// Files above this size are data, and not looked into.
const TEXT_BYTES_MAX: u64 = 2 << 20;

/// Folders that never belong to a repository; only used where git cannot be asked.
const UNTRACKED: &[&str] = &[".git", "target", "node_modules", "__pycache__", "tollgate-data"];

impl File {
    /// A file made of text, as the rules see it.
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: Some(text.to_owned()),
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Test code by its place: `tests.rs`, anything in a `tests` or `fixtures` folder, a fuzz target, and the `testing`
    /// helpers beside them.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/').rev();
        let name = parts.next().unwrap_or_default();
        name == "tests.rs" || name.ends_with("_tests.rs") || parts.any(|folder| ["tests", "fixtures", "fuzz"].contains(&folder))
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// Every file that is tracked or new and not ignored, in order of path.
pub(crate) fn read(root: &Path) -> Result<Vec<File>, String> {
    let mut paths = match from_git(root) {
        Some(paths) => paths,
        None => walk(root, root)?,
    };
    paths.sort();
    paths.dedup();
    Ok(paths
        .into_iter()
        .filter(|path| root.join(path).is_file())
        .map(|path| load(root, path))
        .collect())
}

fn load(root: &Path, path: String) -> File {
    let full = root.join(&path);
    let small = std::fs::metadata(&full).is_ok_and(|data| data.len() <= TEXT_BYTES_MAX);
    let text = if small { std::fs::read_to_string(&full).ok() } else { None };
    File { path, text }
}

/// `None` when there is no git, or this is not a checkout (a source archive).
fn from_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !UNTRACKED.iter().any(|skipped| name == *skipped) {
                paths.extend(walk(root, &path)?);
            }
        } else if let Ok(relative) = path.strip_prefix(root) {
            paths.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(paths)
}
