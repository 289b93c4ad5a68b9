//! What was spent, by any of its dimensions and over time. Answered from the hourly roll-ups alone: the ledger itself is never scanned.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::engine::{self, Bind, Engine};
use super::super::error::Error;

/// Lines that an answer may have.
const LINES_MAX: u32 = 10_000;

/// What spend can be split and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The team.
    Team,
    /// The user.
    User,
    /// The key's id.
    Key,
    /// The feature.
    Feature,
    /// The route.
    Route,
    /// The provider.
    Provider,
    /// `provider/upstream-model`.
    Model,
}

/// How spend is cut over time, in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Not at all.
    #[default]
    None,
    /// By the hour.
    Hour,
    /// By the day.
    Day,
}

/// A question about spend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendQuery {
    /// What it is split by.
    pub by: Vec<Dimension>,
    /// How it is cut over time.
    pub interval: Interval,
    /// From this time on, in milliseconds since 1970, rounded down to the hour.
    pub from_ms: i64,
    /// Up to this time, rounded up to the hour.
    pub to_ms: i64,
    /// Only where a dimension has one of these values.
    pub filters: Vec<(Dimension, Vec<String>)>,
}

/// Sums over attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Exchanges, counted at their last attempt.
    pub requests: i64,
    /// All input tokens.
    pub input: i64,
    /// All output tokens.
    pub output: i64,
    /// Of the input: read from a cache.
    pub cache_read: i64,
    /// Of the input: written to a cache, five-minute class.
    pub cache_write_5m: i64,
    /// Of the input: written to a cache, one-hour class.
    pub cache_write_1h: i64,
    /// Of the output: reasoning.
    pub reasoning: i64,
    /// Money, in nano-USD.
    pub cost: i64,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Where the interval begins, in milliseconds since 1970; 0 without one.
    pub from_ms: i64,
    /// The values of the dimensions asked for, in their order; empty: not known.
    pub values: Vec<String>,
    /// The sums.
    pub totals: Totals,
}

/// In the order of the table's columns, which is that of the binds.
const DIMENSIONS: [Dimension; 7] = [
    Dimension::Team,
    Dimension::User,
    Dimension::Key,
    Dimension::Feature,
    Dimension::Route,
    Dimension::Provider,
    Dimension::Model,
];

const SPEND: &str = "
    SELECT CASE WHEN $1 = 0 THEN 0 ELSE hour / $2 * $2 END AS at_hour,
        CASE WHEN $5 = 1 THEN team ELSE '' END AS by_team,
        CASE WHEN $6 = 1 THEN user_id ELSE '' END AS by_user,
        CASE WHEN $7 = 1 THEN key_id ELSE '' END AS by_key,
        CASE WHEN $8 = 1 THEN feature ELSE '' END AS by_feature,
        CASE WHEN $9 = 1 THEN route ELSE '' END AS by_route,
        CASE WHEN $10 = 1 THEN provider ELSE '' END AS by_provider,
        CASE WHEN $11 = 1 THEN model ELSE '' END AS by_model,
        CAST(SUM(requests) AS BIGINT), CAST(SUM(input) AS BIGINT), CAST(SUM(output) AS BIGINT), CAST(SUM(cache_read) AS BIGINT),
        CAST(SUM(cache_write_5m) AS BIGINT), CAST(SUM(cache_write_1h) AS BIGINT), CAST(SUM(reasoning) AS BIGINT), CAST(SUM(cost) AS BIGINT)
    FROM spend
    WHERE hour >= $3 AND hour < $4
        AND ($12 = '' OR team IN (SELECT value ->> 0 FROM json_each($12)))
        AND ($13 = '' OR user_id IN (SELECT value ->> 0 FROM json_each($13)))
        AND ($14 = '' OR key_id IN (SELECT value ->> 0 FROM json_each($14)))
        AND ($15 = '' OR feature IN (SELECT value ->> 0 FROM json_each($15)))
        AND ($16 = '' OR route IN (SELECT value ->> 0 FROM json_each($16)))
        AND ($17 = '' OR provider IN (SELECT value ->> 0 FROM json_each($17)))
        AND ($18 = '' OR model IN (SELECT value ->> 0 FROM json_each($18)))
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    LIMIT $19";

/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) async fn spend(engine: &Engine, query: &SpendQuery) -> Result<Vec<Spend>, Error> {
    let hours = match query.interval {
        Interval::None => 0,
        Interval::Hour => 1,
        Interval::Day => 24,
    };
    let last = query.to_ms.div_euclid(HOUR_MS) + i64::from(query.to_ms.rem_euclid(HOUR_MS) != 0);
    let mut binds: Vec<Bind> = vec![
        Bind::Int(hours),
        Bind::Int(hours.max(1)),
        Bind::Int(query.from_ms.div_euclid(HOUR_MS)),
        Bind::Int(last),
    ];
    binds.extend(DIMENSIONS.iter().map(|dimension| Bind::from(query.by.contains(dimension))));
    for dimension in DIMENSIONS {
        let filters = query.filters.iter().filter(|(filtered, _)| *filtered == dimension);
        let values: Vec<Value> = filters.clone().flat_map(|(_, values)| values).map(|value| json!([value])).collect();
        binds.push(match filters.count() {
            0 => Bind::from(""),
            _ => Bind::from(values),
        });
    }
    binds.push(Bind::Int(i64::from(LINES_MAX) + 1));
    let rows = engine.read().await?.rows(SPEND, binds).await?;
    if rows.len() > LINES_MAX as usize {
        return Err(Error::Refused(
            "the answer has more than 10,000 lines; ask for fewer dimensions, a shorter time or a longer interval".into(),
        ));
    }
    rows.iter().map(|row| line(row, &query.by)).collect()
}

fn line(row: &engine::Row, by: &[Dimension]) -> Result<Spend, Error> {
    let column = |dimension| DIMENSIONS.iter().position(|known| *known == dimension).unwrap_or(0) + 1;
    Ok(Spend {
        from_ms: row.int(0)?.saturating_mul(HOUR_MS),
        values: by.iter().map(|dimension| row.text(column(*dimension))).collect::<Result<_, _>>()?,
        totals: Totals::read(row, 8)?,
    })
}

impl Totals {
    /// Reads eight columns from one on.
    pub(super) fn read(row: &engine::Row, from: usize) -> Result<Self, Error> {
        Ok(Self {
            requests: row.int(from)?,
            input: row.int(from + 1)?,
            output: row.int(from + 2)?,
            cache_read: row.int(from + 3)?,
            cache_write_5m: row.int(from + 4)?,
            cache_write_1h: row.int(from + 5)?,
            reasoning: row.int(from + 6)?,
            cost: row.int(from + 7)?,
        })
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.input = self.input.saturating_add(more.input);
        self.output = self.output.saturating_add(more.output);
        self.cache_read = self.cache_read.saturating_add(more.cache_read);
        self.cache_write_5m = self.cache_write_5m.saturating_add(more.cache_write_5m);
        self.cache_write_1h = self.cache_write_1h.saturating_add(more.cache_write_1h);
        self.reasoning = self.reasoning.saturating_add(more.reasoning);
        self.cost = self.cost.saturating_add(more.cost);
    }
}
