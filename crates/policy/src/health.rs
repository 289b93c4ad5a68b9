//! The breaker of one deployment: closed, open, half-open. `now` is an argument. After some failures in a row it opens for a
//! while that doubles with each failed probe (linkerd's failure accrual); when that is over, one request may try.

use std::time::{Duration, Instant};

/// Failures in a row that open a breaker.
pub const FAILURES_MAX: u32 = 5;
/// How long it is open first.
pub const OPEN_FOR_MIN: Duration = Duration::from_secs(1);
/// How long it is open at most.
pub const OPEN_FOR_MAX: Duration = Duration::from_secs(60);
/// A probe that never reported is given up after this time, and another may try.
pub const PROBE_MAX: Duration = Duration::from_secs(60);

/// Whether a deployment may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Closed,
    /// It may, once, to see whether it is well again.
    Probe,
    /// It may not, for this long.
    Open(Duration),
}

/// The breaker of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    open: Option<Opened>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    until: Instant,
    length: Duration,
    probe_since: Option<Instant>,
}

impl Breaker {
    /// Asks to call. A `Probe` must be followed by `success` or `failure`.
    pub fn ask(&mut self, now: Instant) -> Gate {
        let Some(open) = &mut self.open else { return Gate::Closed };
        if now < open.until {
            return Gate::Open(open.until.duration_since(now));
        }
        match open.probe_since {
            Some(since) if now.duration_since(since) < PROBE_MAX => Gate::Open(OPEN_FOR_MIN),
            _ => {
                open.probe_since = Some(now);
                Gate::Probe
            }
        }
    }

    /// Whether it would let a call through now; changes nothing.
    #[must_use]
    pub fn would_admit(&self, now: Instant) -> bool {
        self.open
            .is_none_or(|open| now >= open.until && open.probe_since.is_none_or(|since| now.duration_since(since) >= PROBE_MAX))
    }

    /// A call ended without saying anything about the deployment (its caller left, or was at fault): another may probe.
    pub fn abandon(&mut self) {
        if let Some(open) = &mut self.open {
            open.probe_since = None;
        }
    }

    /// A call went well.
    pub fn success(&mut self) {
        *self = Self::default();
    }

    /// A call failed in a way that speaks against the deployment. True when this opened the breaker.
    pub fn failure(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let length = match self.open {
            // Calls that began before it opened say nothing new.
            Some(open) if open.probe_since.is_none() => return false,
            Some(open) => (open.length * 2).min(OPEN_FOR_MAX),
            None if self.failures < FAILURES_MAX => return false,
            None => OPEN_FOR_MIN,
        };
        self.open = Some(Opened {
            until: now + length,
            length,
            probe_since: None,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
    use super::*;

    #[test]
    fn f24_opens_after_five_failures_and_lets_one_probe_through() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.failure(at(0)));
            assert_eq!(breaker.ask(at(0)), Gate::Closed);
        }
        assert!(breaker.failure(at(0)));
        assert_eq!(breaker.ask(at(400)), Gate::Open(Duration::from_millis(600)));
        assert!(!breaker.failure(at(500)), "a late failure of an earlier call changes nothing");
        assert!(breaker.would_admit(at(1000)));
        assert_eq!(breaker.ask(at(1000)), Gate::Probe);
        assert!(!breaker.would_admit(at(1001)), "one probe at a time");
        assert!(matches!(breaker.ask(at(1001)), Gate::Open(_)));
        assert!(breaker.failure(at(1100)));
        assert_eq!(breaker.ask(at(1100)), Gate::Open(Duration::from_secs(2)));
        assert_eq!(breaker.ask(at(3100)), Gate::Probe);
        breaker.success();
        assert_eq!(breaker.ask(at(3101)), Gate::Closed);
    }

    #[test]
    fn a_success_forgets_earlier_failures() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            for _ in 0..4 {
                breaker.failure(now);
            }
            breaker.success();
        }
        assert_eq!(breaker.ask(now), Gate::Closed);
    }

    #[test]
    fn a_probe_that_never_reported_is_given_up() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failure(start);
        }
        let later = start + OPEN_FOR_MIN;
        assert_eq!(breaker.ask(later), Gate::Probe);
        assert!(matches!(breaker.ask(later + Duration::from_secs(59)), Gate::Open(_)));
        assert_eq!(breaker.ask(later + PROBE_MAX), Gate::Probe);
    }

    #[test]
    fn an_abandoned_probe_leaves_the_way_to_the_next() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failure(start);
        }
        let later = start + OPEN_FOR_MIN;
        assert_eq!(breaker.ask(later), Gate::Probe);
        breaker.abandon();
        assert_eq!(breaker.ask(later), Gate::Probe);
        breaker.success();
        breaker.abandon();
        assert_eq!(breaker.ask(later), Gate::Closed);
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failure(now);
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(breaker.ask(now), Gate::Open(Duration::from_secs(expected)));
            now += Duration::from_secs(expected);
            assert_eq!(breaker.ask(now), Gate::Probe);
            breaker.failure(now);
        }
    }
}
