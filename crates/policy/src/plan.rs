//! The attempts that one call may make, in order. A plan is finite by construction; what it does not hold is not tried. What was left
//! out stays beside it with the reason, so that a decision can be explained.

use std::borrow::Cow;
use std::sync::Arc;

use crate::complexity::Verdict;

/// Why something was chosen, moved back or left out: a word for headers and records, perhaps with a detail behind a colon.
pub type Reason = Cow<'static, str>;

/// The number of a deployment within its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentId(pub u32);

/// Something that could answer, before it is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Its share among its siblings; 0: it gets none.
    pub weight: u32,
}

/// A deployment that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Which.
    pub deployment: DeploymentId,
    /// Why.
    pub why: Reason,
}

/// What may answer a call, before it is ranked: filtered here once, so that whatever is tried later was permitted.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The route's targets.
    pub targets: Vec<Candidate>,
    /// What stands in for them, in order.
    pub fallbacks: Vec<DeploymentId>,
    dropped: Vec<Dropped>,
}

impl Choices {
    /// All that a route has.
    #[must_use]
    pub fn new(targets: Vec<Candidate>, fallbacks: Vec<DeploymentId>) -> Self {
        Self {
            targets,
            fallbacks,
            dropped: Vec::new(),
        }
    }

    /// Leaves out every deployment for which there is a reason to.
    pub fn drop_where(&mut self, why_not: impl Fn(DeploymentId) -> Option<Reason>) {
        let dropped = &mut self.dropped;
        let mut keep = |deployment: DeploymentId| match why_not(deployment) {
            None => true,
            Some(why) => {
                if dropped.iter().all(|known| known.deployment != deployment) {
                    dropped.push(Dropped { deployment, why });
                }
                false
            }
        };
        self.targets.retain(|target| keep(target.deployment));
        self.fallbacks.retain(|fallback| keep(*fallback));
    }

    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.fallbacks.is_empty()
    }

    /// What was left out, and why.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }
}

/// The deployments to be tried, best first; never empty. It is handed from stage to stage, and cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan(Arc<Body>);

#[derive(Debug, Clone, PartialEq)]
struct Body {
    attempts: Vec<DeploymentId>,
    first_choice: DeploymentId,
    passed_over: Option<&'static str>,
    reason: Reason,
    dropped: Vec<Dropped>,
    verdict: Option<Arc<Verdict>>,
}

impl Plan {
    /// The ranked targets and behind them the fallbacks, each deployment once. `None`: there is nothing to try.
    #[must_use]
    pub fn new(ranked: &[Candidate], fallbacks: &[DeploymentId]) -> Option<Self> {
        let mut attempts = Vec::with_capacity(ranked.len() + fallbacks.len());
        for deployment in ranked.iter().map(|candidate| candidate.deployment).chain(fallbacks.iter().copied()) {
            if !attempts.contains(&deployment) {
                attempts.push(deployment);
            }
        }
        let first_choice = *attempts.first()?;
        Some(Self(Arc::new(Body {
            attempts,
            first_choice,
            passed_over: None,
            reason: Reason::Borrowed(""),
            dropped: Vec::new(),
            verdict: None,
        })))
    }

    /// The plan of what is left after a strategy has ranked the targets; `reason` is the strategy's.
    #[must_use]
    pub fn of(choices: Choices, reason: Reason) -> Option<Self> {
        let mut plan = Self::new(&choices.targets, &choices.fallbacks)?;
        let body = Arc::make_mut(&mut plan.0);
        body.reason = reason;
        body.dropped = choices.dropped;
        Some(plan)
    }

    /// Why the targets stand in this order; empty: nobody chose.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// How hard the request was found to be, where a strategy asked.
    #[must_use]
    pub fn verdict(&self) -> Option<&Arc<Verdict>> {
        self.0.verdict.as_ref()
    }

    /// Keeps how hard the request was found to be.
    pub fn judged(&mut self, verdict: Arc<Verdict>) {
        Arc::make_mut(&mut self.0).verdict = Some(verdict);
    }

    /// Says what would have been tried first, had it not been left out before the targets were ranked. Nothing changes where it is in the
    /// plan after all.
    pub fn instead_of(&mut self, first: DeploymentId, reason: &'static str) {
        let body = Arc::make_mut(&mut self.0);
        if !body.attempts.contains(&first) {
            body.first_choice = first;
            body.passed_over.get_or_insert(reason);
        }
    }

    /// What is not in it, and why.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.0.dropped
    }

    /// The deployments in order.
    #[must_use]
    pub fn attempts(&self) -> &[DeploymentId] {
        &self.0.attempts
    }

    /// What the strategy would have tried first.
    #[must_use]
    pub fn first_choice(&self) -> DeploymentId {
        self.0.first_choice
    }

    /// Why the first choice is not tried first, where it is not.
    #[must_use]
    pub fn passed_over(&self) -> Option<&'static str> {
        self.0.passed_over
    }

    /// The plan of those alone for which `keep` is true; `None`: of none. `reason` says what is wrong with the others.
    #[must_use]
    pub fn only(mut self, reason: &'static str, keep: impl Fn(DeploymentId) -> bool) -> Option<Self> {
        let body = Arc::make_mut(&mut self.0);
        let first = body.attempts.first().copied();
        let dropped = &mut body.dropped;
        body.attempts.retain(|deployment| {
            let keeps = keep(*deployment);
            if !keeps {
                dropped.push(Dropped {
                    deployment: *deployment,
                    why: Reason::Borrowed(reason),
                });
            }
            keeps
        });
        if first != body.attempts.first().copied() {
            body.passed_over.get_or_insert(reason);
        }
        (!body.attempts.is_empty()).then_some(self)
    }

    /// Moves to the front, in their order, those for which `keep` is true (all stay in the plan). `reason` says what is wrong with
    /// the others.
    pub fn prefer(&mut self, reason: &'static str, keep: impl Fn(DeploymentId) -> bool) {
        let body = Arc::make_mut(&mut self.0);
        let first = body.attempts.first().copied();
        // A stable sort by "not preferred".
        body.attempts.sort_by_key(|deployment| !keep(*deployment));
        if first != body.attempts.first().copied() {
            body.passed_over.get_or_insert(reason);
        }
    }
}

