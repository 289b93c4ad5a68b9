//! Waiting for room, where a limit says so: fair between teams, no longer than the limit, the caller and half a minute allow.

use std::pin::pin;
use std::time::Duration;

use tollgate_policy::accounts::Denied;

use super::{Desk, whole_subject};
use crate::books::NotReserved;
use crate::clock;
use crate::config::snapshot::Route;
use crate::facts;
use crate::ingress::Call;
use crate::record::Draft;

/// The longest wait that any limit may ask for.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two tries of whoever is first, when nobody says that something has ended.
const AGAIN: Duration = Duration::from_millis(100);

/// Tries again until there is room. A refusal by a rule without a queue comes back as it is.
///
/// # Errors
/// That a kill switch ended the call; what `again` says at last, when the time is over; or at once, when the queue is full.
pub(super) async fn waited<T>(
    desk: Desk<'_>,
    (route, call): (&Route, &Call),
    (denied, draft): (Box<Denied>, &mut Draft),
    mut again: impl FnMut() -> Result<T, NotReserved>,
) -> Result<T, NotReserved> {
    let Some(longest) = desk.config.spending.queue(denied.rule) else {
        return Err(NotReserved::Denied(denied));
    };
    let end = desk.now.instant + longest.min(LONGEST);
    let end = call.wanted_by.map_or(end, |wanted| wanted.min(end));
    let place = (desk.caller.team().name.as_str(), facts::priority(call));
    let Some(ticket) = desk.books.rooms.join(&denied, place, call.body.len()) else {
        return Err(NotReserved::Denied(denied));
    };
    let began = clock::instant();
    let mut last = denied;
    let done = loop {
        if ticket.is_first() {
            match again() {
                Err(NotReserved::Denied(denied)) if desk.config.spending.queue(denied.rule).is_some() => last = denied,
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
