//! Loops and misuse: somebody who asks nearly the same again and again. Each call has a fingerprint of what it asks; the calls of one caller
//! that were near to one another within a while are counted. Memory is bounded: so many callers, so many of their last calls.

mod fingerprint;

use std::collections::{HashMap, VecDeque};

pub use fingerprint::{Fingerprint, fold};

/// Callers that are remembered; then one that was not heard of for long is forgotten.
const CALLERS_MAX: usize = 4_096;
/// A caller's last calls that are remembered.
pub const CALLS_MAX: usize = 128;
/// Of how many callers the one is chosen that is forgotten.
const EVICTION_SAMPLE: usize = 16;

/// How much is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many calls that are near to one another may be made …
    pub repeats: u32,
    /// … within so many milliseconds.
    pub within_ms: u64,
}

/// What a call is, among its caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within the bounds.
    Fine,
    /// One too many.
    Loop {
        /// Near ones before it, within the bounds' time.
        repeats: u32,
        /// The first one since somebody was told: once in the bounds' time.
        tell: bool,
        /// When there is room for one again, in milliseconds from now.
        wait_ms: u64,
    },
}

/// What callers have asked lately.
#[derive(Debug, Default)]
pub struct Watch {
    callers: HashMap<u64, Caller>,
}

#[derive(Debug, Default)]
struct Caller {
    calls: VecDeque<(u64, Fingerprint)>,
    told_ms: Option<u64>,
    seen_ms: u64,
}

impl Watch {
    /// A caller asks something. What is one too many is not remembered, so that no more than the bounds allow get through, and no fewer.
    /// With `counts_all` it is: where nobody is refused, a loop is one as long as it goes on.
    pub fn look(&mut self, now_ms: u64, caller: u64, asked: Fingerprint, bounds: Bounds, counts_all: bool) -> Verdict {
        if self.callers.len() >= CALLERS_MAX && !self.callers.contains_key(&caller) {
            self.forget_one();
        }
        let caller = self.callers.entry(caller).or_default();
        caller.seen_ms = now_ms;
        let near = caller
            .calls
            .iter()
            .filter(|(at, known)| now_ms < at + bounds.within_ms && known.is_near(asked));
        let mut oldest = None;
        let mut repeats = 0;
        for (at, _) in near {
            oldest.get_or_insert(*at);
            repeats += 1;
        }
        let too_many = bounds.repeats <= repeats;
        if !too_many || counts_all {
            if caller.calls.len() >= CALLS_MAX {
                caller.calls.pop_front();
            }
            caller.calls.push_back((now_ms, asked));
        }
        if !too_many {
            return Verdict::Fine;
        }
        let tell = caller.told_ms.is_none_or(|told| told + bounds.within_ms <= now_ms);
        if tell {
            caller.told_ms = Some(now_ms);
        }
        Verdict::Loop {
            repeats,
            tell,
            wait_ms: oldest.map_or(0, |oldest| (oldest + bounds.within_ms).saturating_sub(now_ms)).max(1),
        }
    }

    /// Forgets, of a few callers, the one that was not heard of for longest.
    fn forget_one(&mut self) {
        let few = self.callers.iter().take(EVICTION_SAMPLE);
        let oldest = few.min_by_key(|(_, caller)| caller.seen_ms).map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.callers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        repeats: 3,
        within_ms: 1_000,
    };

    fn asked(text: &str) -> Fingerprint {
        Fingerprint::of([text], b"")
    }

    #[test]
    fn as_many_get_through_as_the_bounds_allow_and_somebody_is_told_once() {
        let mut watch = Watch::default();
        let mut look = |now_ms| watch.look(now_ms, 1, asked("what is the state of the job"), BOUNDS, false);
        for now_ms in [0, 100, 200] {
            assert_eq!(look(now_ms), Verdict::Fine);
        }
        let refused = |tell, wait_ms| Verdict::Loop { repeats: 3, tell, wait_ms };
        assert_eq!(look(300), refused(true, 700));
        assert_eq!(look(400), refused(false, 600));
        assert_eq!(look(1_000), Verdict::Fine, "the first one is a second ago");
        assert_eq!(look(1_050), refused(false, 50));
        assert_eq!(look(1_100), Verdict::Fine);
        assert_eq!(look(1_301), Verdict::Fine);
        assert_eq!(look(1_400), refused(true, 600));
    }

    #[test]
    fn callers_and_questions_are_counted_apart() {
        let mut watch = Watch::default();
        for (now_ms, caller) in (0..30).map(|at| (at, at % 10)) {
            assert_eq!(watch.look(now_ms, caller, asked("the same"), BOUNDS, false), Verdict::Fine);
        }
        for number in 0..50 {
            let text = format!("read page {number} of the book");
            assert_eq!(watch.look(number, 99, asked(&text), BOUNDS, false), Verdict::Fine, "{text}");
        }
    }

    #[test]
    fn where_nobody_is_refused_a_loop_goes_on_being_one() {
        let mut watch = Watch::default();
        let told = (0..100_u64).filter(|at| {
            let verdict = watch.look(at * 100, 1, asked("again"), BOUNDS, true);
            matches!(verdict, Verdict::Loop { tell: true, .. })
        });
        assert_eq!(told.count(), 10, "once in each second");
    }

    #[test]
    fn memory_is_bounded_whatever_callers_make_up() {
        let mut watch = Watch::default();
        for caller in 0..20_000 {
            watch.look(caller, caller, asked("x"), BOUNDS, true);
        }
        assert!(watch.callers.len() <= CALLERS_MAX);
        for now_ms in 0..1_000 {
            watch.look(20_000 + now_ms, 7, asked("x"), BOUNDS, true);
        }
        let caller = watch.callers.get(&7).map_or(0, |caller| caller.calls.len());
        assert_eq!(caller, CALLS_MAX);
    }
}
