//! What is only read: the ledger, the audit log, alerts, health.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tollgate_store::database::audit::{Audit, AuditFlaw, AuditPage};
use tollgate_store::database::ledger::{Flaw, Ledger, Page};
use tollgate_store::database::objects::Objects;
use tollgate_store::database::outbox::{Alert, Outbox};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::{Control, now_ms};

/// A row of the ledger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its schema alone")]
struct LedgerRow {
    seq: i64,
    request: String,
    attempt: i64,
    at_ms: i64,
    team: String,
    user: String,
    key: String,
    feature: String,
    route: String,
    provider: String,
    model: String,
    /// Money, in nano-USD.
    cost: i64,
    price_version: String,
    ended: String,
    hash: String,
}

/// A record of the audit log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its schema alone")]
struct AuditRecord {
    seq: i64,
    at_ms: i64,
    actor: String,
    auth: String,
    action: String,
    target: String,
    /// How it was, without secrets; null: it was not there.
    before: Value,
    /// How it is; null: it is gone.
    after: Value,
    reason: String,
    request: String,
    outcome: String,
    hash: String,
}

/// What a verification found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verified {
    pub(crate) valid: bool,
    /// Rows or records whose hashes were computed.
    pub(crate) checked: u64,
    /// The first thing that is not as it must be.
    pub(crate) flaw: Option<String>,
}

/// An alert.
#[derive(Serialize, ToSchema)]
struct AlertLine {
    /// The same for each delivery.
    id: String,
    /// `budget_threshold`; of another kind, `scope` says what happened, and `budget` is empty.
    kind: String,
    budget: String,
    /// Whose.
    scope: BTreeMap<String, String>,
    percent: u32,
    window_s: i64,
    posted: i64,
    limit: i64,
    at_ms: i64,
    attempts: i64,
    delivered_ms: Option<i64>,
    last_error: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission::{AlertsRead, AlertsTest, AuditRead, LedgerRead, Own};
    use http::Method;
    vec![
        Route::new(Method::GET, "/admin/v1/ledger", LedgerRead, "list ledger rows", |ask| {
            Box::pin(ledger(ask))
        })
        .query(&[
            ("limit", "how many, from 1 to 1000"),
            ("after", "next of the page before"),
            ("request", "only those of this request id"),
        ])
        .answers(Answer::Page(openapi::shape::<LedgerRow>)),
        Route::new(Method::POST, "/admin/v1/ledger/verify", LedgerRead, "verify ledger", |ask| {
            Box::pin(async move { Reply::ok(ledger_verified(&ask.control).await?) })
        })
        .answers(Answer::One(200, openapi::shape::<Verified>))
        .slow(),
        Route::new(Method::GET, "/admin/v1/audit", AuditRead, "list audit records", |ask| {
            Box::pin(audit(ask))
        })
        .query(&[
            ("limit", "how many, from 1 to 1000"),
            ("after", "next of the page before"),
            ("target", "only those on this, as key/ID"),
        ])
        .answers(Answer::Page(openapi::shape::<AuditRecord>)),
        Route::new(Method::POST, "/admin/v1/audit/verify", AuditRead, "verify audit", |ask| {
            Box::pin(async move { Reply::ok(audit_verified(&ask.control).await?) })
        })
        .answers(Answer::One(200, openapi::shape::<Verified>))
        .slow(),
        Route::new(Method::GET, "/admin/v1/alerts", AlertsRead, "list alerts", |ask| {
            Box::pin(alerts(ask))
        })
        .query(&[("limit", "how many of the youngest, from 1 to 1000")])
        .answers(Answer::Page(openapi::shape::<AlertLine>)),
        Route::new(Method::POST, "/admin/v1/alerts/test", AlertsTest, "test alert", |ask| {
            Box::pin(test_alert(ask))
        }),
        Route::new(Method::GET, "/admin/v1/health", Own, "get health", |ask| Box::pin(health(ask))),
    ]
}

async fn ledger(ask: Ask) -> Result<Reply, Problem> {
    let limit = ask.limit()?;
    let page = Page {
        request: ask.param("request").map(str::to_owned),
        before: ask.after()?,
        limit,
    };
    let rows = ask.control.database.rows(&page).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.seq.to_string());
    Reply::page(rows.iter().map(|row| serde_json::to_value(row).unwrap_or_default()).collect(), next)
}

/// Recomputes the ledger.
pub(crate) async fn ledger_verified(control: &Control) -> Result<Verified, Problem> {
    Ok(Verified::of_ledger(control.database.verify().await?))
}

