//! Metrics in Prometheus' form (`tollgate_*`). Label sets are fixed, and their values come from the config or from our own words:
//! nothing that a caller makes up becomes a label.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::record::{Outcome, Record};

/// Seconds, from a millisecond to five minutes.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Seconds of our own work, from 10 µs to a second.
const OVERHEAD_SECONDS: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.025, 0.1, 1.0];

/// Labels of an exchange.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ExchangeLabels {
    dialect: &'static str,
    route: String,
    provider: String,
    outcome: &'static str,
    status: u16,
}

/// Labels of an attempt.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct AttemptLabels {
    provider: String,
    outcome: &'static str,
}

/// Labels of tokens.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct TokenLabels {
    provider: String,
    kind: &'static str,
}

/// Labels of a duration.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RouteLabels {
    route: String,
    provider: String,
}

type Counters<L> = Family<L, Counter<u64, AtomicU64>>;
type Histograms = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Every metric.
pub struct Metrics {
    registry: Registry,
    exchanges: Counters<ExchangeLabels>,
    attempts: Counters<AttemptLabels>,
    tokens: Counters<TokenLabels>,
    losses: Counter,
    first_byte: Histograms,
    duration: Histograms,
    overhead: Histogram,
    /// Exchanges that are going on.
    pub open_exchanges: Gauge<i64, AtomicI64>,
    /// Connections of callers that are open.
    pub open_connections: Gauge<i64, AtomicI64>,
    /// Times that connections could not be accepted, for want of descriptors.
    pub accept_failures: Counter,
    /// Log lines that were dropped.
    pub log_lines_dropped: Counter,
    /// Configs taken into use.
    pub config_reloads: Counter,
    /// Configs refused.
    pub config_refusals: Counter,
    /// 1 while the config in use is the one in the file.
    pub config_current: Gauge<i64, AtomicI64>,
    /// Exchanges that ended in a panic of ours.
    pub panics: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("tollgate"),
            exchanges: Family::default(),
            attempts: Family::default(),
            tokens: Family::default(),
            losses: Counter::default(),
            first_byte: Family::new_with_constructor(histogram),
            duration: Family::new_with_constructor(histogram),
            overhead: Histogram::new(OVERHEAD_SECONDS),
            open_exchanges: Gauge::default(),
            open_connections: Gauge::default(),
            accept_failures: Counter::default(),
            log_lines_dropped: Counter::default(),
            config_reloads: Counter::default(),
            config_refusals: Counter::default(),
            config_current: Gauge::default(),
            panics: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Exchanges that ended", self.exchanges.clone());
        r.register("attempts", "Upstream tries that ended", self.attempts.clone());
        r.register("tokens", "Tokens that providers reported", self.tokens.clone());
        r.register(
            "lossy_requests",
            "Exchanges that a translation could not carry whole",
            self.losses.clone(),
        );
        r.register_with_unit(
            "first_byte",
            "Until the answer's first byte",
            Unit::Seconds,
            self.first_byte.clone(),
        );
        r.register_with_unit("duration", "Until the answer's last byte", Unit::Seconds, self.duration.clone());
        r.register_with_unit(
            "overhead",
            "Until the first byte, less the wait for providers",
            Unit::Seconds,
            self.overhead.clone(),
        );
        r.register("open_requests", "Exchanges that are going on", self.open_exchanges.clone());
        r.register("open_connections", "Connections of callers", self.open_connections.clone());
        r.register(
            "accept_failures",
            "Connections that could not be accepted at once",
            self.accept_failures.clone(),
        );
        r.register(
            "log_lines_dropped",
            "Log lines dropped because stderr was too slow",
            self.log_lines_dropped.clone(),
        );
        r.register("config_reloads", "Configs taken into use", self.config_reloads.clone());
        r.register("config_refusals", "Configs refused as invalid", self.config_refusals.clone());
        r.register(
            "config_current",
            "1 while the config in use is the one in the file",
            self.config_current.clone(),
        );
        r.register("panics", "Exchanges ended by a fault of ours", self.panics.clone());
    }

    /// Counts a closed record.
    pub fn exchange(&self, record: &Record) {
        let provider = provider_of(record.model.as_deref());
        let route = record.route.clone().unwrap_or_default();
        let labels = ExchangeLabels {
            dialect: record.dialect,
            route: route.clone(),
            provider: provider.clone(),
            outcome: outcome_name(record),
            status: record.status,
        };
        self.exchanges.get_or_create(&labels).inc();
        for attempt in &record.attempts {
            let provider = provider_of(Some(&attempt.deployment));
            self.attempts
                .get_or_create(&AttemptLabels {
                    provider,
                    outcome: attempt.outcome,
                })
                .inc();
        }
        if let Some(usage) = &record.usage {
            let kinds = [
                ("input", usage.input),
                ("output", usage.output),
                ("cache_read", usage.cache_read),
                ("cache_write", usage.cache_write),
                ("reasoning", usage.reasoning),
            ];
            for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
                self.tokens
                    .get_or_create(&TokenLabels {
                        provider: provider.clone(),
                        kind,
                    })
                    .inc_by(count);
            }
        }
        if !record.loss.is_empty() {
            self.losses.inc();
        }
        let labels = RouteLabels { route, provider };
        self.duration.get_or_create(&labels).observe(record.total_ms / 1e3);
        if let Some(first) = record.first_byte_ms {
            self.first_byte.get_or_create(&labels).observe(first / 1e3);
        }
        if let Some(overhead) = record.overhead_ms {
            self.overhead.observe(overhead / 1e3);
        }
    }

    /// The exposition in OpenMetrics' text form.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8192);
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Providers are named in config; the model behind the slash may be anything that a caller asked for.
fn provider_of(model: Option<&str>) -> String {
    model
        .and_then(|model| model.split_once('/'))
        .map_or_else(String::new, |(provider, _)| provider.to_owned())
}

fn outcome_name(record: &Record) -> &'static str {
    match record.outcome {
        Outcome::Completed => "ok",
        Outcome::Aborted => "aborted",
        Outcome::Failed | Outcome::Broken => record.fault.as_ref().map_or("internal", |fault| fault.kind),
    }
}
