//! Closed loop: every connection sends its next request when the last answer is complete. It shows what a proxy costs when it is
//! saturated; its times say how long the queue is, not what a proxy adds (that is `open`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{Cpu, Sample, join, lane::Call, lanes, nanoseconds};

/// Requests timed per connection; more are sent but end the window's memory there.
const TIMES_PER_LANE_MAX: usize = 1 << 18;

const WARM: u8 = 0;
const MEASURED: u8 = 1;
const OVER: u8 = 2;

/// How long a closed loop runs, and how wide.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Closed {
    pub(in crate::bench) connections: usize,
    pub(in crate::bench) warm: Duration,
    pub(in crate::bench) measured: Duration,
}

/// Runs it; what finished inside the measured window counts.
pub(in crate::bench) async fn run(call: &Call, shape: Closed, cpu: Cpu<'_>) -> Result<Sample, String> {
    let mut drivers = JoinSet::new();
    let phase = Arc::new(AtomicU8::new(WARM));
    let mut workers = JoinSet::new();
    for mut lane in lanes(call, shape.connections, &mut drivers).await? {
        let (call, phase) = (call.clone(), Arc::clone(&phase));
        workers.spawn(async move {
            let mut times_ns = Vec::new();
            while phase.load(Ordering::Relaxed) != OVER && times_ns.len() < TIMES_PER_LANE_MAX {
                let sent = Instant::now();
                lane.send(&call).await?;
                if phase.load(Ordering::Relaxed) == MEASURED {
                    times_ns.push(nanoseconds(sent.elapsed()));
                }
            }
            Ok(times_ns)
        });
    }
    sleep(shape.warm).await;
    let (cpu_before, start) = (cpu()?, Instant::now());
    phase.store(MEASURED, Ordering::Relaxed);
    sleep(shape.measured).await;
    phase.store(OVER, Ordering::Relaxed);
    let (cpu_after, wall) = (cpu()?, start.elapsed());
    let times_ns = join(&mut workers).await?;
    Ok(Sample {
        requests: times_ns.len() as u64,
        wall,
        cpu: cpu_after.saturating_sub(cpu_before),
        times_ns,
    })
}
