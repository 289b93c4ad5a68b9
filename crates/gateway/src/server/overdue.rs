//! The end of an answer that nobody takes. The deadline of an exchange stands in its body, and a body whose caller takes nothing is
//! never looked at again: so who serves the exchange looks at the clock too, and drops it. That cancels the provider's stream and
//! writes the record. It listens for the kill switches, too, for the same reason.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::patience::Lazy;
use crate::clock;
use crate::switchboard::{Aim, Switchboard, Watch};

/// After its deadline an exchange may take this long to tell its caller so.
const GRACE: Duration = Duration::from_secs(1);
/// After a kill switch has ended an exchange, its caller has this long to take the answer's last event.
const LAST_WORDS: Duration = Duration::from_millis(300);
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
pub(super) struct Due(Arc<Ends>);

#[derive(Default)]
struct Ends {
    answered: OnceLock<Answered>,
    /// A kill switch has ended it: when the connection must be over.
    cut: OnceLock<Instant>,
}

struct Answered {
    until: Instant,
    /// Whose it is, while a kill switch can end it.
    aim: Option<Aim>,
}

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
    pub(super) fn due(&self) -> Option<Due> {
        if self.any() { self.latest().clone() } else { None }
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, Option<Due>> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Going {
    /// The answer has begun, and must be over by then.
    pub(super) fn answered(&self, deadline: Option<Instant>, aim: Option<Aim>) {
        let until = deadline.map_or_else(|| clock::instant() + UNTAKEN_MAX, |deadline| deadline + GRACE);
        // It begins once.
        let _ = self.due.0.answered.set(Answered { until, aim });
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.exchanges.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Due {
    pub(super) fn get(&self) -> Option<Instant> {
        let until = self.0.answered.get()?.until;
        Some(self.0.cut.get().map_or(until, |cut| until.min(*cut)))
    }
}

/// Listens for a kill switch that ends the exchange of a connection.
struct Listener {
    watch: Watch,
    /// The exchange that it looked for last.
    of: Option<Due>,
}

impl Listener {
    fn new(switches: &Switchboard) -> Self {
        Self {
            watch: switches.watch(),
            of: None,
        }
    }

    fn poll(&mut self, due: Option<&Due>, cx: &mut Context<'_>) {
        let answered = due.and_then(|due| Some((due, due.0.answered.get()?.aim.as_ref()?)));
        let Some((due, aim)) = answered else { return };
        if self.of.as_ref().is_none_or(|of| !Arc::ptr_eq(&of.0, &due.0)) {
            self.of = Some(due.clone());
            self.watch.look_again();
        }
        if self.watch.poll_ended(cx, || Some(aim.subject())).is_ready() {
            // It ends once.
            let _ = due.0.cut.set(clock::instant() + LAST_WORDS);
        }
    }
}

/// Does the work until it is done or overdue (`None`), or a kill switch ends what it is done for. Work that never waits for its caller makes no timer operation.
pub(super) async fn within<W: Future>(due: impl Fn() -> Option<Due>, switches: &Switchboard, work: W) -> Option<W::Output> {
    let mut work = pin!(work);
    let mut timer = Lazy::default();
    let mut listener = Listener::new(switches);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let due = due();
        listener.poll(due.as_ref(), cx);
        match due.and_then(|due| due.get()) {
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

    fn at(exchanges: &Exchanges) -> Option<Instant> {
        exchanges.due()?.get()
    }

    #[test]
    fn f11_a_connection_is_bound_by_the_exchange_that_is_going_on_and_by_no_older_one() {
        let exchanges = Exchanges::default();
        let now = clock::instant();
        let first = exchanges.begin();
        assert_eq!(at(&exchanges), None, "until its answer begins, an exchange is looked at");
        first.answered(Some(now), None);
        assert_eq!(at(&exchanges), Some(now + GRACE));
        drop(first);
        assert_eq!(
            at(&exchanges),
            None,
            "a kept connection may rest beyond the deadline of its last exchange"
        );
        let second = exchanges.begin();
        assert_eq!(at(&exchanges), None);
        second.answered(None, None);
        assert!(now + UNTAKEN_MAX <= at(&exchanges).unwrap());
        let own = exchanges.take_latest().unwrap();
        assert_eq!(at(&exchanges), None, "an HTTP/2 stream's deadline is not its connection's");
        assert!(own.get().is_some());
        assert!(exchanges.take_latest().is_none());
    }
}
