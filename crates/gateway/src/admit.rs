//! Stages 3 and 6: may this caller have what it asks for, is there room for one more call, and does what it may cost fit what may be spent?
//! `enter` gives the `Pass` without which no plan is made; `reserve` the `Leave` without which nothing is sent.

mod aside;
mod ask;
mod dear;
mod demand;
mod look;
mod queue;
mod rights;
mod substitute;

use std::sync::Arc;

use tollgate_policy::accounts::{Met, Part};
use tollgate_policy::plan::Plan;
use tollgate_policy::switches::{self, Switch, Switches};
use tollgate_upstream::deployment::Deployment;
use tollgate_wire::fault::{Fault, FaultKind};

use crate::books::{Books, Entrance, Grant, NotReserved, Stage};
use crate::clock::{self, Now};
use crate::config::snapshot::{Route, Snapshot, Target};
use crate::facts;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::record::Draft;
use crate::refusal;
use crate::route::clearance;
use crate::switchboard::{self, Switchboard};

pub use aside::aside;
use ask::Ask;
pub use ask::range;
pub(crate) use demand::Needs;
use demand::{scoped, subject};
pub use look::{Look, Outlook, look, outlook, passed_over};
use queue::Waiting;

/// What stages 3 and 6 look at.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The config.
    pub config: &'a Snapshot,
    /// The accounts.
    pub books: &'a Arc<Books>,
    /// The kill switches.
    pub switches: &'a Switchboard,
    /// Who calls.
    pub caller: &'a Caller,
    /// When.
    pub now: Now,
}

/// Leave to go on: made only here.
pub struct Pass {
    route: Arc<Route>,
    /// None: it is only asked what would happen, or the call is inside already, and has a grant: nothing is reserved with it.
    entrance: Option<Entrance>,
    met: Met,
}

/// Leave to send: made only here, when what it may cost is held.
pub struct Leave {
    route: Arc<Route>,
    plan: Plan,
}

impl Pass {
    /// What the caller was admitted to.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }
}

