//! Registry folders: what lies in them is compiled and listed. To add a dialect, a guardrail, a provider, a store or a strategy
//! is to add its folder; `tidy --write` adds the `mod` line, and the entry line in the list is written by hand, because only its
//! author knows what the entry is.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::Finding;
use super::rust::{Keep, blank, without_tests};
use super::tree::File;

/// Folders whose `mod.rs` is a registry. Those that do not exist yet are not looked for.
const REGISTRIES: &[&str] = &[
    "crates/wire/src/dialects",
    "crates/policy/src/strategies",
    "crates/guard/src/guards",
    "crates/upstream/src/providers",
    "crates/store/src/backends",
    "crates/mock/src/dialects",
];

/// What a file implements when it must be an entry; other files beside a registry are helpers.
const MARKS: &[&str] = &[
    "const ENTRY",
    "static ENTRY",
    "Dialect for",
    "Strategy for",
    "Guardrail for",
    "Provider for",
    "Counters for",
    "Answers for",
    "Directory for",
    "Ledger for",
];

/// Folders of test data beside the entries.
const DATA: &[&str] = &["tests", "fixtures"];

/// One module of a registry folder, by its name.
#[derive(Default)]
struct Module {
    /// It must stand in the list: a folder with its own `mod.rs`, or a file with one of [`MARKS`].
    entry: bool,
}

/// Modules without a `mod` line, and entries that the list does not mention.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    REGISTRIES.iter().flat_map(|folder| check_folder(files, folder)).collect()
}

fn check_folder(files: &[File], folder: &str) -> Vec<Finding> {
    let path = format!("{folder}/mod.rs");
    let text = files.iter().find(|file| file.path == path).map_or("", File::text);
    let code = without_tests(&blank(text, Keep::Code));
    let list = list(&code);
    let mut findings = Vec::new();
    for (name, module) in modules(files, folder) {
        if !is_declared(&code, name) {
            let message = format!("{name} is not registered; add `mod {name};` (cargo xtask tidy --write does)");
            findings.push(Finding::new(&path, 0, message));
        } else if module.entry && list.is_some_and(|list| !mentions(list, name)) {
            findings.push(Finding::new(
                &path,
                0,
                format!("{name} is not in the list; add a line with `{name}::`"),
            ));
        }
    }
    findings
}

/// Adds the missing `mod` lines. True when a file was changed.
pub(crate) fn write(root: &Path, files: &[File]) -> Result<bool, String> {
    let mut changed = false;
    for folder in REGISTRIES {
        let path = format!("{folder}/mod.rs");
        let Some(text) = files.iter().find(|file| file.path == path).and_then(|file| file.text.as_deref()) else {
            continue;
        };
        let missing = modules(files, folder)
            .into_keys()
            .filter(|name| !is_declared(&blank(text, Keep::Code), name));
        let new = missing.fold(text.to_owned(), |text, name| with_declaration(&text, name));
        if new != text {
            std::fs::write(root.join(&path), new).map_err(|error| format!("cannot write {path}: {error}"))?;
            changed = true;
        }
    }
    Ok(changed)
}

fn modules<'a>(files: &'a [File], folder: &str) -> BTreeMap<&'a str, Module> {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(inner) = file.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else {
            continue;
        };
        let (name, in_folder) = match inner.split_once('/') {
            Some((name, _)) => (name, true),
            None => (inner.trim_end_matches(".rs"), false),
        };
        let helper = ["mod", "tests"].contains(&name) && !in_folder;
        if helper || DATA.contains(&name) {
            continue;
        }
        let code = || without_tests(&blank(file.text(), Keep::Code));
        modules.entry(name).or_default().entry |= inner == format!("{name}/mod.rs") || MARKS.iter().any(|mark| code().contains(mark));
    }
    modules
}

fn is_declared(code: &str, name: &str) -> bool {
    code.lines().any(|line| declared(line) == Some(name))
}

/// The module that a line declares: `mod x;`, with or without visibility.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    let behind = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    behind.trim_start().strip_prefix("mod ")?.strip_suffix(';')
}

