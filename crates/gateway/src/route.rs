//! Stage 4: a pass to a `Plan`: the deployments to try, in order. Pure but for the health that it looks at: the strategy ranks,
//! and open breakers stand back.

use tollgate_policy::plan::{Dice, Plan};
use tollgate_policy::retry::Trigger;
use tollgate_wire::fault::{Fault, FaultKind};
use tollgate_wire::loss::Loss;

use crate::admit::Pass;
use crate::clock::Now;
use crate::config::snapshot::{OnLoss, Route};
use crate::ingress::Call;

/// Makes the plan of a call. Deployments whose breaker is open stay in it, behind the healthy ones.
///
/// # Errors
/// Unavailable, when every target is switched off; Lossy or Malformed, when the route looks at losses.
pub fn plan(pass: &Pass, call: &Call, now: Now, dice: &mut Dice) -> Result<Plan, Fault> {
    let route = pass.route();
    let mut ranked = route.candidates.clone();
    route.strategy.rank(&mut ranked, dice);
    let Some(mut plan) = Plan::new(&ranked, &route.fallbacks) else {
        let message = format!(
            "every target of the route \"{}\" is switched off; give one a weight above 0",
            route.name
        );
        return Err(Fault::gateway(FaultKind::Unavailable, message).with_code("no_target"));
    };
    if route.on_loss == OnLoss::Avoid && plan.attempts().len() > 1 {
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
    }
    prefer_healthy(&mut plan, route, now);
    Ok(plan)
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
