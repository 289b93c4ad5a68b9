//! Alerts on their way to the webhook. The ledger's transaction puts each into the outbox once (FAULTS R-C11); from here it is posted until
//! a receiver takes it, always under the same id. Whether a threshold was passed is not judged here.
//!
//! What a receiver gets is a POST with a JSON body (`letter.rs`) and three headers: `content-type: application/json`;
//! `x-tollgate-delivery`, the alert's id, the same at every attempt; and `x-tollgate-signature: t=<seconds since 1970>,v1=<hex>`, the
//! HMAC-SHA-256 of `<t>.<body>` under the secret of `alerts.webhook`. A receiver computes it over the bytes that it got, compares in constant
//! time, refuses a `t` that is minutes old, and forgets what it has under that id already. Any status of 200 to 299 means that it has
//! it; the answer's body is not read.

mod hook;
mod letter;
mod post;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollgate_policy::plan::Dice;
use tollgate_policy::windows::{Window, Zone};
use tollgate_store::database::Error;
use tollgate_store::database::outbox::{Alert, AlertId, BUDGET_THRESHOLD, Outbox};
use tollgate_upstream::client::Client;

pub use hook::{Hook, SECRET_BYTES_MIN, origin};
pub use post::Undelivered;

use crate::clock::Now;
use crate::telemetry::Telemetry;
use letter::Letter;

/// How often the outbox is looked at when nobody says that there is something in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deliveries at one time.
const AT_ONCE_MAX: usize = 8;
/// An alert that was claimed belongs to its claimer this long: longer than all that one look finds can take.
const LEASE: Duration = Duration::from_secs(5 * 60);
/// An alert older than this is of no use to anybody.
const AGE_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// The first pause between two attempts; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60 * 60);
/// The longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// When an alert is due that was given up.
const NEVER_MS: i64 = i64::MAX;

/// The window of a budget by its name, and the zone that it is in; none: there is no such budget any more.
pub type Windows = Arc<dyn Fn(&str) -> Option<(Window, Zone)> + Send + Sync>;

/// What carries alerts from the outbox to the webhook.
pub struct Courier {
    /// Where alerts wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they go; none: they wait.
    pub hook: watch::Receiver<Option<Arc<Hook>>>,
    /// What posts them.
    pub client: Client,
    /// From when to when a budget's window is.
    pub windows: Windows,
    /// Told when there may be something in the outbox.
    pub nudge: Arc<Notify>,
    /// Where failures are told.
    pub telemetry: Arc<Telemetry>,
    /// [`crate::clock::now`], but for tests.
    pub clock: Arc<dyn Fn() -> Now + Send + Sync>,
}

