//! Metrics of releases: canaries that were switched off, loops, and what became of copies for shadows.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tollgate_policy::compare::Report;

/// What became of a copy.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct CopyLabels {
    outcome: &'static str,
}

/// Metrics of releases.
#[derive(Default)]
pub struct Releases {
    /// Canaries that were switched off by their condition.
    pub rollbacks: Counter,
    /// Canaries that are off now.
    pub canaries_off: Gauge<i64, AtomicI64>,
    /// Loops that were told of.
    pub events: Counter,
    copies: Family<CopyLabels, Counter<u64, AtomicU64>>,
}

impl Releases {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("rollbacks", "Canaries switched off by their condition", self.rollbacks.clone());
        r.register("canaries_off", "Canaries that are switched off now", self.canaries_off.clone());
        r.register("loops", "Loops that were told of", self.events.clone());
        r.register(
            "shadow_calls",
            "Copies of calls for shadows, by what became of them",
            self.copies.clone(),
        );
    }

    /// Counts what became of copies.
    pub fn shadows(&self, report: &Report) {
        for (name, value) in report.figures() {
            let outcome = match name.split('.').next() {
                Some("compared") => "compared",
                Some("failed") => "failed",
                Some("skipped") => "skipped",
                _ => continue,
            };
            let count = u64::try_from(value).unwrap_or(0);
            self.copies.get_or_create_owned(&CopyLabels { outcome }).inc_by(count);
        }
    }
}
