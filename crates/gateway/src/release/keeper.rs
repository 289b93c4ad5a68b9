//! Writes down what has to outlive the process: rollbacks (with an audit record, by the actor "gateway"), alerts, and what shadows came to.
//! Nothing on a request's path waits for it; what the database does not take is tried again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tollgate_policy::ledger::AccountId;
use tollgate_policy::loops::fold;
use tollgate_store::database::audit::Act;
use tollgate_store::database::objects::{Change, Kind, Listing, Objects, Rollback};
use tollgate_store::database::outbox::{Event, Outbox};
use tollgate_store::database::shadows::Shadows as _;
use tollgate_store::database::{Database, Error};

use super::{Canary, Memory, Place, Trip, shown};
use crate::clock;
use crate::ledger::lock;
use crate::telemetry::Telemetry;

/// How often the figures of shadows are written down, and what failed is tried again.
const EVERY: Duration = Duration::from_secs(2);
/// Rollbacks that are read.
const ROLLBACKS_MAX: u32 = 1_000;
/// Figures of shadows older than this are dropped: 90 days.
const FIGURES_HOURS: i64 = 90 * 24;

/// What writes it down.
pub struct Keeper {
    /// What is to be written down.
    pub memory: Arc<Memory>,
    /// Where.
    pub database: Database,
    /// Where it is told.
    pub telemetry: Arc<Telemetry>,
}

impl Keeper {
    /// Writes until it is told to stop; then once more what is there.
    pub async fn run(self, stop: CancellationToken) {
        let (mut is_well, mut swept) = (true, 0);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.memory.bell.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
            let hour = hour();
            let mut kept = self.keep(hour).await;
            if kept.is_ok() && swept != hour {
                kept = self.database.forget_figures(hour - FIGURES_HOURS).await;
                swept = hour;
            }
            if let Err(error) = &kept
                && is_well
            {
                let message = format!("rollbacks, alerts and the figures of shadows wait for the database: {error}");
                self.telemetry.log.event("warn", &message);
            }
            if kept.is_err() {
                // The bell would ring again at once for what is still there.
                stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
            }
            is_well = kept.is_ok();
        }
    }

    async fn keep(&self, hour: i64) -> Result<(), Error> {
        self.rollbacks().await?;
        self.events().await?;
        self.figures(hour).await
    }

    async fn rollbacks(&self) -> Result<(), Error> {
        let canaries: Vec<Arc<Canary>> = lock(&self.memory.canaries).values().map(Arc::clone).collect();
        for canary in canaries {
            let trip = lock(&canary.state).unwritten.clone();
            let Some(trip) = trip else { continue };
            self.roll_back(&canary.place, &trip).await?;
            lock(&self.memory.off).insert(canary.place.clone());
            lock(&canary.state).unwritten = None;
        }
        let off = i64::try_from(self.memory.off_count()).unwrap_or(i64::MAX);
        self.telemetry.metrics.releases.canaries_off.set(off);
        Ok(())
    }

    async fn roll_back(&self, (route, model): &Place, trip: &Trip) -> Result<(), Error> {
        let at_ms = i64::try_from(trip.at_ms).unwrap_or(i64::MAX);
        let reason = format!("{} held: {}", trip.condition, shown(&trip.own));
        let rollback = Rollback {
            name: format!("{route} {model}"),
            route: route.clone(),
            model: model.clone(),
            condition: trip.condition.clone(),
            figures: json!({ "canary": shown(&trip.own), "stable": shown(&trip.stable) }),
            at_ms,
        };
        let facts = [
            ("route", route),
            ("model", model),
            ("condition", &trip.condition),
            ("reason", &reason),
        ];
        self.database.put(&event("canary_rolled_back", &facts, at_ms)).await?;
        let act = Act {
            actor: "gateway".into(),
            auth: "local".into(),
            action: "release.rollback".into(),
            reason: reason.clone(),
            outcome: "done".into(),
            ..Act::default()
        };
        let change = Change::create(&format!("{:032x}", rand::random::<u128>()), &rollback)?;
        match self.database.mutate(&[change], &act, at_ms).await {
            // Another gateway was faster.
            Ok(_) | Err(Error::Taken { .. }) => {}
            Err(error) => return Err(error),
        }
        self.telemetry.metrics.releases.rollbacks.inc();
        let message = format!("the canary {model} of the route \"{route}\" was switched off: {reason}");
        self.telemetry.log.event("error", &message);
        Ok(())
    }

    async fn events(&self) -> Result<(), Error> {
        loop {
            let next = lock(&self.memory.events).front().cloned();
            let Some(event) = next else { return Ok(()) };
            self.database.put(&event).await?;
            lock(&self.memory.events).pop_front();
            self.telemetry.metrics.releases.events.inc();
            let facts: Vec<String> = event.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
            self.telemetry.log.event("warn", &format!("{}: {}", event.kind, facts.join("; ")));
        }
    }

    async fn figures(&self, hour: i64) -> Result<(), Error> {
        for ((route, model), report) in self.memory.shadows.take_reports() {
            let figures: Vec<(String, i64)> = report.figures().map(|(name, value)| (name.to_owned(), value)).collect();
            if let Err(error) = self.database.add_figures((&route, &model), hour, &figures).await {
                self.memory.shadows.give_back(&(route, model), figures);
                return Err(error);
            }
            self.telemetry.metrics.releases.shadows(&report);
        }
        Ok(())
    }
}

/// An event of that kind, told from others by its facts.
pub(crate) fn event(kind: &str, facts: &[(&str, &String)], at_ms: i64) -> Event {
    let subject = |seed| {
        facts
            .iter()
            .take(2)
            .fold(fold(seed, kind.as_bytes()), |sum, (_, value)| fold(sum, value.as_bytes()))
    };
    Event {
        kind: kind.to_owned(),
        subject: AccountId(u128::from(subject(1)) << 64 | u128::from(subject(2))),
        facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect(),
        at_ms,
    }
}

/// The canaries that the database has as rolled back.
///
/// # Errors
/// When it cannot be read.
pub async fn stored(database: &Database) -> Result<BTreeSet<Place>, Error> {
    let listing = Listing {
        limit: ROLLBACKS_MAX,
        ..Listing::default()
    };
    let all = database.list(Kind::Rollback, &listing).await?;
    all.iter()
        .map(|object| object.read::<Rollback>().map(|rollback| (rollback.route, rollback.model)))
        .collect()
}

fn hour() -> i64 {
    i64::try_from(clock::now().unix.as_secs() / 3_600).unwrap_or(0)
}
