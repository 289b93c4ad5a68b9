//! What cargo says about the workspace, as far as the chores need it: our packages and their arrows, and what would be built.
//! It does not resolve anything itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

/// Our own packages.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Member>,
    /// Where cargo builds to; `CARGO_TARGET_DIR` is already considered.
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
}

/// One of our packages.
#[derive(Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a dependency table, of any kind.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Present when it is one of ours.
    pub(crate) path: Option<PathBuf>,
}

/// A package that would be built, ours or another's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The version as cargo prints it, with its `v`.
    pub(crate) version: String,
    /// The SPDX expression; empty when the package names none.
    pub(crate) license: String,
}

impl Workspace {
    /// Asks cargo; needs no network.
    pub(crate) fn read() -> Result<Self, String> {
        Self::parse(&cargo(&["metadata", "--format-version", "1", "--no-deps"])?)
    }

    /// Reads the output of `cargo metadata --no-deps`, format version 1.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("cargo metadata is not in the expected form: {error}"))
    }
}

/// Everything that building and testing the workspace takes, on any platform.
pub(crate) fn built() -> Result<BTreeSet<Package>, String> {
    tree(&["--workspace", "--edges", "all"])
}

/// What is linked with one of our packages, itself included.
pub(crate) fn linked(package: &str) -> Result<BTreeSet<Package>, String> {
    tree(&["--package", package, "--edges", "normal"])
}

/// `cargo tree` and not `cargo metadata`: the latter lists optional packages that no feature turns on (rust-lang/cargo#10801).
fn tree(selection: &[&str]) -> Result<BTreeSet<Package>, String> {
    let form = ["tree", "--target", "all", "--prefix", "none", "--format", "{p}|{l}"];
    Ok(parse_tree(&cargo(&[&form, selection].concat())?))
}

/// Lines of `name v1.2.3 (where or what)|licence`, with ` (*)` behind what was printed before.
fn parse_tree(text: &str) -> BTreeSet<Package> {
    let package = |line: &str| {
        let (package, license) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Package {
            name,
            version,
            license: license.to_owned(),
        })
    };
    text.lines().filter_map(package).collect()
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let name = arguments.first().copied().unwrap_or_default();
        return Err(format!("cargo {name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo did not answer in UTF-8: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_line_by_line() {
        let text = "tollgate-wire v0.1.0 (somewhere)|Apache-2.0\nserde v1.0.0|MIT OR Apache-2.0\nserde v1.0.0|MIT OR Apache-2.0 (*)\n\nodd v2.0.0|\n";
        let seen: Vec<_> = parse_tree(text)
            .into_iter()
            .map(|package| (package.name, package.version, package.license))
            .collect();
        let own = |(name, version, license): (&str, &str, &str)| (name.to_owned(), version.to_owned(), license.to_owned());
        let expected = [
            ("odd", "v2.0.0", ""),
            ("serde", "v1.0.0", "MIT OR Apache-2.0"),
            ("tollgate-wire", "v0.1.0", "Apache-2.0"),
        ];
        assert_eq!(seen, expected.map(own));
    }
}
