//! What is only read: spend, the ledger, the audit log, alerts, health. Spend comes from the hourly roll-ups, never from the ledger's rows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tollgate_policy::money::NanoUsd;
use tollgate_store::database::audit::{Audit, AuditFlaw, AuditPage};
use tollgate_store::database::ledger::{Dimension, Flaw, Interval, Ledger, Page, SpendQuery, Totals};
use tollgate_store::database::objects::Objects;
use tollgate_store::database::outbox::{Alert, Outbox};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::{Control, now_ms};

/// Words of the dimensions, in the order of the documentation.
pub(crate) const DIMENSIONS: [(&str, Dimension); 7] = [
    ("team", Dimension::Team),
    ("user", Dimension::User),
    ("key", Dimension::Key),
    ("feature", Dimension::Feature),
    ("route", Dimension::Route),
    ("provider", Dimension::Provider),
    ("model", Dimension::Model),
];
/// Without `from`: so far back.
const SPEND_MS: i64 = 30 * 24 * 3_600_000;
/// Values of one filter.
const VALUES_MAX: usize = 100;

const SPEND: &[(&str, &str)] = &[
    (
        "by",
        "what it is split by: team, user, key, feature, route, provider, model; several with commas",
    ),
    ("interval", "hour or day (in UTC); without: one line for the whole time"),
    ("from", "a day (2026-11-01) or a time (RFC 3339); 30 days ago when absent"),
    ("to", "the end, which is not in it; now when absent"),
    ("team", "only of these teams, with commas; the same for the other dimensions"),
    ("user", "only of these users"),
    ("key", "only of these keys, by id"),
    ("feature", "only of these features"),
    ("route", "only of these routes"),
    ("provider", "only of these providers"),
    ("model", "only of these models"),
];

/// What was spent.
#[derive(Serialize, ToSchema)]
struct SpendAnswer {
    from_ms: i64,
    to_ms: i64,
    by: Vec<String>,
    #[schema(value_type = Vec<SpendLine>)]
    data: Vec<Value>,
    #[schema(value_type = SpendLine)]
    total: Value,
}

