//! Targets by their shares. A target of weight 0 is drained: it is not tried at all. The ones not drawn stay behind the drawn
//! one, in the order of further draws, so that a failing target's traffic spreads by the same shares. Where the route is sticky and the call
//! says by what, the draw follows from that; else dice are rolled.

use super::{Entry, Settings, Sight, Strategy};
use crate::affinity::{self, Sticky};
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "weighted",
    doc: "targets by their weights; the others stand by in the same proportion",
    build: |settings| Box::new(Weighted::new(settings)),
};

struct Weighted {
    sticky: Option<Sticky>,
    salts: Box<[u64]>,
}

impl Weighted {
    fn new(settings: &Settings) -> Self {
        Self {
            sticky: settings.sticky,
            salts: settings.salts.clone().into(),
        }
    }

    fn score(&self, affinity: u64, candidate: &Candidate) -> f64 {
        let at = usize::try_from(candidate.deployment.0).unwrap_or(usize::MAX);
        let salt = self.salts.get(at).copied().unwrap_or_else(|| candidate.deployment.0.into());
        affinity::score(affinity, salt, candidate.weight)
    }
}

impl Strategy for Weighted {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason {
        candidates.retain(|candidate| candidate.weight > 0);
        let Some((sticky, affinity)) = self.sticky.and_then(|sticky| Some((sticky, sight.affinity(sticky)?))) else {
            draw(candidates, dice);
            return Reason::Borrowed("weighted");
        };
        candidates.sort_by(|one, other| self.score(affinity, one).total_cmp(&self.score(affinity, other)));
        Reason::Borrowed(match sticky {
            Sticky::User => "weighted: sticky by user",
            Sticky::Session => "weighted: sticky by session",
            Sticky::Prefix => "weighted: sticky by prefix",
        })
    }
}

fn draw(candidates: &mut [Candidate], dice: &mut Dice) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::affinity::Affinity;
    use crate::strategies::tests::{Seen, candidates};

    /// A route of targets with these names.
    fn weighted(sticky: Option<Sticky>, names: &[&str]) -> Weighted {
        Weighted::new(&Settings {
            sticky,
            salts: names.iter().map(|name| Affinity::of(name)).collect(),
            ..Settings::default()
        })
    }

    /// How often each of the targets comes first, over so many callers, each with dice of its own.
    fn firsts(strategy: &Weighted, weights: &[u32], callers: u64) -> Vec<u64> {
        let mut first = vec![0; weights.len()];
        for caller in 0..callers {
            let mut ranked = candidates(weights);
            let sight = Seen {
                affinity: Some(Affinity::of(&format!("user-{caller}"))),
                ..Seen::default()
            };
            strategy.rank(&sight, &mut ranked, &mut Dice::new(caller));
            first[usize::try_from(ranked[0].deployment.0).unwrap_or(0)] += 1;
        }
        first
    }

    /// The figure: 95/5 over 100,000 calls within three standard deviations: 3 × √(100,000 × 0.95 × 0.05) = 207.
    #[test]
    fn shares_are_kept_within_three_sigma_by_dice_and_by_user() {
        for sticky in [None, Some(Sticky::User)] {
            let first = firsts(&weighted(sticky, &["openai/gpt-4o", "openai/gpt-4.1", "off"]), &[95, 5, 0], 100_000);
            assert!((95_000 - 207..=95_000 + 207).contains(&first[0]), "{sticky:?} {first:?}");
            assert_eq!(first[2], 0, "weight 0 is never drawn");
        }
    }

    #[test]
    fn many_targets_of_many_weights_keep_their_shares() {
        let weights = [1, 2, 3, 10, 84];
        let first = firsts(&weighted(Some(Sticky::Session), &["a", "b", "c", "d", "e"]), &weights, 100_000);
        for (weight, first) in weights.iter().zip(first) {
            let share = f64::from(*weight) / 100.0;
            let (mean, sigma) = (100_000.0 * share, (100_000.0 * share * (1.0 - share)).sqrt());
            let off = (f64::from(u32::try_from(first).unwrap_or(0)) - mean).abs();
            assert!(off <= 4.0 * sigma, "weight {weight}: {first}, {off} from {mean}");
        }
    }

    #[test]
    fn who_comes_again_gets_the_same_whatever_the_dice() {
        let strategy = weighted(Some(Sticky::User), &["a", "b", "c"]);
        for caller in 0..200 {
            let sight = Seen {
                affinity: Some(caller),
                ..Seen::default()
            };
            let ranked = |seed| {
                let mut ranked = candidates(&[1, 1, 1]);
                let reason = strategy.rank(&sight, &mut ranked, &mut Dice::new(seed));
                assert_eq!(reason, "weighted: sticky by user");
                ranked
            };
            assert!((1..20).all(|seed| ranked(seed) == ranked(0)));
        }
    }

    #[test]
    fn a_target_that_comes_moves_its_own_share_and_nothing_else() {
        let (before, after) = (["a", "b"], ["new", "a", "b"]);
        let mut moved = 0;
        for caller in 0..10_000 {
            let name = |names: &[&'static str]| {
                let sight = Seen {
                    affinity: Some(Affinity::of(&caller.to_string())),
                    ..Seen::default()
                };
                let mut ranked = candidates(&vec![1; names.len()]);
                weighted(Some(Sticky::User), names).rank(&sight, &mut ranked, &mut Dice::new(0));
                names[usize::try_from(ranked[0].deployment.0).unwrap_or(0)]
            };
            let (old, new) = (name(&before), name(&after));
            assert!(old == new || new == "new", "{caller} went from {old} to {new}");
            moved += u32::from(old != new);
        }
        assert!((3_150..3_520).contains(&moved), "a third: {moved}");
    }

    #[test]
    fn a_call_that_does_not_say_by_what_is_drawn_by_dice() {
        let strategy = weighted(Some(Sticky::Session), &["a", "b"]);
        let mut first = [0, 0];
        for seed in 0..1000 {
            let mut ranked = candidates(&[1, 1]);
            assert_eq!(strategy.rank(&Seen::default(), &mut ranked, &mut Dice::new(seed)), "weighted");
            first[usize::try_from(ranked[0].deployment.0).unwrap_or(0)] += 1;
        }
        assert!(first.iter().all(|count| *count > 400), "{first:?}");
    }

    #[test]
    fn all_others_stand_by() {
        for sticky in [None, Some(Sticky::User)] {
            let sight = Seen {
                affinity: Some(7),
                ..Seen::default()
            };
            let mut ranked = candidates(&[1, 1, 1, 1]);
            weighted(sticky, &["a", "b", "c", "d"]).rank(&sight, &mut ranked, &mut Dice::new(1));
            let mut ids: Vec<u32> = ranked.iter().map(|candidate| candidate.deployment.0).collect();
            ids.sort_unstable();
            assert_eq!(ids, [0, 1, 2, 3]);
        }
    }
}
