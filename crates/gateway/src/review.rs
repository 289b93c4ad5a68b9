//! Human review, from the caller's side: a request that nobody could answer is kept for a person, and its caller gets an address at which
//! it learns what became of it. Only whose request it was may ask there. Deciding is the admin API's (`admin/reviews.rs`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::json;
use tollgate_policy::labels::{Clearance, Label};
use tollgate_store::database::reviews::{Review, Reviews, State};
use tollgate_store::database::{Database, Error};
use tollgate_wire::dialects::{self, Operation};
use tollgate_wire::fault::{Fault, FaultKind, Retry};
use tollgate_wire::translate;

use crate::call::Answer;
use crate::clock::{self, Now};
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::record::{Draft, kind_name};
use crate::resort::Stranded;
use crate::tail::Drains;

/// What an answer of a person is given as the answer of.
pub const MODEL: &str = "tollgate/reviewer";
const PATH: &str = "/v1/reviews/";

/// The review that a path names.
#[must_use]
pub fn id_of(path: &str) -> Option<&str> {
    path.strip_prefix(PATH).filter(|id| !id.is_empty() && !id.contains('/'))
}

/// Keeps a request for a person. `None`: there is no room for it, or it cannot be kept.
pub(crate) async fn submit(
    stranded: &mut Stranded<'_>,
    (route, fault): (&Arc<Route>, &Fault),
    longest: Duration,
) -> Option<Result<Answer, Fault>> {
    let (call, now) = (&*stranded.call, clock::now());
    // The database and who reads it are cleared for as much as a provider that says nothing.
    call.may_go_to(&Clearance::default()).ok()?;
    let caller = stranded.desk.caller;
    let at_ms = i64::try_from(now.unix.as_millis()).unwrap_or(i64::MAX);
    let body = String::from_utf8(call.body.to_vec()).ok()?;
    let review = Review {
        id: format!("rev_{:032x}", rand::random::<u128>()),
        state: State::Pending,
        owner: owner(caller),
        team: caller.team().name.clone(),
        route: route.name.clone(),
        dialect: call.dialect.name().to_owned(),
        label: call.label().to_string(),
        request: stranded.draft.record().request_id.clone(),
        fault: kind_name(fault.kind).to_owned(),
        body,
        answer: String::new(),
        reason: String::new(),
        decided_by: String::new(),
        at_ms,
        expires_ms: at_ms.saturating_add(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX)),
        decided_ms: 0,
    };
    let (url, bytes) = told(&review);
    match stranded.database.submit(review).await {
        Ok(true) => {}
        // The next step is tried, or the fault told: nobody waits for a review that is not there.
        Ok(false) | Err(_) => return None,
    }
    let record = stranded.draft.record_mut();
    (record.model, record.stand_in, record.review) = (None, Some("tollgate/review"), Some((202, Some(url))));
    Some(Ok(Answer::Whole(bytes)))
}

/// Who asks about a review.
pub(crate) struct Asked<'a> {
    pub(crate) database: &'a Database,
    pub(crate) caller: &'a Caller,
    pub(crate) now: Now,
}

/// How a review stands.
pub(crate) enum Standing {
    /// This is to be told.
    Told(Bytes),
    /// The request may be sent once more.
    Approved(Box<Call>),
}

impl Asked<'_> {
    /// How it stands; the record learns with which status that is told.
    pub(crate) async fn standing(&self, (id, head): (&str, &Parts), draft: &mut Draft) -> Result<Standing, Fault> {
        if head.method != Method::GET {
            let message = format!("{PATH}ID answers GET only, not {}", head.method);
            return Err(Fault::client(FaultKind::MethodNotAllowed, message));
        }
        let review = self.database.review(id).await.map_err(|error| unavailable(&error))?;
        let Some(review) = review.filter(|review| review.owner == owner(self.caller)) else {
            let message = "there is no such review, or it is another caller's";
            return Err(Fault::client(FaultKind::NotFound, message).with_code("review_not_found"));
        };
        let is_over = i128::from(review.expires_ms) <= i128::try_from(self.now.unix.as_millis()).unwrap_or(i128::MAX);
        match review.state {
            State::Refused => Err(refused(&review)),
            _ if is_over => Ok(Standing::Told(gone(&review, draft))),
            State::Pending => {
                let (url, bytes) = told(&review);
                draft.record_mut().review = Some((202, Some(url)));
                Ok(Standing::Told(bytes))
            }
            State::Answered if review.answer.is_empty() => Ok(Standing::Told(gone(&review, draft))),
            State::Answered => Ok(Standing::Told(Bytes::from(review.answer))),
            State::Edited => self.written(&review, head, draft),
            State::Approved | State::Sending => self.approved(&review, head, draft).await,
        }
    }

    /// The answer that a person wrote, in the caller's dialect.
    fn written(&self, review: &Review, head: &Parts, draft: &mut Draft) -> Result<Standing, Fault> {
        let call = kept(review, (head, self.caller))?;
        draft.asked(&call);
        let context = call.context(call.dialect, draft.record());
        let bytes = translate::said(call.dialect, call.operation, context, (MODEL, &review.answer));
        draft.record_mut().stand_in = Some(MODEL);
        draft.record_mut().fallback = Some(format!("from={}; reason=review_edited", review.route));
        Ok(Standing::Told(Bytes::from(bytes)))
    }

    /// The request, for whoever asks first; the others wait for its answer.
    async fn approved(&self, review: &Review, head: &Parts, draft: &mut Draft) -> Result<Standing, Fault> {
        let kept = Box::new(kept(review, (head, self.caller))?);
        let taken = self.database.advance(&review.id, (State::Approved, State::Sending), "").await;
        if !taken.map_err(|error| unavailable(&error))? {
            let (url, bytes) = told(review);
            draft.record_mut().review = Some((202, Some(url)));
            return Ok(Standing::Told(bytes));
        }
        Ok(Standing::Approved(kept))
    }

    /// The request was sent: its answer is kept, and after a fault it may be sent again. What goes to the caller as a stream is not kept.
    /// So it may where something else stands in for the answer.
    pub(crate) async fn sent(&self, id: &str, answer: Result<Answer, Fault>, stands_in: bool) -> Result<Answer, Fault> {
        let (to, text) = match &answer {
            Ok(_) if stands_in => (State::Approved, String::new()),
            Ok(Answer::Whole(bytes)) => (State::Answered, String::from_utf8_lossy(bytes).into_owned()),
            Ok(Answer::Live(..)) => (State::Answered, String::new()),
            Err(_) => (State::Approved, String::new()),
        };
        // The caller has its answer in any case.
        let _ = self.database.advance(id, (State::Sending, to), &text).await;
        answer
    }
}

