//! Everything that could answer a call, each with its place and the reason for it; and how often each would be first.

use std::collections::BTreeMap;

use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::{DeploymentId, Dice, Dropped, Plan};
use tollgate_wire::fault::Fault;
use tollgate_wire::loss::Loss;

use super::document::{Candidate, PriceRange, Role, Share};
use crate::admit::{self, Desk, Outlook};
use crate::config::snapshot::{Route, Target};
use crate::ingress::Call;
use crate::route::NoPlan;

/// How often dice are rolled to find the shares: their first fall is spread evenly, so that shares are right to half a percent where one
/// fall decides.
const FALLS: u32 = 200;

/// What one fall of the dice gave.
pub(super) struct Fall {
    pub(super) plan: Result<Plan, NoPlan>,
    /// The dice had a say.
    pub(super) by_dice: bool,
}

/// What the candidates of a call are told from.
pub(super) struct Planned<'a> {
    pub(super) desk: Desk<'a>,
    pub(super) call: &'a Call,
    pub(super) route: &'a Route,
}

/// The most frequent of all falls, and the share of each first choice.
pub(super) fn shares(route: &Route, mut once: impl FnMut(Dice) -> Fall) -> (Fall, Vec<Share>) {
    let mut counts: BTreeMap<Option<DeploymentId>, (u32, Fall)> = BTreeMap::new();
    let step = u64::MAX / u64::from(FALLS);
    for at in 0..FALLS {
        let fall = once(Dice::falling(step * u64::from(at) + step / 2));
        let first = fall.plan.as_ref().ok().and_then(|plan| plan.attempts().first().copied());
        counts.entry(first).or_insert((0, fall)).0 += 1;
    }
    let mut counted: Vec<_> = counts.into_iter().collect();
    // A stable sort: of equals the one that is written first.
    counted.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let share = |(first, (count, _)): &(Option<DeploymentId>, (u32, Fall))| Share {
        model: first.map_or_else(|| "(refused)".to_owned(), |id| name(route, id)),
        percent: f64::from(count * 100) / f64::from(FALLS),
    };
    let shares = counted.iter().map(share).collect();
    let most = counted.into_iter().next().map(|(_, (_, fall))| fall);
    // There is always one: dice were rolled.
    (most.unwrap_or_else(|| once(Dice::new(0))), shares)
}

/// What a deployment is called.
pub(super) fn name(route: &Route, id: DeploymentId) -> String {
    route.deployment(id).map(|deployment| deployment.name.clone()).unwrap_or_default()
}

/// All that a plan does not hold, each with the reason: first what was left out for one, then what its strategy does not try.
pub(super) fn left_out(route: &Route, plan: Option<&Plan>, dropped: &[Dropped], otherwise: &str) -> Vec<Candidate> {
    let tried = plan.map(Plan::attempts).unwrap_or_default();
    let all = route
        .candidates
        .iter()
        .map(|one| one.deployment)
        .chain(route.fallbacks.iter().copied());
    let mut seen: Vec<DeploymentId> = Vec::new();
    let mut out = Vec::new();
    for id in all {
        if tried.contains(&id) || seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let mut candidate = plain(route, id);
        let known = dropped.iter().find(|one| one.deployment == id);
        candidate.why = match known {
            Some(dropped) => dropped.why.to_string(),
            None if candidate.weight == Some(0) => "weight 0: it is given no calls".to_owned(),
            None => otherwise.to_owned(),
        };
        out.push(candidate);
    }
    out
}

/// A candidate of which only name, role and weight are said.
pub(super) fn plain(route: &Route, id: DeploymentId) -> Candidate {
    let weight = route.candidates.iter().find(|one| one.deployment == id).map(|one| one.weight);
    let is_fallback = weight.is_none() && route.fallbacks.contains(&id);
    Candidate {
        model: name(route, id),
        role: if is_fallback { Role::Fallback } else { Role::Target },
        weight: weight.filter(|_| route.named),
        ..Candidate::default()
    }
}

