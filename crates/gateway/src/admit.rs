//! Stage 3: may this caller have what it asks for? Gives the `Pass` without which no plan is made. Limits and money will stand
//! here too; they are not counted yet.

use std::sync::Arc;

use tollgate_wire::fault::{Fault, FaultKind};

use crate::config::snapshot::{Asked, Route, Snapshot};
use crate::identify::Caller;
use crate::ingress::Call;

/// Leave to go on: made only here.
pub struct Pass {
    route: Arc<Route>,
}

impl Pass {
    /// What the caller was admitted to.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }
}

/// Admits a caller to the route or model that it names.
///
/// # Errors
/// NotFound, Forbidden.
pub fn enter(config: &Snapshot, caller: &Caller, call: &Call) -> Result<Pass, Fault> {
    let name = call.envelope.model.as_str();
    if !caller.may(call.operation) {
        return Err(out_of_scope(caller, call));
    }
    let rights = caller.rights();
    // Before anything is built for a name that this key made up.
    if !config.is_named(name) && !rights.may_call_model(name) {
        return Err(not_allowed(caller, name));
    }
    let allowed = |asked: &Asked| match asked {
        Asked::Route(_) => rights.may_call_route(name),
        Asked::Model(_) => rights.may_call_model(name),
    };
    match config.find(name) {
        Ok(asked) if allowed(&asked) => {
            let (Asked::Route(route) | Asked::Model(route)) = asked;
            Ok(Pass { route })
        }
        Ok(_) => Err(not_allowed(caller, name)),
        Err(unknown) => Err(unknown_model(caller, name, &unknown.to_string())),
    }
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
