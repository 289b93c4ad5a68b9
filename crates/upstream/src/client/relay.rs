//! One waker for a connection's whole life, passing wake-ups on to whichever task is using the connection now.
//!
//! A connection is driven by the task that awaits its answer, not by a task of its own. hyper's two halves wake each
//! other while both are polled right here: without the relay each such wake would schedule the whole exchange once more
//! for nothing. While attended, wakes are noted; only those still standing when the task goes to rest are passed on.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Its task is polling the connection right now.
const ATTENDED: u8 = 1;
/// Someone called since the connection was last driven.
const WOKEN: u8 = 2;

/// The waker that everything inside a connection registers.
#[derive(Default)]
pub(super) struct Relay {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
}

impl Relay {
    /// The task behind `waker` begins to poll the connection.
    pub(super) fn attend(&self, waker: &Waker) {
        self.state.store(ATTENDED, Ordering::SeqCst);
        let mut task = self.task();
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    /// What was called until now is about to be looked at.
    pub(super) fn look(&self) {
        self.state.store(ATTENDED, Ordering::SeqCst);
    }

    /// The task has what it wanted and will poll again when it wants more.
    pub(super) fn leave(&self) {
        self.state.store(0, Ordering::SeqCst);
    }

    /// The task waits: wake it for what is called from now on, and for what was called since [`Relay::look`].
    pub(super) fn rest(&self) {
        if self.state.swap(0, Ordering::SeqCst) & WOKEN != 0 {
            self.pass_on();
        }
    }

    /// The connection is idle: nobody is to be woken, and no finished task to be kept in memory.
    pub(super) fn forget(&self) {
        *self.task() = None;
    }

    fn pass_on(&self) {
        if let Some(task) = &*self.task() {
            task.wake_by_ref();
        }
    }

    fn task(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Relay>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Relay>) {
        if self.state.fetch_or(WOKEN, Ordering::SeqCst) & ATTENDED == 0 {
            self.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Task>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_reaches_the_task_only_when_it_rests() {
        let relay = Arc::new(Relay::default());
        let inside = Waker::from(Arc::clone(&relay));
        let task = Arc::new(Task::default());
        let outside = Waker::from(Arc::clone(&task));
        let wakes = || task.0.load(Ordering::SeqCst);

        inside.wake_by_ref();
        assert_eq!(wakes(), 0, "nobody there yet");

        relay.attend(&outside);
        inside.wake_by_ref();
        relay.look();
        relay.rest();
        assert_eq!(wakes(), 0, "called before it was looked at");

        relay.attend(&outside);
        relay.look();
        inside.wake_by_ref();
        relay.rest();
        assert_eq!(wakes(), 1, "called after it was looked at");

        inside.wake_by_ref();
        assert_eq!(wakes(), 2, "called while it rests");

        relay.attend(&outside);
        inside.wake_by_ref();
        relay.leave();
        assert_eq!(wakes(), 2, "it left with what it wanted");

        relay.forget();
        inside.wake_by_ref();
        assert_eq!(wakes(), 2, "idle");
        drop(outside);
        assert_eq!(Arc::strong_count(&task), 1, "no task is kept");
    }
}
