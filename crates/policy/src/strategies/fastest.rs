//! The quicker of two targets that dice choose (the power of two choices; Mitzenmacher 2001), by a latency that fades: so that not everybody
//! runs to the same one, and who was slow is tried again. With two targets both are looked at always. Behind the winner the others stand by,
//! the quicker first. What a latency is, and that failures count as slow answers, is said in `vitals`.

use super::{Entry, Sight, Strategy, shuffle};
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "fastest",
    doc: "the quicker of two targets that dice choose, by how long their answers took to begin of late",
    build: |_| Box::new(Fastest),
};

struct Fastest;

impl Strategy for Fastest {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason {
        candidates.retain(|candidate| candidate.weight > 0);
        shuffle(candidates, dice);
        let key = |candidate: &Candidate| {
            let vital = sight.vital(candidate.deployment);
            // Of two that are unknown the one that nobody waits for.
            (vital.latency, vital.waiting)
        };
        if let Some(pair) = candidates.get_mut(..2) {
            pair.sort_by_cached_key(key);
        }
        if let Some(others) = candidates.get_mut(1..) {
            others.sort_by_cached_key(key);
        }
        let latency = candidates.first().map(|first| sight.vital(first.deployment).latency);
        Reason::Owned(format!("fastest: {} ms expected", latency.unwrap_or_default().as_millis()))
    }
}

#[cfg(test)]
mod tests;