/// Why something stands where it does among the attempts.
pub(super) fn why(plan: &Plan, at: usize, id: DeploymentId) -> String {
    match plan.passed_over() {
        Some(reason) if id == plan.first_choice() && at > 0 => format!("first choice, passed over: {reason}"),
        Some(_) if at == 0 => "the first in order that nothing speaks against".to_owned(),
        _ if at == 0 => plan.reason().to_owned(),
        _ => "stands by".to_owned(),
    }
}

impl Planned<'_> {
    /// All candidates of a plan, and of the substitute's where a rule put one in its place.
    pub(super) fn of(&self, plan: &Plan, outlook: &Outlook) -> Vec<Candidate> {
        let substituted = !std::ptr::eq(self.route, &raw const *outlook.route);
        let mut all = self.tried(&outlook.route, &outlook.plan);
        if substituted {
            all.iter_mut().for_each(|candidate| candidate.role = Role::Substitute);
            let planned = plan.attempts().iter().map(|id| Candidate {
                why: "a rule put another in its place".to_owned(),
                ..self.priced(self.route, *id)
            });
            all.extend(planned);
        }
        let plan = if substituted { plan } else { &outlook.plan };
        all.extend(left_out(self.route, Some(plan), plan.dropped(), &strategy(plan)));
        all
    }

    /// Where the whole plan was refused: nothing of it is tried.
    pub(super) fn refused(&self, plan: &Plan, fault: &Fault) -> Vec<Candidate> {
        let why = fault.code.as_deref().unwrap_or_default();
        let planned = plan.attempts().iter().map(|id| Candidate {
            why: why.to_owned(),
            ..self.priced(self.route, *id)
        });
        let mut all: Vec<Candidate> = planned.collect();
        all.extend(left_out(self.route, Some(plan), plan.dropped(), &strategy(plan)));
        all
    }

    /// Where there is no plan.
    pub(super) fn none(&self, none: &NoPlan) -> Vec<Candidate> {
        left_out(self.route, None, &none.dropped, none.fault.code.as_deref().unwrap_or_default())
    }

    fn tried(&self, route: &Route, plan: &Plan) -> Vec<Candidate> {
        let all = plan.attempts().iter().enumerate().map(|(at, id)| {
            let mut candidate = self.priced(route, *id);
            candidate.place = Some(u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1));
            candidate.why = why(plan, at, *id);
            if let Some(blocked) = route
                .target(*id)
                .and_then(|target| admit::passed_over(self.desk, route, target, self.call))
            {
                candidate.why = format!("skipped when it is its turn: {}", blocked.message);
            }
            candidate
        });
        all.collect()
    }

    fn priced(&self, route: &Route, id: DeploymentId) -> Candidate {
        let target = route.target(id);
        Candidate {
            price: target
                .and_then(|target| admit::range(self.desk, self.call, target))
                .map(price_range),
            loss: target.map(|target| self.loss(target)).unwrap_or_default(),
            ..plain(route, id)
        }
    }

    /// What of the request the deployment's dialect cannot carry.
    fn loss(&self, target: &Target) -> Vec<String> {
        let door = target.deployment.door(self.call.dialect);
        let mut loss = Loss::default();
        if !tollgate_wire::dialects::same(door.dialect, self.call.dialect)
            && let Ok(request) = self.call.request()
        {
            door.dialect.write_request(self.call.operation, request, &door.target, &mut loss);
        }
        loss.features().to_vec()
    }
}

fn strategy(plan: &Plan) -> String {
    format!("not tried by the route's strategy ({})", plan.reason())
}

fn price_range((floor, ceiling): (NanoUsd, NanoUsd)) -> PriceRange {
    PriceRange {
        floor_usd: floor.to_string(),
        ceiling_usd: ceiling.to_string(),
    }
}