async fn audit(ask: Ask) -> Result<Reply, Problem> {
    let limit = ask.limit()?;
    let page = AuditPage {
        target: ask.param("target").map(str::to_owned),
        before: ask.after()?,
        limit,
    };
    let records = ask.control.database.records(&page).await?;
    let next = records
        .last()
        .filter(|_| records.len() == limit as usize)
        .map(|record| record.seq.to_string());
    let shown = records.iter().map(|record| {
        let mut line = serde_json::to_value(record).unwrap_or_default();
        for member in ["before", "after"] {
            let text = line.get(member).and_then(Value::as_str).unwrap_or_default();
            let value = serde_json::from_str(text).unwrap_or(Value::Null);
            if let Some(slot) = line.get_mut(member) {
                *slot = value;
            }
        }
        line
    });
    Reply::page(shown.collect(), next)
}

/// Recomputes the audit log. Without the key of its checkpoints only the chain is computed.
async fn audit_verified(control: &Control) -> Result<Verified, Problem> {
    let Some(key) = &control.audit_key else {
        return Err(Problem::conflict(
            "no_audit_key",
            "the gateway has no key for the audit log's checkpoints; restart it",
        ));
    };
    Ok(Verified::of_audit(control.database.verify_audit(key, &[]).await?))
}

async fn alerts(ask: Ask) -> Result<Reply, Problem> {
    let alerts = ask.control.database.alerts(ask.limit()?).await?;
    let line = |alert: &Alert| {
        let line = AlertLine {
            id: alert.id.text(),
            kind: alert.kind.clone(),
            budget: alert.opened.rule.clone(),
            scope: alert.opened.scope.iter().cloned().collect(),
            percent: alert.id.percent,
            window_s: alert.id.window,
            posted: alert.posted,
            limit: alert.limit,
            at_ms: alert.at_ms,
            attempts: alert.attempts,
            delivered_ms: alert.delivered_ms,
            last_error: alert.last_error.clone(),
        };
        serde_json::to_value(line).unwrap_or_default()
    };
    Reply::page(alerts.iter().map(line).collect(), None)
}

async fn test_alert(ask: Ask) -> Result<Reply, Problem> {
    let sent = ask.control.live.test_alert().await;
    let failed = |reason| Problem::new(http::StatusCode::BAD_GATEWAY, "alert_not_delivered", reason);
    let to = sent.map_err(failed)?;
    ask.control.database.mutate(&[], &ask.act("alert.test".into()), now_ms()).await?;
    Reply::ok(json!({ "delivered": true, "to": to }))
}

async fn health(ask: Ask) -> Result<Reply, Problem> {
    let database = match ask.control.database.revision().await {
        Ok(revision) => json!({ "answers": true, "revision": revision }),
        Err(_) => json!({ "answers": false }),
    };
    let live = ask.control.live.health();
    Reply::ok(json!({ "version": env!("CARGO_PKG_VERSION"), "now_ms": now_ms(), "database": database, "gateway": live }))
}

impl Verified {
    pub(crate) fn of_ledger(found: tollgate_store::database::ledger::Verified) -> Self {
        Self {
            valid: found.flaw.is_none(),
            checked: found.rows,
            flaw: found.flaw.map(|flaw| match flaw {
                Flaw::Missing(seq) => format!("row {seq} is missing, or stands twice"),
                Flaw::Changed(seq) => format!("row {seq} was changed, or one before it was exchanged"),
                Flaw::Truncated(last, end) => format!("rows at the end are missing: the last is {last}, the chain ends at {end}"),
                Flaw::Spend { hour } => format!("the sums of hour {hour} (since 1970) are not those of its rows"),
                Flaw::Balance { account, window } => {
                    format!("the balance of account {account} in window {window} is not the sum of its rows")
                }
                Flaw::EndedTwice(request) => format!("the hold of request {request} ended more than once"),
            }),
        }
    }

    pub(crate) fn of_audit(found: tollgate_store::database::audit::AuditVerified) -> Self {
        Self {
            valid: found.flaw.is_none(),
            checked: found.records,
            flaw: found.flaw.map(|flaw| match flaw {
                AuditFlaw::Missing(seq) => format!("record {seq} is missing"),
                AuditFlaw::Changed(seq) => format!("record {seq} was changed, or one before it was exchanged"),
                AuditFlaw::Truncated(last, end) => format!("records at the end are missing: the last is {last}, it should be {end}"),
                AuditFlaw::Signature(seq) => format!("the checkpoint at record {seq} was not made with this gateway's key"),
                AuditFlaw::Rewritten(seq) => format!("record {seq} is another than when its checkpoint was made"),
            }),
        }
    }
}
