//! OpenAI Chat Completions as the vendor serves it: strict requests, whole answers, `data:` streams, its headers.
//! Sources: the OpenAPI document and recorded exchanges (WIRE 2–4, 8–11). It does not store completions.

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

/// Models that `GET /models` lists; any other name works as well.
const MODELS: [&str; 8] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "echo",
    "lorem-200",
    "tool-caller",
    "json",
    "reasoner",
];
const FINGERPRINT: &str = "fp_mock000001";

/// What every answer has; cloned, because building it anew costs more than writing the answer.
static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    fixed_headers(&[
        ("x-request-id", ""),
        ("openai-organization", "org-mock"),
        ("openai-processing-ms", "7"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "1999975"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "0s"),
    ])
});

/// The dialect.
#[derive(Debug)]
pub(super) struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai_chat"
    }

    fn prefix(&self) -> &'static str {
        "/openai"
    }

    fn paths(&self) -> &'static [&'static str] {
        &[
            "POST /openai/v1/chat/completions",
            "GET /openai/v1/models",
            "GET /openai/v1/models/{id}",
        ]
    }

    fn route(&self, method: &Method, path: &str) -> Route {
        match (method, path) {
            (&Method::POST, "/v1/chat/completions") => Route::Generate,
            (&Method::GET, "/v1/models") => {
                let models: Vec<Value> = MODELS.iter().map(|id| model(id)).collect();
                Route::Page(Page::Fixed(json!({ "object": "list", "data": models })))
            }
            (&Method::GET, path) => match path.strip_prefix("/v1/models/") {
                Some(id) if !id.is_empty() => Route::Page(Page::Fixed(model(id))),
                _ => Route::Unknown,
            },
            _ => Route::Unknown,
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            Some("bad-key") => Err(Refusal::new(
                401,
                "Incorrect API key provided: bad-key. You can find your API key at https://platform.openai.com/account/api-keys.",
            )
            .code("invalid_api_key")),
            Some(key) if !key.trim().is_empty() => Ok(()),
            _ => Err(Refusal::new(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )),
        }
    }

    fn read(&self, _: &HeaderMap, body: &Value) -> Result<Question, Refusal> {
        request::read(body)
    }

    fn whole(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<u8> {
        response::write(reply, question, stamp)
    }

    fn frames(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<Frame> {
        stream::write(reply, question, stamp)
    }

    fn envelope_bytes(&self) -> u64 {
        560
    }

    fn too_long(&self) -> Refusal {
        let message = "This model's maximum context length is 128000 tokens. However, your messages resulted in 216311 tokens. Please reduce the length of the messages.";
        Refusal::bad(message).at("messages").code("context_length_exceeded")
    }

    fn headers(&self, stamp: &Stamp, refusal: Option<&Refusal>) -> HeaderMap {
        let mut headers = HEADERS.clone();
        if let Ok(id) = HeaderValue::try_from(text::request_id_hex(stamp.seed)) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        let Some(refusal) = refusal else { return headers };
        if refusal.status == 429 {
            headers.insert("x-ratelimit-remaining-requests", HeaderValue::from_static("0"));
            headers.insert("x-ratelimit-reset-requests", HeaderValue::from_static("1s"));
        }
        if let Some(seconds) = refusal.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            headers.insert("retry-after-ms", HeaderValue::from(seconds.saturating_mul(1000)));
        }
        headers
    }

    fn error(&self, refusal: &Refusal, _: &Stamp) -> String {
        error_value(refusal).to_string()
    }

    fn error_event(&self, refusal: &Refusal, _: &Stamp) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(b"data: ");
        out.put_slice(error_value(refusal).to_string().as_bytes());
        out.put_slice(b"\n\n");
        out.freeze()
    }
}

fn model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "tollgate-mock" })
}

fn error_value(refusal: &Refusal) -> Value {
    let (kind, code) = match refusal.status {
        429 if refusal.code == Some("insufficient_quota") => ("insufficient_quota", None),
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("insufficient_permissions")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500 | 502 | 504 => ("server_error", None),
        503 => ("server_error", Some("service_unavailable")),
        529 => ("server_error", Some("overloaded")),
        _ => ("invalid_request_error", None),
    };
    json!({ "error": {
        "message": refusal.message,
        "type": kind,
        "param": refusal.param,
        "code": refusal.code.or(code),
    } })
}
