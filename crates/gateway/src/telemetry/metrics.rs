//! Metrics in Prometheus' form (`tollgate_*`). Label sets are fixed, and their values come from the config or from our own words:
//! nothing that a caller makes up becomes a label.

mod releases;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use tollgate_upstream::deployment::Deployment;

pub use releases::Releases;

use crate::books::Paid;
use crate::record::{Outcome, Record, UsageRecord};

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

/// Labels of what is counted by provider alone.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
#[expect(missing_docs, reason = "it is what it is called")]
pub struct ProviderLabels {
    pub provider: String,
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

/// The metrics that the usual exchange of one dialect, route and provider counts; each comes to be when it first counts something.
struct Series {
    dialect: &'static str,
    provider: String,
    duration: Histogram,
    first_byte: OnceLock<Histogram>,
    /// Answered whole, with status 200.
    completed: OnceLock<Counter>,
    /// Tries that went well.
    attempted: OnceLock<Counter>,
    tokens: [OnceLock<Counter>; 5],
    cost: OnceLock<Counter>,
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
    /// By route: what its exchanges count, found once and kept.
    series: RwLock<HashMap<String, Vec<Arc<Series>>>>,
    /// Exchanges that are going on.
    pub open_exchanges: Gauge<i64, AtomicI64>,
    /// Connections of callers that are open.
    pub open_connections: Gauge<i64, AtomicI64>,
    /// Times that connections could not be accepted, for want of descriptors.
    pub accept_failures: Counter,
    /// Log lines that were dropped.
    pub log_lines_dropped: Counter,
    /// Decisions that were not kept.
    pub decisions_dropped: Counter,
    /// Calls whose label was lowered below what was required of them.
    pub labels_lowered: Counter,
    /// Configs taken into use.
    pub config_reloads: Counter,
    /// Configs refused.
    pub config_refusals: Counter,
    /// 1 while the config in use is the one in the file.
    pub config_current: Gauge<i64, AtomicI64>,
    /// Exchanges that ended in a panic of ours.
    pub panics: Counter,
    /// Calls that were turned away because there were too many.
    pub turned_away: Counter,
    cost: Counters<RouteLabels>,
    overruns: Counter,
    unwritten: Counter,
    /// Calls that hold tokens or money now.
    pub open_holds: Gauge<i64, AtomicI64>,
    /// Deployments whose breakers are not closed.
    pub breaker_open: Family<ProviderLabels, Gauge<i64, AtomicI64>>,
    /// Times that breakers opened.
    pub breaker_openings: Counters<ProviderLabels>,
    /// Tries that were not made for want of a retry budget.
    pub retries_withheld: Counters<ProviderLabels>,
    /// Bytes of the journal.
    pub journal_bytes: Gauge<i64, AtomicI64>,
    /// 1 while something in the journal has not reached the database.
    pub ledger_behind: Gauge<i64, AtomicI64>,
    /// Canaries, loops and shadows.
    pub releases: Releases,
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
            series: RwLock::default(),
            open_exchanges: Gauge::default(),
            open_connections: Gauge::default(),
            accept_failures: Counter::default(),
            log_lines_dropped: Counter::default(),
            decisions_dropped: Counter::default(),
            labels_lowered: Counter::default(),
            config_reloads: Counter::default(),
            config_refusals: Counter::default(),
            config_current: Gauge::default(),
            panics: Counter::default(),
            turned_away: Counter::default(),
            cost: Family::default(),
            overruns: Counter::default(),
            unwritten: Counter::default(),
            open_holds: Gauge::default(),
            breaker_open: Family::default(),
            breaker_openings: Family::default(),
            retries_withheld: Family::default(),
            journal_bytes: Gauge::default(),
            ledger_behind: Gauge::default(),
            releases: Releases::default(),
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
        r.register(
            "decisions_dropped",
            "Exchanges of which it is not kept why they went where they did: too many at a time, or no database",
            self.decisions_dropped.clone(),
        );
        r.register(
            "labels_lowered",
            "Calls whose label was lowered below what is required of them; each is in the audit log",
            self.labels_lowered.clone(),
        );
        r.register("config_reloads", "Configs taken into use", self.config_reloads.clone());
        r.register("config_refusals", "Configs refused as invalid", self.config_refusals.clone());
        r.register(
            "config_current",
            "1 while the config in use is the one in the file",
            self.config_current.clone(),
        );
        r.register("panics", "Exchanges ended by a fault of ours", self.panics.clone());
        r.register(
            "turned_away",
            "Calls turned away because there were too many",
            self.turned_away.clone(),
        );
        r.register("cost_nano_usd", "What exchanges cost, in nano-USD", self.cost.clone());
        r.register("overruns", "Exchanges that cost more than was held for them", self.overruns.clone());
        r.register(
            "settlements_unwritten",
            "Settlements that the journal did not take; the next start posts their holds",
            self.unwritten.clone(),
        );
        r.register("open_holds", "Calls that hold tokens or money", self.open_holds.clone());
        r.register("breaker_open", "Models whose breakers are not closed", self.breaker_open.clone());
        r.register("breaker_openings", "Times that breakers opened", self.breaker_openings.clone());
        r.register(
            "retries_withheld",
            "Tries that were not made, because the provider has been asked again often enough",
            self.retries_withheld.clone(),
        );
        r.register("journal_bytes", "Bytes of the ledger's journal", self.journal_bytes.clone());
        r.register(
            "ledger_behind",
            "1 while something in the journal has not reached the database",
            self.ledger_behind.clone(),
        );
        self.releases.register(r);
    }

