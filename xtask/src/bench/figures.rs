//! The figures that are published, as data: from which scenario each is read, in which unit, and what our gateway has to reach (the work
//! order's "Figures to reach"). Lower is better in all but requests per second, which has no target.

use super::{
    load::Sample,
    peers::{GOVERNED, GROWN, ROUTED, SUBJECT, YARDSTICK},
};

/// One row of the table.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) source: Source,
    pub(super) target: Option<Target>,
}

/// Where its value comes from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Scenario(&'static str, Reading),
    /// What one of our gateways has more of it than another in the same round.
    More(More, &'static str, Reading),
    /// From a fresh process, or from the one that has been under load.
    Process(Look),
}

/// Which of our gateways has more, and than which.
#[derive(Clone, Copy)]
pub(super) struct More {
    pub(super) who: &'static str,
    pub(super) than: &'static str,
}

/// What is read from a sample.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    PerSecond,
    /// Microseconds of the proxy's processor time per request.
    CpuPerRequest,
    /// The same per chunk of a stream.
    CpuPerChunk,
    /// A percentile of the times, in microseconds.
    Percentile(usize),
    /// A percentile less the same percentile of the direct path in the same round, in microseconds.
    Added(usize),
}

/// What is read from a process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    StartMs,
    IdleMib,
    LoadedMib,
    StreamKib,
}

