//! An explanation for a person: what happens, in one line; then who could answer and why, and what is left of what counts it.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::table::{cell, table};
use crate::explain::Explanation;
use crate::explain::document::{Candidate, Kind, Outcome, Role, Standing};

/// The text.
pub(super) fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}\n{}", asked(explanation), outcome(explanation));
    for (what, said) in [
        ("downgraded", &explanation.downgraded),
        ("passed over", &explanation.order.passed_over),
    ] {
        if let Some(said) = said {
            let _ = writeln!(text, "{what}: {}", printable(said));
        }
    }
    if !explanation.candidates.is_empty() {
        let lines: Vec<Value> = explanation.candidates.iter().map(candidate).collect();
        let columns: &[&str] = match explanation.kind {
            Kind::Forecast => &["#", "model", "role", "USD", "why"],
            Kind::Record => &["#", "model", "role", "why"],
        };
        let _ = write!(text, "\n{}", table(&lines, columns));
    }
    if !explanation.shares.is_empty() {
        let shares = explanation
            .shares
            .iter()
            .map(|share| format!("{} % {}", share.percent, share.model));
        let _ = writeln!(text, "\nfirst by dice: {}", shares.collect::<Vec<_>>().join(", "));
    }
    let standings: Vec<Value> = explanation.limits.iter().chain(&explanation.budgets).map(standing).collect();
    if !standings.is_empty() {
        let _ = write!(
            text,
            "\n{}",
            table(&standings, &["limit or budget", "left", "of", "unit", "whose", "when"])
        );
    }
    if let Some(holds) = &explanation.holds {
        let _ = writeln!(
            text,
            "\nholds {} tokens of input, {} of output, {} USD",
            holds.input_tokens, holds.output_tokens, holds.usd
        );
    }
    for (what, names) in [
        ("if all of them fail", &explanation.last_resorts),
        ("cache", &explanation.cache),
        ("guardrails", &explanation.guardrails),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "{what}: {}", names.join(", "));
        }
    }
    for note in &explanation.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// `support-chat for team support, user u1 (openai_chat, config 0123456789ab)`
fn asked(explanation: &Explanation) -> String {
    let caller = &explanation.caller;
    let mut whose: Vec<String> = Vec::new();
    for (what, name) in [
        ("team", Some(&caller.team).filter(|team| !team.is_empty())),
        ("user", caller.user.as_ref()),
        ("key", caller.key.as_ref()),
        ("feature", caller.feature.as_ref()),
    ] {
        whose.extend(name.map(|name| format!("{what} {}", printable(name))));
    }
    let whose = if whose.is_empty() {
        "nobody in particular".to_owned()
    } else {
        whose.join(", ")
    };
    let at = match (explanation.kind, &explanation.request_id) {
        (Kind::Record, Some(id)) => format!("{id}, {}: ", time(explanation.at_ms)),
        (Kind::Forecast, Some(id)) => format!("as {}: ", printable(id)),
        (_, None) => String::new(),
    };
    let asked = printable(&explanation.asked);
    format!("{at}{asked} for {whose} ({}, config {})", explanation.dialect, explanation.config)
}

fn outcome(explanation: &Explanation) -> String {
    if explanation.kind == Kind::Record {
        return happened(explanation);
    }
    let verdict = &explanation.verdict;
    let first = explanation.candidates.iter().find(|candidate| candidate.place == Some(1));
    let model = first.map_or("", |first| first.model.as_str());
    let code = verdict.code.as_deref().unwrap_or_default();
    let message = printable(verdict.message.as_deref().unwrap_or_default());
    match (verdict.outcome, verdict.waits_s) {
        (Outcome::Sent, _) => format!("→ {model}"),
        (Outcome::Waits, Some(wait)) => format!("→ waits up to {wait} s for room, then {code}: {message}"),
        (Outcome::Waits, None) => format!("→ waits for room: {message}"),
        (Outcome::Refused, _) => format!("→ refused, {code}: {message}"),
    }
}

/// `→ openai/gpt-4o: completed, 200, 0.00012 USD, 812 ms`
fn happened(explanation: &Explanation) -> String {
    let record = explanation.record.clone().unwrap_or_default();
    let mut parts = vec![cell(&record["outcome"]), cell(&record["status"])];
    parts.extend(explanation.verdict.code.clone());
    for (name, unit) in [("cost_usd", " USD"), ("total_ms", " ms")] {
        if !record[name].is_null() {
            parts.push(format!("{}{unit}", cell(&record[name])));
        }
    }
    if !record["fallback"].is_null() {
        parts.push(format!("fallback {}", cell(&record["fallback"])));
    }
    let model = match &record["model"] {
        Value::Null => "nobody was asked".to_owned(),
        model => cell(model),
    };
    format!("→ {model}: {}", parts.join(", "))
}

fn candidate(candidate: &Candidate) -> Value {
    let place = candidate.place.map_or_else(|| "-".to_owned(), |place| place.to_string());
    let usd = candidate.price.as_ref().map_or_else(String::new, |price| {
        if price.floor_usd == price.ceiling_usd {
            price.ceiling_usd.clone()
        } else {
            format!("{} to {}", price.floor_usd, price.ceiling_usd)
        }
    });
    let role = match (candidate.role, candidate.weight) {
        (Role::Target, Some(weight)) => format!("target, weight {weight}"),
        (Role::Target, None) => "target".to_owned(),
        (Role::Fallback, _) => "fallback".to_owned(),
        (Role::Substitute, _) => "substitute".to_owned(),
    };
    let mut why = candidate.why.clone();
    if !candidate.loss.is_empty() {
        why = format!("{why}; cannot carry {}", candidate.loss.join(", "));
    }
    json!({ "#": place, "model": candidate.model, "role": role, "USD": usd, "why": why })
}

fn standing(standing: &Standing) -> Value {
    json!({
        "limit or budget": standing.name, "left": standing.left, "of": standing.limit, "unit": standing.unit,
        "whose": standing.scope, "when": standing.when,
    })
}

fn time(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or_default().to_string()
}

/// A control character of somebody's name does nothing to a terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
