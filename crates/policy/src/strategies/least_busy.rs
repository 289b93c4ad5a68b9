//! The target with the fewest open calls of this gateway; dice among equals.

use super::{Entry, Sight, Strategy, shuffle};
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "least_busy",
    doc: "the target with the fewest open calls",
    build: |_| Box::new(LeastBusy),
};

struct LeastBusy;

impl Strategy for LeastBusy {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason {
        candidates.retain(|candidate| candidate.weight > 0);
        shuffle(candidates, dice);
        candidates.sort_by_cached_key(|candidate| sight.vital(candidate.deployment).open);
        let first = candidates.first().map(|first| sight.vital(first.deployment).open);
        Reason::Owned(format!("least_busy: {} open", first.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::tests::{Seen, candidates};
    use crate::vitals::Vital;

    #[test]
    fn the_fewest_open_calls_come_first_and_equals_take_turns() {
        let open = [3, 1, 1, 7];
        let sight = Seen {
            vitals: open.map(|open| Vital { open, ..Vital::default() }).into(),
            ..Seen::default()
        };
        let mut first = [0; 4];
        for seed in 0..1000 {
            let mut ranked = candidates(&[1, 1, 1, 1]);
            let reason = LeastBusy.rank(&sight, &mut ranked, &mut Dice::new(seed));
            assert_eq!(reason, "least_busy: 1 open");
            let ids: Vec<u32> = ranked.iter().map(|one| one.deployment.0).collect();
            assert_eq!(ids[2..], [0, 3]);
            first[usize::try_from(ids[0]).unwrap_or(0)] += 1;
        }
        assert!(first[1] > 400 && first[2] > 400, "{first:?}");
    }

    #[test]
    fn a_target_of_weight_0_is_switched_off() {
        let mut ranked = candidates(&[0, 1]);
        LeastBusy.rank(&Seen::default(), &mut ranked, &mut Dice::new(0));
        assert_eq!(ranked.len(), 1);
    }
}
