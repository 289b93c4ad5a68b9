//! What is shown of what happened: the log line of each record, and the metrics. Both are bounded and neither can hold up an
//! exchange.

pub mod logs;
pub mod metrics;

use crate::explain::keep::Decisions;
use crate::record::Record;

/// Where every closed record goes.
pub struct Telemetry {
    /// One line per exchange.
    pub log: logs::Log,
    /// Counters for Prometheus.
    pub metrics: metrics::Metrics,
    /// Why each exchange went where it did.
    pub decisions: Decisions,
}

impl Telemetry {
    /// Takes a closed record; what is kept of it is taken out of it.
    pub fn record(&self, record: &mut Record) {
        self.metrics.exchange(record);
        if !self.log.record(record) {
            self.metrics.log_lines_dropped.inc();
        }
        if !self.decisions.take(record) {
            self.metrics.decisions_dropped.inc();
        }
    }
}
