//! How the deployments stand: their breakers, for the admin API and the metrics, and the hand that holds one open or closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;
use tollgate_policy::health::{Gate, Override, View};
use tollgate_upstream::deployment::Deployment;
use utoipa::ToSchema;

use crate::clock;
use crate::config::snapshot::Snapshot;
use crate::telemetry::metrics::{Metrics, ProviderLabels};

/// Deployments that are listed: callers may make names of models up.
const LINES_MAX: usize = 1_000;

/// A deployment and its breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DeploymentHealth)]
pub struct Standing {
    /// `provider/upstream-model`.
    pub deployment: String,
    /// `closed`, `open`, `half_open`: the next call tries it again; `resting`: the provider said that it has no room.
    pub state: String,
    /// `auto`: the breaker decides; else what it is held as.
    pub held: String,
    /// What opened it.
    pub why: Option<String>,
    /// How long it is not called yet, in milliseconds.
    pub wait_ms: Option<u64>,
    /// Failures in a row.
    pub failures: u32,
    /// Calls of the last half minute that went well.
    pub well: u32,
    /// Calls of the last half minute that speak against it.
    pub failed: u32,
    /// Calls of the last half minute that took longer to begin than the breaker's bound.
    pub slow: u32,
    /// How often the breaker opened since the start.
    pub openings: u64,
    /// Within this time 95 of 100 whole answers lately came; null: too few are known.
    pub p95_ms: Option<u64>,
    /// Within this time 95 of 100 streams lately began.
    pub p95_stream_ms: Option<u64>,
    /// Answers that have not ended.
    pub in_flight: u32,
}

/// The deployments that are known, by name.
#[must_use]
pub fn standings(snapshot: &Snapshot) -> Vec<Standing> {
    let now = clock::instant();
    let mut all: Vec<Standing> = snapshot.deployments().iter().map(|deployment| standing(deployment, now)).collect();
    all.sort_by(|one, other| one.deployment.cmp(&other.deployment));
    all.truncate(LINES_MAX);
    all
}

/// Holds the breaker of a deployment open or closed, or lets it decide again. How it stood, and how it stands; `None`: no such deployment.
#[must_use]
pub fn hold(snapshot: &Snapshot, name: &str, held: Override) -> Option<(Standing, Standing)> {
    let deployment = snapshot.deployments().into_iter().find(|deployment| deployment.name == name)?;
    let before = standing(&deployment, clock::instant());
    deployment.hold(held);
    Some((before, standing(&deployment, clock::instant())))
}

/// Says in the metrics how the breakers of each provider stand.
pub fn measure(snapshot: &Snapshot, metrics: &Metrics) {
    let now = clock::instant();
    let mut providers: BTreeMap<String, (i64, u64, u64)> = BTreeMap::new();
    for deployment in snapshot.deployments() {
        let view = deployment.view(now);
        let sums = providers.entry(deployment.provider.clone()).or_default();
        sums.0 += i64::from(view.gate != Gate::Closed);
        sums.1 += view.openings;
        sums.2 = deployment.retries_withheld();
    }
    for (provider, (open, openings, withheld)) in providers {
        let labels = ProviderLabels { provider };
        metrics.breaker_open.get_or_create(&labels).set(open);
        metrics
            .breaker_openings
            .get_or_create(&labels)
            .inner()
            .store(openings, Ordering::Relaxed);
        metrics
            .retries_withheld
            .get_or_create(&labels)
            .inner()
            .store(withheld, Ordering::Relaxed);
    }
}

fn standing(deployment: &Arc<Deployment>, now: Instant) -> Standing {
    let view = deployment.view(now);
    let (state, wait) = state_of(&view);
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let [p95, p95_stream] = view.p95;
    Standing {
        deployment: deployment.name.clone(),
        state: state.to_owned(),
        held: held_name(view.held).to_owned(),
        why: view.why.map(|why| why.name().to_owned()),
        wait_ms: wait.map(ms),
        failures: view.failures,
        well: view.lately.well,
        failed: view.lately.failed,
        slow: view.lately.slow,
        openings: view.openings,
        p95_ms: p95.map(ms),
        p95_stream_ms: p95_stream.map(ms),
        in_flight: deployment.vitals(now).open,
    }
}

fn state_of(view: &View) -> (&'static str, Option<Duration>) {
    match view.gate {
        Gate::Closed => ("closed", None),
        Gate::Probe => ("half_open", None),
        Gate::Open(_) if view.held == Override::Open => ("open", None),
        Gate::Open(wait) => ("open", Some(wait)),
        Gate::Resting(wait) => ("resting", Some(wait)),
    }
}

fn held_name(held: Override) -> &'static str {
    match held {
        Override::Auto => "auto",
        Override::Open => "open",
        Override::Closed => "closed",
    }
}
