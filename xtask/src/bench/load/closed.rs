//! Closed loop: every connection sends its next request when the last answer is complete. It shows what a proxy costs when it is
//! saturated; its times say how long the queue is, not what a proxy adds (that is `open`). Times are those of a window; processor time is
//! that of the whole load, so that what a proxy writes behind its answers belongs to the same requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{Calm, Cpu, Sample, join, lane::Call, lanes, nanoseconds};

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
    pub(in crate::bench) calm: Calm,
}

/// Runs it; what finished inside the measured window counts.
pub(in crate::bench) async fn run(call: &Call, shape: Closed, cpu: Cpu<'_>) -> Result<Sample, String> {
    let mut drivers = JoinSet::new();
    let phase = Arc::new(AtomicU8::new(WARM));
    let all = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let lanes = lanes(call, shape.connections, &mut drivers).await?;
    let cpu_before = shape.calm.cpu(cpu).await?;
    for mut lane in lanes {
        let (call, phase, all) = (call.clone(), Arc::clone(&phase), Arc::clone(&all));
        workers.spawn(async move {
            let (mut times_ns, mut sent_in_all) = (Vec::new(), 0_u64);
            while phase.load(Ordering::Relaxed) != OVER && times_ns.len() < TIMES_PER_LANE_MAX {
                let sent = Instant::now();
                lane.send(&call).await?;
                sent_in_all += 1;
                if phase.load(Ordering::Relaxed) == MEASURED {
                    times_ns.push(nanoseconds(sent.elapsed()));
                }
            }
            all.fetch_add(sent_in_all, Ordering::Relaxed);
            Ok(times_ns)
        });
    }
    sleep(shape.warm).await;
    let start = Instant::now();
    phase.store(MEASURED, Ordering::Relaxed);
    sleep(shape.measured).await;
    phase.store(OVER, Ordering::Relaxed);
    let wall = start.elapsed();
    let times_ns = join(&mut workers).await?;
    let cpu_after = shape.calm.cpu(cpu).await?;
    Ok(Sample {
        requests: times_ns.len() as u64,
        wall,
        cpu: cpu_after.saturating_sub(cpu_before),
        cpu_requests: all.load(Ordering::Relaxed),
        times_ns,
    })
}
