//! A caller has left, and the provider bills the whole answer all the same: it is read to its end, so that what is posted is what is
//! billed (GOVERNANCE section 4). For a minute at most, and only so many at a time; what is not read is posted as it was held.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{Live, Open};
use crate::record::Outcome;

/// Answers that are read without a caller at one time, in the whole process.
const DRAINS_MAX: usize = 64;
/// How long each may take.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// Where answers are read to their end after their caller has left: tasks of one worker, with room shared by all.
#[derive(Clone)]
pub struct Drains {
    tasks: TaskTracker,
    room: Arc<Semaphore>,
}

impl Drains {
    /// Room for all workers.
    #[must_use]
    pub fn room() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(DRAINS_MAX))
    }

    /// Drains whose tasks are waited for with the worker's connections.
    #[must_use]
    pub fn new(tasks: TaskTracker, room: Arc<Semaphore>) -> Self {
        Self { tasks, room }
    }

    /// Does something more for a caller who has left; the worker waits for it.
    pub fn see_to(&self, what: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(what);
    }

    fn take(&self, mut live: Box<Live>) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return;
        };
        self.tasks.spawn(async move {
            let to_the_end = poll_fn(|cx| {
                // The bytes go nowhere; what is read beside them is the usage.
                while std::task::ready!(live.poll_bytes(cx)).is_some() {}
                std::task::Poll::Ready(())
            });
            // When the time is over, the drop settles it.
            let _ = tokio::time::timeout(DRAIN_MAX, to_the_end).await;
            drop(place);
        });
    }
}

impl Live {
    /// True while the provider still sends, and nothing went wrong.
    fn goes_on(&self) -> bool {
        !self.over && self.ending.is_some()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(mut live), Some(drains)) = (self.live.take(), &self.drains) else {
            return;
        };
        if live.goes_on() {
            if let Some(ending) = &mut live.ending {
                ending.expect(Outcome::Aborted);
            }
            drains.take(live);
        }
    }
}
