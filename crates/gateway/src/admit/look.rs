//! What admission would say to a call, asked with the same rules in the same order, and with nothing counted, held or waited for.

use std::sync::Arc;
use std::time::Duration;

use tollgate_policy::accounts::{Demand, Denied, Met, Part, RuleAt, Standing};
use tollgate_policy::plan::Plan;
use tollgate_wire::fault::Fault;

use super::ask::{Ask, Weighed};
use super::{Desk, Pass, permitted, queue, rights, scoped, subject, substitute, unblocked};
use crate::books::{NotReserved, Stage};
use crate::clock;
use crate::config::snapshot::{Route, Target};
use crate::facts;
use crate::ingress::Call;
use crate::refusal;

/// What would become of a plan.
pub struct Outlook {
    /// What would be called: what was asked for, or its substitute.
    pub route: Arc<Route>,
    /// In which order.
    pub plan: Plan,
    /// Which model was planned before a rule put another in its place, and why.
    pub downgraded: Option<String>,
    /// What would be held.
    pub demand: Demand,
    /// The output that the request would be limited to.
    pub cap: Option<u64>,
    /// How the accounts stand that the call meets.
    pub met: Vec<(RuleAt, Standing)>,
    /// Why it would not be sent now, and how long it might wait for that to change.
    pub refusal: Option<(Fault, Option<Duration>)>,
}

/// What a caller would be admitted to.
pub struct Look {
    /// Nothing can be reserved with it.
    pass: Pass,
    downgraded: Option<String>,
    /// Why it would not be let in now.
    refused: Option<NotReserved>,
}

impl Look {
    /// With which a plan is made.
    #[must_use]
    pub fn pass(&self) -> &Pass {
        &self.pass
    }
}

/// What a caller would be admitted to.
///
/// # Errors
/// NotFound, Forbidden: before the call would be counted.
pub fn look(desk: Desk<'_>, call: &Call) -> Result<Look, Fault> {
    let route = permitted(desk, call)?;
    let (met, denied) = would_enter(desk, &route, call);
    if let Some(denied) = &denied {
        for substitute in substitute::at_entrance(desk, call, denied, &route) {
            let route = substitute.planned.0;
            let (met, None) = would_enter(desk, &route, call) else { continue };
            return Ok(Look::of(route, met, (Some(substitute.reason), None)));
        }
    }
    Ok(Look::of(route, met, (None, denied.map(NotReserved::Denied))))
}

/// What would become of a plan that was made for that pass.
///
/// # Errors
/// Forbidden, where nothing of it has a price; QuotaExceeded, where all of it is dearer than the route lets a call be.
pub fn outlook(desk: Desk<'_>, look: Look, plan: Plan, call: &Call) -> Result<Outlook, Fault> {
    let Look { pass, downgraded, refused } = look;
    let route = Arc::clone(&pass.route);
    let plan = rights::priced(&route, plan)?;
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let ask = Ask::new(desk, call, &tags, pass, String::new());
    let plan = ask.affordable(&route, plan)?;
    let (mut chosen, mut reason) = match substitute::for_fullness(&ask, &route, &plan) {
        Some(substitute) => (substitute.planned, Some(substitute.reason)),
        None => ((Arc::clone(&route), plan), None),
    };
    let mut held = would_hold(&ask, &chosen);
    if let Err(NotReserved::Denied(denied)) = &held
        && let Some(substitute) = substitute::for_refusal(&ask, denied, &chosen)
        && let Ok(plan) = would_hold(&ask, &substitute.planned)
    {
        (chosen, reason) = (substitute.planned, Some(substitute.reason));
        held = Ok(plan);
    }
    let (demand, cap, met) = ask
        .weighed((&chosen.0, &chosen.1), |_, weighed| {
            let met = desk.books.accounts().met(clock::millis(weighed.now), weighed.parts);
            Ok((weighed.demand, weighed.cap, met))
        })
        .unwrap_or_default();
    let (route, plan) = chosen;
    let (plan, refusal) = match (refused, held) {
        (refused, Ok(rest)) => (rest, refused),
        (Some(why), Err(_)) | (None, Err(why)) => (plan, Some(why)),
    };
    let refusal = refusal.map(|why| told(desk, &route, &why));
    Ok(Outlook {
        route,
        plan,
        downgraded: reason.or(downgraded),
        demand,
        cap,
        met,
        refusal,
    })
}

/// Why a deployment would be passed over when it is its turn: a kill switch.
#[must_use]
pub fn passed_over(desk: Desk<'_>, route: &Route, target: &Target, call: &Call) -> Option<Fault> {
    unblocked(desk, route, target, call).err()
}

/// The accounts that a call meets at the entrance, and the one that would not let it in.
fn would_enter(desk: Desk<'_>, route: &Arc<Route>, call: &Call) -> (Met, Option<Box<Denied>>) {
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let subject = subject(desk.caller, route, &tags);
    let scoped = scoped(desk, &subject, Part::Call, || facts::of(desk, route, call));
    let key = desk.caller.key_id().zip(desk.caller.max_concurrency());
    let behind = queue::behind(desk, (route, Stage::Entrance), &[&scoped]);
    let denied = behind.or_else(|| desk.books.would_enter(desk.now, &scoped, key).err());
    (scoped.met(), denied)
}

/// What would be left of a plan: without the deployments before the first that has room.
fn would_hold(ask: &Ask<'_>, (route, plan): &(Arc<Route>, Plan)) -> Result<Plan, NotReserved> {
    ask.with_room((route, plan), |rest| {
        ask.weighed((route, rest), |_, Weighed { now, parts, demand, .. }| {
            let fits = ask.desk.books.accounts().would_reserve(clock::millis(now), parts, demand);
            fits.map_err(|denied| NotReserved::Denied(Box::new(denied)))?;
            Ok(rest.clone())
        })
    })
}

fn told(desk: Desk<'_>, route: &Route, why: &NotReserved) -> (Fault, Option<Duration>) {
    let waits = match why {
        NotReserved::Denied(denied) => queue::longest_for(desk, route, denied),
        _ => None,
    };
    (refusal::fault(why, desk.config.spending.status), waits)
}

impl Look {
    fn of(route: Arc<Route>, met: Met, (downgraded, refused): (Option<String>, Option<NotReserved>)) -> Self {
        Self {
            pass: Pass {
                route,
                entrance: None,
                met,
            },
            downgraded,
            refused,
        }
    }
}
