//! What a receiver reads. The same alert is the same bytes at every attempt, as long as its budget's window is not edited.
//!
//! ```json
//! {"id": "…", "kind": "budget_threshold", "at": "2026-11-20T13:00:00.25Z", "budget": "engineering", "scope": {"team": "support"},
//!  "window": {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "threshold_percent": 80,
//!  "posted_usd": "1612.5031", "limit_usd": "2000.00"}
//! ```
//!
//! Of another kind (`canary_rolled_back`, `loop_detected`), `facts` says what happened, each by a name, as text:
//!
//! ```json
//! {"id": "…", "kind": "canary_rolled_back", "at": "2026-11-20T13:00:00.25Z",
//!  "facts": {"route": "chat", "model": "openai/gpt-4.1", "condition": "error_rate > 0.05", "reason": "…"}}
//! ```
//!
//! `at` is when the threshold was passed, `posted_usd` what was spent in the window then, `limit_usd` the budget's amount then; both are
//! decimals in text, exact. `start` and `end` are null where there is none: a budget that never begins anew has neither. `end` is null,
//! too, when the budget is gone or has another window by now. A message of the kind `test` has `id`, `kind` and `at` alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_policy::money::NanoUsd;
use tollgate_policy::windows::{Window, Zone};
use tollgate_store::database::outbox::{Alert, BUDGET_THRESHOLD};

use crate::clock::Now;

/// A message, ready to be posted.
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) body: Bytes,
}

/// What happened, by name.
type Facts<'a> = Option<BTreeMap<&'a str, &'a str>>;

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    kind: &'a str,
    at: Option<Timestamp>,
    #[serde(flatten)]
    passed: Option<Passed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Facts<'a>,
}

#[derive(Serialize)]
struct Passed<'a> {
    budget: &'a str,
    scope: BTreeMap<&'a str, &'a str>,
    window: Span,
    threshold_percent: u32,
    posted_usd: String,
    limit_usd: String,
}

#[derive(Serialize)]
struct Span {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Letter {
    /// Of an alert, whose budget has that window now.
    pub(super) fn of(alert: &Alert, window: Option<(Window, Zone)>) -> Self {
        let scope = alert.opened.scope.iter();
        let scope = scope.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let at = Timestamp::from_millisecond(alert.at_ms).ok();
        if alert.kind != BUDGET_THRESHOLD {
            return Self::write(alert.id.text(), &alert.kind, at, (None, Some(scope)));
        }
        let passed = Passed {
            budget: &alert.opened.rule,
            scope,
            window: span(alert, window),
            threshold_percent: alert.id.percent,
            posted_usd: NanoUsd(alert.posted).to_string(),
            limit_usd: NanoUsd(alert.limit).to_string(),
        };
        Self::write(alert.id.text(), BUDGET_THRESHOLD, at, (Some(passed), None))
    }

    /// Of nothing, to try the way.
    pub(super) fn test(id: String, now: Now) -> Self {
        let at = i64::try_from(now.unix.as_millis()).ok();
        Self::write(id, "test", at.and_then(|at| Timestamp::from_millisecond(at).ok()), (None, None))
    }

    fn write(id: String, kind: &str, at: Option<Timestamp>, (passed, facts): (Option<Passed<'_>>, Facts<'_>)) -> Self {
        let message = Message {
            id: &id,
            kind,
            at,
            passed,
            facts,
        };
        // Text and numbers alone: it cannot fail.
        let body = serde_json::to_vec(&message).unwrap_or_default().into();
        Self { id, body }
    }
}

/// From when to when the window of an alert is.
fn span(alert: &Alert, window: Option<(Window, Zone)>) -> Span {
    let at_s = alert.at_ms.div_euclid(1_000);
    let start = Some(alert.id.window).filter(|start| *start != 0);
    let (start, end) = match window {
        Some((Window::Rolling(seconds), _)) => (Some(at_s.saturating_sub_unsigned(seconds)), Some(at_s)),
        Some((Window::Calendar(calendar), zone)) => {
            let period = calendar.period(&zone, alert.id.window);
            (start, Some(period.end).filter(|_| start == Some(period.start)))
        }
        Some((Window::Never, _)) | None => (start, None),
    };
    let time = |seconds: Option<i64>| Timestamp::from_second(seconds?).ok();
    Span {
        start: time(start),
        end: time(end),
    }
}
