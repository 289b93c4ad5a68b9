//! Hedging: when an answer does not begin in time, the next deployment of the plan is asked as well, and the first to begin answers. When
//! that is, and how much it may cost. Pure: `now` is an argument.

use std::time::{Duration, Instant};

use crate::health::Breaker;

/// No hedge is sent earlier: what is quicker than this needs none.
pub const AFTER_MIN: Duration = Duration::from_millis(1);
/// A share of one, in the unit of [`Purse`].
const WHOLE: u64 = 10_000;
const MINUTES: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// When the second deployment is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// So long after the first.
    Time(Duration),
    /// When so many of a hundred of the first one's answers lately had begun.
    Percentile(u8),
}

impl After {
    /// The wait before the hedge of a call; `None`: too little is known of the deployment.
    #[must_use]
    pub fn wait(self, of: &Breaker, streamed: bool) -> Option<Duration> {
        match self {
            Self::Time(time) => Some(time),
            Self::Percentile(percent) => of.percentile(percent, streamed).map(|time| time.max(AFTER_MIN)),
        }
    }
}

/// What hedges may cost beside the calls that they are for: a share of what those cost over the last ten minutes. Never more: what was
/// not spent on calls yet cannot be spent on hedges.
#[derive(Debug, Clone)]
pub struct Purse {
    /// In ten-thousandths.
    share: u32,
    minutes: [Minute; MINUTES],
    /// The minute that is counted in, and when it began.
    present: Option<(usize, Instant)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    calls: u64,
    hedges: u64,
}

impl Purse {
    /// One that gives that share, in ten-thousandths, of what calls cost.
    #[must_use]
    pub fn new(share: u32) -> Self {
        Self {
            share,
            minutes: [Minute::default(); MINUTES],
            present: None,
        }
    }

    /// A call was made that may cost so much.
    pub fn deposit(&mut self, now: Instant, cost: u64) {
        let minute = self.at(now);
        minute.calls = minute.calls.saturating_add(cost);
    }

    /// Takes what a hedge may cost, if it is there.
    pub fn withdraw(&mut self, now: Instant, cost: u64) -> bool {
        self.at(now);
        let sum = |of: fn(&Minute) -> u64| self.minutes.iter().map(of).fold(0, u64::saturating_add);
        let earned = u128::from(sum(|minute| minute.calls)) * u128::from(self.share) / u128::from(WHOLE);
        if earned < u128::from(sum(|minute| minute.hedges)) + u128::from(cost) {
            return false;
        }
        self.at(now).hedges += cost;
        true
    }

    fn at(&mut self, now: Instant) -> &mut Minute {
        let (mut minute, mut began) = self.present.unwrap_or((0, now));
        let mut steps = 0;
        while began + MINUTE <= now && steps < MINUTES {
            minute = (minute + 1) % MINUTES;
            began += MINUTE;
            steps += 1;
            if let Some(counts) = self.minutes.get_mut(minute) {
                *counts = Minute::default();
            }
        }
        if steps == MINUTES {
            began = now;
        }
        self.present = Some((minute, began));
        #[expect(clippy::indexing_slicing, reason = "a remainder by the length")]
        &mut self.minutes[minute]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
    use super::*;
    use crate::health::{SAMPLES_MIN, Settings};

    #[test]
    fn hedges_cost_no_more_than_their_share_in_any_case() {
        for (share, cost, expected) in [(500, 1, 50), (500, 10, 5), (10_000, 1, 1_000), (0, 1, 0), (500, 51, 0)] {
            let (now, mut purse, mut hedged) = (Instant::now(), Purse::new(share), 0);
            for _ in 0..1_000 {
                purse.deposit(now, 1);
                hedged += u32::from(purse.withdraw(now, cost));
            }
            assert_eq!(hedged, expected, "{share} of 10,000 at {cost} each");
        }
    }

    #[test]
    fn what_was_earned_is_forgotten_after_ten_minutes() {
        let (start, mut purse) = (Instant::now(), Purse::new(10_000));
        purse.deposit(start, 10);
        assert!(purse.withdraw(start + Duration::from_secs(599), 1));
        assert!(!purse.withdraw(start + Duration::from_secs(600), 1));
        purse.deposit(start + Duration::from_secs(100_000), 1);
        assert!(purse.withdraw(start + Duration::from_secs(100_000), 1));
    }

    #[test]
    fn a_free_hedge_needs_no_money() {
        assert!(Purse::new(0).withdraw(Instant::now(), 0));
    }

    #[test]
    fn a_percentile_needs_something_to_be_known_and_counts_streams_by_themselves() {
        let (now, mut breaker) = (Instant::now(), Breaker::default());
        let p95 = After::Percentile(95);
        assert_eq!(p95.wait(&breaker, true), None);
        for _ in 0..SAMPLES_MIN {
            breaker.began(now, &Settings::USUAL, (Duration::from_millis(6), true));
        }
        assert_eq!(p95.wait(&breaker, true), Some(Duration::from_millis(7)));
        assert_eq!(p95.wait(&breaker, false), None);
        assert_eq!(
            After::Time(Duration::from_millis(800)).wait(&breaker, false),
            Some(Duration::from_millis(800))
        );
    }
}
