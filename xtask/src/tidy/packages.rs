//! What we build from others: licences, banned packages, and how many there are. The lists are those of `deny.toml`, so that
//! there is one; cargo-deny, where installed, adds advisories and sources, which need a network.

use std::collections::BTreeSet;

use serde::Deserialize;
use spdx::{Expression, ParseMode};

use super::finding::Finding;
use crate::metadata::Package;

/// All packages that may be built, ours and the dev-dependencies included. A larger number is a decision, made here.
///
/// 400: the database (sqlx), the conditions (cel), the admin plane (axum, utoipa, argon2, jsonwebtoken) brought about ninety at once.
const PACKAGES_MAX: usize = 400;

/// The part of `deny.toml` that can be checked without a network.
#[derive(Deserialize)]
pub(crate) struct Lists {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Who may use it all the same; that nobody else does is cargo-deny's to check, which sees the edges.
    #[serde(default)]
    wrappers: Vec<String>,
}

impl Lists {
    /// Reads `deny.toml`; cargo-deny's other settings are not looked at.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("deny.toml cannot be read: {error}"))
    }
}

/// Licences outside the list, banned packages, and a tree that has grown too large.
pub(crate) fn check(built: &BTreeSet<Package>, lists: &Lists) -> Vec<Finding> {
    let mut findings: Vec<Finding> = built.iter().filter_map(|package| judge(package, lists)).collect();
    if built.len() > PACKAGES_MAX {
        let message = format!(
            "{} packages are built, more than {PACKAGES_MAX}; do without one, or decide in tidy/packages.rs",
            built.len()
        );
        findings.push(Finding::new("Cargo.lock", 0, message));
    }
    findings
}

fn judge(package: &Package, lists: &Lists) -> Option<Finding> {
    let Package { name, version, license } = package;
    let path = format!("package {name} {version}");
    if let Some(ban) = lists.bans.deny.iter().find(|ban| ban.name == *name && ban.wrappers.is_empty()) {
        return Some(Finding::new(&path, 0, format!("banned by deny.toml: {}", ban.reason)));
    }
    let message = format!("licence \"{license}\" is not allowed by deny.toml; do without the package");
    (!permits(license, &lists.licenses.allow)).then(|| Finding::new(&path, 0, message))
}

/// Whether the SPDX expression can be met with these licences alone.
fn permits(expression: &str, allowed: &[String]) -> bool {
    Expression::parse_mode(expression, ParseMode::LAX)
        .is_ok_and(|parsed| parsed.evaluate(|wanted| allowed.iter().any(|one| *one == wanted.to_string())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"]
        [bans]
        multiple-versions = "allow"
        deny = [
            { crate = "ring", reason = "one provider of cryptography" },
            { crate = "old", reason = "std does it", wrappers = ["rules"] },
        ]
    "#;

    #[test]
    fn a_licence_expression_is_met_or_not() {
        let allowed = Lists::parse(DENY).unwrap().licenses.allow;
        let rows = [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("Apache-2.0 / MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("ISC AND (Apache-2.0 OR GPL-2.0-only)", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("no licence at all", false),
        ];
        for (expression, met) in rows {
            assert_eq!(permits(expression, &allowed), met, "{expression}");
        }
    }

    fn package(name: &str, license: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: "v1.0.0".to_owned(),
            license: license.to_owned(),
        }
    }

    #[test]
    fn planted_packages_are_found() {
        let lists = Lists::parse(DENY).unwrap();
        let rows = [
            ("ring", "ISC", "banned by deny.toml: one provider"),
            ("copyleft", "AGPL-3.0-only", "is not allowed"),
            ("unlicensed", "", "is not allowed"),
        ];
        for (name, license, expected) in rows {
            assert!(judge(&package(name, license), &lists).unwrap().message.contains(expected), "{name}");
        }
        for good in ["good", "old"] {
            assert_eq!(judge(&package(good, "MIT"), &lists), None, "{good}");
        }
    }

    #[test]
    fn a_tree_that_grew_too_large_is_found() {
        let lists = Lists::parse(DENY).unwrap();
        let packages = |count: usize| (0..count).map(|number| package(&format!("p{number}"), "MIT")).collect();
        assert_eq!(check(&packages(PACKAGES_MAX), &lists).len(), 0);
        assert_eq!(check(&packages(PACKAGES_MAX + 1), &lists).len(), 1);
    }
}
