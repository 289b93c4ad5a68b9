//! Waits for a moment to within tens of microseconds. Tokio's own timers count milliseconds, which is ten times what a proxy adds.

use std::{
    os::fd::{AsFd, AsRawFd, RawFd},
    time::Instant,
};

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

/// A kernel timer that wakes the runtime through its poller.
pub(super) struct Pacer {
    timer: AsyncFd<Timer>,
}

/// The poller asks for the older of the two descriptor traits; nix implements the newer.
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Pacer {
    #[expect(
        deprecated,
        reason = "its successor is an unsafe fn; what that asks for holds here: the timer is owned and never replaced"
    )]
    pub(super) fn new() -> Result<Self, String> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(|error| format!("no kernel timer: {error}"))?;
        let timer = AsyncFd::with_interest(Timer(timer), Interest::READABLE).map_err(|error| format!("no kernel timer: {error}"))?;
        Ok(Self { timer })
    }

    /// Returns at `moment`, or at once when it has passed.
    pub(super) async fn until(&mut self, moment: Instant) -> Result<(), String> {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let expiration = Expiration::OneShot(TimeSpec::from_duration(left));
        self.timer
            .get_ref()
            .0
            .set(expiration, TimerSetTimeFlags::empty())
            .map_err(|error| format!("cannot set a kernel timer: {error}"))?;
        loop {
            let mut ready = self
                .timer
                .readable()
                .await
                .map_err(|error| format!("cannot wait for a kernel timer: {error}"))?;
            let read = ready.try_io(|timer| Ok(timer.get_ref().0.wait()?));
            match read {
                Ok(done) => return done.map_err(|error| format!("cannot read a kernel timer: {error}")),
                Err(_would_block) => {}
            }
        }
    }
}