/// An approved request on its way. Dropped before its answer is there, because the caller left, it may be asked for again.
pub(crate) struct Taken<'a> {
    database: &'a Database,
    id: Option<&'a str>,
    tasks: &'a Drains,
}

impl<'a> Taken<'a> {
    pub(crate) fn new(database: &'a Database, id: &'a str, tasks: &'a Drains) -> Self {
        let id = Some(id);
        Self { database, id, tasks }
    }

    /// The answer is there, or a fault.
    pub(crate) fn returned(mut self) {
        self.id = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let (database, id) = (self.database.clone(), id.to_owned());
        self.tasks.see_to(async move {
            // Where the database does not take it, the review ends with its time.
            let _ = database.advance(&id, (State::Sending, State::Approved), "").await;
        });
    }
}

/// Whose request it is: the key's, or a person's who came with a token.
fn owner(caller: &Caller) -> String {
    match (caller.key_id(), caller.user()) {
        (Some(key), _) => format!("key:{key}"),
        (None, Some(user)) => format!("user:{}/{user}", caller.team().name),
        (None, None) => format!("team:{}", caller.team().name),
    }
}

/// What is told of an open review, and its address.
fn told(review: &Review) -> (String, Bytes) {
    let url = format!("{PATH}{}", review.id);
    let state = if review.state == State::Pending { "pending" } else { "approved" };
    let body = json!({ "id": review.id, "object": "review", "status": state, "url": url, "expires_at": review.expires_ms / 1_000 });
    (url, Bytes::from(body.to_string()))
}

fn gone(review: &Review, draft: &mut Draft) -> Bytes {
    draft.record_mut().review = Some((410, None));
    let fault = Fault::client(
        FaultKind::NotFound,
        "the review's time is over, or its answer was delivered; ask anew",
    )
    .with_code("review_expired");
    let dialect = dialects::by_name(&review.dialect).unwrap_or(&dialects::openai_chat::OpenAiChat);
    Bytes::from(dialect.write_fault(&fault, &draft.record().request_id).1)
}

fn refused(review: &Review) -> Fault {
    let message = format!("a person has refused this request: {}", review.reason);
    Fault::gateway(FaultKind::Forbidden, message).with_code("review_refused")
}

/// The request as it was.
fn kept(review: &Review, (head, caller): (&Parts, &Caller)) -> Result<Call, Fault> {
    let dialect = dialects::by_name(&review.dialect).ok_or_else(|| {
        let message = format!(
            "the review was asked for in {}, which this gateway does not speak any more",
            review.dialect
        );
        Fault::gateway(FaultKind::Internal, message)
    })?;
    // What was raised when it was asked stays raised, whoever asks for the answer.
    let label = Label::parse(&review.label)
        .unwrap_or_else(|_| Label::unreadable())
        .join(caller.label());
    let mut call = Call::of(
        dialect,
        Operation::Chat,
        head.headers.clone(),
        Bytes::from(review.body.clone()),
        label,
    )?;
    call.reviewed = true;
    Ok(call)
}

fn unavailable(error: &Error) -> Fault {
    let mut fault = Fault::gateway(FaultKind::Unavailable, "reviews cannot be read just now; try again in a moment")
        .with_code("reviews_unavailable")
        .with_cause(error.to_string());
    fault.retry = Retry::Same;
    fault.retry_after = Some(Duration::from_secs(2));
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_review() {
        let rows = [
            ("/v1/reviews/rev_1", Some("rev_1")),
            ("/v1/reviews/", None),
            ("/v1/reviews", None),
            ("/v1/reviews/a/b", None),
            ("/v1/chat/completions", None),
        ];
        for (path, expected) in rows {
            assert_eq!(id_of(path), expected, "{path}");
        }
    }
}
