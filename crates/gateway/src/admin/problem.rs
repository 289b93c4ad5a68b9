//! Refusals of the admin API: RFC 9457 bodies. `code` is for programs, `detail` for people, and it names the remedy.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use tollgate_store::database::Error;
use utoipa::ToSchema;

use crate::control::Flaw;

/// Why something was not done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:tollgate:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    pub(crate) status: u16,
    /// For programs.
    pub(crate) code: &'static str,
    /// What is wrong, and what to do.
    detail: String,
    /// All that is wrong with the body, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<Flaw>,
    /// When to try again.
    #[serde(skip)]
    #[schema(ignore)]
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: ["urn:tollgate:problem:", code].concat(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// The credential opens nothing. Always the same words: which part of it is wrong is not told.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "no valid credential; log in at /admin/v1/login and send Authorization: Bearer TOKEN",
        )
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// It is not there, or it is another team's: no difference is told.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            ["there is no ", what, "; list them to see which there are"].concat(),
        )
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Something in the body is not of the form that it must have.
    pub(crate) fn malformed(path: &str, reason: &str) -> Self {
        Self {
            errors: vec![flaw(path, reason, "correct it")],
            ..Self::bad_request("malformed", [path, ": ", reason].concat())
        }
    }

    /// The body is JSON of the right form, and makes no sense.
    pub(crate) fn invalid(errors: Vec<Flaw>) -> Self {
        let list = errors
            .iter()
            .map(|flaw| [flaw.path.as_str(), ": ", &flaw.reason, "; ", &flaw.remedy].concat());
        let detail = list.collect::<Vec<_>>().join("\n");
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
        }
    }

    /// One thing is wrong with the body.
    pub(crate) fn flaw(path: &str, reason: &str, remedy: &str) -> Self {
        Self::invalid(vec![flaw(path, reason, remedy)])
    }

    pub(crate) fn too_many(retry_after_s: u64, detail: &str) -> Self {
        Self {
            retry_after_s: Some(retry_after_s.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail)
        }
    }
}

/// A flaw from its words.
pub(crate) fn flaw(path: &str, reason: &str, remedy: &str) -> Flaw {
    Flaw {
        path: path.into(),
        reason: reason.into(),
        remedy: remedy.into(),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Unavailable(_) => Self {
                retry_after_s: Some(2),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_unavailable",
                    "the database does not answer; try again soon",
                )
            },
            Error::NotFound { what } => Self::not_found(&what),
            Error::Changed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "changed", text),
            Error::Taken { .. } => Self::conflict("taken", text),
            Error::Refused(_) => Self::bad_request("refused", text),
            Error::Damaged(_) | Error::TooNew { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tollgate admin\""));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
