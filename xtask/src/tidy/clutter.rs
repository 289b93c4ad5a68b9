//! What a build or a run leaves behind, and must not be committed.

use super::finding::Finding;
use super::tree::File;

const FOLDERS: &[&str] = &["target", "node_modules", "__pycache__", ".venv", "tollgate-data"];
const EXTENSIONS: &[&str] = &[
    "rlib", "rmeta", "o", "a", "so", "dylib", "dll", "exe", "pyc", "log", "pid", "sqlite", "orig", "rej", "bak", "swp",
];

/// Build output by its place or its name.
pub(crate) fn check(file: &File) -> Option<Finding> {
    let (folders, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let by_place = folders.split('/').any(|folder| FOLDERS.contains(&folder));
    let by_name = name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension)) || name.ends_with('~');
    (by_place || by_name).then(|| Finding::new(&file.path, 0, "build output; remove it from git and name it in .gitignore"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_is_found_by_place_or_name() {
        let rows = [
            ("crates/wire/target/debug/x", true),
            ("tests/sdk/node_modules/openai/index.js", true),
            ("tests/sdk/__pycache__/a.pyc", true),
            ("a/b.so", true),
            ("notes.md~", true),
            ("crates/wire/src/target.rs", false),
            ("Cargo.lock", false),
        ];
        for (path, wrong) in rows {
            assert_eq!(check(&File::new(path, "")).is_some(), wrong, "{path}");
        }
    }
}
