//! Stage 4: a pass to a `Plan`: the deployments to try, in order. Pure but for the health that it looks at. What must not answer is left
//! out first, once, from targets and fallbacks alike (retries, fallbacks and substitutes choose only among what is left); then the strategy
//! ranks; then what is unwell stands back.

pub mod clearance;
pub mod sight;

use tollgate_policy::plan::{Dice, Dropped, Plan};
use tollgate_policy::retry::Trigger;
use tollgate_wire::fault::{Fault, FaultKind};
use tollgate_wire::loss::Loss;

use crate::admit::{Desk, Pass};
use crate::clock::Now;
use crate::config::snapshot::{OnLoss, Route};
use crate::ingress::Call;
use crate::release::{self, Choice, nothing_left};

use sight::View;

/// Why there is no plan.
pub struct NoPlan {
    /// What the caller is told.
    pub fault: Fault,
    /// What was left out, and why.
    pub dropped: Vec<Dropped>,
}

impl NoPlan {
    fn of(fault: Fault, dropped: &[Dropped]) -> Self {
        Self {
            fault,
            dropped: dropped.to_vec(),
        }
    }
}

impl From<Fault> for NoPlan {
    fn from(fault: Fault) -> Self {
        Self::of(fault, &[])
    }
}

impl From<NoPlan> for Fault {
    fn from(none: NoPlan) -> Self {
        none.fault
    }
}

/// Makes the plan of a call. Deployments whose breaker is open stay in it, behind the healthy ones.
///
/// # Errors
/// Forbidden, when nothing is cleared for the call's label, or approved for its risk; Unavailable, when every target is switched off; Lossy
/// or Malformed, when the route looks at losses.
pub fn plan(desk: Desk<'_>, pass: &Pass, call: &Call, dice: &mut Dice) -> Result<Plan, NoPlan> {
    let route = pass.route();
    let mut choices = clearance::choices(route, call.label())?;
    let choice = Choice {
        route,
        caller: desk.caller,
        risk: release::risk(route, call),
    };
    choice.narrow(&mut choices);
    if let Some(fault) = nothing_left(route, &choices) {
        return Err(NoPlan::of(fault, choices.dropped()));
    }
    let view = View::new(desk, route, call);
    let before = dice.clone();
    let reason = route.strategy.rank(&view, &mut choices.targets, dice);
    if choices.is_empty() {
        let fault = clearance::refusal(route, call.label(), &choices).unwrap_or_else(|| nobody_left(route, &reason));
        return Err(NoPlan::of(fault, choices.dropped()));
    }
    let Some(mut plan) = Plan::of(choices, reason) else {
        return Err(nobody_left(route, "nobody is left").into());
    };
    if let Some(verdict) = view.verdict() {
        plan.judged(verdict);
    }
    clearance::tell(&mut plan, route, &view, before);
    if route.on_loss == OnLoss::Avoid && plan.attempts().len() > 1 {
        prefer_lossless(&mut plan, route, call)?;
    }
    prefer_healthy(&mut plan, route, desk.now);
    Ok(plan)
}

fn nobody_left(route: &Route, reason: &str) -> Fault {
    let name = &route.name;
    let message = if route.candidates.iter().all(|candidate| candidate.weight == 0) {
        format!("every target of the route \"{name}\" is switched off; give one a weight above 0")
    } else {
        format!("no target of the route \"{name}\" may take this call ({reason}); ask who runs this gateway, or add one that may")
    };
    Fault::gateway(FaultKind::Unavailable, message).with_code("no_target")
}

fn prefer_lossless(plan: &mut Plan, route: &Route, call: &Call) -> Result<(), Fault> {
    let request = call.request()?;
    plan.prefer("loss", |id| {
        route.deployment(id).is_some_and(|deployment| {
            let door = deployment.door(call.dialect);
            let mut loss = Loss::default();
            if !tollgate_wire::dialects::same(door.dialect, call.dialect) {
                door.dialect.write_request(call.operation, request, &door.target, &mut loss);
            }
            loss.is_empty()
        })
    });
    Ok(())
}

fn prefer_healthy(plan: &mut Plan, route: &Route, now: Now) {
    // Where trouble may not send a call on, the first choice answers for itself.
    if !route.fallback_on.contains(&Trigger::Unavailable) {
        return;
    }
    let unhealthy = |id| route.deployment(id).is_some_and(|deployment| !deployment.would_admit(now.instant));
    if plan.attempts().iter().any(|id| unhealthy(*id)) {
        plan.prefer("unavailable", |id| !unhealthy(id));
    }
}

#[cfg(test)]
mod tests;
