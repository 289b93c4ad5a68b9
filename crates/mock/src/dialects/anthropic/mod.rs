//! Anthropic Messages as the vendor serves it: strict requests, whole messages, named events, its headers.
//! Sources: the OpenAPI document, the migration guide to 2026-10-21 and recorded exchanges (WIRE 0, 2–4, 8–11).
//! It does not serve batches, files or server tools.

mod messages;
mod request;
mod response;
mod stream;

use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::{Dialect, Page, Refusal, Route, Stamp, fixed_headers};
use crate::{answer::Frame, question::Question, reply::Reply, text};

/// Models that `GET /v1/models` lists; any other name works as well.
const MODELS: [&str; 6] = [
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "echo",
    "lorem-200",
    "tool-caller",
    "reasoner",
];

/// The API version that refuses sampling parameters, among other things.
const VERSION_STRICT: &str = "2026-10-21";
const VERSIONS: [&str; 3] = ["2023-01-01", "2023-06-01", VERSION_STRICT];

/// Headers that say when a limit is full again.
const RESETS: [&str; 4] = [
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
    "anthropic-ratelimit-tokens-reset",
];

/// What every answer has; cloned, because building it anew costs more than writing the answer.
static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    fixed_headers(&[
        ("request-id", ""),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-input-tokens-limit", "2000000"),
        ("anthropic-ratelimit-input-tokens-remaining", "2000000"),
        ("anthropic-ratelimit-output-tokens-limit", "400000"),
        ("anthropic-ratelimit-output-tokens-remaining", "400000"),
        ("anthropic-ratelimit-tokens-limit", "2400000"),
        ("anthropic-ratelimit-tokens-remaining", "2400000"),
    ])
});

/// The dialect.
#[derive(Debug)]
pub(super) struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn prefix(&self) -> &'static str {
        "/anthropic"
    }

    fn paths(&self) -> &'static [&'static str] {
        &[
            "POST /anthropic/v1/messages",
            "POST /anthropic/v1/messages/count_tokens",
            "GET /anthropic/v1/models",
        ]
    }

    fn route(&self, method: &Method, path: &str) -> Route {
        match (method, path) {
            (&Method::POST, "/v1/messages") => Route::Generate,
            (&Method::POST, "/v1/messages/count_tokens") => Route::Page(Page::CountTokens),
            (&Method::GET, "/v1/models") => {
                let models: Vec<Value> = MODELS.iter().map(|id| model(id)).collect();
                let page = json!({ "data": models, "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last() });
                Route::Page(Page::Fixed(page))
            }
            (&Method::GET, path) => match path.strip_prefix("/v1/models/") {
                Some(id) if !id.is_empty() => Route::Page(Page::Fixed(model(id))),
                _ => Route::Unknown,
            },
            _ => Route::Unknown,
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = given("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match given("x-api-key").or(bearer) {
            Some("bad-key") => return Err(Refusal::new(401, "invalid x-api-key")),
            Some(key) if !key.trim().is_empty() => {}
            _ => return Err(Refusal::new(401, "x-api-key header is required")),
        }
        match given("anthropic-version") {
            None => Err(Refusal::bad("anthropic-version: header is required")),
            Some(version) if VERSIONS.contains(&version) => Ok(()),
            Some(version) => Err(Refusal::bad(format!("anthropic-version: \"{version}\" is not a valid version"))),
        }
    }

    fn read(&self, headers: &HeaderMap, body: &Value) -> Result<Question, Refusal> {
        request::read(body, is_strict(headers), true)
    }

    fn read_for_count(&self, headers: &HeaderMap, body: &Value) -> Result<Question, Refusal> {
        request::read(body, is_strict(headers), false)
    }

    fn whole(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<u8> {
        response::write(reply, question, stamp)
    }

    fn frames(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<Frame> {
        stream::write(reply, question, stamp)
    }

    fn envelope_bytes(&self) -> u64 {
        424
    }

    fn too_long(&self) -> Refusal {
        Refusal::bad("prompt is too long: 216311 tokens > 200000 maximum")
    }

    fn headers(&self, stamp: &Stamp, refusal: Option<&Refusal>) -> HeaderMap {
        let mut headers = HEADERS.clone();
        if let Ok(id) = HeaderValue::try_from(request_id(stamp)) {
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        if let Some(reset) = rfc3339(stamp.now_s() + 1) {
            for name in RESETS {
                headers.insert(HeaderName::from_static(name), reset.clone());
            }
        }
        let Some(refusal) = refusal else { return headers };
        if refusal.status == 429 {
            headers.insert("anthropic-ratelimit-requests-remaining", HeaderValue::from_static("0"));
        }
        if let Some(seconds) = refusal.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let again = refusal.status == 429 || 500 <= refusal.status;
        headers.insert("x-should-retry", HeaderValue::from_static(if again { "true" } else { "false" }));
        headers
    }

    fn error(&self, refusal: &Refusal, stamp: &Stamp) -> String {
        let mut error = error_value(refusal);
        error.insert("request_id".to_owned(), request_id(stamp).into());
        Value::Object(error).to_string()
    }

    fn error_event(&self, refusal: &Refusal, _: &Stamp) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(b"event: error\ndata: ");
        out.put_slice(Value::Object(error_value(refusal)).to_string().as_bytes());
        out.put_slice(b"\n\n");
        out.freeze()
    }
}

fn is_strict(headers: &HeaderMap) -> bool {
    headers.get("anthropic-version").is_some_and(|version| version == VERSION_STRICT)
}

fn request_id(stamp: &Stamp) -> String {
    text::identifier("req_011C", 20, stamp.seed)
}

fn rfc3339(seconds: u64) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    HeaderValue::try_from(time.to_string()).ok()
}

fn model(id: &str) -> Value {
    json!({ "type": "model", "id": id, "display_name": id, "created_at": "2025-09-29T00:00:00Z" })
}

fn error_value(refusal: &Refusal) -> serde_json::Map<String, Value> {
    let kind = match refusal.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let mut error = serde_json::Map::new();
    error.insert("type".to_owned(), "error".into());
    error.insert("error".to_owned(), json!({ "type": kind, "message": refusal.message }));
    error
}
