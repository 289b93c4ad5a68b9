//! One fault for every caller and provider: 2 dialects of callers × 2 of providers × whole and streamed. A row says what must be met;
//! everything that must hold whatever the fault is (the head, the form of the error, no faked end, the record) is checked here.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tollgate_tests::{Answer, Dialect, Rig, rig};

/// How an exchange ends for the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// With an answer, whole and with its normal end.
    Served,
    /// With an error instead of an answer: the status for a caller of OpenAI's and of Anthropic's dialect, and the kind in the record.
    Refused(u16, u16, &'static str),
    /// With an error event after content, and nothing behind it: the kind in the record.
    Broken(&'static str),
}

/// A fault and what must come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The simulated provider's name for it.
    pub fault: &'static str,
    /// For a caller who wants a whole answer.
    pub whole: End,
    /// For a caller who wants a stream.
    pub stream: End,
    /// Upstream tries in all, where the exchange is refused. An answer that has begun is never tried again.
    pub tries: usize,
    /// The longest that it may take.
    pub within: Duration,
}

/// One place of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What the caller speaks.
    pub caller: Dialect,
    /// What the provider speaks.
    pub provider: Dialect,
    /// A stream is wanted.
    pub stream: bool,
}

/// Timers of the rows' routes: short, so that the tests are.
const TIMEOUTS: &str = "{ connect: 1s, first_byte: 1s, idle: 1s, total: 4s }";

/// A row whose exchanges are tried once and end soon.
pub(crate) fn row(fault: &'static str, whole: End, stream: End) -> Row {
    Row {
        fault,
        whole,
        stream,
        tries: 1,
        within: Duration::from_secs(3),
    }
}

impl Row {
    /// The same with so many tries.
    pub(crate) fn tries(self, tries: usize) -> Self {
        Self { tries, ..self }
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for caller in Dialect::ALL {
        for provider in Dialect::ALL {
            for stream in [false, true] {
                all.push(Case { caller, provider, stream });
            }
        }
    }
    all
}

/// Runs all rows in all cases against one gateway, and fails with a list of everything that was not as it must be.
pub(crate) async fn check(rows: &[Row]) -> Arc<Rig> {
    let mut routes = String::new();
    for (number, (row, case)) in places(rows).enumerate() {
        // A model name of its own for each: health is counted by model.
        let model = format!("{}/lorem-{}+{}", rig::provider_of(case.provider), 20 + number, row.fault);
        let _ = writeln!(
            routes,
            "  case-{number}: {{ targets: [{{ model: \"{model}\" }}], timeouts: {TIMEOUTS} }}"
        );
    }
    let rig = Arc::new(Rig::with_routes(&routes).await);
    let mut running = JoinSet::new();
    for (number, (row, case)) in places(rows).enumerate() {
        let rig = Arc::clone(&rig);
        running.spawn(async move {
            let answer = rig.caller.ask(case.caller, &format!("case-{number}"), case.stream).await;
            let record = rig.gateway.record(answer.id()).await;
            let mut wrong = Vec::new();
            judge(row, case, &answer, &record, &mut wrong);
            let met = || {
                format!(
                    "{} {} {record}",
                    answer.status,
                    String::from_utf8_lossy(answer.body.get(..400).unwrap_or(&answer.body))
                )
            };
            (!wrong.is_empty()).then(|| format!("{} {case:?}: {wrong:?}\n    met: {}", row.fault, met()))
        });
    }
    let wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        8 * rows.len(),
        wrong.join("\n")
    );
    assert_eq!(rig.gateway.metric("tollgate_panics_total", "").await, 0.0);
    rig
}

fn places(rows: &[Row]) -> impl Iterator<Item = (Row, Case)> {
    rows.iter().flat_map(|row| cases().into_iter().map(move |case| (*row, case)))
}

fn judge(row: Row, case: Case, answer: &Answer, record: &Value, wrong: &mut Vec<String>) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    let end = if case.stream { row.stream } else { row.whole };
    must(answer.broke.is_none(), "the body ends as HTTP says");
    must(answer.took <= row.within, "in time");
    for name in [
        "x-tollgate-route",
        "x-tollgate-model",
        "x-tollgate-attempts",
        "x-tollgate-overhead-ms",
        "x-tollgate-config",
    ] {
        must(!answer.header(name).is_empty(), name);
    }
    must(record["dialect"] == case.caller.name(), "the record has the caller's dialect");
    must(record["status"] == answer.status, "the record has the status");
    must(record["stream"] == case.stream, "the record says whether a stream was wanted");
    let tries = record["attempts"].as_array().map_or(0, Vec::len);
    let (expected_tries, outcome, kind) = match end {
        End::Served => (1, "completed", None),
        End::Refused(_, _, kind) => (row.tries, "failed", Some(kind)),
        End::Broken(kind) => (1, "broken", Some(kind)),
    };
    must(tries == expected_tries, "so many tries");
    must(record["outcome"] == outcome, "the record's outcome");
    must(record["fault"]["kind"].as_str() == kind, "the record's kind of fault");
    match end {
        End::Refused(openai, anthropic, kind) => {
            let status = if case.caller == Dialect::OpenAi { openai } else { anthropic };
            must(answer.status == status, "the status");
            must(answer.header("content-type") == "application/json", "the error is JSON");
            let code = serde_json::from_slice(&answer.body).map_or_else(|error| error.to_string(), |body| case.caller.error_code(&body));
            must(is_code_of(&code, kind), &format!("the code {code}"));
        }
        End::Served if !case.stream => {
            must(
                answer.status == 200 && answer.header("content-type") == "application/json",
                "a whole answer's head",
            );
            let text = serde_json::from_slice(&answer.body).ok().and_then(|body| case.caller.text(&body));
            must(text.is_some(), "an answer in the caller's dialect");
        }
        End::Served | End::Broken(_) => judge_stream(end, case, answer, &mut must),
    }
}

fn judge_stream(end: End, case: Case, answer: &Answer, must: &mut impl FnMut(bool, &str)) {
    must(
        answer.status == 200 && answer.header("content-type") == "text/event-stream",
        "a stream's head",
    );
    let seen = case.caller.stream(&answer.body);
    must(seen.after_end == 0, "nothing after the end");
    must(
        seen.unreadable.is_empty(),
        &format!("every event is JSON, not {:?}", seen.unreadable),
    );
    must(String::from_utf8(answer.body.to_vec()).is_ok(), "UTF-8");
    match (end, &seen.error) {
        (End::Broken(kind), Some(error)) => {
            let code = case.caller.error_code(error);
            must(is_code_of(&code, kind), &format!("the code {code}"));
            must(!seen.terminated, "no faked normal end");
        }
        (End::Broken(_), None) => must(false, "an error event"),
        (_, error) => {
            must(error.is_none(), "no error");
            must(seen.terminated && seen.finish.is_some(), "its normal end");
        }
    }
}

/// The codes that are the gateway's own; for other kinds the provider's words go on.
fn is_code_of(code: &str, kind: &str) -> bool {
    match kind {
        "unavailable" => code == "upstream_unavailable",
        "timeout" => code == "upstream_timeout",
        "tls" => code == "upstream_tls",
        "truncated" => code == "upstream_truncated",
        "bad_upstream" => code == "bad_upstream_response",
        _ => !code.is_empty() && !code.starts_with("no error of"),
    }
}
