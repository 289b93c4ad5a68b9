//! How shadows compare with the callers' answers: sums by route, model and hour, which every gateway adds to.

use serde_json::{Value, json};

use super::engine::binds;
use super::{BoxFuture, Database, Error};

/// Figures that one answer has.
const FIGURES_MAX: u32 = 10_000;

const ADD: &str = "
    INSERT INTO shadow_figures (route, model, hour, figure, value)
    SELECT $1, $2, $3, value ->> 0, CAST(value ->> 1 AS BIGINT) FROM json_each($4) WHERE true
    ON CONFLICT (route, model, hour, figure) DO UPDATE SET value = shadow_figures.value + excluded.value";
const SUMS: &str = "
    SELECT model, figure, CAST(SUM(value) AS BIGINT) FROM shadow_figures WHERE route = $1 AND hour >= $2
    GROUP BY model, figure ORDER BY model, figure LIMIT $3";
const FORGET: &str = "DELETE FROM shadow_figures WHERE hour < $1";

/// A sum of one figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The shadow.
    pub model: String,
    /// What was summed up.
    pub figure: String,
    /// What it comes to.
    pub value: i64,
}

/// The figures of shadows.
pub trait Shadows: Send + Sync {
    /// Adds to the figures of one shadow in an hour (since 1970).
    fn add_figures<'a>(&'a self, of: (&'a str, &'a str), hour: i64, figures: &'a [(String, i64)]) -> BoxFuture<'a, Result<(), Error>>;

    /// The sums of a route's shadows since an hour.
    fn figures<'a>(&'a self, route: &'a str, since_hour: i64) -> BoxFuture<'a, Result<Vec<Sum>, Error>>;

    /// Drops what is older than an hour.
    fn forget_figures(&self, before_hour: i64) -> BoxFuture<'_, Result<(), Error>>;
}

impl Shadows for Database {
    fn add_figures<'a>(
        &'a self,
        (route, model): (&'a str, &'a str),
        hour: i64,
        figures: &'a [(String, i64)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let lines: Vec<Value> = figures.iter().map(|(figure, value)| json!([figure, value])).collect();
            let mut tx = self.engine.write().await?;
            tx.execute(ADD, binds![route, model, hour, lines]).await?;
            tx.commit().await
        })
    }

    fn figures<'a>(&'a self, route: &'a str, since_hour: i64) -> BoxFuture<'a, Result<Vec<Sum>, Error>> {
        Box::pin(async move {
            let rows = self
                .engine
                .read()
                .await?
                .rows(SUMS, binds![route, since_hour, i64::from(FIGURES_MAX)])
                .await?;
            let sums = rows.iter().map(|row| {
                Ok(Sum {
                    model: row.text(0)?,
                    figure: row.text(1)?,
                    value: row.int(2)?,
                })
            });
            sums.collect()
        })
    }

    fn forget_figures(&self, before_hour: i64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            tx.execute(FORGET, binds![before_hour]).await?;
            tx.commit().await
        })
    }
}
