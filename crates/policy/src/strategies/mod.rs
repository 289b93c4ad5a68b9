//! How a route ranks its targets: the registry of strategies. One file per strategy; each is built once per route when a config is loaded.

use std::sync::Arc;

use crate::affinity::Sticky;
use crate::complexity::{Verdict, Weights};
use crate::money::NanoUsd;
use crate::plan::{Candidate, DeploymentId, Dice, Reason};
use crate::rules::Facts;
use crate::vitals::Vital;

pub mod cheapest;
pub mod complexity;
pub mod fastest;
pub mod least_busy;
pub mod pinned;
pub mod rules;
pub mod weighted;

/// What a strategy may ask about the call that is to be routed. Each answer is worked out when it is asked for, and not before: what a
/// strategy does not look at costs nothing.
pub trait Sight {
    /// What rules may ask.
    fn facts(&self) -> Facts<'_>;

    /// How busy and how quick a target is.
    fn vital(&self, of: DeploymentId) -> Vital;

    /// What this call is expected to cost at a target; `None`: nobody knows.
    fn expected_cost(&self, of: DeploymentId) -> Option<NanoUsd>;

    /// A number for whom or what the call is about; `None`: it does not say.
    fn affinity(&self, by: Sticky) -> Option<u64>;

    /// How hard the request is by those weights, of two tiers or of three.
    fn complexity(&self, weights: &Weights, three: bool) -> Arc<Verdict>;
}

/// A way to rank the targets of a route. Pure: dice, and what is known of the call, are arguments.
pub trait Strategy: Send + Sync {
    /// Puts the candidates in order, best first, and removes those that must not be tried. Gives the reason for the order.
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason;
}

/// What a route's config says to its strategy.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What calls are kept together by.
    pub sticky: Option<Sticky>,
    /// A number of its own for each deployment of the route, in the order of their ids; made of its name, so that it outlives a config in
    /// which the others change.
    pub salts: Vec<u64>,
    /// Rules, the first that holds wins.
    pub rules: Vec<rules::Rule>,
    /// Models by the strength that a request needs, where the route has tiers.
    pub tiers: Option<complexity::Tiers>,
}

/// A strategy by its name in config.
pub struct Entry {
    /// Its name in config.
    pub name: &'static str,
    /// One line for the manual.
    pub doc: &'static str,
    /// The strategy of one route.
    pub build: fn(&Settings) -> Box<dyn Strategy>,
}

/// Every strategy.
pub static STRATEGIES: &[Entry] = &[
    pinned::ENTRY,
    weighted::ENTRY,
    cheapest::ENTRY,
    fastest::ENTRY,
    least_busy::ENTRY,
    complexity::ENTRY,
    rules::ENTRY,
];

/// The strategy of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    STRATEGIES.iter().find(|entry| entry.name == name)
}

/// Any order as likely as any other (Fisher and Yates).
fn shuffle(candidates: &mut [Candidate], dice: &mut Dice) {
    for last in (1..candidates.len()).rev() {
        let other = dice.below(last as u64 + 1);
        candidates.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::complexity::{Ask, Features};

    /// A call of which so much is known; nothing by default.
    #[derive(Default)]
    pub(crate) struct Seen<'a> {
        pub(crate) facts: Facts<'a>,
        pub(crate) vitals: Vec<Vital>,
        pub(crate) costs: Vec<Option<NanoUsd>>,
        pub(crate) affinity: Option<u64>,
        pub(crate) text: &'a str,
    }

    impl Sight for Seen<'_> {
        fn facts(&self) -> Facts<'_> {
            self.facts
        }

        fn vital(&self, of: DeploymentId) -> Vital {
            self.vitals.get(at(of)).copied().unwrap_or_default()
        }

        fn expected_cost(&self, of: DeploymentId) -> Option<NanoUsd> {
            self.costs.get(at(of)).copied().flatten()
        }

        fn affinity(&self, _: Sticky) -> Option<u64> {
            self.affinity
        }

        fn complexity(&self, weights: &Weights, three: bool) -> Arc<Verdict> {
            Arc::new(weights.judge(Features::of(&Ask::about(self.text)), three))
        }
    }

    fn at(id: DeploymentId) -> usize {
        usize::try_from(id.0).unwrap_or(usize::MAX)
    }

    /// One candidate per weight, numbered from 0.
    pub(crate) fn candidates(weights: &[u32]) -> Vec<Candidate> {
        let numbered = (0..).zip(weights);
        numbered
            .map(|(id, weight)| Candidate {
                deployment: DeploymentId(id),
                weight: *weight,
            })
            .collect()
    }

    #[test]
    fn a_shuffle_favours_no_order() {
        let mut seen = std::collections::BTreeMap::new();
        for seed in 0..6000 {
            let mut shuffled = candidates(&[1, 1, 1]);
            shuffle(&mut shuffled, &mut Dice::new(seed));
            let order: Vec<u32> = shuffled.iter().map(|one| one.deployment.0).collect();
            *seen.entry(order).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (880..1120).contains(count)), "{seen:?}");
    }

    #[test]
    fn names_are_given_once() {
        for entry in STRATEGIES {
            assert_eq!(
                STRATEGIES.iter().filter(|other| other.name == entry.name).count(),
                1,
                "{}",
                entry.name
            );
            assert!(by_name(entry.name).is_some());
        }
    }
}
