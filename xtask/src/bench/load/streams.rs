//! Streams: every connection reads one stream after another to its end, and the time to the first byte of each body is kept.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Cpu, Sample, join, lane::Call, lanes, nanoseconds, pacer::Pacer};

const LEAD: Duration = Duration::from_millis(20);

/// How many connections, how many streams on each, and how far apart the connections start: at the same moment their chunks would come
/// in bursts, which no set of real callers does.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Streams {
    pub(in crate::bench) connections: usize,
    pub(in crate::bench) per_connection: u32,
    pub(in crate::bench) stagger: Duration,
}

/// Runs them all; every stream counts.
pub(in crate::bench) async fn run(call: &Call, warm: &Call, shape: Streams, cpu: Cpu<'_>) -> Result<Sample, String> {
    let mut drivers = JoinSet::new();
    let mut workers = JoinSet::new();
    let lanes = lanes(warm, shape.connections, &mut drivers).await?;
    let (cpu_before, start) = (cpu()?, Instant::now() + LEAD);
    for (number, mut lane) in (0_u32..).zip(lanes) {
        let call = call.clone();
        workers.spawn(async move {
            let mut pacer = Pacer::new()?;
            let mut times_ns = Vec::new();
            let mut due = start + shape.stagger * number;
            for _ in 0..shape.per_connection {
                pacer.until(due).await?;
                let first_at = lane.send(&call).await?;
                times_ns.push(nanoseconds(first_at.saturating_duration_since(due)));
                due = Instant::now();
            }
            Ok(times_ns)
        });
    }
    let times_ns = join(&mut workers).await?;
    let (cpu_after, wall) = (cpu()?, start.elapsed());
    Ok(Sample {
        requests: times_ns.len() as u64,
        wall,
        cpu: cpu_after.saturating_sub(cpu_before),
        cpu_requests: times_ns.len() as u64,
        times_ns,
    })
}
