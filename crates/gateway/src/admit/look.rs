//! What admission would say to a call, asked with the same rules in the same order, and with nothing counted, held or waited for.

use std::sync::Arc;
use std::time::Duration;

use tollgate_policy::accounts::{Demand, Part, RuleAt, Standing};
use tollgate_policy::plan::Plan;
use tollgate_wire::fault::Fault;

use super::ask::{Ask, Weighed};
use super::{Desk, Pass, permitted, rights, scoped, subject, substitute, unblocked};
use crate::books::NotReserved;
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

/// What a caller would be admitted to. Nothing can be reserved with that pass.
///
/// # Errors
/// NotFound, Forbidden: before the call would be counted.
pub fn look(desk: Desk<'_>, call: &Call) -> Result<Pass, Fault> {
    let route = permitted(desk, call)?;
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let subject = subject(desk.caller, &route, &tags);
    let met = scoped(desk, &subject, Part::Call, || facts::of(desk, &route, call)).met();
    Ok(Pass {
        route,
        entrance: None,
        met,
    })
}

/// What would become of a plan that was made for that pass.
///
/// # Errors
/// Forbidden, where nothing of it has a price.
pub fn outlook(desk: Desk<'_>, pass: Pass, plan: Plan, call: &Call) -> Result<Outlook, Fault> {
    let route = Arc::clone(&pass.route);
    let entered = would_enter(desk, &pass, call);
    let plan = rights::priced(&route, plan)?;
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let ask = Ask::new(desk, call, &tags, pass, String::new());
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
    let (plan, refusal) = match (entered, held) {
        (Err(why), Ok(rest)) => (rest, Some(why)),
        (Err(why), Err(_)) | (Ok(()), Err(why)) => (plan, Some(why)),
        (Ok(()), Ok(rest)) => (rest, None),
    };
    Ok(Outlook {
        route,
        plan,
        downgraded: reason,
        demand,
        cap,
        met,
        refusal: refusal.map(|why| told(desk, &why)),
    })
}

/// Why a deployment would be passed over when it is its turn: a kill switch.
#[must_use]
pub fn passed_over(desk: Desk<'_>, route: &Route, target: &Target, call: &Call) -> Option<Fault> {
    unblocked(desk, route, target, call).err()
}

fn would_enter(desk: Desk<'_>, pass: &Pass, call: &Call) -> Result<(), NotReserved> {
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let subject = subject(desk.caller, &pass.route, &tags);
    let scoped = scoped(desk, &subject, Part::Call, || facts::of(desk, &pass.route, call));
    let key = desk.caller.key_id().zip(desk.caller.max_concurrency());
    desk.books.would_enter(desk.now, &scoped, key).map_err(NotReserved::Denied)
}

/// What would be left of a plan: without the deployments before the first that has room.
fn would_hold(ask: &Ask<'_>, (route, plan): &(Arc<Route>, Plan)) -> Result<Plan, NotReserved> {
    ask.with_room(plan, |rest| {
        ask.weighed((route, rest), |_, Weighed { now, parts, demand, .. }| {
            let fits = ask.desk.books.accounts().would_reserve(clock::millis(now), parts, demand);
            fits.map_err(|denied| NotReserved::Denied(Box::new(denied)))?;
            Ok(rest.clone())
        })
    })
}

fn told(desk: Desk<'_>, why: &NotReserved) -> (Fault, Option<Duration>) {
    let spending = &desk.config.spending;
    let waits = match why {
        NotReserved::Denied(denied) => spending.queue(denied.rule),
        _ => None,
    };
    (refusal::fault(why, spending.status), waits)
}