/// Carries alerts until it is told to stop; what is under way then is given back, and comes again under the same id.
pub async fn run(courier: Courier, stop: CancellationToken) {
    let mut dice = Dice::new(rand::random());
    let mut database_is_well = true;
    while !stop.is_cancelled() {
        let hook = courier.hook.borrow().clone();
        let round = match &hook {
            Some(hook) => courier.round(hook, &mut dice, &stop).await,
            None => Ok(0),
        };
        match &round {
            Ok(0) => {}
            // There may be more than one claim gives out.
            Ok(_) => continue,
            Err(error) if database_is_well => {
                let message = format!("alerts wait, their outbox cannot be used: {error}");
                courier.telemetry.log.event("warn", &message);
            }
            Err(_) => {}
        }
        database_is_well = round.is_ok();
        tokio::select! {
            () = stop.cancelled() => return,
            () = courier.nudge.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Posts a message of the kind `test`, which is in no outbox, once.
///
/// # Errors
/// When the receiver did not take it.
pub async fn test(hook: &Hook, client: &Client, now: Now) -> Result<(), Undelivered> {
    let id = format!("test-{:016x}", rand::random::<u64>());
    post::post(hook, client, &Letter::test(id, now), now).await
}

impl Courier {
    /// Claims what is due and carries it. How many that were.
    async fn round(&self, hook: &Arc<Hook>, dice: &mut Dice, stop: &CancellationToken) -> Result<usize, Error> {
        let claimed = self.outbox.claim(unix_ms((self.clock)()), ms(LEASE)).await?;
        let count = claimed.len();
        let mut waiting = claimed.into_iter();
        let mut under_way: HashMap<AlertId, Alert> = HashMap::new();
        let mut posts = JoinSet::new();
        let mut trouble = None;
        loop {
            while posts.len() < AT_ONCE_MAX {
                let Some(alert) = waiting.next() else { break };
                if expiry_ms(&alert) <= unix_ms((self.clock)()) {
                    trouble = trouble.or(self.give_up(&alert, alert.attempts - 1, "it is too old").await.err());
                    continue;
                }
                posts.spawn(self.post(hook, &alert));
                under_way.insert(alert.id, alert);
            }
            let done = tokio::select! {
                biased;
                done = posts.join_next() => done,
                () = stop.cancelled() => break,
            };
            match done {
                None => return trouble.map_or(Ok(count), Err),
                Some(Ok((id, outcome))) => {
                    if let Some(alert) = under_way.remove(&id) {
                        trouble = trouble.or(self.mark(&alert, outcome, dice).await.err());
                    }
                }
                // Its lease ends, and it comes again. So does what was posted and could not be marked.
                Some(Err(_)) => {}
            }
        }
        posts.shutdown().await;
        let now_ms = unix_ms((self.clock)());
        for alert in waiting.chain(under_way.into_values()) {
            self.outbox.failed(alert.id, now_ms, "the gateway was stopped").await?;
        }
        Ok(count)
    }

    fn post(&self, hook: &Arc<Hook>, alert: &Alert) -> impl Future<Output = (AlertId, Result<(), Undelivered>)> + Send + use<> {
        let letter = Letter::of(alert, (self.windows)(&alert.opened.rule));
        let (hook, client, id, now) = (Arc::clone(hook), self.client.clone(), alert.id, (self.clock)());
        async move { (id, post::post(&hook, &client, &letter, now).await) }
    }

    async fn mark(&self, alert: &Alert, outcome: Result<(), Undelivered>, dice: &mut Dice) -> Result<(), Error> {
        let now_ms = unix_ms((self.clock)());
        let name = || name_of(alert);
        let Err(undelivered) = outcome else {
            self.outbox.delivered(alert.id, now_ms).await?;
            if alert.attempts > 1 {
                let message = format!("{} was delivered after {} attempts", name(), alert.attempts);
                self.telemetry.log.event("info", &message);
            }
            return Ok(());
        };
        let wanted = undelivered.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let next_ms = now_ms.saturating_add(ms(pause(alert.attempts, dice).max(wanted)));
        if expiry_ms(alert) <= next_ms {
            return self.give_up(alert, alert.attempts, &undelivered.reason).await;
        }
        if alert.attempts == 1 {
            let message = format!("{} was not delivered and is tried again: {}", name(), undelivered.reason);
            self.telemetry.log.event("warn", &message);
        }
        self.outbox.failed(alert.id, next_ms, &undelivered.reason).await
    }

    async fn give_up(&self, alert: &Alert, attempts: i64, reason: &str) -> Result<(), Error> {
        let reason = format!("given up after {attempts} attempts: {reason}");
        self.outbox.failed(alert.id, NEVER_MS, &reason).await?;
        let message = format!("{} was {reason}", name_of(alert));
        self.telemetry.log.event("error", &message);
        Ok(())
    }
}

/// What an alert is called in the log.
fn name_of(alert: &Alert) -> String {
    match alert.kind.as_str() {
        BUDGET_THRESHOLD => format!("alert {} of budget \"{}\"", alert.id.text(), alert.opened.rule),
        kind => format!("alert {} ({kind})", alert.id.text()),
    }
}

/// The pause after so many attempts: at least half of what it may be, so that alerts that failed together do not come back together.
fn pause(attempts: i64, dice: &mut Dice) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or(0);
    let longest = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
    let half_ms = u64::try_from(ms(longest) / 2).unwrap_or(0);
    Duration::from_millis(half_ms + dice.below(half_ms + 1))
}

fn expiry_ms(alert: &Alert) -> i64 {
    alert.at_ms.saturating_add(ms(AGE_MAX))
}

fn unix_ms(now: Now) -> i64 {
    ms(now.unix)
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
