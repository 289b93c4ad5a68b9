//! What a route's config says about who is tried: its deployments, numbered, and the strategy that ranks them.

use std::sync::Arc;

use tollgate_policy::affinity::{Affinity, Sticky};
use tollgate_policy::estimate::Outputs;
use tollgate_policy::plan::{Candidate, DeploymentId};
use tollgate_policy::rules::Condition;
use tollgate_policy::strategies::complexity::Tiers;
use tollgate_policy::strategies::rules::Rule;
use tollgate_policy::strategies::{self, Settings, Strategy};

use super::providers::BuildError;
use super::raw;
use super::snapshot::Target;

/// The deployments of a route in the order of their numbers.
#[derive(Default)]
pub(super) struct Ranks {
    pub(super) targets: Vec<Arc<Target>>,
}

impl Ranks {
    /// The number of a deployment, the same wherever the route names it.
    pub(super) fn number(&mut self, target: &Target) -> DeploymentId {
        let known = self
            .targets
            .iter()
            .position(|known| Arc::ptr_eq(&known.deployment, &target.deployment) && known.price == target.price);
        let at = known.unwrap_or_else(|| {
            self.targets.push(Arc::new(of_route(target)));
            self.targets.len() - 1
        });
        DeploymentId(u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// A model as one route has it: how long its answers are is the route's own.
fn of_route(target: &Target) -> Target {
    Target {
        deployment: Arc::clone(&target.deployment),
        price: target.price.clone(),
        allow_unpriced: target.allow_unpriced,
        clearance: target.clearance.clone(),
        status: target.status,
        calibration: Arc::clone(&target.calibration),
        outputs: Outputs::default(),
    }
}

/// What gives a model of the route its number.
type Number<'a> = &'a mut dyn FnMut(&str) -> Result<DeploymentId, BuildError>;

/// What may answer: the targets, and what rules use.
pub(super) fn candidates(raw: &raw::Route, number: Number<'_>) -> Result<Vec<Candidate>, BuildError> {
    let targets = raw.targets.iter().map(|target| (&target.model, target.weight));
    let used = raw.rules.iter().flat_map(|rule| &rule.models).map(|model| (model, 1));
    let mut candidates: Vec<Candidate> = Vec::new();
    for (model, weight) in targets.chain(used) {
        let deployment = number(model)?;
        if candidates.iter().all(|known| known.deployment != deployment) {
            candidates.push(Candidate { deployment, weight });
        }
    }
    Ok(candidates)
}

/// The rules, with their conditions read.
pub(super) fn rules(raw: &raw::Route, number: Number<'_>) -> Result<Vec<Rule>, BuildError> {
    let rule = |rule: &raw::Rule| {
        let when = rule.when.as_deref().map(Condition::compile).transpose();
        Ok(Rule {
            name: rule.name.clone(),
            when: when.map_err(|error| BuildError::new(format!("the condition of a rule, {error}")))?,
            models: rule.models.iter().map(|model| number(model)).collect::<Result<_, _>>()?,
        })
    };
    raw.rules.iter().map(rule).collect()
}

/// The strategy of a model that is asked for without a route.
pub(super) fn pinned() -> Box<dyn Strategy> {
    Box::new(strategies::pinned::Pinned)
}

/// The strategy of a route.
pub(super) fn strategy(raw: &raw::Route, (rules, tiers): (Vec<Rule>, Option<Tiers>), targets: &[Arc<Target>]) -> Box<dyn Strategy> {
    let name = match raw.strategy {
        raw::Strategy::Pinned => "pinned",
        raw::Strategy::Weighted => "weighted",
        raw::Strategy::Cheapest => "cheapest",
        raw::Strategy::Fastest => "fastest",
        raw::Strategy::LeastBusy => "least_busy",
        raw::Strategy::Complexity => "complexity",
        raw::Strategy::Rules => "rules",
    };
    let of_targets = raw.targets.iter().find_map(|target| target.sticky);
    let settings = Settings {
        sticky: raw.sticky.or(of_targets).map(sticky),
        salts: targets.iter().map(|target| Affinity::of(&target.deployment.name)).collect(),
        rules,
        tiers,
    };
    strategies::by_name(name).map_or_else(pinned, |entry| (entry.build)(&settings))
}

fn sticky(raw: raw::Sticky) -> Sticky {
    match raw {
        raw::Sticky::User => Sticky::User,
        raw::Sticky::Session => Sticky::Session,
        raw::Sticky::Prefix => Sticky::Prefix,
    }
}
