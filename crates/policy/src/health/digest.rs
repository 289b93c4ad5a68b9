//! How long a deployment lately took to begin its answers: a histogram on a logarithmic scale that forgets by halving, so that it holds the
//! last few hundred and takes half a kilobyte. Its quantiles are upper bounds, too large by an eighth at most.

use std::time::Duration;

/// Buckets of each doubling.
const PARTS: u32 = 8;
/// Below this the buckets are a millisecond wide.
const LINEAR_MS: u32 = PARTS;
/// Doublings behind that: the last bucket begins at about two hours.
const DOUBLINGS: u32 = 20;
const BUCKETS: usize = (LINEAR_MS + PARTS * DOUBLINGS) as usize;
/// With so many all counts are halved: what was seen last counts most.
const HALVED_AT: u32 = 512;
/// Fewer tell no percentile.
pub const SAMPLES_MIN: u32 = 20;

/// Times, lately.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    /// Made with the first time.
    counts: Option<Box<[u16; BUCKETS]>>,
    total: u32,
}

impl Digest {
    /// Takes one time.
    pub fn record(&mut self, took: Duration) {
        let counts = self.counts.get_or_insert_with(|| Box::new([0; BUCKETS]));
        if let Some(count) = counts.get_mut(bucket(took)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
        if self.total >= HALVED_AT {
            counts.iter_mut().for_each(|count| *count /= 2);
            self.total = counts.iter().map(|count| u32::from(*count)).sum();
        }
    }

    /// Within this time so many of a hundred began. `None`: too few are known.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let counts = self.counts.as_ref().filter(|_| self.total >= SAMPLES_MIN)?;
        let wanted = (self.total * u32::from(percent.min(100))).div_ceil(100);
        let mut seen = 0;
        let at = counts.iter().position(|count| {
            seen += u32::from(*count);
            wanted <= seen
        })?;
        Some(Duration::from_millis(bound_ms(at)))
    }
}

/// The bucket of a time: the doubling that it lies in, and the part of that.
fn bucket(took: Duration) -> usize {
    let ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    let at = if ms < LINEAR_MS {
        ms
    } else {
        let doubling = ms.ilog2() - LINEAR_MS.ilog2();
        LINEAR_MS + doubling * PARTS + ((ms >> doubling) - PARTS)
    };
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// Where a bucket ends.
fn bound_ms(bucket: usize) -> u64 {
    let linear = u64::from(LINEAR_MS);
    let at = bucket as u64 + 1;
    if at <= linear {
        return at;
    }
    let (doubling, part) = ((at - 1 - linear) / u64::from(PARTS), (at - 1 - linear) % u64::from(PARTS));
    (u64::from(PARTS) + part + 1) << doubling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_an_upper_bound_too_large_by_an_eighth_at_most() {
        for ms in [0, 1, 7, 8, 9, 15, 16, 100, 799, 800, 30_000, 3_600_000] {
            let mut digest = Digest::default();
            (0..SAMPLES_MIN).for_each(|_| digest.record(Duration::from_millis(ms)));
            let told = digest.percentile(95).map_or(0, |told| told.as_millis());
            let most = u128::from(ms + ms / PARTS as u64 + 1);
            assert!((u128::from(ms)..=most).contains(&told), "{ms} ms: {told}");
        }
    }

    #[test]
    fn percentiles_of_a_thousand_times() {
        let mut digest = Digest::default();
        assert_eq!(digest.percentile(95), None, "nothing is known");
        for ms in 0..1000_u64 {
            digest.record(Duration::from_millis(ms * 37 % 1000));
        }
        let rows = [(50, 500_u128), (95, 950), (99, 990), (100, 1000)];
        for (percent, near) in rows {
            let told = digest.percentile(percent).map_or(0, |told| told.as_millis());
            assert!((near * 9 / 10..=near * 12 / 10).contains(&told), "p{percent}: {told}");
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut digest = Digest::default();
        (0..500).for_each(|_| digest.record(Duration::from_secs(10)));
        (0..5_000).for_each(|_| digest.record(Duration::from_millis(20)));
        assert!(digest.percentile(99).is_some_and(|told| told < Duration::from_millis(30)));
    }

    #[test]
    fn a_day_is_no_more_than_the_last_bucket() {
        let mut digest = Digest::default();
        (0..SAMPLES_MIN).for_each(|_| digest.record(Duration::from_secs(86_400)));
        assert!(digest.percentile(50).is_some());
    }
}
