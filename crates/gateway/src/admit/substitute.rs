//! Another model in place of the planned one, where a rule says so: when a budget is nearly spent, or when a limit or budget refuses. A
//! substitute must be permitted to the caller, and able to carry the request (no more is lost than with the planned model); nobody is
//! given a weaker answer in silence.

use std::sync::Arc;

use tollgate_policy::accounts::{Denied, RuleAt};
use tollgate_policy::plan::Plan;
use tollgate_policy::switches;
use tollgate_wire::loss::Loss;

use super::ask::Ask;
use super::rights;
use crate::config::snapshot::{Asked, Route, Target};

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
        full.then(|| find(ask, standing.rule, target, &format!("budget_{at}")))?
    })
}

/// When a rule refuses the plan.
pub(super) fn for_refusal(ask: &Ask<'_>, denied: &Denied, (route, plan): &(Arc<Route>, Plan)) -> Option<Substitute> {
    let target = route.target(*plan.attempts().first()?)?;
    let reason = match denied.rule {
        RuleAt::Budget(_) => "budget_100",
        RuleAt::Limit(_) => "limit",
    };
    find(ask, denied.rule, target, reason)
}

/// The first substitute of a rule that is legal.
fn find(ask: &Ask<'_>, rule: RuleAt, planned: &Target, reason: &str) -> Option<Substitute> {
    let config = ask.desk.config;
    let names = config.spending.substitutes(rule, &planned.deployment.name);
    names.iter().filter(|name| **name != planned.deployment.name).find_map(|name| {
        let asked = config
            .find(name)
            .ok()
            .filter(|asked| rights::allowed(ask.desk.caller, asked, name))?;
        let (Asked::Route(route) | Asked::Model(route)) = asked;
        let subject = switches::Subject {
            route: route.named.then_some(route.name.as_str()),
            model: Some(name),
            ..ask.desk.caller.subject()
        };
        if ask.desk.switches.load().blocking(&subject).is_some() {
            return None;
        }
        let ranked = &route.candidates;
        let plan = rights::priced(&route, Plan::new(ranked, &route.fallbacks)?).ok()?;
        let target = route.target(*plan.attempts().first()?)?;
        let other = target.deployment.name != planned.deployment.name;
        (other && carries(ask, target, planned)).then(|| Substitute {
            reason: format!("from={}; reason={reason}", planned.deployment.name),
            planned: (Arc::clone(&route), plan),
        })
    })
}

/// Whether a deployment loses nothing of the request that the planned one would not lose. Whether the prompt fits is the provider's to say.
fn carries(ask: &Ask<'_>, target: &Target, planned: &Target) -> bool {
    let Ok(request) = ask.call.request() else { return false };
    let lost = |target: &Target| {
        let door = target.deployment.door(ask.call.dialect);
        let mut loss = Loss::default();
        door.dialect.write_request(ask.call.operation, request, &door.target, &mut loss);
        loss.features().len()
    };
    lost(target) <= lost(planned)
}
