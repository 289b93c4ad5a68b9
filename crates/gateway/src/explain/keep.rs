//! What was decided is kept: the end of an exchange hands its record over and goes on; a task writes them to the database in batches. When
//! it cannot keep up, records are left out and counted, and nothing waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tollgate_policy::plan::{Dropped, Plan};
use tollgate_store::database::Database;
use tollgate_store::database::decisions::{Decision as Row, Decisions as _};

use super::past;
use crate::config::snapshot::Route;
use crate::exchange::Shared;
use crate::ingress::Call;
use crate::ledger::lock;
use crate::record::Record;

/// Records that wait for the writer: with [`GATHER`] also how many are kept in a second.
const WAITING_MAX: usize = 1_000;
/// How long records gather before they are written: fewer, larger transactions.
const GATHER: Duration = Duration::from_secs(1);
/// How long somebody who asks waits for what is on its way.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// What was decided for a call, beside what its record says.
pub struct Decision {
    /// What it went to.
    pub route: Arc<Route>,
    /// In which order; none: nothing was left.
    pub plan: Option<Plan>,
    /// What was left out where nothing was left.
    pub dropped: Vec<Dropped>,
    /// What its caller said of it.
    pub said: Said,
}

/// What a caller said of a call, as conditions see it.
#[derive(Default)]
pub struct Said {
    /// The most that may be answered.
    pub max_tokens: Option<u64>,
    /// Tools are offered to the model.
    pub has_tools: bool,
    /// From 0 to 9.
    pub priority: u8,
    /// What the call is for.
    pub task: Option<Box<str>>,
    /// `low`, `medium` or `high`.
    pub risk: Option<Box<str>>,
}

/// Where records wait to be kept.
pub struct Decisions {
    database: Option<Database>,
    on: AtomicBool,
    waiting: Mutex<Waiting>,
    bell: Notify,
    flush: Notify,
    /// How many of those that were taken are written, or lost.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    taken: u64,
}

impl Decision {
    /// What is decided for a call.
    #[must_use]
    pub fn of(route: &Arc<Route>, plan: Option<&Plan>, dropped: Vec<Dropped>, call: &Call) -> Self {
        let header = |name: &'static str| call.headers.get(name).and_then(|value| value.to_str().ok()).map(Box::from);
        Self {
            route: Arc::clone(route),
            plan: plan.cloned(),
            dropped,
            said: Said {
                max_tokens: call.envelope.max_tokens,
                has_tools: call.envelope.field("tools").is_some(),
                priority: crate::facts::priority(call),
                task: header("x-tollgate-task"),
                risk: header("x-tollgate-risk"),
            },
        }
    }
}

impl Decisions {
    /// Kept in that database; `None`: nowhere.
    #[must_use]
    pub fn new(database: Option<Database>) -> Self {
        Self {
            on: AtomicBool::new(database.is_some()),
            database,
            waiting: Mutex::default(),
            bell: Notify::new(),
            flush: Notify::new(),
            done: watch::Sender::new(0),
        }
    }

    /// Takes a record whose exchange is over, and leaves an empty one. False: there is no room, and it is not kept.
    pub fn take(&self, record: &mut Record) -> bool {
        // Who was not let in asked for nothing.
        if !self.on.load(Ordering::Relaxed) || record.asked.is_none() || record.caller.is_none() {
            return true;
        }
        let mut waiting = lock(&self.waiting);
        if WAITING_MAX <= waiting.records.len() {
            return false;
        }
        waiting.records.push(std::mem::replace(record, Record::empty()));
        waiting.taken += 1;
        let is_first = waiting.records.len() == 1;
        drop(waiting);
        if is_first {
            self.bell.notify_one();
        }
        true
    }

    /// What was decided for a request. What is on its way to the database is waited for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, request: &str) -> Result<Option<Row>, String> {
        let Some(database) = &self.database else { return Ok(None) };
        let found = database.decision(request).await.map_err(|error| error.to_string())?;
        let taken = lock(&self.waiting).taken;
        let mut done = self.done.subscribe();
        if found.is_some() || taken <= *done.borrow() {
            return Ok(found);
        }
        self.flush.notify_one();
        let _ = tokio::time::timeout(FLUSH_MAX, done.wait_for(|done| taken <= *done)).await;
        database.decision(request).await.map_err(|error| error.to_string())
    }

    /// Writes what is taken until it is told to stop; then once more what is there.
    pub async fn run(shared: Arc<Shared>, stop: CancellationToken) {
        let this = &shared.telemetry.decisions;
        let Some(database) = &this.database else { return };
        let mut is_well = true;
        let mut records = Vec::new();
        let mut stopping = false;
        while !stopping {
            let _ = tokio::time::timeout(GATHER, stop.run_until_cancelled(this.bell.notified())).await;
            let gather = tokio::time::timeout(GATHER, this.flush.notified());
            let _ = stop.run_until_cancelled(gather).await;
            stopping = stop.is_cancelled();
            this.on.store(!shared.config.load().decisions_kept.is_zero(), Ordering::Relaxed);
            let taken = {
                let mut waiting = lock(&this.waiting);
                std::mem::swap(&mut records, &mut waiting.records);
                waiting.taken
            };
            if records.is_empty() {
                continue;
            }
            let lost = records.len() as u64;
            let written = database.keep(records.iter().map(past::written).collect()).await;
            if let Err(error) = &written {
                shared.telemetry.metrics.decisions_dropped.inc_by(lost);
                if is_well {
                    let log = &shared.telemetry.log;
                    log.event("warn", &format!("why requests went where they did is not kept for now: {error}"));
                }
            }
            is_well = written.is_ok();
            records.clear();
            this.done.send_replace(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashMap;

    use super::*;
    use crate::identify::{Bearer, Caller};

    fn record(asked: bool) -> Record {
        let mut record = Record::new(Duration::from_secs(1), "req_1".to_owned(), "openai_chat", "chat");
        record.asked = asked.then(|| "m".to_owned());
        record.caller = Some(Arc::new(
            Caller::of_token(Arc::new(Bearer::nobody()), &http::HeaderMap::new(), &HashMap::new()).unwrap(),
        ));
        record
    }

    #[test]
    fn what_is_too_much_is_not_kept_and_does_not_wait() {
        let decisions = Decisions {
            on: AtomicBool::new(true),
            ..Decisions::new(None)
        };
        for _ in 0..WAITING_MAX {
            let mut taken = record(true);
            assert!(decisions.take(&mut taken));
            assert_eq!(taken.request_id, "", "it is handed over");
        }
        let mut left = record(true);
        assert!(!decisions.take(&mut left));
        assert_eq!((&*left.request_id, lock(&decisions.waiting).records.len()), ("req_1", WAITING_MAX));
        assert!(decisions.take(&mut record(false)), "who asked for nothing needs no room");
    }

    #[test]
    fn where_nothing_is_kept_nothing_is_taken() {
        let decisions = Decisions::new(None);
        let mut stays = record(true);
        assert!(decisions.take(&mut stays));
        assert_eq!(stays.request_id, "req_1");
        assert!(lock(&decisions.waiting).records.is_empty());
    }
}
