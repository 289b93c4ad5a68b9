//! The shape of the repository, checked: who may depend on whom, what must be registered, what must not stand in a file.
//! One rule per file; each takes what it looks at as an argument and gives findings. What a compiler or clippy can enforce is
//! left to them. Long files and functions are printed as places to look, and never fail.

mod arrows;
mod clutter;
mod finding;
mod heads;
mod leftovers;
mod packages;
mod pairs;
mod private;
mod registry;
mod rust;
mod sizes;
mod statuses;
mod tree;

use std::process::ExitCode;

use crate::metadata::{Workspace, built, linked};
use finding::Finding;

/// `tidy [--write]`: prints every finding; fails when there is one.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let write = match arguments {
        [] => false,
        [flag] if flag == "--write" => true,
        _ => return Err("usage: cargo xtask tidy [--write]".to_owned()),
    };
    let workspace = Workspace::read()?;
    let root = &workspace.workspace_root;
    let mut files = tree::read(root)?;
    if write && registry::write(root, &files)? {
        files = tree::read(root)?;
    }
    let lists = packages::Lists::parse(files.iter().find(|file| file.path == "deny.toml").map_or("", tree::File::text))?;

    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(arrows::check(&workspace));
    for pure in arrows::PURE {
        findings.extend(arrows::check_pure(pure, &linked(pure)?));
    }
    findings.extend(packages::check(&built()?, &lists));
    findings.extend(registry::check(&files));
    findings.extend(pairs::check(&files));
    for file in &files {
        findings.extend(clutter::check(file));
        findings.extend(heads::check(file));
        findings.extend(leftovers::check(file));
        findings.extend(private::check(file));
        findings.extend(statuses::check(file));
    }
    findings.sort();

    print!("{}", sizes::report(&files));
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files looked at, {} found wrong", files.len(), findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