impl Leave {
    /// What is called.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// In which order.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Refuses whom a kill switch blocks, as far as it is known who calls.
///
/// # Errors
/// Forbidden.
pub fn switched(switches: &Switches, subject: &switches::Subject<'_>) -> Result<(), Fault> {
    switches.blocking(subject).map_or(Ok(()), |switch| Err(blocked(switch)))
}

/// The refusal of a kill switch.
#[must_use]
pub fn blocked(switch: &Switch) -> Fault {
    let what = match switch.value.as_str() {
        "" => "all calls are".to_owned(),
        value => format!("{} \"{value}\" is", switch.scope.name()),
    };
    let message = format!("{what} switched off by who runs this gateway: {}", switch.reason);
    Fault::gateway(FaultKind::Forbidden, message).with_code("disabled_by_admin")
}

/// Whom and what a switch may block that ends the call.
pub fn whole_subject<'a>(caller: &'a Caller, route: &'a Route, call: &'a Call, at: Option<&'a Deployment>) -> switches::Subject<'a> {
    switchboard::subject(caller, route.named.then_some(route), Some(&call.envelope.model), at)
}

/// How much of the fullest budget that a call of a route meets, before it is known what answers, is spent, in percent.
#[must_use]
pub fn budget_used_percent(desk: Desk<'_>, route: &Route, call: &Call) -> u64 {
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let subject = subject(desk.caller, route, &tags);
    let scoped = scoped(desk, &subject, Part::Call, || facts::of(desk, route, call));
    let standings = desk.books.budgets(desk.now, &[&scoped]);
    standings.iter().map(|standing| standing.percent().into()).max().unwrap_or(0)
}

/// What a caller asks for, when it may have it and no kill switch is in the way.
fn permitted(desk: Desk<'_>, call: &Call) -> Result<Arc<Route>, Fault> {
    let route = rights::route(desk.config, desk.caller, call)?;
    switched(
        &desk.switches.load(),
        &switches::Subject {
            route: route.named.then_some(route.name.as_str()),
            model: Some(&call.envelope.model),
            ..desk.caller.subject()
        },
    )?;
    Ok(route)
}

/// Admits a caller to the route or model that it names, and counts it as a request and an open call.
///
/// # Errors
/// NotFound, Forbidden, RateLimited.
pub async fn enter(desk: Desk<'_>, call: &Call, draft: &mut Draft) -> Result<Pass, Fault> {
    let route = permitted(desk, call)?;
    let denied = match try_enter(desk, &route, call, false) {
        Err(NotReserved::Denied(denied)) => denied,
        entered => return entered.map_err(|why| refused(desk, &why, draft)),
    };
    for substitute in substitute::at_entrance(desk, call, &denied, &route) {
        if let Ok(pass) = try_enter(desk, &substitute.planned.0, call, false) {
            draft.record_mut().downgraded = Some(substitute.reason);
            return Ok(pass);
        }
    }
    let waiting = Waiting {
        route: &route,
        call,
        stage: Stage::Entrance,
    };
    let again = || try_enter(desk, &route, call, true);
    let entered = Box::pin(queue::waited(desk, waiting, (denied, draft), again)).await;
    entered.map_err(|why| refused(desk, &why, draft))
}

/// Counts a call as a request of that route. `in_turn`: it waited for that, and need not stand behind those who wait.
fn try_enter(desk: Desk<'_>, route: &Arc<Route>, call: &Call, in_turn: bool) -> Result<Pass, NotReserved> {
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let subject = subject(desk.caller, route, &tags);
    let scoped = scoped(desk, &subject, Part::Call, || facts::of(desk, route, call));
    if !in_turn && let Some(denied) = queue::behind(desk, (route, Stage::Entrance), &[&scoped]) {
        return Err(NotReserved::Denied(denied));
    }
    let key = desk.caller.key_id().zip(desk.caller.max_concurrency());
    let entrance = desk.books.enter(clock::now(), &scoped, key).map_err(NotReserved::Denied)?;
    Ok(Pass {
        route: Arc::clone(route),
        entrance: Some(entrance),
        met: scoped.met(),
    })
}

/// Lets a call that is inside, and has a grant, ask for a route once more, or for another one that its own route sends it on to: for that
/// it needs no permission of its own.
///
/// # Errors
/// Forbidden, where a kill switch blocks that route; NotFound, where it is gone.
pub fn again(desk: Desk<'_>, route: &Arc<Route>) -> Result<Pass, Fault> {
    let subject = switches::Subject {
        route: route.named.then_some(route.name.as_str()),
        ..desk.caller.subject()
    };
    switched(&desk.switches.load(), &subject)?;
    Ok(Pass {
        route: Arc::clone(route),
        entrance: None,
        met: Met::default(),
    })
}

/// Leave for another go of a call that has a grant: each attempt moves the hold to itself before anything is sent.
///
/// # Errors
/// Forbidden, for models without a price.
pub fn move_on(pass: Pass, plan: Plan) -> Result<Leave, Fault> {
    let plan = rights::priced(&pass.route, plan)?;
    Ok(Leave { route: pass.route, plan })
}

/// Holds what the plan may cost at its dearest, for the caller and for the first deployment that has room. Where a rule lets another model
/// answer, and it may, that one is planned instead. The request's output is limited to what is held for it.
///
/// # Errors
/// QuotaExceeded, RateLimited, Forbidden for a model without a price, Unavailable when the hold cannot be written down.
pub async fn reserve(desk: Desk<'_>, pass: Pass, plan: Plan, call: &mut Call, draft: &mut Draft) -> Result<(Leave, Box<Grant>), Fault> {
    let route = Arc::clone(&pass.route);
    let plan = rights::priced(&route, plan)?;
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let ask = Ask::new(desk, call, &tags, pass, draft.record().request_id.clone());
    let plan = ask.affordable(&route, plan)?;
    let (mut chosen, reason) = match substitute::for_fullness(&ask, &route, &plan) {
        Some(substitute) => (substitute.planned, Some(substitute.reason)),
        None => ((Arc::clone(&route), plan), None),
    };
    let mut reason = reason;
    let mut held = ask.hold(&chosen.0, &chosen.1);
    if let Err(NotReserved::Denied(denied)) = held {
        held = match substitute::for_refusal(&ask, &denied, &chosen) {
            Some(substitute) => {
                (chosen, reason) = (substitute.planned, Some(substitute.reason));
                ask.hold(&chosen.0, &chosen.1).map_err(|_| NotReserved::Denied(denied))
            }
            None => {
                ask.in_turn();
                let waiting = Waiting {
                    route: &route,
                    call,
                    stage: Stage::Hold,
                };
                let again = || ask.hold(&chosen.0, &chosen.1);
                Box::pin(queue::waited(desk, waiting, (denied, draft), again)).await
            }
        };
    }
    drop(ask);
    let held = held.map_err(|why| refused(desk, &why, draft))?;
    let written = held.grant.written().await;
    written.map_err(|why| refused(desk, &why, draft))?;
    held.tell(draft);
    if reason.is_some() {
        draft.record_mut().downgraded = reason;
    }
    if let Some(cap) = held.cap {
        call.limit_output(cap)?;
    }
    Ok((held.leave, held.grant))
}

/// The fault of a refusal, with what the refusing limit still lets pass for the answer's head.
fn refused(desk: Desk<'_>, why: &NotReserved, draft: &mut Draft) -> Fault {
    if let NotReserved::Denied(denied) | NotReserved::Waited(denied) = why {
        draft.record_mut().headroom = refusal::headroom(denied, clock::now());
    }
    refusal::fault(why, desk.config.spending.status)
}

/// Admits one attempt: its target is cleared for the call's label, whoever chose it; no kill switch blocks its model or provider or ends
/// the call; and where the hold is for another attempt, it is moved, with what this one may cost more, before anything is sent.
///
/// # Errors
/// Forbidden, QuotaExceeded, RateLimited: this deployment is passed over.
pub fn attempt(desk: Desk<'_>, route: &Arc<Route>, target: &Target, call: &Call, draft: &mut Draft) -> Result<(), Fault> {
    let deployment = &target.deployment;
    call.may_go_to(&target.clearance)
        .map_err(|part| clearance::forbidden_target(target, call.label(), part))?;
    unblocked(desk, route, target, call)?;
    let Some(grant) = draft.grant() else {
        return Err(Fault::gateway(
            FaultKind::Internal,
            "internal error; the request id names it in the log",
        ));
    };
    if !grant.stands_for(&deployment.name) {
        let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
        let again = ask::next(desk, (route, target), call, &tags);
        let switched = again.with_scoped(|scoped, demand| grant.switch(clock::now(), &deployment.name, (scoped, demand)));
        switched.map_err(|why| refusal::fault(&why, desk.config.spending.status))?;
    }
    Ok(())
}

/// Admits a second attempt at the same time as the first: a grant of its own, which is no further call.
///
/// # Errors
/// Forbidden, QuotaExceeded, RateLimited, Unavailable: it is not made.
pub fn hedge(desk: Desk<'_>, route: &Route, target: &Target, call: &Call, draft: &Draft) -> Result<Grant, Fault> {
    call.may_go_to(&target.clearance)
        .map_err(|part| clearance::forbidden_target(target, call.label(), part))?;
    unblocked(desk, route, target, call)?;
    let tags: Vec<(&str, &str)> = desk.caller.tags().iter().collect();
    let again = ask::next(desk, (route, target), call, &tags);
    let grant = again.hold(format!("{}-hedge", draft.record().request_id));
    grant.map_err(|why| refusal::fault(&why, desk.config.spending.status))
}

/// The most that a call may cost at that deployment; in calls, where the route's models cost nothing.
pub fn may_cost(desk: Desk<'_>, route: &Route, target: &Target, call: &Call) -> u64 {
    if !route.is_priced() {
        return 1;
    }
    let needs = Needs::of(desk, call);
    let (output, _) = needs.output(target);
    let most = demand::demand(target, &needs.estimate(target, output, demand::Care::Calibrated)).money;
    u64::try_from(most.0).unwrap_or(0)
}

/// Whether no kill switch blocks a deployment, or ends the call.
fn unblocked(desk: Desk<'_>, route: &Route, target: &Target, call: &Call) -> Result<(), Fault> {
    let deployment = &target.deployment;
    let subject = switches::Subject {
        upstream_model: Some(&deployment.name),
        provider: Some(&deployment.provider),
        ..switches::Subject::default()
    };
    let switches = desk.switches.load();
    switched(&switches, &subject)?;
    let aborting = switches.aborting(&whole_subject(desk.caller, route, call, Some(deployment)));
    aborting.map_or(Ok(()), |switch| Err(blocked(switch)))
}
