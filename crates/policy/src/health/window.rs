//! What became of the calls of the last half minute: a ring of ten parts of three seconds, the oldest forgotten whole. `now` is an
//! argument.

use std::time::{Duration, Instant};

const PARTS: usize = 10;
const PART: Duration = Duration::from_secs(3);

/// Counts of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// They went well.
    pub well: u32,
    /// They failed in a way that speaks against the deployment.
    pub failed: u32,
    /// It is known how long they took to begin.
    pub timed: u32,
    /// They took longer than the breaker's bound to begin.
    pub slow: u32,
}

/// The counts of the last half minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    parts: [Counts; PARTS],
    /// The part that is counted in, and when it began.
    present: Option<(usize, Instant)>,
}

impl Window {
    /// The counts of the present moment, to be added to.
    pub(super) fn at(&mut self, now: Instant) -> &mut Counts {
        let (mut part, mut began) = self.present.unwrap_or((0, now));
        let mut steps = 0;
        while began + PART <= now && steps < PARTS {
            part = (part + 1) % PARTS;
            began += PART;
            steps += 1;
            self.clear(part);
        }
        if steps == PARTS {
            began = now;
        }
        self.present = Some((part, began));
        #[expect(clippy::indexing_slicing, reason = "a remainder by the length")]
        &mut self.parts[part]
    }

    /// All that it counts now.
    #[must_use]
    pub(super) fn sum(&self, now: Instant) -> Counts {
        let Some((present, began)) = self.present else {
            return Counts::default();
        };
        let over = usize::try_from(now.saturating_duration_since(began).as_secs() / PART.as_secs()).unwrap_or(PARTS);
        let mut sum = Counts::default();
        // The oldest parts, behind the present one in the ring, are over.
        for back in 0..PARTS.saturating_sub(over) {
            let part = self.parts.get((present + PARTS - back) % PARTS).copied().unwrap_or_default();
            sum.well += part.well;
            sum.failed += part.failed;
            sum.timed += part.timed;
            sum.slow += part.slow;
        }
        sum
    }

    /// Forgets all.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    fn clear(&mut self, part: usize) {
        if let Some(counts) = self.parts.get_mut(part) {
            *counts = Counts::default();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
    use super::*;

    #[test]
    fn it_forgets_after_half_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::default();
        assert_eq!(window.sum(at(0)), Counts::default());
        window.at(at(0)).failed += 1;
        window.at(at(10)).failed += 2;
        window.at(at(12)).well += 4;
        for (when, failed, well) in [
            (12, 3, 4),
            (29, 3, 4),
            (30, 2, 4),
            (38, 2, 4),
            (39, 0, 4),
            (42, 0, 0),
            (10_000, 0, 0),
        ] {
            let sum = window.sum(at(when));
            assert_eq!((sum.failed, sum.well), (failed, well), "after {when} s");
        }
        window.at(at(10_000)).well += 1;
        assert_eq!(window.sum(at(10_000)).well, 1, "what is old does not come back");
    }
}
