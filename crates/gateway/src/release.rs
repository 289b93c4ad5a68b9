//! Releases in this process: which targets a caller may get at their stage, what canaries have shown lately, and those that are switched off.
//! What is decided is decided in `policy::release`; what has to outlive the process is written down by `release::keeper`.

mod choose;
mod keeper;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tollgate_policy::loops::Watch;
use tollgate_policy::plan::DeploymentId;
use tollgate_policy::release::{self, Figures, Observation, Outcome, Stage, Window};
use tollgate_policy::rules::FigureCondition;
use tollgate_store::database::outbox::Event;

pub(crate) use keeper::event;

pub use choose::{Choice, Reviewers, nothing_left, refusal_of, risk};
pub use keeper::{Keeper, stored};

use crate::ledger::lock;
use crate::record::{self, Record};
use crate::shadow::Shadows;

/// Events that wait to be written down; further ones are only logged.
const EVENTS_MAX: usize = 256;

/// A route and one of its models.
pub type Place = (String, String);

/// What routes remember over a change of the config: how canaries do, who repeats itself, what shadows came to.
#[derive(Default)]
pub struct Memory {
    canaries: Mutex<BTreeMap<Place, Arc<Canary>>>,
    stable: Mutex<BTreeMap<String, Arc<Mutex<Window>>>>,
    loops: Mutex<BTreeMap<String, Arc<Mutex<Watch>>>>,
    /// The canaries that the database has as rolled back.
    off: Mutex<BTreeSet<Place>>,
    events: Mutex<VecDeque<Event>>,
    bell: Notify,
    /// Copies of calls on their way to shadows.
    pub shadows: Shadows,
}

/// A canary: how it does, and whether it is off.
pub struct Canary {
    place: Place,
    off: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Window,
    /// It was rolled back, and the database does not have that yet.
    unwritten: Option<Trip>,
}

/// A rollback.
#[derive(Debug, Clone)]
pub(crate) struct Trip {
    condition: String,
    own: Figures,
    stable: Figures,
    at_ms: u64,
}

/// The targets of a route that are not for everybody, and how those that are watched do.
pub struct Release {
    stages: Vec<(DeploymentId, Stage)>,
    reviewers: Reviewers,
    watched: Vec<Watched>,
    /// The stable targets, where a condition compares with them.
    stable: Option<(Vec<String>, Arc<Mutex<Window>>)>,
    memory: Arc<Memory>,
}

/// A canary of a route.
pub struct Watched {
    /// Which target.
    pub id: DeploymentId,
    /// How it does.
    pub canary: Arc<Canary>,
    /// When it has to go; none: it does not by itself.
    pub rollback_if: Option<FigureCondition>,
}

impl Memory {
    /// The canary of that place: the same one as before a change of the config.
    #[must_use]
    pub fn canary(&self, route: &str, model: &str) -> Arc<Canary> {
        let place = (route.to_owned(), model.to_owned());
        let off = lock(&self.off).contains(&place);
        let mut canaries = lock(&self.canaries);
        canaries.retain(|_, canary| 1 < Arc::strong_count(canary) || lock(&canary.state).unwritten.is_some());
        let fresh = || {
            Arc::new(Canary {
                place: place.clone(),
                off: AtomicBool::new(off),
                state: Mutex::default(),
            })
        };
        Arc::clone(canaries.entry(place.clone()).or_insert_with(fresh))
    }

    /// How the stable targets of a route do.
    #[must_use]
    pub fn stable(&self, route: &str) -> Arc<Mutex<Window>> {
        kept(&self.stable, route)
    }

    /// Who asks a route for what.
    #[must_use]
    pub fn watch(&self, route: &str) -> Arc<Mutex<Watch>> {
        kept(&self.loops, route)
    }

    /// The database has these as rolled back. One that it has not any more is tried again, and begins anew.
    pub fn set_off(&self, places: BTreeSet<Place>) {
        for canary in lock(&self.canaries).values() {
            let mut state = lock(&canary.state);
            let off = places.contains(&canary.place) || state.unwritten.is_some();
            if canary.off.swap(off, Ordering::SeqCst) && !off {
                state.window = Window::default();
            }
        }
        *lock(&self.off) = places;
    }

    /// Something happened that has to be told. False: there is too much of it, and it is forgotten.
    pub fn tell(&self, event: Event) -> bool {
        let mut events = lock(&self.events);
        let room = events.len() < EVENTS_MAX;
        if room {
            events.push_back(event);
            self.bell.notify_one();
        }
        room
    }

