//! The end of an answer that nobody takes. The deadline of an exchange stands in its body, and a body whose caller takes nothing is
//! never looked at again: so who serves the exchange looks at the clock too, and drops it. That cancels the provider's stream and
//! writes the record.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::patience::Lazy;
use crate::clock;

/// After its deadline an exchange may take this long to tell its caller so.
const GRACE: Duration = Duration::from_secs(1);
/// How long an answer without a deadline, such as a refusal, waits to be taken.
const UNTAKEN_MAX: Duration = Duration::from_secs(60);

/// The exchanges that are going on over a connection.
#[derive(Clone, Default)]
pub(super) struct Exchanges(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: AtomicU32,
    latest: Mutex<Option<Due>>,
}

/// An exchange that is going on, from the end of its head to the end of its answer.
pub(super) struct Going {
    exchanges: Exchanges,
    due: Due,
}

/// When an exchange must be over; unknown until its answer has begun, since until then it is looked at.
#[derive(Clone, Default)]
pub(super) struct Due(Arc<OnceLock<Instant>>);

impl Exchanges {
    /// An exchange begins.
    pub(super) fn begin(&self) -> Going {
        let due = Due::default();
        self.0.open.fetch_add(1, Ordering::Relaxed);
        *self.latest() = Some(due.clone());
        Going {
            exchanges: self.clone(),
            due,
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > 0
    }

    /// Hands the deadline of the exchange that began last to whoever drives that exchange alone: the task of an HTTP/2 stream.
    pub(super) fn take_latest(&self) -> Option<Due> {
        self.latest().take()
    }

    /// When the connection must be over: an HTTP/1.1 connection has one exchange at a time.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.any() {
            self.latest().as_ref().and_then(Due::get)
        } else {
            None
        }
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, Option<Due>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Going {
    /// The answer has begun, and must be over by then.
    pub(super) fn answered(&self, deadline: Option<Instant>) {
        let due = deadline.map_or_else(|| clock::instant() + UNTAKEN_MAX, |deadline| deadline + GRACE);
        // It begins once.
        let _ = self.due.0.set(due);
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.exchanges.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Due {
    pub(super) fn get(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// Does the work until it is done or overdue (`None`). Work that never waits for its caller makes no timer operation.
pub(super) async fn within<W: Future>(due: impl Fn() -> Option<Instant>, work: W) -> Option<W::Output> {
    let mut work = pin!(work);
    let mut timer = Lazy::default();
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        match due() {
            Some(due) if timer.poll_passed(due, cx) => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn f11_a_connection_is_bound_by_the_exchange_that_is_going_on_and_by_no_older_one() {
        let exchanges = Exchanges::default();
        let now = clock::instant();
        let first = exchanges.begin();
        assert_eq!(exchanges.due(), None, "until its answer begins, an exchange is looked at");
        first.answered(Some(now));
        assert_eq!(exchanges.due(), Some(now + GRACE));
        drop(first);
        assert_eq!(
            exchanges.due(),
            None,
            "a kept connection may rest beyond the deadline of its last exchange"
        );
        let second = exchanges.begin();
        assert_eq!(exchanges.due(), None);
        second.answered(None);
        assert!(now + UNTAKEN_MAX <= exchanges.due().unwrap());
        let own = exchanges.take_latest().unwrap();
        assert_eq!(exchanges.due(), None, "an HTTP/2 stream's deadline is not its connection's");
        assert!(own.get().is_some());
        assert!(exchanges.take_latest().is_none());
    }
}
