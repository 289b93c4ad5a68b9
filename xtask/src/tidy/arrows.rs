//! Who may depend on whom: the direction of HOUSE section 2, and that the pure crates stay pure.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::metadata::{Package, Workspace};

/// Each of our packages and the packages of ours that it may use. `*` is any.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tollgate-wire", &[]),
    ("tollgate-policy", &["tollgate-wire"]),
    ("tollgate-guard", &["tollgate-wire", "tollgate-policy"]),
    ("tollgate-upstream", &["tollgate-wire", "tollgate-policy"]),
    ("tollgate-store", &["tollgate-wire", "tollgate-policy"]),
    // A simulator that shared the gateway's encoders could not catch their mistakes.
    ("tollgate-mock", &[]),
    (
        "tollgate-gateway",
        &[
            "tollgate-wire",
            "tollgate-policy",
            "tollgate-guard",
            "tollgate-upstream",
            "tollgate-store",
            "tollgate-mock",
        ],
    ),
    ("tollgate-tests", &["*"]),
    // The simulator drives the pure core.
    ("xtask", &["tollgate-policy"]),
];

/// Crates that decide and never wait, and what must not be linked into them, however far away.
pub(crate) const PURE: &[&str] = &["tollgate-wire", "tollgate-policy"];
// jiff may: calendars and time zones are arithmetic, and clippy.toml bans its two readings of the clock.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "mio",
    "socket2",
    "async-std",
    "smol",
    "rand",
    "chrono",
];

/// Arrows between our packages that are not in the table.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &workspace.packages {
        let path = format!("package {}", member.name);
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            findings.push(Finding::new(
                &path,
                0,
                "not in the table of xtask/src/tidy/arrows.rs; say there what it may use",
            ));
            continue;
        };
        let ours = member
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some())
            .map(|dependency| dependency.name.as_str());
        let wrong = ours.filter(|to| !allowed.contains(to) && !allowed.contains(&"*"));
        findings.extend(wrong.map(|to| {
            let message = format!("must not depend on {to}; move what both need to a crate that both may use");
            Finding::new(&path, 0, message)
        }));
    }
    findings
}

/// Impure packages among those that are linked with the pure crate of that name.
pub(crate) fn check_pure(name: &str, linked: &BTreeSet<Package>) -> Vec<Finding> {
    let wrong = linked.iter().filter(|package| IMPURE.contains(&package.name.as_str()));
    wrong
        .map(|package| {
            let message = format!(
                "links {}; it never waits, reads a clock or rolls dice: pass the value in",
                package.name
            );
            Finding::new(&format!("package {name}"), 0, message)
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn messages(from: &str, to: &[&str]) -> String {
        let ours = to.iter().map(|name| serde_json::json!({"name": name, "path": "crates/x"}));
        let foreign = serde_json::json!({"name": "tokio", "path": null});
        let dependencies: Vec<_> = ours.chain([foreign]).collect();
        let json = serde_json::json!({
            "packages": [{"name": from, "dependencies": dependencies}],
            "target_directory": "target", "workspace_root": ".",
        });
        check(&Workspace::parse(&json.to_string()).unwrap())
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect()
    }

    #[test]
    fn the_arrows_of_the_house_pass() {
        let rows = [
            ("tollgate-wire", &[][..]),
            ("tollgate-policy", &["tollgate-wire"]),
            ("tollgate-store", &["tollgate-wire", "tollgate-policy"]),
            ("tollgate-gateway", &["tollgate-upstream", "tollgate-mock"]),
            ("tollgate-tests", &["tollgate-gateway", "tollgate-mock"]),
        ];
        for (from, to) in rows {
            assert_eq!(messages(from, to), "");
        }
    }

    #[test]
    fn a_planted_arrow_is_found() {
        let rows = [
            ("tollgate-wire", "tollgate-policy"),
            ("tollgate-store", "tollgate-upstream"),
            ("tollgate-mock", "tollgate-wire"),
            ("xtask", "tollgate-wire"),
        ];
        for (from, to) in rows {
            let seen = messages(from, &[to]);
            assert!(seen.contains(&format!("package {from}: must not depend on {to}")), "{seen}");
        }
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert!(messages("tollgate-utils", &[]).contains("package tollgate-utils: not in the table"));
    }

    #[test]
    fn a_runtime_below_a_pure_crate_is_found() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            version: "v1.0.0".to_owned(),
            license: "MIT".to_owned(),
        };
        let seen = check_pure("tollgate-policy", &["serde", "tokio"].map(package).into());
        assert_eq!(seen.len(), 1);
        assert!(seen.iter().all(|finding| finding.message.starts_with("links tokio")), "{seen:?}");
    }
}
