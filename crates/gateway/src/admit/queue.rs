//! Waiting for room, where a limit says so: fair between teams, no longer than the limit, the caller and half a minute allow.

use std::pin::pin;
use std::time::Duration;

use tollgate_policy::accounts::Denied;

use super::{Desk, whole_subject};
use crate::books::NotReserved;
use crate::clock;
use crate::config::snapshot::Route;
use crate::ingress::Call;

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
    denied: Box<Denied>,
    mut again: impl FnMut() -> Result<T, NotReserved>,
) -> Result<T, NotReserved> {
    let Some(longest) = desk.config.spending.queue(denied.rule) else {
        return Err(NotReserved::Denied(denied));
    };
    let end = desk.now.instant + longest.min(LONGEST);
    let end = call.wanted_by.map_or(end, |wanted| wanted.min(end));
    let Some(ticket) = desk.books.rooms.join(&denied, &desk.caller.team().name, call.body.len()) else {
        return Err(NotReserved::Denied(denied));
    };
    let mut last = denied;
    loop {
        if ticket.is_first() {
            match again() {
                Err(NotReserved::Denied(denied)) => last = denied,
                done => return done,
            }
        }
        let now = clock::instant();
        if end <= now {
            return Err(NotReserved::Waited(last));
        }
        let hint = last.retry_after_ms.map_or(AGAIN, Duration::from_millis).min(AGAIN);
        let pause = ticket.pause(hint.min(end.saturating_duration_since(now)).max(Duration::from_millis(1)));
        let subject = whole_subject(desk.caller, route, call, None);
        let paused = desk.switches.unless_ended(subject, pin!(pause)).await;
        paused.map_err(|fault| NotReserved::Ended(Box::new(fault)))?;
    }
}
