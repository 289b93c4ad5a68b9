//! How requests were decided: a document for each, written in batches and kept for a while. What is in a document is the writer's to say.

use serde_json::Value;

use super::engine::binds;
use super::{BoxFuture, Database, Error};

/// Rows that one call of [`Decisions::forget`] drops: tens of milliseconds for who waits to write.
const FORGOTTEN_MAX: i64 = 1_000;

/// How one request was decided, and whose it was. Names that are not known are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The request id.
    pub request: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// The caller's team.
    pub team: String,
    /// The caller's user.
    pub user: String,
    /// The caller's key.
    pub key: String,
    /// The document.
    pub body: String,
}

/// Decisions that are kept.
pub trait Decisions: Send + Sync {
    /// Keeps them, in one transaction. Of two with one id the first stays.
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'_, Result<(), Error>>;

    /// The one of that request.
    fn decision<'a>(&'a self, request: &'a str) -> BoxFuture<'a, Result<Option<Decision>, Error>>;

    /// Drops those of before a time, a part of them at each call. True: call again.
    fn forget(&self, before_ms: i64) -> BoxFuture<'_, Result<bool, Error>>;
}

// Without the condition SQLite reads ON as a part of the join.
const KEEP: &str = "
    INSERT INTO decisions (request, at_ms, team, user_id, key_id, body)
    SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each($1) WHERE 1 = 1
    ON CONFLICT (request) DO NOTHING";
const DECISION: &str = "SELECT request, at_ms, team, user_id, key_id, body FROM decisions WHERE request = $1";
const FORGET: &str = "
    DELETE FROM decisions WHERE request IN (SELECT request FROM decisions WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";

impl Decisions for Database {
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let line = |one: Decision| {
                let members = [
                    one.request.into(),
                    one.at_ms.into(),
                    one.team.into(),
                    one.user.into(),
                    one.key.into(),
                    one.body.into(),
                ];
                Value::Array(members.into())
            };
            let lines: Vec<Value> = decisions.into_iter().map(line).collect();
            let mut tx = self.engine.write().await?;
            tx.execute(KEEP, binds![lines]).await?;
            tx.commit().await
        })
    }

    fn decision<'a>(&'a self, request: &'a str) -> BoxFuture<'a, Result<Option<Decision>, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(DECISION, binds![request]).await?;
            let read = |row: super::engine::Row| {
                Ok(Decision {
                    request: row.text(0)?,
                    at_ms: row.int(1)?,
                    team: row.text(2)?,
                    user: row.text(3)?,
                    key: row.text(4)?,
                    body: row.text(5)?,
                })
            };
            row.map(read).transpose()
        })
    }

    fn forget(&self, before_ms: i64) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let gone = tx.execute(FORGET, binds![before_ms, FORGOTTEN_MAX]).await?;
            tx.commit().await?;
            Ok(i64::try_from(gone).unwrap_or(i64::MAX) == FORGOTTEN_MAX)
        })
    }
}
