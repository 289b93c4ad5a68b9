//! The load generator: what is sent, over which connections, and what was seen. One thread, HTTP/1.1 with keep-alive on hyper's own
//! client connections. An answer that is not a complete 200 fails the whole sample: a measure with errors in it is not a measure. It
//! knows nothing of proxies: the processor time of the one under test comes in as a closure.

pub(super) mod closed;
pub(super) mod held;
pub(super) mod lane;
pub(super) mod open;
mod pacer;
pub(super) mod streams;

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

use self::lane::{Call, Lane};

/// Processor time that the proxy under test has used since it started; zero when there is none.
pub(super) type Cpu<'a> = &'a (dyn Fn() -> Result<Duration, String> + 'a);

/// What a proxy puts off is paid for too: after a load its time is read when it has used next to none for a while.
#[derive(Clone, Copy)]
pub(super) struct Calm {
    /// How long it may rest before it goes on; zero: it puts nothing off.
    pub(super) rests: Duration,
}

/// Less than this in one rest is nothing: a process that only keeps its clocks.
const CALM_UNDER: Duration = Duration::from_millis(3);
const RESTS_MAX: u32 = 8;

impl Calm {
    /// Processor time once the proxy has calmed down.
    async fn cpu(self, cpu: Cpu<'_>) -> Result<Duration, String> {
        let mut used = cpu()?;
        for _ in 0..RESTS_MAX {
            if self.rests.is_zero() {
                break;
            }
            sleep(self.rests).await;
            let before = std::mem::replace(&mut used, cpu()?);
            if used.saturating_sub(before) < CALM_UNDER {
                break;
            }
        }
        Ok(used)
    }
}

/// What one load on one contender gave.
#[derive(Debug)]
pub(super) struct Sample {
    /// Requests finished inside the measured window.
    pub(super) requests: u64,
    pub(super) wall: Duration,
    /// Processor time of the proxy for these requests, with what it put off.
    pub(super) cpu: Duration,
    pub(super) cpu_requests: u64,
    /// Nanoseconds, ascending: to the last byte for whole answers, to the first byte of the body for streams; from the moment the request
    /// was meant to leave.
    pub(super) times_ns: Vec<u64>,
}

impl Sample {
    /// The time below which so many per cent of the requests lie (nearest rank); `None` without requests.
    pub(super) fn percentile_ns(&self, percent: usize) -> Option<u64> {
        let rank = (self.times_ns.len() * percent).div_ceil(100).max(1);
        self.times_ns.get(rank - 1).copied()
    }
}

/// Opens so many connections and sends one request over each, so that nothing inside the window is a first time.
async fn lanes(call: &Call, count: usize, drivers: &mut JoinSet<()>) -> Result<Vec<Lane>, String> {
    let mut lanes = Vec::with_capacity(count);
    for _ in 0..count {
        let mut lane = Lane::open(call.address, drivers).await?;
        lane.send(call).await?;
        lanes.push(lane);
    }
    Ok(lanes)
}

/// Waits for every worker and puts its times together, ascending.
async fn join(workers: &mut JoinSet<Result<Vec<u64>, String>>) -> Result<Vec<u64>, String> {
    let mut times_ns = Vec::new();
    while let Some(done) = workers.join_next().await {
        times_ns.append(&mut done.map_err(|error| format!("a worker of the load generator ended: {error}"))??);
    }
    times_ns.sort_unstable();
    Ok(times_ns)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