    /// Counts a closed record.
    pub fn exchange(&self, record: &Record) {
        let provider = provider_of(record.model.as_deref());
        let series = self.series(record, provider);
        if record.outcome == Outcome::Completed && record.status == 200 {
            let counter = series.completed.get_or_init(|| self.exchange_counter(record, provider));
            counter.inc();
        } else {
            self.exchange_counter(record, provider).inc();
        }
        for attempt in &record.attempts {
            let (of, outcome) = (provider_of(Some(&attempt.deployment)), attempt.outcome);
            if outcome == "ok" && of == provider {
                series.attempted.get_or_init(|| self.attempt_counter(of, outcome)).inc();
            } else {
                self.attempt_counter(of, outcome).inc();
            }
        }
        if let Some(usage) = &record.usage {
            self.count_tokens(&series, provider, usage);
        }
        if !record.loss.is_empty() {
            self.losses.inc();
        }
        if let Some(paid) = &record.paid {
            self.count_paid(&series, record, paid);
        }
        series.duration.observe(seconds(record.total_us));
        if let Some(first) = record.first_byte_us {
            let histogram = series
                .first_byte
                .get_or_init(|| self.first_byte.get_or_create_owned(&labels_of(record, provider)));
            histogram.observe(seconds(first));
        }
        if let Some(overhead) = record.overhead_us {
            self.overhead.observe(seconds(overhead));
        }
    }

    fn count_paid(&self, series: &Series, record: &Record, paid: &Paid) {
        if let Ok(nanos @ 1..) = u64::try_from(paid.cost.0) {
            let cost = series
                .cost
                .get_or_init(|| self.cost.get_or_create_owned(&labels_of(record, &series.provider)));
            cost.inc_by(nanos);
        }
        if paid.overrun {
            self.overruns.inc();
        }
        if paid.unwritten.is_some() {
            self.unwritten.inc();
        }
    }

    /// The metrics of the record's dialect, route and provider.
    fn series(&self, record: &Record, provider: &str) -> Arc<Series> {
        let route = record.route_name().unwrap_or_default();
        let find = |known: &HashMap<String, Vec<Arc<Series>>>| {
            let known = known.get(route)?.iter();
            let mut ours = known.filter(|series| series.dialect == record.dialect && series.provider == provider);
            ours.next().map(Arc::clone)
        };
        if let Some(found) = find(&self.series.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let mut known = self.series.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&known) {
            return found;
        }
        let series = Arc::new(Series {
            dialect: record.dialect,
            provider: provider.to_owned(),
            duration: self.duration.get_or_create_owned(&labels_of(record, provider)),
            first_byte: OnceLock::new(),
            completed: OnceLock::new(),
            attempted: OnceLock::new(),
            tokens: Default::default(),
            cost: OnceLock::new(),
        });
        known.entry(route.to_owned()).or_default().push(Arc::clone(&series));
        series
    }

    fn exchange_counter(&self, record: &Record, provider: &str) -> Counter {
        self.exchanges.get_or_create_owned(&ExchangeLabels {
            dialect: record.dialect,
            route: record.route_name().unwrap_or_default().to_owned(),
            provider: provider.to_owned(),
            outcome: outcome_name(record),
            status: record.status,
        })
    }

    fn attempt_counter(&self, provider: &str, outcome: &'static str) -> Counter {
        self.attempts.get_or_create_owned(&AttemptLabels {
            provider: provider.to_owned(),
            outcome,
        })
    }

    fn count_tokens(&self, series: &Series, provider: &str, usage: &UsageRecord) {
        let kinds = [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("reasoning", usage.reasoning),
        ];
        for ((kind, count), counter) in kinds.into_iter().zip(&series.tokens) {
            if count == 0 {
                continue;
            }
            let counter = counter.get_or_init(|| {
                self.tokens.get_or_create_owned(&TokenLabels {
                    provider: provider.to_owned(),
                    kind,
                })
            });
            counter.inc_by(count);
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

fn labels_of(record: &Record, provider: &str) -> RouteLabels {
    RouteLabels {
        route: record.route_name().unwrap_or_default().to_owned(),
        provider: provider.to_owned(),
    }
}

/// Providers are named in config; their models may be anything that a caller asked for.
fn provider_of(model: Option<&Deployment>) -> &str {
    model.map_or("", |model| &model.provider)
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

fn outcome_name(record: &Record) -> &'static str {
    match record.outcome {
        Outcome::Completed => "ok",
        Outcome::Aborted => "aborted",
        Outcome::Failed | Outcome::Broken => record.fault.as_ref().map_or("internal", |fault| fault.kind),
    }
}
