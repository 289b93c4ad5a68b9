//! A timer that is nearly never touched: deadlines move with every chunk, the runtime's timer does not.
//!
//! It is armed once for some moment that is not later than the deadline; when it fires early, it is armed again for what
//! the deadline has become meanwhile. A connection keeps its watch over many exchanges, so in the steady state an
//! exchange makes no timer operation at all.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

/// One lazily armed timer.
pub(super) struct Watch {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
}

impl Watch {
    pub(super) fn new(deadline: Instant) -> Watch {
        Watch {
            sleep: Box::pin(sleep_until(deadline)),
            armed: deadline,
        }
    }

    /// Whether `deadline` has passed; if not, the task is woken when it has.
    pub(super) fn poll_passed(&mut self, deadline: Instant, cx: &mut Context<'_>) -> bool {
        if deadline < self.armed {
            self.arm(deadline);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return true;
            }
            self.arm(deadline);
        }
        false
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.sleep.as_mut().reset(at);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    async fn wait(watch: &mut Watch, deadline: Instant) {
        poll_fn(|cx| {
            if watch.poll_passed(deadline, cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_follows_a_deadline_that_moves_either_way() {
        let start = Instant::now();
        let mut watch = Watch::new(start + Duration::from_secs(10));
        for seconds in [3, 40, 41, 60] {
            let deadline = start + Duration::from_secs(seconds);
            wait(&mut watch, deadline).await;
            let late = Instant::now() - deadline;
            assert!(late < Duration::from_millis(5), "{seconds}: {late:?}");
        }
    }
}
