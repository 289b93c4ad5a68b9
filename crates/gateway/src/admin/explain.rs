//! Why a request goes where it goes: of one that is only asked about, and of one that was made.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_wire::fault::{Fault, FaultKind};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::explain::{self, As, Explanation, Question};

/// What is to be explained.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExplainBody {
    /// A request's body, in any dialect that callers speak; without it the smallest one for the route.
    #[serde(default)]
    #[schema(required = false, value_type = Object)]
    request: Option<Box<RawValue>>,
    /// The route or model, in place of the one in the request.
    #[serde(default)]
    #[schema(required = false)]
    route: Option<String>,
    /// The request's dialect; without it the one that it looks like.
    #[serde(default)]
    #[schema(required = false)]
    dialect: Option<String>,
    /// Who asks; without it nobody in particular, who may do everything.
    #[serde(default, rename = "as")]
    #[schema(required = false)]
    caller: As,
    /// Headers that the request would come with: `x-tollgate-…`.
    #[serde(default)]
    #[schema(required = false)]
    headers: BTreeMap<String, String>,
    /// A request id, or the 16 hex digits at its end: dice fall as they do for that request.
    #[serde(default)]
    #[schema(required = false)]
    request_id: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    vec![
        Route::new(Method::POST, "/admin/v1/explain", Permission::Explain, "explain request", |ask| {
            Box::pin(forecast(ask))
        })
        .takes(openapi::shape::<ExplainBody>)
        .answers(Answer::One(200, openapi::shape::<Explanation>)),
        Route::new(
            Method::GET,
            "/admin/v1/records/{id}/explain",
            Permission::Explain,
            "explain record",
            |ask| Box::pin(record(ask)),
        )
        .answers(Answer::One(200, openapi::shape::<Explanation>)),
    ]
}

async fn forecast(ask: Ask) -> Result<Reply, Problem> {
    let body: ExplainBody = ask.body()?;
    let explanation = ask.control.live.explain(&question(&body).map_err(|fault| problem(&fault))?);
    let mut explanation = explanation.map_err(|fault| problem(&fault))?;
    if ask.who.team.as_ref().is_some_and(|team| *team != explanation.caller.team) {
        return Err(Problem::not_found("key, team or user of that name"));
    }
    explanation.request_id = body.request_id;
    Reply::ok(explanation)
}

async fn record(ask: Ask) -> Result<Reply, Problem> {
    let found = ask.control.live.decision(ask.id()).await.map_err(|_| {
        let detail = "the database does not answer; try again soon";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail)
    })?;
    let seen = found.filter(|one| ask.who.team.as_ref().is_none_or(|team| *team == one.team));
    let explanation = seen.as_ref().and_then(explain::read);
    let missing = || {
        let detail =
            "nothing is kept of that request; it is older than ledger.decisions says, was one of too many at a time, or was never made";
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    };
    Reply::ok(explanation.ok_or_else(missing)?)
}

fn question(body: &ExplainBody) -> Result<Question, Fault> {
    let request = match (&body.request, &body.route) {
        (Some(request), None) => Bytes::copy_from_slice(request.get().as_bytes()),
        (Some(request), Some(route)) => explain::with_model(request.get().as_bytes(), route)?,
        (None, Some(route)) => explain::smallest(route),
        (None, None) => {
            let message = "nothing is asked; give a request, or a route";
            return Err(Fault::client(FaultKind::Malformed, message).with_param("request"));
        }
    };
    Ok(Question {
        body: request,
        dialect: body.dialect.clone(),
        headers: headers(&body.headers)?,
        caller: body.caller.clone(),
        seed: body.request_id.as_deref().map(explain::seed_of).transpose()?,
    })
}

fn headers(said: &BTreeMap<String, String>) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => headers.insert(name, value),
            _ => {
                let fault = Fault::client(FaultKind::Malformed, "is no header; give its name and a value of one line");
                return Err(fault.with_param(format!("headers.{name}")));
            }
        };
    }
    Ok(headers)
}

/// A fault as the admin API says it: with the place in its own body.
fn problem(fault: &Fault) -> Problem {
    let own = ["as", "dialect", "headers", "request_id", "request"];
    let path = match fault.param.as_deref() {
        None => "request".to_owned(),
        Some(param) if own.iter().any(|name| param.split('.').next() == Some(*name)) => param.to_owned(),
        Some(param) if param.starts_with("x-tollgate-") => ["headers.", param].concat(),
        Some(param) => ["request.", param].concat(),
    };
    match fault.kind {
        FaultKind::NotFound => Problem::new(StatusCode::NOT_FOUND, "not_found", [path.as_str(), ": ", &fault.message].concat()),
        _ => Problem::malformed(&path, &fault.message),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_fault_names_its_place_in_the_body() {
        let rows = [
            (Some("messages[0].role"), "request.messages[0].role"),
            (Some("request_id"), "request_id"),
            (Some("as.key"), "as.key"),
            (Some("x-tollgate-timeout-ms"), "headers.x-tollgate-timeout-ms"),
            (None, "request"),
        ];
        for (param, path) in rows {
            let mut fault = Fault::client(FaultKind::Malformed, "is wrong");
            fault.param = param.map(str::to_owned);
            let said = serde_json::to_value(problem(&fault)).unwrap();
            assert_eq!((&said["status"], &said["errors"][0]["path"]), (&400.into(), &path.into()));
        }
    }
}
