//! Targets by their shares. A target of weight 0 is drained: it is not tried at all. The ones not drawn stay behind the drawn
//! one, in the order of further draws, so that a failing target's traffic spreads by the same shares.

use super::{Entry, Sight, Strategy};
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "weighted",
    doc: "targets by their weights; the others stand by in the same proportion",
    build: |_| Box::new(Weighted),
};

struct Weighted;

impl Strategy for Weighted {
    fn rank(&self, _sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason {
        candidates.retain(|candidate| candidate.weight > 0);
        for first in 0..candidates.len() {
            let rest = candidates.get(first..).unwrap_or_default();
            let total: u64 = rest.iter().map(|candidate| u64::from(candidate.weight)).sum();
            let mut point = dice.below(total);
            let drawn = rest.iter().position(|candidate| {
                let weight = u64::from(candidate.weight);
                let here = point < weight;
                point = point.saturating_sub(weight);
                here
            });
            // Rotating (not swapping) keeps the written order of those not drawn.
            if let Some(span) = drawn.and_then(|at| candidates.get_mut(first..=first + at)) {
                span.rotate_right(1);
            }
        }
        Reason::Borrowed("weighted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DeploymentId;
    use crate::strategies::tests::Dark;

    fn candidates(weights: &[u32]) -> Vec<Candidate> {
        (0..)
            .zip(weights)
            .map(|(id, weight)| Candidate {
                deployment: DeploymentId(id),
                weight: *weight,
            })
            .collect()
    }

    #[test]
    fn shares_are_kept_within_a_percent() {
        let mut first = [0_u32; 3];
        for seed in 0..100_000 {
            let mut ranked = candidates(&[95, 5, 0]);
            Weighted.rank(&Dark, &mut ranked, &mut Dice::new(seed));
            assert_eq!(ranked.len(), 2);
            first[usize::try_from(ranked[0].deployment.0).unwrap_or(2)] += 1;
        }
        assert!((94_500..95_500).contains(&first[0]), "{first:?}");
        assert_eq!(first[2], 0, "weight 0 is never drawn");
    }

    #[test]
    fn all_others_stand_by() {
        let mut ranked = candidates(&[1, 1, 1, 1]);
        Weighted.rank(&Dark, &mut ranked, &mut Dice::new(1));
        let mut ids: Vec<u32> = ranked.iter().map(|candidate| candidate.deployment.0).collect();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3]);
    }
}
