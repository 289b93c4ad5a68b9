//! The config read as people write it: rows of YAML, each with the exact list of what is found. The rows of a kind stand in a file of
//! their own.

use std::path::Path;

use expect_test::Expect;

use super::{Checked, Vendor, World, read};

mod access;
mod callers;
mod example;
mod labels;
mod limits;
mod names;
mod release;
mod resilience;
mod resorts;
mod router;
mod routes;
mod rules;
mod structure;
mod syntax;
mod values;

const OPENAI: Vendor<'static> = Vendor {
    name: "openai",
    key_env: Some("OPENAI_API_KEY"),
};
const ANTHROPIC: Vendor<'static> = Vendor {
    name: "anthropic",
    key_env: Some("ANTHROPIC_API_KEY"),
};
const OLLAMA: Vendor<'static> = Vendor {
    name: "ollama",
    key_env: None,
};

/// The environment of the rows.
fn env(name: &str) -> Option<String> {
    if let "OURS_1" | "OURS_2" = name {
        // One id, two secrets.
        return Some(tollgate_policy::key::make([7; 9], [name.as_bytes()[5]; 32]));
    }
    let value = match name {
        "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" | "ANTHROPIC_API_KEY_2" => "sk-proj-0123456789",
        "SUPPORT_KEY" => "sk-kept-support-00000-0123456789012345678901234567890123456789012000000",
        "PLATFORM_KEY" => "sk-kept-platform-0000-0123456789012345678901234567890123456789012000000",
        "ALERT_SECRET" => "a-secret-that-signs-alerts-0123456789",
        "DATABASE_URL" => "postgres://tollgate:hunter2-hunter2@db/tollgate",
        "WEAK" => "only-18-characters",
        "SHORT" => "seven77",
        "SPACED" => "two words",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn file(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/run/secrets/openai") => Ok("sk-from-a-file\n".to_owned()),
        Some("/run/secrets/locked") => Err(std::io::ErrorKind::PermissionDenied.into()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

fn checked(yaml: &str) -> Checked {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let world = World {
        env: &env,
        file: &file,
        now,
        vendors: &[OPENAI, ANTHROPIC, OLLAMA],
    };
    read(yaml, &world)
}

/// Checks a whole file; what is found is written `line:column path: reason; remedy`, a warning with `~` in front.
fn check(yaml: &str, expect: &Expect) {
    let checked = checked(yaml);
    let mut found = String::new();
    for problem in &checked.problems {
        let mark = if problem.severity == super::Severity::Warning { "~" } else { "" };
        let rest = problem.line_for_logs().split_once(": ").unwrap().1.to_owned();
        found.push_str(&format!("{mark}{}:{} {rest}\n", problem.line, problem.column));
    }
    let refused = checked.problems.iter().any(|problem| problem.severity == super::Severity::Error);
    assert_eq!(checked.raw.is_none(), refused, "a config, or an error: {found}");
    expect.assert_eq(&found);
}

/// Checks a part of a file, before providers, models, a route and a team that are right.
fn check_part(yaml: &str, expect: &Expect) {
    let base = "
providers: { openai: { credentials: [env:OPENAI_API_KEY] }, anthropic: { credentials: [env:ANTHROPIC_API_KEY] } }
models: { fast-llama: { provider: openai, upstream_model: llama }, big: { provider: anthropic } }
";
    check(&format!("{yaml}{base}"), expect);
}
