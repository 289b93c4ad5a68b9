//! Waiting for a model to recover: one call of a route at a time tries again, teams in turn, until one of its models answers or the time is
//! over. Nothing is sent to a model whose breaker is open.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_policy::resorts;
use tollgate_wire::fault::Fault;

use super::Stranded;
use crate::admit::whole_subject;
use crate::books::Room;
use crate::call::Answer;
use crate::clock;
use crate::config::snapshot::Route;
use crate::facts;

/// The longest wait that a route may ask for.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two goes of whoever is first. A provider that is down is asked about once a second, however many wait for it.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks whether a breaker lets a call through.
const LOOK: Duration = Duration::from_millis(100);
/// A go that has taken this long is most likely being answered: the next one need not wait for its end.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// Waits, and tries again. `None`: there is no place left to wait, or no time.
pub(super) async fn for_recovery(stranded: &mut Stranded<'_>, route: &Arc<Route>, longest: Duration) -> Option<Result<Answer, Fault>> {
    let desk = stranded.desk;
    let began = clock::instant();
    let mut end = (began + longest.min(LONGEST)).min(stranded.draft.deadline().unwrap_or(began));
    if let Some(wanted) = stranded.call.wanted_by {
        end = end.min(wanted);
    }
    let (mut next, mut last) = (began + AGAIN, None);
    loop {
        let place = (desk.caller.team().name.as_str(), facts::priority(stranded.call));
        let waits = (Room::of_route(&route.name), None);
        let ticket = desk.books.rooms.join(waits, place, stranded.call.body.len())?;
        let since = clock::instant();
        loop {
            let now = clock::instant();
            if end <= now {
                stranded.draft.queued(now.saturating_duration_since(since));
                return last;
            }
            if next <= now && ticket.is_first() && is_well(route, now) {
                break;
            }
            let subject = whole_subject(desk.caller, route, stranded.call, None);
            let paused = pin!(ticket.pause(LOOK.min(end.saturating_duration_since(now))));
            if let Err(fault) = desk.switches.unless_ended(subject, paused).await {
                return Some(Err(fault));
            }
        }
        stranded.draft.queued(clock::instant().saturating_duration_since(since));
        let answer = {
            let mut going = pin!(stranded.go(route));
            match tokio::time::timeout(UNDER_WAY, going.as_mut()).await {
                Ok(answer) => answer,
                Err(_) => {
                    drop(ticket);
                    going.await
                }
            }
        };
        match answer {
            Err(fault) if resorts::applies(&fault) => last = Some(Err(fault)),
            answer => return Some(answer),
        }
        next = clock::instant() + AGAIN;
    }
}

/// Some model of the route would be called.
fn is_well(route: &Route, now: Instant) -> bool {
    let targets = route.candidates.iter().map(|candidate| candidate.deployment);
    let all = targets.chain(route.fallbacks.iter().copied());
    all.filter_map(|id| route.deployment(id))
        .any(|deployment| deployment.would_admit(now))
}
