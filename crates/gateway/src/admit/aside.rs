//! Calls that no caller waits for, such as a shadow's: admitted and held for in a name of their own. They never wait in a queue, and no other
//! model stands in: what does not fit is not sent.

use std::sync::Arc;

use tollgate_policy::accounts::Part;
use tollgate_policy::plan::Plan;
use tollgate_wire::fault::{Fault, FaultKind};

use super::ask::Ask;
use super::demand::{scoped, subject};
use super::{Desk, Leave, Pass, queue, rights, switched, whole_subject};
use crate::books::{Grant, NotReserved, Stage};
use crate::clock;
use crate::config::snapshot::Route;
use crate::facts;
use crate::ingress::Call;
use crate::record::Draft;
use crate::refusal;

/// Admits a call to a route of one model, and holds what it may cost.
///
/// # Errors
/// As [`super::enter`] and [`super::reserve`].
pub async fn aside(desk: Desk<'_>, route: &Arc<Route>, call: &mut Call, draft: &Draft) -> Result<(Leave, Box<Grant>), Fault> {
    switched(&desk.switches.load(), &whole_subject(desk.caller, route, call, None))?;
    let refused = |why: &NotReserved| refusal::fault(why, desk.config.spending.status);
    let pass = {
        let subject = subject(desk.caller, route, &[]);
        let scoped = scoped(desk, &subject, Part::Call, || facts::of(desk, route, call));
        // Nobody waits for a copy: those who wait go first.
        if let Some(denied) = queue::behind(desk, (route, Stage::Entrance), &[&scoped]) {
            return Err(refused(&NotReserved::Denied(denied)));
        }
        let entrance = desk.books.enter(clock::now(), &scoped, None);
        Pass {
            route: Arc::clone(route),
            entrance: Some(entrance.map_err(|denied| refused(&NotReserved::Denied(denied)))?),
            met: scoped.met(),
        }
    };
    let plan = Plan::new(&route.candidates, &[]).ok_or_else(|| Fault::gateway(FaultKind::Unavailable, "the route has no model"))?;
    let plan = rights::priced(route, plan)?;
    let held = {
        let ask = Ask::new(desk, call, &[], pass, draft.record().request_id.clone());
        ask.hold(route, &plan).map_err(|why| refused(&why))?
    };
    held.grant.written().await.map_err(|why| refused(&why))?;
    if let Some(cap) = held.cap {
        call.limit_output(cap)?;
    }
    Ok((held.leave, held.grant))
}
