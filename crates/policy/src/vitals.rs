//! How quick and how busy one deployment is, for strategies that look at it: calls that are open, and a decayed latency. `now` is an
//! argument; there is no lock.
//!
//! The latency is a peak-sensitive moving average whose weight is time, not the number of answers (finagle's and linkerd's peak EWMA): a
//! slower answer counts at once and whole, quicker ones by how long ago the last one was, and without answers it fades, so that who was slow
//! is tried again. One call tries: while it waits for its answer, the others see the value that has not faded. A failure counts as a slow
//! answer; a call that waits longer than the value says counts as well, so that a provider that hangs is seen before its timeouts are over.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// After this time an earlier answer counts for 1/e.
pub const DECAY: Duration = Duration::from_secs(10);
/// What a failure counts as, at least.
pub const FAILED: Duration = Duration::from_secs(10);
/// The slowest that an answer counts as: it has faded below 50 ms within a minute.
pub const SLOWEST: Duration = Duration::from_secs(20);
/// What a deployment counts as of which nobody knows anything, while the first call waits: better than one that fails.
const UNTRIED: Duration = Duration::from_secs(5);

/// Times are packed in 39 bits of milliseconds (17 years) behind 25 bits of microseconds (33 s).
const AT_BITS: u32 = 39;
/// Counts of waiting calls stand in 20 bits before 44 bits of milliseconds.
const SUM_BITS: u32 = 44;
const WAITING_MAX: u64 = (1 << (64 - SUM_BITS)) - 1;

/// The vital signs of one deployment.
#[derive(Debug)]
pub struct Vitals {
    epoch: Instant,
    /// Calls whose answers have not ended.
    open: AtomicU32,
    /// How many calls wait for their first content, and the sum of their beginnings in ms from the epoch: packed, so that both are of one
    /// moment. The sum wraps; differences to it do not.
    waiting: AtomicU64,
    /// The latency in µs, and when it was last measured, in ms from the epoch; 0: never.
    latency: AtomicU64,
}

/// What is known of a deployment at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vital {
    /// Calls whose answers have not ended.
    pub open: u32,
    /// Calls that wait for their first content.
    pub waiting: u32,
    /// How long the next call is expected to wait for its first content. Zero: nobody knows, and nobody is finding out.
    pub latency: Duration,
}

/// A call on its way, as `Vitals` remembers it.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    began_ms: u64,
}

impl Vitals {
    /// Of a deployment that nobody has called; its clock starts at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            open: AtomicU32::new(0),
            waiting: AtomicU64::new(0),
            latency: AtomicU64::new(0),
        }
    }

    /// A call begins. It must be followed by one of `answered`, `failed` or `unknown`, and then by one `ended`.
    pub fn begin(&self, now: Instant) -> Waiting {
        let began_ms = self.ms(now);
        self.open.fetch_add(1, Relaxed);
        self.count(|(count, sum)| (count + 1, sum.wrapping_add(began_ms)));
        Waiting { began_ms }
    }

    /// The first content of a stream, or the whole of another answer, is there.
    pub fn answered(&self, waiting: Waiting, now: Instant) {
        self.unknown(waiting);
        self.measure(self.age(waiting.began_ms, now), now);
    }

    /// The call failed before that: a slow answer.
    pub fn failed(&self, waiting: Waiting, now: Instant) {
        self.unknown(waiting);
        self.measure(self.age(waiting.began_ms, now).max(FAILED), now);
    }

    /// The call says nothing about the deployment: its caller left, or was at fault.
    pub fn unknown(&self, waiting: Waiting) {
        self.count(|(count, sum)| (count.saturating_sub(1), sum.wrapping_sub(waiting.began_ms)));
    }

    /// An answer that had begun broke off: a slow answer too.
    pub fn broken(&self, now: Instant) {
        self.measure(FAILED, now);
    }

    /// A call is over, whatever came of it.
    pub fn ended(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// What is known at `now`.
    #[must_use]
    pub fn at(&self, now: Instant) -> Vital {
        let now_ms = self.ms(now);
        let (count, sum) = unpack(self.waiting.load(Relaxed), SUM_BITS);
        let (latency_us, at_ms) = unpack(self.latency.load(Relaxed), AT_BITS);
        let known = Duration::from_micros(latency_us);
        let latency = match count {
            0 => faded(known, self.age(at_ms, now)),
            _ => {
                let ages_ms = (now_ms.wrapping_mul(count).wrapping_sub(sum)) & mask(SUM_BITS);
                let known = if at_ms == 0 { UNTRIED } else { known };
                known.max(Duration::from_millis(ages_ms / count)).min(SLOWEST)
            }
        };
        Vital {
            open: self.open.load(Relaxed),
            waiting: u32::try_from(count).unwrap_or(u32::MAX),
            latency,
        }
    }

    fn measure(&self, took: Duration, now: Instant) {
        let took = took.min(SLOWEST);
        let now_ms = self.ms(now).max(1);
        let next = |packed: u64| {
            let (latency_us, at_ms) = unpack(packed, AT_BITS);
            let known = Duration::from_micros(latency_us);
            let latency = if took < known {
                let weight = weight(self.age(at_ms, now));
                known.mul_f64(weight) + took.mul_f64(1.0 - weight)
            } else {
                took
            };
            pack(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), now_ms.max(at_ms), AT_BITS)
        };
        let _ = self.latency.fetch_update(Relaxed, Relaxed, |packed| Some(next(packed)));
    }

    fn count(&self, change: impl Fn((u64, u64)) -> (u64, u64)) {
        let _ = self.waiting.fetch_update(Relaxed, Relaxed, |packed| {
            let (count, sum) = change(unpack(packed, SUM_BITS));
            Some(pack(count.min(WAITING_MAX), sum & mask(SUM_BITS), SUM_BITS))
        });
    }

    fn age(&self, began_ms: u64, now: Instant) -> Duration {
        Duration::from_millis(self.ms(now).saturating_sub(began_ms))
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX) & mask(AT_BITS)
    }
}

