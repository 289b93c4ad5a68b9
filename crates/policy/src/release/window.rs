//! What happened at a target over the last ten minutes: a ring of buckets, the oldest counted whole.

use super::Figures;
use super::digest::Digest;

/// Buckets of the ring.
const BUCKETS: usize = 20;
/// The time of one bucket, in milliseconds: ten minutes in all.
const BUCKET_MS: u64 = 30_000;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer, or with a refusal that is the caller's own fault.
    Ok,
    /// With a failure of the target.
    Error,
    /// Blocked for what was said: by the provider, or by a guardrail.
    Blocked,
}

/// One attempt at a target that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// How.
    pub outcome: Outcome,
    /// From its start to its answer (of a stream: to the first content), in milliseconds; `None`: it was not made, as the target was resting.
    pub took_ms: Option<u64>,
}

/// What happened lately.
#[derive(Debug, Clone, Default)]
pub struct Window {
    ring: Vec<Bucket>,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    /// Which bucket of all time.
    number: u64,
    requests: u32,
    errors: u32,
    blocked: u32,
    good: u32,
    bad: u32,
    took: Digest,
}

impl Window {
    /// An attempt has ended.
    pub fn observe(&mut self, now_ms: u64, observation: Observation) {
        let bucket = self.bucket(now_ms);
        bucket.requests = bucket.requests.saturating_add(1);
        match observation.outcome {
            Outcome::Ok => {}
            Outcome::Error => bucket.errors = bucket.errors.saturating_add(1),
            Outcome::Blocked => bucket.blocked = bucket.blocked.saturating_add(1),
        }
        if let Some(ms) = observation.took_ms {
            bucket.took.observe(ms);
        }
    }

    /// Somebody says whether an answer was good.
    pub fn feedback(&mut self, now_ms: u64, good: bool) {
        let bucket = self.bucket(now_ms);
        let count = if good { &mut bucket.good } else { &mut bucket.bad };
        *count = count.saturating_add(1);
    }

    /// What it comes to.
    #[must_use]
    pub fn figures(&self, now_ms: u64) -> Figures {
        let newest = now_ms / BUCKET_MS;
        let mut sum = Bucket::default();
        let recent = self.ring.iter().filter(|bucket| newest < bucket.number + BUCKETS as u64);
        for bucket in recent {
            sum.requests = sum.requests.saturating_add(bucket.requests);
            sum.errors = sum.errors.saturating_add(bucket.errors);
            sum.blocked = sum.blocked.saturating_add(bucket.blocked);
            sum.good = sum.good.saturating_add(bucket.good);
            sum.bad = sum.bad.saturating_add(bucket.bad);
            sum.took.add(&bucket.took);
        }
        let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
        let told = sum.good.saturating_add(sum.bad);
        Figures {
            requests: f64::from(sum.requests),
            error_rate: share(sum.errors, sum.requests),
            block_rate: share(sum.blocked, sum.requests),
            feedback: if told == 0 { 1.0 } else { share(sum.good, told) },
            p95_ms: f64::from(u32::try_from(sum.took.quantile_ms(95)).unwrap_or(u32::MAX)),
        }
    }

    /// The bucket of now; one of another time that stood in its place is forgotten.
    fn bucket(&mut self, now_ms: u64) -> &mut Bucket {
        let number = now_ms / BUCKET_MS;
        let fresh = || Bucket {
            number,
            ..Bucket::default()
        };
        // Small: a ring that is full is looked through in a few nanoseconds.
        let at = self
            .ring
            .iter()
            .position(|bucket| bucket.number % BUCKETS as u64 == number % BUCKETS as u64);
        let at = at.unwrap_or_else(|| {
            self.ring.push(fresh());
            self.ring.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found, or pushed just now")]
        let bucket = &mut self.ring[at];
        if bucket.number != number {
            *bucket = fresh();
        }
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(outcome: Outcome) -> Observation {
        Observation {
            outcome,
            took_ms: Some(100),
        }
    }

    #[test]
    fn rates_are_those_of_the_last_ten_minutes() {
        let mut window = Window::default();
        for second in 0..60 {
            window.observe(second * 1_000, ended(Outcome::Error));
        }
        assert_eq!(window.figures(60_000).requests.to_bits(), 60_f64.to_bits());
        let later = 60_000 + 540_000;
        for _ in 0..30 {
            window.observe(later, ended(Outcome::Ok));
        }
        let figures = window.figures(later);
        assert!(figures.requests <= 60.0 && figures.error_rate <= 0.5, "{figures:?}");
        let figures = window.figures(later + 60_000);
        assert!(figures.error_rate < 0.001 && 29.0 < figures.requests, "{figures:?}");
        assert!(window.figures(later + 1_200_000).requests < 0.5);
        assert!(window.ring.len() <= BUCKETS);
    }

    #[test]
    fn blocks_and_feedback_are_shares_of_their_own() {
        let mut window = Window::default();
        assert_eq!(window.figures(5), Figures::default());
        for outcome in [Outcome::Ok, Outcome::Ok, Outcome::Error, Outcome::Blocked] {
            window.observe(0, ended(outcome));
        }
        [true, true, true, false].into_iter().for_each(|good| window.feedback(0, good));
        let figures = window.figures(0);
        for (share, expected) in [(figures.error_rate, 0.25), (figures.block_rate, 0.25), (figures.feedback, 0.75)] {
            assert!((share - expected).abs() < 1e-9, "{figures:?}");
        }
    }
}
