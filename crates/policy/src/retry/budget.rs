//! A bound on what one provider is asked again: of the calls of the last ten seconds a tenth, and three a second (Finagle's retry budget;
//! FAULTS R-G3, L5). A provider that is down is not kept down by those who try again. `now` is an argument.

use std::time::{Duration, Instant};

/// Of so many calls one may be made again.
const CALLS_PER_RETRY: u64 = 10;
/// However few calls there are.
const RETRIES_PER_SECOND: u64 = 3;
const WINDOW_SECONDS: u64 = 10;
const SECONDS: usize = WINDOW_SECONDS as usize;
/// Fewer failures in the window are no trouble.
const TROUBLE_MIN: u64 = 5;

/// What was asked of one provider in the last ten seconds.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    seconds: [Second; SECONDS],
    /// The second that is counted in, and when it began.
    present: Option<(usize, Instant)>,
    /// Of all calls so far those that are among the counts.
    seen: u64,
    looked: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    calls: u64,
    failed: u64,
    again: u64,
}

impl Budget {
    /// Takes leave to ask the provider once more for a request that it has been asked for, or that failed elsewhere while this provider is
    /// in trouble itself. `calls`: all first calls since the start, which nobody need report one by one.
    pub fn withdraw(&mut self, now: Instant, calls: u64) -> bool {
        self.catch_up(now, calls);
        let sum = self.sum();
        if sum.again >= sum.calls / CALLS_PER_RETRY + RETRIES_PER_SECOND * WINDOW_SECONDS {
            return false;
        }
        self.count(|second| second.again += 1);
        true
    }

    /// A call failed in a way that speaks against the provider.
    pub fn failed(&mut self, now: Instant, calls: u64) {
        self.catch_up(now, calls);
        self.count(|second| second.failed += 1);
    }

    /// Half of its calls fail: whoever falls back on it adds to its trouble.
    pub fn in_trouble(&mut self, now: Instant, calls: u64) -> bool {
        self.catch_up(now, calls);
        let sum = self.sum();
        TROUBLE_MIN <= sum.failed && sum.calls + sum.again <= sum.failed * 2
    }

    /// Moves on to the present second, and takes in the calls since it was looked at last: of a longer time only as many as came in
    /// ten seconds of it.
    fn catch_up(&mut self, now: Instant, calls: u64) {
        let (mut second, mut began) = self.present.unwrap_or((0, now));
        let over = now.saturating_duration_since(began).as_secs();
        for _ in 0..over.min(WINDOW_SECONDS) {
            second = (second + 1) % SECONDS;
            if let Some(counts) = self.seconds.get_mut(second) {
                *counts = Second::default();
            }
        }
        began += Duration::from_secs(over);
        self.present = Some((second, began));
        let news = calls.saturating_sub(self.seen);
        self.seen = calls.max(self.seen);
        let since = self.looked.map_or(0, |looked| now.saturating_duration_since(looked).as_secs());
        self.looked = Some(now);
        let lately = if since <= WINDOW_SECONDS {
            news
        } else {
            news * WINDOW_SECONDS / since
        };
        self.count(|second| second.calls += lately);
    }

    fn count(&mut self, change: impl FnOnce(&mut Second)) {
        let at = self.present.map_or(0, |(second, _)| second);
        if let Some(second) = self.seconds.get_mut(at) {
            change(second);
        }
    }

    fn sum(&self) -> Second {
        self.seconds.iter().fold(Second::default(), |sum, second| Second {
            calls: sum.calls + second.calls,
            failed: sum.failed + second.failed,
            again: sum.again + second.again,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
    use super::*;

    /// Seconds, with so many calls in each, that all fail and would all be made again twice.
    fn storm(per_second: u64, seconds: u64) -> (u64, u64) {
        let (start, mut budget, mut offered, mut again) = (Instant::now(), Budget::default(), 0, 0);
        for second in 0..seconds {
            for call in 0..per_second {
                let now = start + Duration::from_secs(second) + Duration::from_micros(call * 1_000_000 / per_second);
                offered += 1;
                budget.failed(now, offered);
                again += (0..2).filter(|_| budget.withdraw(now, offered)).count() as u64;
            }
        }
        (offered, again)
    }

    #[test]
    fn l5_a_provider_that_is_down_sees_a_tenth_and_three_a_second_more() {
        for (per_second, seconds) in [(1, 60), (10, 60), (500, 60), (500, 10)] {
            let (offered, again) = storm(per_second, seconds);
            let allowed = offered / 10 + 3 * seconds;
            assert!(again <= allowed, "{again} of {allowed} at {per_second}/s over {seconds} s");
            assert!(allowed.min(2 * offered) * 8 / 10 <= again, "{again} of {allowed}: it is no use");
        }
    }

    #[test]
    fn a_few_failures_of_a_quiet_provider_may_all_be_tried_again() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        assert_eq!((0..100).filter(|_| budget.withdraw(now, 0)).count(), 30);
        assert!(!budget.withdraw(now + Duration::from_secs(9), 0));
        assert!(budget.withdraw(now + Duration::from_secs(10), 0));
    }

    #[test]
    fn a_long_quiet_time_saves_nothing_up() {
        let (start, mut budget) = (Instant::now(), Budget::default());
        budget.failed(start, 0);
        // A million calls in 10,000 s are a thousand in ten.
        let now = start + Duration::from_secs(10_000);
        assert_eq!((0..100_000).filter(|_| budget.withdraw(now, 1_000_000)).count(), 130);
    }

    #[test]
    fn trouble_is_when_half_of_the_calls_fail() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        for (calls, failed, expected) in [(4, 4, false), (5, 5, true), (10, 5, true), (11, 5, false), (11, 6, true)] {
            budget = Budget::default();
            (0..failed).for_each(|_| budget.failed(now, calls));
            assert_eq!(budget.in_trouble(now, calls), expected, "{failed} of {calls}");
        }
        assert!(!budget.in_trouble(now + Duration::from_secs(10), 11), "it is over");
    }
}