/// The text of the first `static …: &[…] = &[…];`.
fn list(code: &str) -> Option<&str> {
    let start = code.lines().find(|line| line.contains("static ") && line.contains(": &["))?;
    let from = code.find(start)?;
    let rest = code.get(from..)?;
    let rest = rest.split_once('=').map_or(rest, |(_, value)| value);
    rest.split_once(';').map(|(value, _)| value)
}

fn mentions(list: &str, name: &str) -> bool {
    let needle = format!("{name}::");
    list.match_indices(&needle).any(|(at, _)| {
        let before = list.get(..at).and_then(|text| text.chars().next_back()).unwrap_or(' ');
        !before.is_alphanumeric() && before != '_'
    })
}

/// The text with one more `mod` line, in order of name among those that stand there, and as visible as they are.
fn with_declaration(text: &str, name: &str) -> String {
    let present: Vec<(usize, &str, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number, line, declared(line)?)))
        .collect();
    let visibility = present
        .first()
        .and_then(|(_, line, _)| line.split_once("mod "))
        .map_or("", |(before, _)| before);
    let before = present.iter().find(|(_, _, other)| *other > name).map(|(number, ..)| *number);
    let behind = present.last().map(|(number, ..)| number + 1);
    let head = text.lines().take_while(|line| line.starts_with("//!")).count();
    let place = before.or(behind).unwrap_or(head);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if present.is_empty() {
        lines.insert(place, String::new());
    }
    lines.insert(place + usize::from(present.is_empty()), format!("{visibility}mod {name};"));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "crates/wire/src/dialects";

    fn messages(registry: &str, others: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![File::new(&format!("{FOLDER}/mod.rs"), registry)];
        files.extend(others.iter().map(|(path, text)| File::new(&format!("{FOLDER}/{path}"), text)));
        check(&files).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_planted_folder_or_file_is_found() {
        let list = "pub mod a;\nmod help;\npub static ALL: &[&dyn Dialect] = &[&a::A, &help_b::B];\n";
        // The registry, the files beside it, and how many findings there are.
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], usize);
        let rows: &[Row<'_>] = &[
            (list, &[("a/mod.rs", "")], 0),
            (list, &[("a/mod.rs", ""), ("b/mod.rs", "")], 1),
            (list, &[("b.rs", "")], 1),
            (list, &[("help.rs", "fn help() {}"), ("tests.rs", ""), ("fixtures/x.rs", "")], 0),
            (list, &[("help.rs", "impl Dialect for Help {}")], 1),
            (list, &[("help.rs", "pub const ENTRY: Entry = e();")], 1),
            ("// mod a;\n", &[("a/mod.rs", "")], 1),
            ("mod b;\npub static ALL: &[Entry] = &[\n    a::ENTRY,\n];\n", &[("b/mod.rs", "")], 1),
            ("pub(crate) mod b;\n", &[("b/mod.rs", "")], 0),
        ];
        for (registry, others, expected) in rows {
            let seen = messages(registry, others);
            assert_eq!(seen.len(), *expected, "{registry} {others:?}: {seen:?}");
        }
    }

    #[test]
    fn a_registry_without_its_file_is_found() {
        assert_eq!(check(&[File::new(&format!("{FOLDER}/a/mod.rs"), "")]).len(), 1);
    }

    #[test]
    fn the_missing_line_is_added_in_its_place() {
        let rows = [
            (
                "//! Head.\n\npub mod a;\npub mod c;\n",
                "//! Head.\n\npub mod a;\npub mod b;\npub mod c;\n",
            ),
            ("//! Head.\n\nmod a;\n\nfn x() {}\n", "//! Head.\n\nmod a;\nmod b;\n\nfn x() {}\n"),
            ("//! Head.\n", "//! Head.\n\nmod b;\n"),
        ];
        for (text, expected) in rows {
            assert_eq!(with_declaration(text, "b"), expected);
        }
    }
}
