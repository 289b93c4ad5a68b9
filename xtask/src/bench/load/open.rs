//! Open loop: requests leave on a fixed schedule, whether or not earlier ones have been answered, and are timed from the moment they
//! were *meant* to leave. A proxy that stalls is charged for every request that had to wait (no coordinated omission).

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Calm, Cpu, Sample, join, lane::Call, lanes, nanoseconds, pacer::Pacer};

/// Time between the last connection made and the first request meant to leave.
const LEAD: Duration = Duration::from_millis(20);

/// How often, how many, and over how many connections: the schedule goes round them, so each has this many periods for an answer before
/// its next request is late (and charged for it).
#[derive(Clone, Copy)]
pub(in crate::bench) struct Open {
    pub(in crate::bench) connections: usize,
    pub(in crate::bench) period: Duration,
    pub(in crate::bench) requests: u32,
    pub(in crate::bench) calm: Calm,
}

/// Runs the whole schedule; every request counts.
pub(in crate::bench) async fn run(call: &Call, shape: Open, cpu: Cpu<'_>) -> Result<Sample, String> {
    let mut drivers = JoinSet::new();
    let mut workers = JoinSet::new();
    let lanes = lanes(call, shape.connections, &mut drivers).await?;
    let (cpu_before, start) = (shape.calm.cpu(cpu).await?, Instant::now() + LEAD);
    for (first, mut lane) in (0_u32..).zip(lanes) {
        let call = call.clone();
        workers.spawn(async move {
            let mut pacer = Pacer::new()?;
            let mut times_ns = Vec::new();
            for slot in (first..shape.requests).step_by(shape.connections) {
                let due = start + shape.period * slot;
                pacer.until(due).await?;
                lane.send(&call).await?;
                times_ns.push(nanoseconds(due.elapsed()));
            }
            Ok(times_ns)
        });
    }
    let times_ns = join(&mut workers).await?;
    let wall = start.elapsed();
    let cpu_after = shape.calm.cpu(cpu).await?;
    Ok(Sample {
        requests: times_ns.len() as u64,
        wall,
        cpu: cpu_after.saturating_sub(cpu_before),
        cpu_requests: times_ns.len() as u64,
        times_ns,
    })
}