    /// How many canaries are off.
    fn off_count(&self) -> usize {
        let canaries = lock(&self.canaries);
        canaries.values().filter(|canary| canary.is_off()).count()
    }

    /// How the canaries of a route do, for people.
    #[must_use]
    pub fn view(&self, route: &str, now_ms: u64) -> Value {
        let canaries = lock(&self.canaries);
        let of_route = canaries.values().filter(|canary| canary.place.0 == route);
        let lines: Vec<Value> = of_route
            .map(|canary| {
                let figures = lock(&canary.state).window.figures(now_ms);
                json!({ "model": canary.place.1, "off": canary.is_off(), "figures": shown(&figures) })
            })
            .collect();
        let stable = lock(&self.stable).get(route).map(|window| shown(&lock(window).figures(now_ms)));
        json!({ "route": route, "requests_min": release::REQUESTS_MIN, "canaries": lines, "stable": stable })
    }
}

fn kept<T: Default>(all: &Mutex<BTreeMap<String, Arc<Mutex<T>>>>, route: &str) -> Arc<Mutex<T>> {
    let mut all = lock(all);
    all.retain(|_, one| 1 < Arc::strong_count(one));
    Arc::clone(all.entry(route.to_owned()).or_default())
}

/// Figures as JSON.
fn shown(figures: &Figures) -> Value {
    json!({
        "requests": figures.requests, "error_rate": figures.error_rate, "block_rate": figures.block_rate,
        "feedback": figures.feedback, "p95_ms": figures.p95_ms,
    })
}

impl Canary {
    /// Whether it was rolled back.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// Somebody says whether an answer of it was good.
    pub fn feedback(&self, now_ms: u64, good: bool) {
        lock(&self.state).window.feedback(now_ms, good);
    }

    /// An attempt at it has ended; whether that was one too many.
    fn observe(&self, now_ms: u64, seen: Observation, rollback_if: Option<&FigureCondition>, stable: impl FnOnce() -> Figures) -> bool {
        let mut state = lock(&self.state);
        state.window.observe(now_ms, seen);
        let Some(condition) = rollback_if.filter(|_| !self.is_off()) else {
            return false;
        };
        let own = state.window.figures(now_ms);
        let stable = if condition.asks_stable() { stable() } else { Figures::default() };
        if !release::must_go(condition, &own, &stable) {
            return false;
        }
        self.off.store(true, Ordering::SeqCst);
        state.unwritten = Some(Trip {
            condition: condition.text().to_owned(),
            own,
            stable,
            at_ms: now_ms,
        });
        true
    }
}

impl Release {
    /// A release of those targets. `stable` are the names of the stable deployments.
    #[must_use]
    pub fn new(
        route: &str,
        stages: Vec<(DeploymentId, Stage)>,
        reviewers: Reviewers,
        (watched, stable): (Vec<Watched>, Vec<String>),
        memory: Arc<Memory>,
    ) -> Self {
        let asks_stable = |watched: &Watched| watched.rollback_if.as_ref().is_some_and(FigureCondition::asks_stable);
        let stable = watched.iter().any(asks_stable).then(|| (stable, memory.stable(route)));
        Self {
            stages,
            reviewers,
            watched,
            stable,
            memory,
        }
    }

    /// Takes from a closed record how the watched targets did.
    pub fn observe(&self, record: &Record) {
        if self.watched.is_empty() {
            return;
        }
        let at = record.time + std::time::Duration::from_micros(record.total_us);
        let now_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let answering = record.attempts.iter().rposition(|attempt| attempt.outcome == "ok");
        for (place, attempt) in record.attempts.iter().enumerate() {
            // Behind a race the answer is not always that of the last attempt.
            let broken = answering == Some(place) && record.outcome == record::Outcome::Broken;
            let broken = broken && record.fault.as_ref().is_some_and(|fault| fault.origin == "provider");
            let Some(outcome) = outcome(attempt.outcome, broken) else {
                continue;
            };
            let seen = Observation {
                outcome,
                took_ms: Some(attempt.took_us / 1_000),
            };
            self.count(now_ms, &attempt.deployment.name, seen);
        }
        if let Some(model) = rested(record) {
            let seen = Observation {
                outcome: Outcome::Error,
                took_ms: None,
            };
            self.count(now_ms, model, seen);
        }
    }

