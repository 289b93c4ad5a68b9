//! What a call's label leaves of a route: the targets and fallbacks that are cleared for it. Done once, before anything is ranked; retries,
//! fallbacks and substitutes choose among what is left (GOVERNANCE section 8).

use tollgate_policy::labels::{Label, Part, withhold};
use tollgate_policy::plan::{Choices, DeploymentId, Dice, Dropped, Plan};
use tollgate_policy::strategies::Sight;
use tollgate_wire::fault::{Fault, FaultKind};

use super::NoPlan;
use crate::config::snapshot::{Route, Target};

/// The reason of a plan whose first choice is not cleared.
const NOT_CLEARED: &str = "not_cleared";

/// What may answer a call with that label: all that is cleared for it, in no order yet.
///
/// # Errors
/// Forbidden, when the route does not carry such data, or when nothing is cleared.
pub fn choices(route: &Route, label: &Label) -> Result<Choices, NoPlan> {
    if let Some(highest) = &route.label {
        label.within(highest).map_err(|part| too_high(route, highest, label, part))?;
    }
    let mut choices = Choices::new(route.candidates.clone(), route.fallbacks.clone());
    withhold(&mut choices, label, |id| route.target(id).map(|target| &target.clearance));
    match refusal(route, label, &choices) {
        Some(fault) if choices.is_empty() => Err(NoPlan::of(fault, choices.dropped())),
        _ => Ok(choices),
    }
}

/// Says of a plan that something else would have come first, where its label alone is why it does not. `dice` are those that the targets
/// were ranked by, as they lay before. Where nothing was left out, nothing is done.
pub(super) fn tell(plan: &mut Plan, route: &Route, sight: &dyn Sight, mut dice: Dice) {
    let is_target = |id: DeploymentId| route.candidates.iter().any(|target| target.deployment == id);
    if !withheld(plan.dropped()).any(|dropped| is_target(dropped.deployment)) {
        return;
    }
    let mut all = route.candidates.clone();
    route.strategy.rank(sight, &mut all, &mut dice);
    if let Some(first) = all.first() {
        plan.instead_of(first.deployment, NOT_CLEARED);
    }
}

/// The refusal of a call for which nothing is left; `None`: its label is not the reason.
pub(super) fn refusal(route: &Route, label: &Label, choices: &Choices) -> Option<Fault> {
    let first = withheld(choices.dropped()).next()?;
    let part = first.why.rsplit(' ').next().unwrap_or_default();
    let deployment = route.deployment(first.deployment).map_or("", |deployment| &deployment.name);
    let (what, other) = if route.named {
        (format!("no model of the route \"{}\" is", route.name), "route")
    } else {
        (format!("\"{}\" is not", route.name), "model")
    };
    Some(forbidden(format!(
        "{what} cleared for this call's label, \"{label}\": \"{deployment}\" may not have it because of its {part}; ask for another {other}, or ask \
         who runs this gateway for a clearance"
    )))
}

/// The refusal of one attempt. Plans hold nothing that is not cleared: this is the last of two gates.
pub fn forbidden_target(target: &Target, label: &Label, part: Part) -> Fault {
    forbidden(format!(
        "\"{}\" is not cleared for this call's label, \"{label}\", by its {}; ask who runs this gateway for a clearance",
        target.deployment.name,
        part.name()
    ))
}

fn withheld(dropped: &[Dropped]) -> impl Iterator<Item = &Dropped> {
    dropped.iter().filter(|dropped| dropped.why.starts_with(NOT_CLEARED))
}

fn too_high(route: &Route, highest: &Label, label: &Label, part: Part) -> Fault {
    forbidden(format!(
        "the route \"{}\" carries data up to the label \"{highest}\", and this call is labelled \"{label}\": its {} exceeds that; ask \
         for another route",
        route.name,
        part.name()
    ))
}

/// A refusal by label is a decision, and would be the same a second time.
fn forbidden(message: String) -> Fault {
    Fault::gateway(FaultKind::Forbidden, message)
        .with_code("no_cleared_model")
        .with_param("model")
}
