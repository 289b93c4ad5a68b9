//! The target at which this call is expected to cost least: by its size, and by how long answers on this route are there. Those without a
//! price stand last; equals stand as written.

use super::{Entry, Sight, Strategy};
use crate::money::NanoUsd;
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "cheapest",
    doc: "the target at which this call is expected to cost least",
    build: |_| Box::new(Cheapest),
};

struct Cheapest;

impl Strategy for Cheapest {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, _dice: &mut Dice) -> Reason {
        candidates.retain(|candidate| candidate.weight > 0);
        let mut cheapest = None;
        candidates.sort_by_cached_key(|candidate| {
            let cost = sight.expected_cost(candidate.deployment);
            cheapest = cost.into_iter().chain(cheapest).min();
            cost.unwrap_or(NanoUsd(i64::MAX))
        });
        match cheapest {
            Some(cost) => Reason::Owned(format!("cheapest: {cost} USD expected")),
            None => Reason::Borrowed("cheapest: no target has a price"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::tests::{Seen, candidates};

    #[test]
    fn the_cheapest_come_first_and_the_unpriced_last() {
        /// Costs, the order, the reason.
        type Row<'a> = (&'a [Option<i64>], &'a [u32], &'a str);
        let rows: [Row<'_>; 3] = [
            (
                &[None, Some(3_000_000), Some(1_500), Some(1_500)],
                &[2, 3, 1, 0],
                "cheapest: 0.0000015 USD expected",
            ),
            (&[Some(0), None], &[0, 1], "cheapest: 0.00 USD expected"),
            (&[None, None], &[0, 1], "cheapest: no target has a price"),
        ];
        for (costs, order, reason) in rows {
            let sight = Seen {
                costs: costs.iter().map(|cost| cost.map(NanoUsd)).collect(),
                ..Seen::default()
            };
            let mut ranked = candidates(&vec![1; costs.len()]);
            assert_eq!(Cheapest.rank(&sight, &mut ranked, &mut Dice::new(0)), reason);
            let ids: Vec<u32> = ranked.iter().map(|one| one.deployment.0).collect();
            assert_eq!(ids, order);
        }
    }
}
