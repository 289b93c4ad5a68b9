//! What a caller may have: the route or model that it names, and of its plan what has a price.

use std::sync::Arc;

use tollgate_policy::plan::Plan;
use tollgate_wire::fault::{Fault, FaultKind};

use crate::config::snapshot::{Asked, Route, Snapshot};
use crate::identify::Caller;
use crate::ingress::Call;

/// The route or model that a caller names, if it may.
///
/// # Errors
/// NotFound, Forbidden.
pub(super) fn route(config: &Snapshot, caller: &Caller, call: &Call) -> Result<Arc<Route>, Fault> {
    let name = call.envelope.model.as_str();
    if !caller.may(call.operation) {
        return Err(out_of_scope(caller, call));
    }
    // Before anything is built for a name that this key made up.
    if !config.is_named(name) && !caller.rights().may_call_model(name) {
        return Err(not_allowed(caller, name));
    }
    match config.find(name) {
        Ok(asked) if allowed(caller, &asked, name) => {
            let (Asked::Route(route) | Asked::Model(route)) = asked;
            Ok(route)
        }
        Ok(_) => Err(not_allowed(caller, name)),
        Err(unknown) => Err(unknown_model(caller, name, &unknown.to_string())),
    }
}

/// Whether a caller may call what that name stands for.
pub(super) fn allowed(caller: &Caller, asked: &Asked, name: &str) -> bool {
    match asked {
        Asked::Route(_) => caller.rights().may_call_route(name),
        Asked::Model(_) => caller.rights().may_call_model(name),
    }
}

/// The plan without deployments of which nobody knows what they cost: they are never free by accident (FAULTS R-C2, R-C9).
///
/// # Errors
/// Forbidden, when nothing is left.
pub(super) fn priced(route: &Route, plan: Plan) -> Result<Plan, Fault> {
    let known = |id| {
        route
            .target(id)
            .is_some_and(|target| target.price.is_some() || target.allow_unpriced)
    };
    if plan.attempts().iter().all(|id| known(*id)) {
        return Ok(plan);
    }
    let first = route.target(plan.first_choice()).map_or("", |target| &target.deployment.name);
    let message = format!("nobody knows what \"{first}\" costs, so it is not called; give it a price under models, or set allow_unpriced");
    plan.only("unpriced", known).ok_or_else(|| {
        Fault::gateway(FaultKind::Forbidden, message)
            .with_code("model_unpriced")
            .with_param("model")
    })
}

fn out_of_scope(caller: &Caller, call: &Call) -> Fault {
    let message = format!(
        "{} is not for calls of this kind ({}); ask its team's owner for the scope",
        caller.credential_name(),
        call.operation.name()
    );
    Fault::client(FaultKind::Forbidden, message).with_code("scope_not_allowed")
}

fn not_allowed(caller: &Caller, name: &str) -> Fault {
    let message = format!(
        "{} may not call \"{name}\"; ask its team's owner to allow it",
        caller.credential_name()
    );
    Fault::client(FaultKind::Forbidden, message)
        .with_code("model_not_allowed")
        .with_param("model")
}

/// What a name does not stand for is told only to those who could call it: others learn nothing of what exists.
fn unknown_model(caller: &Caller, name: &str, reason: &str) -> Fault {
    let shown: String = name.chars().take(256).collect();
    let message = if caller.rights().may_call_model(name) || caller.rights().may_call_route(name) {
        reason.to_owned()
    } else {
        format!("the model \"{shown}\" does not exist, or this key may not call it")
    };
    Fault::client(FaultKind::NotFound, message)
        .with_code("model_not_found")
        .with_param("model")
}
