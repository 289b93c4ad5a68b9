//! What became of a request: the document that is kept of it, made from its record when the exchange is over, and read again.

use serde_json::Value;
use tollgate_policy::accounts::Room;
use tollgate_policy::rules::Facts;
use tollgate_store::database::decisions::Decision as Row;

use super::candidates::{left_out, plain, why};
use super::document::{Candidate, Explanation, Holds, Kind, Order, Outcome, Role, Standing, Verdict};
use super::keep::Decision;
use super::{known, named, who};
use crate::record::{Record, line};

/// What of a record its own caller may read: nothing of our inside, nothing of the provider's.
const FOR_CALLERS: [&str; 16] = [
    "time",
    "model",
    "stream",
    "attempts",
    "fallback",
    "downgraded",
    "cost_usd",
    "loss",
    "status",
    "outcome",
    "finish",
    "usage",
    "first_byte_ms",
    "total_ms",
    "queued_ms",
    "label",
];

/// What is kept of a record.
pub(super) fn written(record: &Record) -> Row {
    let caller = record.caller.as_deref();
    Row {
        request: record.request_id.clone(),
        at_ms: i64::try_from(record.time.as_millis()).unwrap_or(i64::MAX),
        team: caller.map(|caller| caller.team().name.clone()).unwrap_or_default(),
        user: caller.and_then(|caller| caller.user()).unwrap_or_default().to_owned(),
        key: caller.and_then(|caller| caller.key_id()).unwrap_or_default().to_owned(),
        body: serde_json::to_string(&explanation(record)).unwrap_or_default(),
    }
}

/// The document that was kept.
#[must_use]
pub fn read(row: &Row) -> Option<Explanation> {
    serde_json::from_str(&row.body).ok()
}

/// The same without what is not for callers.
pub(super) fn for_caller(mut explanation: Explanation) -> Explanation {
    if let Some(Value::Object(members)) = &mut explanation.record {
        members.retain(|name, _| FOR_CALLERS.contains(&name.as_str()));
    }
    explanation
}

fn explanation(record: &Record) -> Explanation {
    let mut text = Vec::with_capacity(1024);
    line::write(&mut text, record);
    let mut explanation = Explanation {
        kind: Kind::Record,
        request_id: Some(record.request_id.clone()),
        at_ms: u64::try_from(record.time.as_millis()).unwrap_or(u64::MAX),
        config: record.config.to_string(),
        dialect: record.dialect.to_owned(),
        operation: record.operation.to_owned(),
        asked: record.asked.clone().unwrap_or_default(),
        caller: record.caller.as_deref().map(who).unwrap_or_default(),
        verdict: verdict(record),
        downgraded: record.downgraded.clone(),
        limits: rooms(record),
        record: serde_json::from_slice(&text).ok(),
        holds: record.held.map(|held| Holds {
            input_tokens: held.input_tokens,
            output_tokens: held.output_tokens,
            usd: held.money.to_string(),
            max_tokens: record.clamped,
        }),
        ..Explanation::default()
    };
    if let Some(decision) = &record.decision {
        explanation.route = named(&decision.route);
        explanation.facts = known(&facts(record, decision));
        explanation.candidates = candidates(record, decision);
        if let Some(plan) = &decision.plan {
            explanation.order = Order {
                reason: plan.reason().to_owned(),
                passed_over: plan.passed_over().map(str::to_owned),
                by_dice: false,
            };
        }
    }
    explanation
}

fn verdict(record: &Record) -> Verdict {
    let sent = !record.attempts.is_empty();
    Verdict {
        outcome: if sent || record.fault.is_none() {
            Outcome::Sent
        } else {
            Outcome::Refused
        },
        code: record
            .fault
            .as_ref()
            .map(|fault| fault.code.clone().unwrap_or_else(|| fault.kind.to_owned())),
        message: None,
        waits_s: None,
    }
}

fn candidates(record: &Record, decision: &Decision) -> Vec<Candidate> {
    let route = &decision.route;
    let Some(plan) = &decision.plan else {
        let otherwise = record
            .fault
            .as_ref()
            .map_or("", |fault| fault.code.as_deref().unwrap_or(fault.kind));
        return left_out(route, None, &decision.dropped, otherwise);
    };
    let tried = plan.attempts().iter().enumerate().map(|(at, id)| {
        let mut candidate = plain(route, *id);
        candidate.place = Some(u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1));
        candidate.why = told(record, &candidate.model, why(plan, at, *id));
        if record.downgraded.is_some() {
            candidate.role = Role::Substitute;
        }
        candidate
    });
    let mut all: Vec<Candidate> = tried.collect();
    let otherwise = format!("not tried by the route's strategy ({})", plan.reason());
    all.extend(left_out(route, Some(plan), plan.dropped(), &otherwise));
    all
}

/// Why something stood there, and what came of trying it.
fn told(record: &Record, model: &str, why: String) -> String {
    let outcomes: Vec<&str> = record
        .attempts
        .iter()
        .filter(|attempt| attempt.deployment.name == model)
        .map(|attempt| attempt.outcome)
        .collect();
    match outcomes.is_empty() {
        true => why,
        false => format!("{why}; tried: {}", outcomes.join(", ")),
    }
}

/// What conditions saw, as far as it is known when all is over.
fn facts<'a>(record: &'a Record, decision: &'a Decision) -> Facts<'a> {
    let said = &decision.said;
    let mut facts = Facts {
        route: &decision.route.name,
        operation: record.operation,
        task: said.task.as_deref().unwrap_or_default(),
        risk: said.risk.as_deref().unwrap_or_default(),
        stream: record.stream,
        has_tools: said.has_tools,
        input_tokens: record.request_bytes / 3,
        max_tokens: said.max_tokens.unwrap_or(0),
        hour: u8::try_from(record.time.as_secs() / 3600 % 24).unwrap_or(0),
        priority: said.priority,
        ..Facts::default()
    };
    if let Some(caller) = record.caller.as_deref() {
        facts.team = &caller.team().name;
        facts.user = caller.user().unwrap_or_default();
        facts.end_user = caller.end_user().unwrap_or_default();
        facts.key = caller.key_id().unwrap_or_default();
        facts.feature = caller.feature().unwrap_or_default();
        facts.tags = caller.tags().pairs();
    }
    facts
}

/// What the tightest limits still let pass, as the answer's head said.
fn rooms(record: &Record) -> Vec<Standing> {
    let standing = |unit: &str, room: Room| Standing {
        name: "(the tightest)".to_owned(),
        unit: unit.to_owned(),
        limit: Some(room.limit.to_string()),
        left: Some(room.remaining.to_string()),
        ..Standing::default()
    };
    let requests = record.headroom.requests.map(|room| standing("requests", room));
    let tokens = record.headroom.tokens.map(|room| standing("tokens", room));
    requests.into_iter().chain(tokens).collect()
}