/// How much of an earlier answer still counts after that time.
fn weight(age: Duration) -> f64 {
    (-age.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

fn faded(latency: Duration, age: Duration) -> Duration {
    latency.mul_f64(weight(age))
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn pack(high: u64, low: u64, bits: u32) -> u64 {
    (high << bits) | (low & mask(bits))
}

fn unpack(packed: u64, bits: u32) -> (u64, u64) {
    (packed >> bits, packed & mask(bits))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One call after the other, each of so long.
    fn answers(vitals: &Vitals, now: &mut Instant, each_ms: &[u64]) {
        for each in each_ms {
            let waiting = vitals.begin(*now);
            *now += ms(*each);
            vitals.answered(waiting, *now);
            vitals.ended();
        }
    }

    #[test]
    fn a_slower_answer_counts_at_once_and_fades() {
        let mut now = Instant::now();
        let vitals = Vitals::new(now);
        assert_eq!(vitals.at(now), Vital::default());
        answers(&vitals, &mut now, &[100, 100, 3000]);
        assert_eq!(vitals.at(now).latency, ms(3000));
        assert_eq!(vitals.at(now + DECAY).latency.as_millis(), 1103, "a third after ten seconds");
        assert!(vitals.at(now + ms(60_000)).latency < ms(10));
        answers(&vitals, &mut now, &[100; 20]);
        let latency = vitals.at(now).latency;
        assert!(
            (ms(2400)..ms(2700)).contains(&latency),
            "twenty quick ones within two seconds weigh little: {latency:?}"
        );
        now += ms(50_000);
        answers(&vitals, &mut now, &[100]);
        assert!(vitals.at(now).latency < ms(120), "after a while one is enough");
    }

    #[test]
    fn the_slowest_is_under_50_ms_within_a_minute() {
        let start = Instant::now();
        let vitals = Vitals::new(start);
        let mut now = start;
        answers(&vitals, &mut now, &[600_000]);
        assert_eq!(vitals.at(now).latency, SLOWEST);
        assert!(vitals.at(now + ms(60_000)).latency < ms(50));
    }

    #[test]
    fn a_failure_is_a_slow_answer() {
        let start = Instant::now();
        let vitals = Vitals::new(start);
        let waiting = vitals.begin(start);
        vitals.failed(waiting, start + ms(3));
        assert_eq!(vitals.at(start + ms(3)).latency, FAILED);
        vitals.ended();
        let waiting = vitals.begin(start);
        vitals.failed(waiting, start + ms(15_000));
        assert_eq!(
            vitals.at(start + ms(15_000)).latency,
            ms(15_000),
            "one that took longer counts as that"
        );
    }

    #[test]
    fn one_call_finds_out_and_the_others_see_the_old_value_meanwhile() {
        let mut now = Instant::now();
        let vitals = Vitals::new(now);
        let first = vitals.begin(now);
        assert_eq!(vitals.at(now).latency, UNTRIED, "nobody knows yet");
        now += ms(8000);
        vitals.answered(first, now);
        now += ms(60_000);
        assert!(vitals.at(now).latency < ms(50));
        let probe = vitals.begin(now);
        assert_eq!(vitals.at(now).latency, ms(8000));
        vitals.unknown(probe);
        assert!(vitals.at(now).latency < ms(50), "the caller left: another may find out");
    }

    #[test]
    fn who_hangs_is_slow_before_its_timeout() {
        let mut now = Instant::now();
        let vitals = Vitals::new(now);
        answers(&vitals, &mut now, &[100]);
        let (one, two) = (vitals.begin(now), vitals.begin(now + ms(1000)));
        now += ms(5000);
        let seen = vitals.at(now);
        assert_eq!((seen.open, seen.waiting, seen.latency), (2, 2, ms(4500)), "the mean of 5 s and 4 s");
        vitals.answered(one, now);
        vitals.answered(two, now);
        assert_eq!(vitals.at(now).waiting, 0);
    }

    #[test]
    fn many_calls_at_once_are_counted_exactly() {
        let start = Instant::now();
        let vitals = Vitals::new(start);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let vitals = &vitals;
                scope.spawn(move || {
                    for call in 0..10_000 {
                        let waiting = vitals.begin(start + ms(thread * 10_000 + call));
                        vitals.answered(waiting, start + ms(60_000));
                        vitals.ended();
                    }
                });
            }
        });
        let seen = vitals.at(start + ms(60_000));
        assert_eq!((seen.open, seen.waiting), (0, 0));
        assert_eq!(vitals.waiting.load(Relaxed), 0, "the sum of beginnings is back at nothing");
    }
}