/// Sums; with the dimensions that were asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its schema alone")]
struct SpendLine {
    /// Where the interval begins, when there is one.
    #[schema(required = false)]
    at_ms: i64,
    #[schema(required = false)]
    team: String,
    #[schema(required = false)]
    user: String,
    #[schema(required = false)]
    key: String,
    #[schema(required = false)]
    feature: String,
    #[schema(required = false)]
    route: String,
    #[schema(required = false)]
    provider: String,
    #[schema(required = false)]
    model: String,
    requests: i64,
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write_5m: i64,
    cache_write_1h: i64,
    reasoning: i64,
    /// Money, in nano-USD.
    cost: i64,
    /// The same in dollars, as a decimal.
    cost_usd: String,
}

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
    use Permission::{AlertsRead, AlertsTest, AuditRead, LedgerRead, Own, SpendRead};
    use http::Method;
    vec![
        Route::new(Method::GET, "/admin/v1/spend", SpendRead, "get spend", |ask| Box::pin(spend(ask)))
            .query(SPEND)
            .answers(Answer::One(200, openapi::shape::<SpendAnswer>)),
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

async fn spend(ask: Ask) -> Result<Reply, Problem> {
    let now_ms = now_ms();
    let to_ms = ask.param("to").map_or(Ok(now_ms), time)?;
    let from_ms = ask.param("from").map_or(Ok(to_ms.saturating_sub(SPEND_MS)), time)?;
    if to_ms <= from_ms {
        return Err(Problem::bad_request("bad_query", "to is not later than from; correct one of them"));
    }
    let words: Vec<&str> = ask.param("by").map(|by| by.split(',').map(str::trim).collect()).unwrap_or_default();
    let by = words.iter().map(|word| dimension(word)).collect::<Result<Vec<_>, _>>()?;
    let interval = match ask.param("interval") {
        None => Interval::None,
        Some("hour") => Interval::Hour,
        Some("day") => Interval::Day,
        Some(_) => return Err(Problem::bad_request("bad_query", "interval is not known; use hour or day")),
    };
    let query = SpendQuery {
        by,
        interval,
        from_ms,
        to_ms,
        filters: filters(&ask)?,
    };
    let lines = ask.control.database.spend(&query).await?;
    let mut total = Totals::default();
    let mut data = Vec::with_capacity(lines.len());
    for line in &lines {
        let mut members = Map::new();
        if interval != Interval::None {
            members.insert("at_ms".into(), line.from_ms.into());
        }
        for (word, value) in words.iter().zip(&line.values) {
            members.insert((*word).to_owned(), value.as_str().into());
        }
        members.extend(sums(&line.totals));
        data.push(Value::Object(members));
        add(&mut total, &line.totals);
    }
    Reply::ok(SpendAnswer {
        from_ms,
        to_ms,
        by: words.into_iter().map(str::to_owned).collect(),
        data,
        total: Value::Object(sums(&total)),
    })
}

fn sums(totals: &Totals) -> Map<String, Value> {
    let mut members = match serde_json::to_value(totals) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    members.insert("cost_usd".into(), NanoUsd(totals.cost).to_string().into());
    members
}

fn add(sum: &mut Totals, more: &Totals) {
    sum.requests = sum.requests.saturating_add(more.requests);
    sum.input = sum.input.saturating_add(more.input);
    sum.output = sum.output.saturating_add(more.output);
    sum.cache_read = sum.cache_read.saturating_add(more.cache_read);
    sum.cache_write_5m = sum.cache_write_5m.saturating_add(more.cache_write_5m);
    sum.cache_write_1h = sum.cache_write_1h.saturating_add(more.cache_write_1h);
    sum.reasoning = sum.reasoning.saturating_add(more.reasoning);
    sum.cost = sum.cost.saturating_add(more.cost);
}

/// What the query names, and for a team admin its own team, whatever the query says.
fn filters(ask: &Ask) -> Result<Vec<(Dimension, Vec<String>)>, Problem> {
    let mut filters = Vec::new();
    for (word, dimension) in DIMENSIONS {
        let Some(values) = ask.param(word) else { continue };
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if VALUES_MAX < values.len() {
            return Err(Problem::bad_request(
                "bad_query",
                format!("{word} has more than 100 values; ask for fewer"),
            ));
        }
        filters.push((dimension, values));
    }
    if let Some(team) = &ask.who.team {
        let other = |filter: &(Dimension, Vec<String>)| filter.0 == Dimension::Team && filter.1.iter().any(|value| value != team);
        if filters.iter().any(other) {
            let detail = "you may see your own team's spend alone";
            return Err(Problem::new(http::StatusCode::FORBIDDEN, "other_team", detail));
        }
        filters.retain(|(dimension, _)| *dimension != Dimension::Team);
        filters.push((Dimension::Team, vec![team.clone()]));
    }
    Ok(filters)
}

fn dimension(word: &str) -> Result<Dimension, Problem> {
    let known = DIMENSIONS.iter().find(|(known, _)| *known == word);
    known.map(|(_, dimension)| *dimension).ok_or_else(|| {
        let detail = format!("by: {word:?} is not known; use team, user, key, feature, route, provider or model");
        Problem::bad_request("bad_query", detail)
    })
}

/// A day, at its start in UTC, or a time; in milliseconds since 1970.
fn time(text: &str) -> Result<i64, Problem> {
    let day = text.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    let time = match text.contains('T') {
        true => text.parse::<Timestamp>().ok(),
        false => day.map(|day| day.timestamp()),
    };
    let ill = || {
        Problem::bad_request(
            "bad_query",
            format!("{text:?} is not a time; write 2026-11-01 or 2026-11-01T08:00:00Z"),
        )
    };
    time.map(Timestamp::as_millisecond).ok_or_else(ill)
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
