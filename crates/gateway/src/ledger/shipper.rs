//! Carries the journal to the database: reads what is new, applies it in one transaction with how far it came, and lets go of the segments
//! that nobody needs any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tollgate_policy::accounts::RuleSet;
use tollgate_policy::ledger::{Entry, Opened};
use tollgate_store::database::ledger::{Ledger, Position as Applied, Watch};
use tollgate_store::database::{Database, Error};
use tollgate_store::journal::{Journal, JournalError, Position};

use super::{journal_position, ledger_position, name_of};
use crate::clock;
use crate::config::snapshot::Snapshot;
use crate::exchange::Shared;

/// Entries of one transaction.
const BATCH_ENTRIES_MAX: usize = 4_000;
/// How long entries may gather before they are shipped: fewer, larger transactions.
const GATHER: Duration = Duration::from_secs(1);
/// The first wait after a failure; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The carrier.
pub struct Shipper {
    database: Database,
    journal: Arc<Journal>,
    shared: Arc<Shared>,
    applied: Arc<AtomicI64>,
}

/// A place to see how far a shipper has come, as [`Position::to_i64`].
#[must_use]
pub fn progress() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(Position::START.to_i64()))
}

impl Shipper {
    /// A shipper of that journal to that database. It says in `applied` how far it has come.
    #[must_use]
    pub fn new(database: Database, journal: Arc<Journal>, shared: Arc<Shared>, applied: Arc<AtomicI64>) -> Self {
        Self {
            database,
            journal,
            shared,
            applied,
        }
    }

    /// Ships until it is told to stop; then once more what is there.
    pub async fn run(self, stop: CancellationToken) {
        let name = name_of(&self.journal);
        let mut pause = PAUSE_MIN;
        let mut at = None;
        loop {
            let done = match at {
                Some(at) => self.ship(&name, at).await,
                None => self
                    .database
                    .position(&name)
                    .await
                    .map(|position| Shipped::begin(position.map_or(Position::START, journal_position)))
                    .map_err(Failure::from),
            };
            match done {
                Ok(Shipped { reached, more }) => {
                    at = Some(reached);
                    pause = PAUSE_MIN;
                    self.applied.store(reached.to_i64(), Ordering::Relaxed);
                    let behind = reached < self.journal.written();
                    if stop.is_cancelled() && !behind {
                        return;
                    }
                    if !more {
                        stop.run_until_cancelled(self.journal.wait_beyond(reached)).await;
                        stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
                    }
                }
                Err(failure) => {
                    self.shared
                        .telemetry
                        .log
                        .event("error", &format!("the ledger's database is behind the journal: {failure}"));
                    if stop.is_cancelled() {
                        return; // the next start goes on from here
                    }
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Applies the next batch.
    async fn ship(&self, name: &str, at: Position) -> Result<Shipped, Failure> {
        let mut reader = self.journal.read(at)?;
        let mut batch: Vec<(Applied, Entry)> = Vec::new();
        let mut reached = at;
        while batch.len() < BATCH_ENTRIES_MAX
            && let Some(entry) = reader.next()?
        {
            reached = reader.position();
            batch.push((ledger_position(reached), entry));
        }
        if batch.is_empty() {
            // Not where it began: a segment's head is nothing to be read again and again.
            return Ok(Shipped::batch(reader.position().max(at), 0));
        }
        let config = self.shared.config.load_full();
        let now_s = i64::try_from(clock::now().unix.as_secs()).unwrap_or(0);
        let watching = |opened: &Opened, _window: i64| watch(&config, opened, now_s);
        self.database.apply(name, &batch, &watching).await?;
        // Holds that are still open are kept by the database.
        self.journal.forget_before(reached, None)?;
        Ok(Shipped::batch(reached, batch.len()))
    }
}

/// How far a step came.
struct Shipped {
    reached: Position,
    /// There is a batch behind it that need not gather.
    more: bool,
}

impl Shipped {
    /// Where the database stands: what a stop left behind goes at once.
    fn begin(reached: Position) -> Self {
        Self { reached, more: true }
    }

    /// A batch of so many entries. One that is not full has met the journal's end: what came since then is little, and gathers.
    fn batch(reached: Position, entries: usize) -> Self {
        let more = entries == BATCH_ENTRIES_MAX;
        Self { reached, more }
    }
}

/// Who is to be told about an account: the budget of its name, as it is now.
fn watch(config: &Snapshot, opened: &Opened, now_s: i64) -> Option<Watch> {
    let rules: &RuleSet = &config.spending.rules;
    let budget = rules.budgets().iter().find(|budget| budget.name == opened.rule)?;
    let rolling_s = match budget.window {
        tollgate_policy::windows::Window::Rolling(seconds) => i64::try_from(seconds).ok(),
        _ => None,
    };
    (!budget.alerts.is_empty()).then(|| Watch {
        limit: budget.amount_at(now_s, &opened.scope).0,
        percents: budget.alerts.clone(),
        rolling_s,
    })
}

/// Why a batch did not get through.
enum Failure {
    Database(Error),
    Journal(JournalError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came while a batch was written was shipped at once: under a steady load hundreds of transactions a second, of one entry or two.
    #[test]
    fn what_came_while_a_batch_was_written_gathers_too() {
        for (entries, at_once) in [(0, false), (1, false), (BATCH_ENTRIES_MAX - 1, false), (BATCH_ENTRIES_MAX, true)] {
            assert_eq!(Shipped::batch(Position::START, entries).more, at_once, "{entries} entries");
        }
        assert!(Shipped::begin(Position::START).more);
    }
}
