//! How long things took, in buckets that grow by a fourth root of two: any quantile within 19 %, from a millisecond to an hour, in 352 bytes.

/// Buckets: 22 doublings, four each.
const BUCKETS: usize = 88;
/// Upper ends of the four buckets of a doubling, in 1/1024: 2^(1/4), 2^(2/4), 2^(3/4), 2.
const STEPS: [u64; 4] = [1218, 1448, 1722, 2048];

/// Counts of durations.
#[derive(Debug, Clone)]
pub(super) struct Digest([u32; BUCKETS]);

impl Default for Digest {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Digest {
    /// One more that took so long.
    pub(super) fn observe(&mut self, ms: u64) {
        if let Some(count) = self.0.get_mut(bucket(ms)) {
            *count = count.saturating_add(1);
        }
    }

    /// With all of another.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(&other.0) {
            *own = own.saturating_add(*more);
        }
    }

    /// Milliseconds within which `percent` of all were done, rounded up to the end of a bucket; 0: there are none.
    pub(super) fn quantile_ms(&self, percent: u64) -> u64 {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        let rank = (total * percent).div_ceil(100);
        let mut seen = 0;
        for (at, count) in self.0.iter().enumerate() {
            seen += u64::from(*count);
            if rank <= seen && 0 < seen {
                return upper_ms(at);
            }
        }
        0
    }
}

fn bucket(ms: u64) -> usize {
    let ms = ms.max(1);
    let doubling = ms.ilog2();
    let within = (ms << 10) >> doubling;
    let step = STEPS.iter().position(|end| within < *end).unwrap_or(STEPS.len() - 1);
    usize::try_from(doubling)
        .map_or(BUCKETS, |doubling| doubling * STEPS.len() + step)
        .min(BUCKETS - 1)
}

fn upper_ms(at: usize) -> u64 {
    let step = STEPS.get(at % STEPS.len()).copied().unwrap_or(2048);
    let doubling = u32::try_from(at / STEPS.len()).unwrap_or(0);
    ((step << doubling) >> 10).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_never_too_low_and_at_most_a_fifth_too_high() {
        for ms in (1..2_000).chain((2_000..3_000_000).step_by(9_973)) {
            let mut digest = Digest::default();
            digest.observe(ms);
            let told = digest.quantile_ms(95);
            assert!(ms <= told + 1 && told <= ms + ms / 5 + 1, "{ms}: {told}");
        }
    }

    #[test]
    fn the_95th_of_100_counts_and_not_the_slowest() {
        let mut digest = Digest::default();
        assert_eq!(digest.quantile_ms(95), 0);
        (0..95).for_each(|_| digest.observe(100));
        (0..5).for_each(|_| digest.observe(60_000));
        assert!(digest.quantile_ms(95) < 130);
        digest.observe(60_000);
        assert!(59_999 <= digest.quantile_ms(95));
    }
}
