//! Who spent what: from the hourly roll-ups, never from the ledger's rows.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use tollgate_policy::money::NanoUsd;
use tollgate_store::database::ledger::{Dimension, Interval, Ledger, SpendQuery, Totals};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::now_ms;

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

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    vec![
        Route::new(Method::GET, "/admin/v1/spend", Permission::SpendRead, "get spend", |ask| {
            Box::pin(spend(ask))
        })
        .query(SPEND)
        .answers(Answer::One(200, openapi::shape::<SpendAnswer>)),
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
