//! How fast a body comes: fewer bytes than wanted in a window of time are too few. Only time spent waiting for the provider counts: a
//! caller who takes the answer slowly says nothing about it.

use std::time::Duration;

use tokio::time::Instant;

use super::timeouts::MinRate;

/// Watches the pace of one body.
pub(super) struct Pace {
    least: MinRate,
    bytes: u64,
    /// Waited in this window, before `since`.
    waited: Duration,
    /// Waiting since then.
    since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(least: MinRate) -> Pace {
        Pace {
            least,
            bytes: 0,
            waited: Duration::ZERO,
            since: None,
        }
    }

    /// When the present window ends if it is waited from now on.
    pub(super) fn window_ends(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        since + self.least.window.saturating_sub(self.waited)
    }

    /// Bytes came. False: the window is over, and too few came in it.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.look(now)
    }

    /// False: the window is over, and too few bytes came in it.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        if self.waited < self.least.window {
            return true;
        }
        let enough = self.least.bytes <= self.bytes;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: MinRate = MinRate {
        bytes: 100,
        window: Duration::from_secs(10),
    };

    #[test]
    fn f11_too_few_bytes_in_a_window_are_told_at_its_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (bytes, enough) in [(9, false), (10, true), (11, true)] {
            let mut pace = Pace::new(LEAST);
            let came = (0..10).map(|second| {
                assert!(pace.window_ends(at(second)) <= at(10));
                pace.came(bytes, at(second + 1))
            });
            assert_eq!(came.last(), Some(enough), "{bytes} a second");
        }
    }

    #[test]
    fn a_caller_who_takes_slowly_says_nothing_about_the_provider() {
        let start = Instant::now();
        let mut pace = Pace::new(LEAST);
        // Each piece was there when it was asked for.
        for minute in 0..60 {
            let now = start + Duration::from_secs(60 * minute);
            assert!(pace.came(1, now));
        }
        pace.window_ends(start);
        assert!(!pace.look(start + Duration::from_secs(10)));
    }
}