    fn count(&self, now_ms: u64, model: &str, seen: Observation) {
        if let Some((_, window)) = self.stable.as_ref().filter(|(names, _)| names.iter().any(|name| name == model)) {
            lock(window).observe(now_ms, seen);
        }
        let stable = || {
            self.stable
                .as_ref()
                .map(|(_, window)| lock(window).figures(now_ms))
                .unwrap_or_default()
        };
        let watched = self.watched.iter().find(|watched| watched.canary.place.1 == model);
        if let Some(watched) = watched
            && watched.canary.observe(now_ms, seen, watched.rollback_if.as_ref(), stable)
        {
            self.memory.bell.notify_one();
        }
    }
}

/// The model that a call was meant for and that was not asked, because it failed too often just before: its callers count, or a target that
/// rests would never have enough of them.
fn rested(record: &Record) -> Option<&str> {
    let (model, reason) = record.fallback.as_deref()?.strip_prefix("from=")?.split_once("; reason=")?;
    let asked = record.attempts.iter().any(|attempt| attempt.deployment.name == model);
    (!asked && reason == "unavailable").then_some(model)
}

/// What an attempt's word says about its target; `None`: nothing.
fn outcome(word: &str, broken: bool) -> Option<Outcome> {
    Some(match word {
        "ok" if broken => Outcome::Error,
        // It would have been refused anywhere.
        "ok" | "malformed" | "too_large" | "context_length" | "lossy" => Outcome::Ok,
        "content_policy" => Outcome::Blocked,
        // The caller left, another was quicker, a switch ended it, or we failed.
        "aborted" | "outrun" | "forbidden" | "internal" => return None,
        _ => Outcome::Error,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn seen(outcome: Outcome) -> Observation {
        Observation {
            outcome,
            took_ms: Some(10),
        }
    }

    #[test]
    fn a_hedges_loser_says_nothing_of_its_target() {
        let rows = [
            ("ok", false, Some(Outcome::Ok)),
            ("ok", true, Some(Outcome::Error)),
            ("outrun", false, None),
            ("aborted", false, None),
            ("content_policy", false, Some(Outcome::Blocked)),
            ("timeout", false, Some(Outcome::Error)),
        ];
        for (word, broken, expected) in rows {
            assert_eq!(outcome(word, broken), expected, "{word}");
        }
    }

    #[test]
    fn a_canary_goes_once_stays_off_over_reloads_and_begins_anew_when_it_is_switched_on() {
        let memory = Memory::default();
        let condition = FigureCondition::compile("error_rate > 0.5").unwrap();
        let canary = memory.canary("chat", "a/x");
        let mut trips = 0;
        for at in 0..100 {
            let went = canary.observe(at, seen(Outcome::Error), Some(&condition), Figures::default);
            trips += u32::from(went);
            assert_eq!(canary.is_off(), at + 1 >= u64::from(release::REQUESTS_MIN), "{at}");
        }
        assert_eq!(trips, 1);
        drop(canary);
        let again = memory.canary("chat", "a/x");
        assert!(again.is_off(), "not written yet, so not forgotten");
        memory.set_off(BTreeSet::new());
        assert!(again.is_off(), "the database does not know of it yet");
        lock(&again.state).unwritten = None;
        let place = ("chat".to_owned(), "a/x".to_owned());
        memory.set_off(BTreeSet::from([place]));
        assert!(memory.canary("chat", "a/x").is_off() && !memory.canary("chat", "a/y").is_off());
        memory.set_off(BTreeSet::new());
        assert!(!again.is_off());
        assert!(!again.observe(200, seen(Outcome::Error), Some(&condition), Figures::default));
    }

    #[test]
    fn a_canary_that_the_database_has_as_off_is_off_before_its_first_call() {
        let memory = Memory::default();
        memory.set_off(BTreeSet::from([("chat".to_owned(), "a/x".to_owned())]));
        assert!(memory.canary("chat", "a/x").is_off());
    }

    #[test]
    fn only_what_speaks_of_the_target_counts() {
        let rows = [
            ("ok", false, Some(Outcome::Ok)),
            ("ok", true, Some(Outcome::Error)),
            ("timeout", false, Some(Outcome::Error)),
            ("rate_limited", false, Some(Outcome::Error)),
            ("not_found", false, Some(Outcome::Error)),
            ("content_policy", false, Some(Outcome::Blocked)),
            ("malformed", false, Some(Outcome::Ok)),
            ("aborted", false, None),
            ("forbidden", false, None),
        ];
        for (word, broken, expected) in rows {
            assert_eq!(outcome(word, broken), expected, "{word}");
        }
    }
}
