//! The data plane's `/v1/explain`: what would become of a request of the caller's own, or what became of one. `POST` takes a request in any
//! dialect, `GET` with `request_id` asks for the past.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use tollgate_upstream::client::Client;
use tollgate_wire::dialects::Operation;
use tollgate_wire::fault::{Fault, FaultKind};

use super::asked::{dialect, seed_of, wrong};
use super::{Explanation, Reader, forecast, past};
use crate::admit::{self, Desk};
use crate::call::Answer;
use crate::clock::Now;
use crate::exchange::{self, Shared};
use crate::identify::{self, Caller};
use crate::ingress::{self, Call};
use crate::record::Draft;

/// Whether a path asks for an explanation.
#[must_use]
pub fn is_asked(path: &str) -> bool {
    path.strip_prefix("/v1/").unwrap_or(path).trim_matches('/') == "explain"
}

/// What is asked beside the body.
#[derive(Default)]
struct Query {
    dialect: Option<String>,
    request_id: Option<String>,
}

/// Explains. Nothing is counted, held or sent.
///
/// # Errors
/// Malformed, Unauthorized, NotFound, MethodNotAllowed, Unavailable.
pub async fn answer((shared, client): (&Shared, &Client), call: exchange::Call, now: Now, draft: &mut Draft) -> Result<Answer, Fault> {
    let config = shared.config.load_full();
    draft.record_mut().config = std::sync::Arc::clone(&config.revision);
    let (head, mut body) = call.http.into_parts();
    let doors = identify::Doors {
        directory: &config.directory,
        issuers: &config.issuers,
        features: &config.features,
        client,
    };
    let front = match ingress::ambiguous(head.version, &head.headers) {
        Some(why) => Err(Fault::client(FaultKind::Malformed, why)),
        None => identify::caller(doors, &head.headers, call.from, now).await,
    };
    let front = front.and_then(|caller| Ok((std::sync::Arc::new(caller), query(&head)?)));
    let (caller, query) = match front {
        Ok(front) => front,
        Err(fault) => {
            ingress::discard(&mut body, &head.headers).await;
            return Err(fault);
        }
    };
    draft.caller(&caller);
    admit::switched(&shared.switches.load(), &caller.subject())?;
    let explanation = match (head.method.clone(), query.request_id) {
        (Method::GET, Some(id)) => of_past(shared, &caller, &id).await?,
        (Method::GET, None) => return Err(wrong("request_id", "say which request: /v1/explain?request_id=req_…; or POST one")),
        (Method::POST, id) => {
            let seed = id.as_deref().map(seed_of).transpose()?;
            let body = ingress::whole_body(&head.headers, &mut body, config.body_bytes_max).await?;
            let dialect = dialect(query.dialect.as_deref(), &head.headers, &body)?;
            let call = Call::of(dialect, Operation::Chat, head.headers, body, caller.label().clone())?;
            call.request()?;
            let desk = Desk {
                config: &config,
                books: &shared.books,
                switches: &shared.switches,
                caller: &caller,
                now,
            };
            let mut explanation = forecast(desk, &call, seed, Reader::Caller);
            explanation.request_id = id;
            explanation
        }
        (method, _) => {
            let message = format!("/v1/explain answers POST and GET, not {method}");
            return Err(Fault::client(FaultKind::MethodNotAllowed, message));
        }
    };
    let bytes = serde_json::to_vec(&explanation).map_err(|error| {
        Fault::gateway(FaultKind::Internal, "internal error; the request id names it in the log").with_cause(error.to_string())
    })?;
    Ok(Answer::Whole(Bytes::from(bytes)))
}

fn query(head: &Parts) -> Result<Query, Fault> {
    let mut query = Query::default();
    for (name, value) in url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()) {
        let place = match &*name {
            "dialect" => &mut query.dialect,
            "request_id" => &mut query.request_id,
            _ => return Err(wrong("query", "a parameter is not known; known are dialect and request_id")),
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(wrong("query", "a parameter comes twice; give it once"));
        }
    }
    Ok(query)
}

/// What became of a request: only of the caller's own key.
async fn of_past(shared: &Shared, caller: &Caller, id: &str) -> Result<Explanation, Fault> {
    let found = shared.telemetry.decisions.find(id).await.map_err(|error| {
        Fault::gateway(FaultKind::Unavailable, "the database does not answer; try again soon")
            .with_code("database_unavailable")
            .with_cause(error)
    })?;
    let own = found.filter(|one| {
        let key = caller.key_id().unwrap_or_default();
        let user = caller.user().unwrap_or_default();
        one.key == key && one.team == caller.team().name && one.user == user
    });
    let explanation = own.and_then(|one| past::read(&one));
    let explanation = explanation.ok_or_else(|| {
        let message = "nothing is known of such a request of this key; it was another's, is older than is kept, or was never made";
        Fault::client(FaultKind::NotFound, message)
            .with_code("request_not_found")
            .with_param("request_id")
    })?;
    Ok(past::for_caller(explanation))
}
