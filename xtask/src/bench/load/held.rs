//! Held streams: opens many, waits until each has begun, looks, and leaves. For memory only; nothing is timed.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

use super::lane::{Call, Lane};

/// Streams being opened at once: a thousand connections at the same moment would measure the listen queue.
const OPENING_MAX: usize = 50;
/// Time between the last stream's first chunk and the look.
const SETTLE: Duration = Duration::from_millis(500);

/// Opens `count` streams, calls `look` while all are open, and leaves without reading to their end.
pub(in crate::bench) async fn run<T>(call: &Call, count: usize, look: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let mut drivers = JoinSet::new();
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        let mut opening = JoinSet::new();
        for _ in 0..OPENING_MAX.min(count - held.len()) {
            let mut lane = Lane::open(call.address, &mut drivers).await?;
            let call = call.clone();
            opening.spawn(async move {
                let begun = lane.begin(&call).await?;
                Ok::<_, String>((lane, begun))
            });
        }
        while let Some(opened) = opening.join_next().await {
            held.push(opened.map_err(|error| format!("a worker of the load generator ended: {error}"))??);
        }
    }
    sleep(SETTLE).await;
    look()
}
