//! Targets by how strong a model the request needs: the models of its tier in their order; behind them those of the tiers above, the nearest
//! first, and then those below. No dice.

use std::sync::Arc;

use super::{Entry, Settings, Sight, Strategy, pinned};
use crate::complexity::{Tier, Weights};
use crate::plan::{Candidate, DeploymentId, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "complexity",
    doc: "models by how hard the request is, as a small classifier sees it",
    build,
};

/// The tiers of a route, and what requests are judged by.
#[derive(Debug, Clone)]
pub struct Tiers {
    /// The models of each tier, in order; the one between may have none.
    pub models: [Vec<DeploymentId>; 3],
    /// What requests are judged by.
    pub weights: Arc<Weights>,
}

fn build(settings: &Settings) -> Box<dyn Strategy> {
    match &settings.tiers {
        Some(tiers) => Box::new(Complexity(tiers.clone())),
        // Without tiers there is nothing to choose between; the config's checks ask for them.
        None => Box::new(pinned::Pinned),
    }
}

struct Complexity(Tiers);

impl Strategy for Complexity {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, _dice: &mut Dice) -> Reason {
        let Tiers { models, weights } = &self.0;
        let three = models.get(1).is_some_and(|between| !between.is_empty());
        let verdict = sight.complexity(weights, three);
        let order = behind(verdict.tier);
        let place = |candidate: &Candidate| {
            let all = order.iter().flat_map(|tier| models.get(*tier as usize).into_iter().flatten());
            all.into_iter()
                .position(|model| *model == candidate.deployment)
                .unwrap_or(usize::MAX)
        };
        candidates.sort_by_key(place);
        Reason::Owned(format!(
            "complexity: {} {:.2}; {}",
            verdict.tier.name(),
            verdict.score,
            verdict.why()
        ))
    }
}

/// A tier, those above it, those below it.
fn behind(tier: Tier) -> [Tier; 3] {
    match tier {
        Tier::Simple => [Tier::Simple, Tier::Medium, Tier::Complex],
        Tier::Medium => [Tier::Medium, Tier::Complex, Tier::Simple],
        Tier::Complex => [Tier::Complex, Tier::Medium, Tier::Simple],
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::strategies::tests::Seen;

    fn ranked(text: &'static str, models: [&[u32]; 3], left: &[u32]) -> (Vec<u32>, String) {
        let settings = Settings {
            tiers: Some(Tiers {
                models: models.map(|ids| ids.iter().copied().map(DeploymentId).collect()),
                weights: Weights::built_in().unwrap(),
            }),
            ..Settings::default()
        };
        let said = Seen { text, ..Seen::default() };
        let mut candidates: Vec<Candidate> = left
            .iter()
            .map(|id| Candidate {
                deployment: DeploymentId(*id),
                weight: 1,
            })
            .collect();
        let reason = (ENTRY.build)(&settings).rank(&said, &mut candidates, &mut Dice::new(1));
        (candidates.iter().map(|one| one.deployment.0).collect(), reason.into_owned())
    }

    /// Models by tier, what filters have left, the order of an easy request and of a hard one.
    type Row<'a> = ([&'a [u32]; 3], &'a [u32], &'a [u32], &'a [u32]);

    const EASY: &str = "What is the capital of Peru?";
    const HARD: &str = "Prove that there are infinitely many primes, and compare two proofs step by step.";

    #[test]
    fn the_tiers_models_come_first_and_the_next_higher_ones_behind_them() {
        let rows: [Row<'_>; 4] = [
            ([&[0, 1], &[], &[2, 3]], &[0, 1, 2, 3], &[0, 1, 2, 3], &[2, 3, 0, 1]),
            ([&[0], &[1], &[2]], &[0, 1, 2], &[0, 1, 2], &[2, 1, 0]),
            // One model of two tiers; one that was left out.
            ([&[0, 1], &[], &[1, 2]], &[0, 1, 2], &[0, 1, 2], &[1, 2, 0]),
            ([&[0, 1], &[], &[2, 3]], &[1, 3], &[1, 3], &[3, 1]),
        ];
        for (models, left, easy, hard) in rows {
            assert_eq!(ranked(EASY, models, left).0, easy, "{models:?}");
            assert_eq!(ranked(HARD, models, left).0, hard, "{models:?}");
        }
    }

    #[test]
    fn the_reason_names_tier_score_and_features() {
        let (_, easy) = ranked(EASY, [&[0], &[], &[1]], &[0, 1]);
        assert!(easy.starts_with("complexity: simple 0.") && easy.contains(" -"), "{easy}");
        let (_, hard) = ranked(HARD, [&[0], &[], &[1]], &[0, 1]);
        assert!(hard.starts_with("complexity: complex ") && hard.contains(" +"), "{hard}");
    }
}