/// Dice that fall the same way for the same exchange, so that a decision can be replayed (SplitMix64 by Sebastiano Vigna).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Seeded with the exchange's id.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice whose first fall is that one: to ask for each part of all that may fall what comes of it.
    #[must_use]
    pub fn falling(first: u64) -> Self {
        // The steps of `roll` in reverse: each of them can be undone.
        let unshift = |z: u64, by: u32| {
            (by..64)
                .step_by(usize::try_from(by).unwrap_or(64))
                .fold(z, |known, _| z ^ (known >> by))
        };
        let mut z = unshift(first, 31).wrapping_mul(0x3196_42B2_D24D_8EC3);
        z = unshift(z, 27).wrapping_mul(0x96DE_1B17_3F11_9089);
        Self(unshift(z, 30).wrapping_sub(0x9E37_79B9_7F4A_7C15))
    }

    /// 64 even bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, evenly (multiply-shift); 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.roll()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_plan_holds_each_deployment_once_targets_first() {
        let ranked = [2, 1].map(|id| Candidate {
            deployment: DeploymentId(id),
            weight: 1,
        });
        let plan = Plan::new(&ranked, &[DeploymentId(1), DeploymentId(3)]).unwrap();
        assert_eq!(plan.attempts(), [DeploymentId(2), DeploymentId(1), DeploymentId(3)]);
        assert!(Plan::new(&[], &[]).is_none());
    }

    #[test]
    fn preferring_keeps_the_order_and_drops_nothing() {
        let mut plan = Plan::new(&[], &[1, 2, 3, 4].map(DeploymentId)).unwrap();
        plan.prefer("all are well", |_| true);
        assert_eq!(plan.passed_over(), None);
        plan.prefer("odd", |id| id.0 % 2 == 0);
        assert_eq!(plan.attempts(), [2, 4, 1, 3].map(DeploymentId));
        assert_eq!((plan.first_choice(), plan.passed_over()), (DeploymentId(1), Some("odd")));
    }

    #[test]
    fn what_is_left_out_is_not_tried() {
        let plan = Plan::new(&[], &[1, 2, 3].map(DeploymentId)).unwrap();
        let odd = plan.clone().only("even", |id| id.0 % 2 == 1).unwrap();
        assert_eq!((odd.attempts(), odd.passed_over()), (&[1, 3].map(DeploymentId)[..], None));
        let even = plan.clone().only("odd", |id| id.0 % 2 == 0).unwrap();
        assert_eq!(
            (even.attempts(), even.first_choice(), even.passed_over()),
            (&[DeploymentId(2)][..], DeploymentId(1), Some("odd"))
        );
        assert_eq!(plan.only("all", |_| false), None);
    }

    #[test]
    fn what_was_left_out_stays_beside_the_plan_once_with_its_reason() {
        let target = |id| Candidate {
            deployment: DeploymentId(id),
            weight: 1,
        };
        let mut choices = Choices::new([1, 2].map(target).into(), [2, 3].map(DeploymentId).into());
        choices.drop_where(|id| (id.0 == 2).then(|| Reason::Owned("not_cleared: level".to_owned())));
        choices.drop_where(|id| (id.0 == 2).then_some(Reason::Borrowed("never asked again")));
        let plan = Plan::of(choices, Reason::Borrowed("pinned"))
            .unwrap()
            .only("unpriced", |id| id.0 == 3)
            .unwrap();
        let dropped: Vec<(u32, &str)> = plan.dropped().iter().map(|one| (one.deployment.0, &*one.why)).collect();
        assert_eq!(dropped, [(2, "not_cleared: level"), (1, "unpriced")]);
        assert_eq!((plan.attempts(), plan.reason()), (&[DeploymentId(3)][..], "pinned"));
    }

    #[test]
    fn dice_fall_first_as_they_are_told() {
        for first in (0..1000).map(|n: u64| n.wrapping_mul(0x1234_5678_9ABC_DEF1)).chain([u64::MAX]) {
            assert_eq!(Dice::falling(first).roll(), first);
        }
    }

    #[test]
    fn what_was_left_out_before_ranking_can_still_be_told() {
        let mut plan = Plan::new(&[], &[2, 3].map(DeploymentId)).unwrap();
        plan.instead_of(DeploymentId(3), "not_cleared");
        assert_eq!((plan.first_choice(), plan.passed_over()), (DeploymentId(2), None));
        plan.instead_of(DeploymentId(1), "not_cleared");
        plan.prefer("unavailable", |id| id.0 == 3);
        assert_eq!((plan.first_choice(), plan.passed_over()), (DeploymentId(1), Some("not_cleared")));
        assert_eq!(plan.attempts(), [3, 2].map(DeploymentId), "what is tried does not change");
    }

    #[test]
    fn the_same_seed_rolls_the_same() {
        let (mut one, mut two) = (Dice::new(5), Dice::new(5));
        for _ in 0..100 {
            assert_eq!(one.below(7), two.below(7));
        }
        assert!((0..1000).all(|_| one.below(3) < 3));
        assert_eq!(one.below(0), 0);
    }
}
