//! Waiting for room, where a limit says so: fair between teams, no longer than the limit, the caller and half a minute allow.

use std::pin::pin;
use std::time::Duration;

use tollgate_policy::accounts::{Denied, Refusal, RuleAt, Scoped};

use super::{Desk, whole_subject};
use crate::books::{NotReserved, Room, Stage};
use crate::clock;
use crate::config::resorts::OnLimit;
use crate::config::snapshot::Route;
use crate::facts;
use crate::ingress::Call;
use crate::record::Draft;

/// The longest wait that any limit may ask for.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two tries of whoever is first, when nobody says that something has ended.
const AGAIN: Duration = Duration::from_millis(100);

/// Who waits, and for what.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub(super) route: &'a Route,
    pub(super) call: &'a Call,
    pub(super) stage: Stage,
}

/// How long a call of that route may wait where that rule refuses it: what the limit says, else what the route does. `None`: it does not.
fn longest(desk: Desk<'_>, route: &Route, rule: RuleAt) -> Option<Duration> {
    let spending = &desk.config.spending;
    spending.queue(rule).or_else(|| match route.on_limit {
        Some(OnLimit::Queue(longest)) if spending.only_refuses(rule) => Some(longest),
        _ => None,
    })
}

/// The same, where waiting helps at all.
pub(super) fn longest_for(desk: Desk<'_>, route: &Route, denied: &Denied) -> Option<Duration> {
    longest(desk, route, denied.rule).filter(|_| passes(denied))
}

/// The refusal of those who wait already for what a call is about to ask for: whoever comes later must not overtake them.
pub(super) fn behind(desk: Desk<'_>, (route, stage): (&Route, Stage), parts: &[&Scoped<'_>]) -> Option<Box<Denied>> {
    let rooms = &desk.books.rooms;
    if rooms.are_empty() {
        return None;
    }
    let rules = &desk.config.spending.rules;
    let met = parts.iter().flat_map(|scoped| scoped.rules().map(move |rule| (scoped, rule)));
    met.filter(|(_, rule)| longest(desk, route, *rule).is_some())
        .find_map(|(scoped, rule)| {
            let denied = rooms.waited_for(&Room::of_rule(stage, rules.name(rule), &scoped.scope_of(rule)))?;
            // Its number may be another one in this config than in that of whoever waits.
            Some(Box::new(Denied { rule, ..denied }))
        })
}

/// Tries again until there is room. A refusal by a rule without a queue, and one that no waiting helps, comes back as it is.
///
/// # Errors
/// That a kill switch ended the call; what `again` says at last, when the time is over; or at once, when the queue is full.
pub(super) async fn waited<T>(
    desk: Desk<'_>,
    Waiting { route, call, stage }: Waiting<'_>,
    (denied, draft): (Box<Denied>, &mut Draft),
    mut again: impl FnMut() -> Result<T, NotReserved>,
) -> Result<T, NotReserved> {
    let queue = |denied: &Denied| longest_for(desk, route, denied);
    let Some(longest) = queue(&denied) else {
        return Err(NotReserved::Denied(denied));
    };
    let end = desk.now.instant + longest.min(LONGEST);
    let end = call.wanted_by.map_or(end, |wanted| wanted.min(end));
    let place = (desk.caller.team().name.as_str(), facts::priority(call));
    let join = |denied: &Denied| {
        let room = Room::of_rule(stage, &denied.name, &denied.scope);
        desk.books.rooms.join((room, Some(denied)), place, call.body.len())
    };
    let Some(mut ticket) = join(&denied) else {
        return Err(NotReserved::Denied(denied));
    };
    let began = clock::instant();
    let mut last = denied;
    let done = loop {
        if ticket.is_first() {
            match again() {
                Err(NotReserved::Denied(denied)) if queue(&denied).is_some() => {
                    // It waits for something else now, and must not keep others from what is free.
                    if (&denied.name, &denied.scope) != (&last.name, &last.scope) {
                        match join(&denied) {
                            Some(other) => ticket = other,
                            None => break Err(NotReserved::Denied(denied)),
                        }
                    }
                    last = denied;
                }
                done => break done,
            }
        }
        let now = clock::instant();
        if end <= now {
            break Err(NotReserved::Waited(last));
        }
        let hint = last.retry_after_ms.map_or(AGAIN, Duration::from_millis).min(AGAIN);
        let pause = ticket.pause(hint.min(end.saturating_duration_since(now)).max(Duration::from_millis(1)));
        let subject = whole_subject(desk.caller, route, call, None);
        let paused = desk.switches.unless_ended(subject, pin!(pause)).await;
        if let Err(fault) = paused {
            break Err(NotReserved::Ended(Box::new(fault)));
        }
    };
    draft.queued(clock::instant().saturating_duration_since(began));
    done
}

/// Time helps: it is not the call itself that is too large.
fn passes(denied: &Denied) -> bool {
    matches!(denied.refusal, Refusal::Concurrency | Refusal::Rate)
}
