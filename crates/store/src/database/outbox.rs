//! Alerts on their way out. The ledger's transaction put each in here once; from here it goes out at least once, with an id by which the receiver
//! can tell a second delivery.

use tollgate_policy::ledger::{AccountId, Opened};

use super::engine::{self, binds};
use super::ledger::{account_of, account_text};
use super::{BoxFuture, Database, Error};

/// Alerts that one call gives out.
const CLAIM_MAX: u32 = 100;

/// Which alert: there is one for an account, a window and a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertId {
    /// The account.
    pub account: AccountId,
    /// The window's start, in seconds since 1970.
    pub window: i64,
    /// The threshold.
    pub percent: u32,
}

/// What happened that is no budget's: told once, however often it is put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing, as in `canary_rolled_back`.
    pub kind: String,
    /// What tells it from others of its kind.
    pub subject: AccountId,
    /// What happened, by name.
    pub facts: Vec<(String, String)>,
    /// When, in milliseconds since 1970; with the subject it is the event's identity.
    pub at_ms: i64,
}

/// The kind of a budget's alert.
pub const BUDGET_THRESHOLD: &str = "budget_threshold";

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What kind of thing happened: [`BUDGET_THRESHOLD`], or that of an [`Event`].
    pub kind: String,
    /// Which.
    pub id: AlertId,
    /// Whose account; of another kind, with what happened in `scope`.
    pub opened: Opened,
    /// What was posted when the threshold was passed.
    pub posted: i64,
    /// The limit then.
    pub limit: i64,
    /// When it was passed, in milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// When it was delivered.
    pub delivered_ms: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: String,
}

/// Alerts to be sent.
pub trait Outbox: Send + Sync {
    /// Puts an event into it; one that was in it before changes nothing.
    fn put<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<(), Error>>;

    /// Alerts that are due, which nobody else gets before the lease has run out.
    fn claim(&self, now_ms: i64, lease_ms: i64) -> BoxFuture<'_, Result<Vec<Alert>, Error>>;

    /// It was taken by its receiver.
    fn delivered(&self, id: AlertId, now_ms: i64) -> BoxFuture<'_, Result<(), Error>>;

    /// It was not, and is due again at a time.
    fn failed<'a>(&'a self, id: AlertId, next_ms: i64, reason: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// The youngest alerts, delivered or not.
    fn alerts(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Alert>, Error>>;
}

/// The columns of an alert, in the order that `read` takes them.
macro_rules! columns {
    () => {
        "account, window_start, percent, rule, scope, posted, limit_amount, at_ms, attempts, delivered_ms, last_error, kind"
    };
}

// The second condition on the time is for PostgreSQL: who waited for another's claim looks again.
const CLAIM: &str = concat!(
    "UPDATE alerts SET due_ms = $2, attempts = attempts + 1
    WHERE (account, window_start, percent) IN (
        SELECT account, window_start, percent FROM alerts WHERE delivered_ms = 0 AND due_ms <= $1 ORDER BY due_ms LIMIT $3)
    AND delivered_ms = 0 AND due_ms <= $1 RETURNING ",
    columns!()
);
const DELIVERED: &str = "
    UPDATE alerts SET delivered_ms = $4, last_error = '' WHERE account = $1 AND window_start = $2 AND percent = $3 AND delivered_ms = 0";
const FAILED: &str = "
    UPDATE alerts SET due_ms = $4, last_error = $5 WHERE account = $1 AND window_start = $2 AND percent = $3 AND delivered_ms = 0";
const ALERTS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM alerts ORDER BY at_ms DESC, account, window_start, percent LIMIT $1"
);

const PUT: &str = "
    INSERT INTO alerts (kind, account, window_start, percent, rule, scope, posted, limit_amount, at_ms, due_ms, attempts, delivered_ms, last_error)
    VALUES ($1, $2, $3, 0, '', $4, 0, 0, $3, $3, 0, 0, '')
    ON CONFLICT (account, window_start, percent) DO NOTHING";

impl Outbox for Database {
    fn put<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let facts = serde_json::to_string(&event.facts)?;
            let binds = binds![event.kind.as_str(), account_text(event.subject), event.at_ms, facts];
            tx.execute(PUT, binds).await?;
            tx.commit().await
        })
    }

    fn claim(&self, now_ms: i64, lease_ms: i64) -> BoxFuture<'_, Result<Vec<Alert>, Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let binds = binds![now_ms, now_ms.saturating_add(lease_ms), i64::from(CLAIM_MAX)];
            let rows = tx.rows(CLAIM, binds).await?;
            tx.commit().await?;
            rows.iter().map(Alert::read).collect()
        })
    }

    fn delivered(&self, id: AlertId, now_ms: i64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let binds = binds![account_text(id.account), id.window, i64::from(id.percent), now_ms];
            tx.execute(DELIVERED, binds).await?;
            tx.commit().await
        })
    }

    fn failed<'a>(&'a self, id: AlertId, next_ms: i64, reason: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let binds = binds![account_text(id.account), id.window, i64::from(id.percent), next_ms, reason];
            tx.execute(FAILED, binds).await?;
            tx.commit().await
        })
    }

    fn alerts(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Alert>, Error>> {
        Box::pin(async move {
            let rows = self.engine.read().await?.rows(ALERTS, binds![i64::from(limit)]).await?;
            rows.iter().map(Alert::read).collect()
        })
    }
}

impl AlertId {
    /// The same text for the same alert, for ever: what the receiver tells second deliveries by.
    #[must_use]
    pub fn text(&self) -> String {
        [account_text(self.account), self.window.to_string(), self.percent.to_string()].join("-")
    }
}

impl Alert {
    fn read(row: &engine::Row) -> Result<Self, Error> {
        let account = account_of(&row.text(0)?)?;
        Ok(Self {
            kind: row.text(11)?,
            id: AlertId {
                account,
                window: row.int(1)?,
                percent: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
            },
            opened: Opened {
                account,
                rule: row.text(3)?,
                scope: serde_json::from_str(&row.text(4)?)?,
            },
            posted: row.int(5)?,
            limit: row.int(6)?,
            at_ms: row.int(7)?,
            attempts: row.int(8)?,
            delivered_ms: Some(row.int(9)?).filter(|at| *at != 0),
            last_error: row.text(10)?,
        })
    }
}
