//! Lowered labels go into the audit log, and only then does the call go on (GOVERNANCE section 8). It is the one thing on a request's way
//! that waits for the database, and only of calls that lower their label; where the log cannot take it, nothing is sent.

use std::time::Duration;

use tokio::sync::Semaphore;
use tollgate_policy::labels::Lowered;
use tollgate_store::database::Database;
use tollgate_store::database::audit::Act;
use tollgate_store::database::objects::Objects;
use tollgate_wire::fault::{Fault, FaultKind, Retry};

use crate::clock;
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ingress::Call;

/// Calls that wait for the log at one time; others are refused, so that they do not keep admins from it.
const WAITING_MAX: usize = 32;
/// How long a call waits for it.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// Where lowered labels are written down.
pub struct Declassifications {
    database: Option<Database>,
    room: Semaphore,
}

impl Declassifications {
    /// In the audit log of that database; `None`: nowhere, so that no label is lowered.
    #[must_use]
    pub fn new(database: Option<Database>) -> Self {
        Self {
            database,
            room: Semaphore::new(WAITING_MAX),
        }
    }

    /// Writes down that a caller lowered the label of its call; when it returns, that is durable.
    ///
    /// # Errors
    /// Unavailable: it is not, and the call must not go on.
    pub async fn written(&self, caller: &Caller, (call, route): (&Call, &Route), lowered: &Lowered, request_id: &str) -> Result<(), Fault> {
        let (Some(database), Ok(_place)) = (&self.database, self.room.try_acquire()) else {
            return Err(unwritten("there is no room"));
        };
        let by_key = caller.key_id().is_some();
        let act = Act {
            actor: caller.key_id().or(caller.user()).unwrap_or(&caller.team().name).to_owned(),
            auth: if by_key { "key" } else { "token" }.to_owned(),
            action: "label.lower".to_owned(),
            target: format!("route/{}", route.name),
            reason: format!("{} → {}: {}", lowered.from, call.label(), lowered.reason),
            request: request_id.to_owned(),
            outcome: "done".to_owned(),
        };
        let now_ms = i64::try_from(clock::now().unix.as_millis()).unwrap_or(i64::MAX);
        match tokio::time::timeout(WAIT_MAX, database.mutate(&[], &act, now_ms)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unwritten(&error.to_string())),
            Err(_) => Err(unwritten("the database does not answer in time")),
        }
    }
}

fn unwritten(cause: &str) -> Fault {
    let message = "that this call's label is lowered cannot be written down just now, so it is not sent; try again in a moment, or leave out \
                   x-tollgate-label-reason";
    let mut fault = Fault::gateway(FaultKind::Unavailable, message)
        .with_code("audit_unavailable")
        .with_cause(cause);
    fault.retry = Retry::Same;
    fault.retry_after = Some(Duration::from_secs(1));
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_down_is_told_as_passing() {
        let fault = unwritten("x");
        assert_eq!((fault.kind, fault.retry), (FaultKind::Unavailable, Retry::Same));
        assert_eq!(
            (fault.code.as_deref(), fault.cause.as_deref()),
            (Some("audit_unavailable"), Some("x"))
        );
    }
}
