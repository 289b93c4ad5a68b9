//! What may not be asked because it may cost too much: more than a call of its route may (`max_cost`), or than budgets leave.

use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::{DeploymentId, Plan};
use tollgate_policy::retry::Trigger;
use tollgate_wire::fault::{Fault, FaultKind};

use super::ask::Ask;
use super::demand::{Care, demand};
use crate::config::snapshot::Route;

impl Ask<'_> {
    /// The plan without what may cost more than a call of the route may.
    ///
    /// # Errors
    /// QuotaExceeded, when nothing is left, or when another model may not answer for the first.
    pub(super) fn affordable(&self, route: &Route, plan: Plan) -> Result<Plan, Fault> {
        let Some(most) = route.resilience.max_cost else { return Ok(plan) };
        let first = plan.attempts().first().copied();
        let fits = |id| self.money(route, id) <= most;
        let passes_on = route.fallback_on.contains(&Trigger::OverCost);
        let left = if passes_on || first.is_some_and(fits) {
            plan.only("over_cost", fits)
        } else {
            None
        };
        left.ok_or_else(|| {
            let message = format!(
                "this call may cost more than {most} USD, the most that the route \"{}\" lets a call cost; ask for less output or send less",
                route.name
            );
            Fault::gateway(FaultKind::QuotaExceeded, message).with_code("request_exceeds_max_cost")
        })
    }

    /// The plan without its dearest, where something cheaper may answer.
    pub(super) fn cheaper(&self, route: &Route, plan: Plan) -> Option<Plan> {
        if !route.fallback_on.contains(&Trigger::OverCost) {
            return None;
        }
        let dearest = plan.attempts().iter().map(|id| self.money(route, *id)).max()?;
        plan.only("over_cost", |id| self.money(route, id) < dearest)
    }

    /// The most that a call may cost at that deployment.
    fn money(&self, route: &Route, id: DeploymentId) -> NanoUsd {
        route.target(id).map_or(NanoUsd::ZERO, |target| {
            let (output, _) = self.needs.output(target);
            demand(target, &self.needs.estimate(target, output, Care::Calibrated)).money
        })
    }
}
