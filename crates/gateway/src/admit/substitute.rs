//! Another model in place of the planned one, where a rule says so: when a budget is nearly spent, or when a limit or budget refuses. A
//! substitute must be permitted to the caller, cleared for the call's label, released and approved as far as the call needs it, and able to
//! carry the request (no more is lost than with the planned model); nobody is given a weaker answer in silence.

use std::sync::Arc;

use tollgate_policy::accounts::{Denied, RuleAt};
use tollgate_policy::plan::{Plan, Reason};
use tollgate_policy::switches;
use tollgate_wire::loss::Loss;

use super::ask::Ask;
use super::{Desk, rights};
use crate::config::resorts::OnLimit;
use crate::config::snapshot::{Asked, Route, Target};
use crate::ingress::Call;
use crate::release::{self, Choice};
use crate::route::clearance;

/// What is called instead.
pub(super) struct Substitute {
    pub(super) planned: (Arc<Route>, Plan),
    /// For the record and the answer's head: `from=…; reason=…`.
    pub(super) reason: String,
}

/// When a budget that the call meets is spent beyond its `downgrade_at`.
pub(super) fn for_fullness(ask: &Ask<'_>, route: &Arc<Route>, plan: &Plan) -> Option<Substitute> {
    let rules = &ask.desk.config.spending.rules;
    if rules.budgets().iter().all(|budget| budget.downgrade_at.is_none()) {
        return None;
    }
    let target = route.target(*plan.attempts().first()?)?;
    ask.budgets(route, target).into_iter().find_map(|standing| {
        let at = rules.budget(standing.rule)?.downgrade_at?;
        let full = standing.percent() >= at;
        let names = ask.desk.config.spending.substitutes(standing.rule, &target.deployment.name);
        full.then(|| find(ask, names, (route, target), &format!("budget_{at}")))?
    })
}

/// When a rule refuses the plan.
pub(super) fn for_refusal(ask: &Ask<'_>, denied: &Denied, (route, plan): &(Arc<Route>, Plan)) -> Option<Substitute> {
    let target = route.target(*plan.attempts().first()?)?;
    let reason = match denied.rule {
        RuleAt::Budget(_) => "budget_100",
        RuleAt::Limit(_) => "limit",
    };
    find(ask, names(ask.desk, route, denied.rule, target), (route, target), reason)
}

/// When a limit does not let a call in: what may be called instead, in order. Each has accounts of its own to be let in by.
pub(super) fn at_entrance<'a>(
    desk: Desk<'a>,
    call: &'a Call,
    denied: &Denied,
    route: &'a Route,
) -> impl Iterator<Item = Substitute> + use<'a> {
    let first = route.candidates.first().map(|candidate| candidate.deployment);
    let target = first.and_then(|id| route.target(id));
    let names = target.map_or(&[][..], |target| names(desk, route, denied.rule, target));
    let legal = move |name: &String| legal(desk, call, name, (route, target?), "limit");
    names.iter().filter_map(legal)
}

/// What may stand in where that rule refuses: what the rule says, else what the route does.
fn names<'a>(desk: Desk<'a>, route: &'a Route, rule: RuleAt, planned: &Target) -> &'a [String] {
    let spending = &desk.config.spending;
    match &route.on_limit {
        Some(OnLimit::Downgrade(models)) if spending.only_refuses(rule) => models,
        _ => spending.substitutes(rule, &planned.deployment.name),
    }
}

/// The first of those names that is legal.
fn find(ask: &Ask<'_>, names: &[String], planned: (&Route, &Target), reason: &str) -> Option<Substitute> {
    names.iter().find_map(|name| legal(ask.desk, ask.call, name, planned, reason))
}

/// What a name stands for, if that may answer this call instead of the planned deployment.
fn legal(desk: Desk<'_>, call: &Call, name: &str, (first, planned): (&Route, &Target), reason: &str) -> Option<Substitute> {
    if name == planned.deployment.name {
        return None;
    }
    let asked = desk
        .config
        .find(name)
        .ok()
        .filter(|asked| rights::allowed(desk.caller, asked, name))?;
    let (Asked::Route(route) | Asked::Model(route)) = asked;
    let subject = switches::Subject {
        route: route.named.then_some(route.name.as_str()),
        model: Some(name),
        ..desk.caller.subject()
    };
    if desk.switches.load().blocking(&subject).is_some() {
        return None;
    }
    let mut choices = clearance::choices(&route, call.label()).ok()?;
    let choice = Choice {
        route: &route,
        caller: desk.caller,
        // As much depends on the answer as where it was asked for.
        risk: release::risk(first, call).max(route.risk),
    };
    choice.narrow(&mut choices);
    let plan = rights::priced(&route, Plan::of(choices, Reason::Borrowed("substitute"))?).ok()?;
    let target = route.target(*plan.attempts().first()?)?;
    let other = target.deployment.name != planned.deployment.name;
    (other && carries(call, target, planned)).then(|| Substitute {
        reason: format!("from={}; reason={reason}", planned.deployment.name),
        planned: (Arc::clone(&route), plan),
    })
}

/// Whether a deployment loses nothing of the request that the planned one would not lose. Whether the prompt fits is the provider's to say.
fn carries(call: &Call, target: &Target, planned: &Target) -> bool {
    let Ok(request) = call.request() else { return false };
    let lost = |target: &Target| {
        let door = target.deployment.door(call.dialect);
        let mut loss = Loss::default();
        door.dialect.write_request(call.operation, request, &door.target, &mut loss);
        loss.features().len()
    };
    lost(target) <= lost(planned)
}