/// What our gateway has to reach.
#[derive(Clone, Copy)]
pub(super) enum Target {
    AtMost(f64),
    /// One contender: so many times another's value in the same round.
    Times {
        who: &'static str,
        whose: &'static str,
        bound: f64,
    },
    /// So many times our own value of another figure in the same round.
    OfOwn(&'static str, f64),
}

use Look::{IdleMib, LoadedMib, StartMs, StreamKib};
use Reading::{Added, CpuPerChunk, CpuPerRequest, PerSecond, Percentile};
use Target::{AtMost, OfOwn};

const fn read(name: &'static str, unit: &'static str, scenario: &'static str, reading: Reading, target: Option<Target>) -> Figure {
    Figure {
        name,
        unit,
        source: Source::Scenario(scenario, reading),
        target,
    }
}

const fn more(
    name: &'static str,
    (who, than): (&'static str, &'static str),
    scenario: &'static str,
    reading: Reading,
    target: Target,
) -> Figure {
    Figure {
        name,
        unit: "µs",
        source: Source::More(More { who, than }, scenario, reading),
        target: Some(target),
    }
}

/// Our gateway: so many times the yardstick.
const fn of_yardstick(bound: f64) -> Option<Target> {
    times(SUBJECT, YARDSTICK, bound)
}

const fn times(who: &'static str, whose: &'static str, bound: f64) -> Option<Target> {
    Some(Target::Times { who, whose, bound })
}

const fn look(name: &'static str, unit: &'static str, look: Look, target: Option<Target>) -> Figure {
    Figure {
        name,
        unit,
        source: Source::Process(look),
        target,
    }
}

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    read("closed loop, 64 connections: throughput", "req/s", "closed-1k", PerSecond, None),
    read("closed loop: CPU per request", "µs", "closed-1k", CpuPerRequest, of_yardstick(1.6)),
    read("closed loop: p50", "µs", "closed-1k", Percentile(50), None),
    read("closed loop: p99", "µs", "closed-1k", Percentile(99), None),
    read("300/s: CPU per request", "µs", "open-300", CpuPerRequest, of_yardstick(1.6)),
    read("300/s: added p50", "µs", "open-300", Added(50), Some(AtMost(150.0))),
    read("300/s: added p99", "µs", "open-300", Added(99), Some(AtMost(600.0))),
    more("governed, closed loop: CPU more than bare", (GOVERNED, SUBJECT), "closed-1k", CpuPerRequest, AtMost(8.0)),
    read("governed, closed loop: CPU in all", "µs", "closed-1k", CpuPerRequest, times(GOVERNED, YARDSTICK, 2.0)),
    more("governed, 300/s: CPU more than bare", (GOVERNED, SUBJECT), "open-300", CpuPerRequest, AtMost(8.0)),
    read("governed, 300/s: CPU in all", "µs", "open-300", CpuPerRequest, times(GOVERNED, YARDSTICK, 2.0)),
    more("governed, 300/s: p99 more than bare", (GOVERNED, SUBJECT), "open-300", Percentile(99), AtMost(300.0)),
    more("governed and routed, closed loop: CPU more", (ROUTED, GOVERNED), "closed-1k", CpuPerRequest, AtMost(2.0)),
    more("governed and routed, 300/s: CPU more", (ROUTED, GOVERNED), "open-300", CpuPerRequest, AtMost(2.0)),
    read("a year's ledger, closed loop: CPU in all", "µs", "closed-1k", CpuPerRequest, times(GROWN, GOVERNED, 1.1)),
    read("a year's ledger, 300/s: CPU in all", "µs", "open-300", CpuPerRequest, times(GROWN, GOVERNED, 1.1)),
    read("64 KB prompts, closed loop: CPU per request", "µs", "closed-64k", CpuPerRequest, of_yardstick(1.5)),
    read("64 KB prompts, closed loop: throughput", "req/s", "closed-64k", PerSecond, None),
    read("to Anthropic, closed loop: CPU per request", "µs", "closed-1k-translated", CpuPerRequest, Some(OfOwn("closed loop: CPU per request", 2.0))),
    read("50 streams, 20 ms apart: CPU per chunk", "µs", "paced", CpuPerChunk, of_yardstick(1.3)),
    read("50 streams: first chunk added p50", "µs", "paced", Added(50), Some(AtMost(200.0))),
    read("50 streams: first chunk added p99", "µs", "paced", Added(99), None),
    read("50 streams to Anthropic: CPU per chunk", "µs", "paced-translated", CpuPerChunk, Some(OfOwn("50 streams, 20 ms apart: CPU per chunk", 1.5))),
    read("unpaced streams: CPU per chunk", "µs", "unpaced", CpuPerChunk, of_yardstick(3.0)),
    read("unpaced streams to Anthropic: CPU per chunk", "µs", "unpaced-translated", CpuPerChunk, None),
    look("memory, idle", "MiB", IdleMib, Some(AtMost(25.0))),
    look("memory, after load", "MiB", LoadedMib, None),
    look("memory per open stream (1,000 open)", "KiB", StreamKib, Some(AtMost(64.0))),
    look("start to first answer", "ms", StartMs, Some(AtMost(100.0))),
];

impl Figure {
    /// Whose value has to reach the target.
    pub(super) fn subject(&self) -> &'static str {
        match (self.source, self.target) {
            (Source::More(more, ..), _) => more.who,
            (_, Some(Target::Times { who, .. })) => who,
            _ => SUBJECT,
        }
    }
}

impl Reading {
    /// The value of a sample; `None` where it has none (no proxy, no direct sample, no request).
    pub(super) fn of(self, sample: &Sample, direct: Option<&Sample>, chunks: u32) -> Option<f64> {
        let cpu_us = sample.cpu.as_secs_f64() * 1e6;
        let requests = (sample.requests != 0).then_some(sample.requests as f64)?;
        match self {
            Self::PerSecond => Some(requests / sample.wall.as_secs_f64()),
            Self::CpuPerRequest => (!sample.cpu.is_zero()).then_some(cpu_us / sample.cpu_requests as f64),
            Self::CpuPerChunk => (!sample.cpu.is_zero()).then_some(cpu_us / sample.cpu_requests as f64 / f64::from(chunks)),
            Self::Percentile(percent) => Some(sample.percentile_ns(percent)? as f64 / 1e3),
            Self::Added(percent) => Some((sample.percentile_ns(percent)? as f64 - direct?.percentile_ns(percent)? as f64) / 1e3),
        }
    }
}
