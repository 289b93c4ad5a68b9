//! Errors: the only place of this dialect that knows HTTP statuses and error bodies (WIRE section 11, GOVERNANCE section 7).
//! Headers (`retry-after`) are the gateway's.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::fault::{Fault, FaultKind, MESSAGE_BYTES_MAX, Origin, Retry, cut};
use crate::frame::sse;
use crate::json::{self, Fields, Kind, kind};

/// The longest code passed on, in bytes.
const CODE_BYTES_MAX: usize = 80;

/// How providers say that a prompt does not fit (E4), in lowercase.
const CONTEXT_LENGTH: &[&str] = &[
    "prompt is too long",
    "exceed context limit",
    "exceeds the context",
    "exceed the context",
    "context window",
    "context length",
    "maximum context",
    "input is too long",
    "too many input tokens",
    "input tokens exceed",
];
/// How providers say that money or quota is used up, whatever the status (E2).
const QUOTA: &[&str] = &[
    "credit balance is too low",
    "spend limit",
    "usage limits",
    "insufficient_quota",
    "quota exceeded",
    "billing",
];
/// How providers say that they refuse the content.
const CONTENT_POLICY: &[&str] = &["content filtering policy", "usage policy", "content policy"];

/// What an error body says, as far as it can be read.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    message: String,
    code: Option<String>,
}

/// See [`crate::Dialect::read_fault`].
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let said = std::str::from_utf8(body).map(said).unwrap_or_default();
    let mut fault = fault(&said, Some(status));
    fault.provider_status = Some(status);
    fault
}

/// Reads the data of an `error` event, or an error in the place of an answer: there is no status then.
pub(super) fn read_event(data: &str) -> Fault {
    fault(&said(data), None)
}

fn fault(said: &Said, status: Option<u16>) -> Fault {
    let message = match (said.message.trim(), status) {
        ("", Some(status)) => format!("the provider answered with status {status} and no readable error"),
        ("", None) => "the provider reported an error without a message".to_owned(),
        (message, _) => cut(message, MESSAGE_BYTES_MAX).to_owned(),
    };
    let mut fault = Fault::provider(fault_kind(said, status), message);
    fault.code = said.code.as_deref().map(|code| Cow::Owned(cut(code, CODE_BYTES_MAX).to_owned()));
    fault
}

/// Reads `{"type":"error","error":{…}}`, and what stands in for it elsewhere: a text, or a lone `message` or `detail`.
fn said(text: &str) -> Said {
    let mut said = Said::default();
    let Ok(mut body) = Fields::parse(text, "") else {
        // A page of HTML says nothing to a caller; a line of text may.
        let text = text.trim();
        if !text.starts_with(['<', '{', '[']) {
            said.message = text.to_owned();
        }
        return said;
    };
    match body.take("error") {
        Some(raw) if kind(raw) == Kind::Object => {
            let Ok(mut error) = Fields::parse(raw.get(), "error") else {
                return said;
            };
            said.kind = string(&mut error, "type").unwrap_or_default();
            said.message = string(&mut error, "message").unwrap_or_default();
            said.code = error
                .take_object("details")
                .ok()
                .flatten()
                .and_then(|mut details| string(&mut details, "error_code").or_else(|| string(&mut details, "code")))
                .or_else(|| string(&mut error, "code"));
        }
        Some(raw) => said.message = serde_json::from_str(raw.get()).unwrap_or_default(),
        None => {
            said.message = string(&mut body, "message")
                .or_else(|| string(&mut body, "detail"))
                .unwrap_or_default();
        }
    }
    said
}

fn string(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    fields.take(name).and_then(|raw: &RawValue| serde_json::from_str(raw.get()).ok())
}

/// What went wrong: by the words first, then by the error's type, then by the status.
fn fault_kind(said: &Said, status: Option<u16>) -> FaultKind {
    use FaultKind as K;
    let words = said.message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let request_error =
        matches!(status, None | Some(400 | 413 | 422)) && matches!(said.kind.as_str(), "" | "invalid_request_error" | "request_too_large");
    if request_error && says(CONTEXT_LENGTH) {
        return K::ContextLength;
    }
    if request_error && says(CONTENT_POLICY) {
        return K::ContentPolicy;
    }
    let limited = request_error || said.kind == "rate_limit_error" || status == Some(429);
    if limited && (said.code.as_deref() == Some("enforced_spend_limit_reached") || says(QUOTA)) {
        return K::QuotaExceeded;
    }
    // A code that we would write ourselves says more than the few types that there are for it.
    let coded = said.code.as_deref().and_then(K::from_code).filter(|kind| covers(&said.kind, *kind));
    if let Some(kind) = coded {
        return kind;
    }
    match said.kind.as_str() {
        "authentication_error" => K::Unauthorized,
        "billing_error" => K::QuotaExceeded,
        "permission_error" => K::Forbidden,
        "not_found_error" => K::NotFound,
        "conflict_error" => K::Conflict,
        "request_too_large" => K::TooLarge,
        "rate_limit_error" => K::RateLimited,
        "timeout_error" => K::Timeout,
        "overloaded_error" => K::Overloaded,
        "invalid_request_error" if status.is_none_or(|status| status == 400) => K::Malformed,
        _ => status.map_or(K::Upstream, kind_of_status),
    }
}

/// Whether an error of that type may be of that kind: it has no type, or the one that we would write.
fn covers(said: &str, kind: FaultKind) -> bool {
    said.is_empty() || said == form(&Fault::provider(kind, "")).1
}

fn kind_of_status(status: u16) -> FaultKind {
    use FaultKind as K;
    match status {
        401 => K::Unauthorized,
        402 => K::QuotaExceeded,
        403 => K::Forbidden,
        404 => K::NotFound,
        405 => K::MethodNotAllowed,
        408 | 504 => K::Timeout,
        409 => K::Conflict,
        413 => K::TooLarge,
        415 => K::UnsupportedMedia,
        422 => K::Unprocessable,
        429 => K::RateLimited,
        503 | 529 => K::Overloaded,
        400..=499 => K::Malformed,
        500..=599 => K::Upstream,
        _ => K::BadUpstream,
    }
}

/// See [`crate::Dialect::write_fault`].
pub(super) fn write(fault: &Fault, request_id: &str) -> (u16, Vec<u8>) {
    let mut out = Vec::with_capacity(256);
    let (status, kind) = form(fault);
    write_body(fault, kind, request_id, &mut out);
    (status, out)
}

/// See [`crate::Dialect::write_stream_fault`].
pub(super) fn write_stream(fault: &Fault, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    sse::write(&mut out, "error", |out| write_body(fault, form(fault).1, request_id, out));
    out
}

fn write_body(fault: &Fault, kind: &str, request_id: &str, out: &mut Vec<u8>) {
    json::object(out, |o| {
        o.string("type", "error");
        o.object("error", |o| {
            o.string("type", kind);
            o.string("message", cut(&fault.message, MESSAGE_BYTES_MAX));
            o.object("details", |o| {
                o.string("code", fault.code.as_deref().unwrap_or(fault.kind.code(fault.origin)));
                // Where the dialect's own clients look for it.
                o.string_if("error_code", fault.code.as_deref().filter(|_| fault.origin == Origin::Provider));
                o.string_if("param", fault.param.as_deref());
                o.bool("retryable", fault.retry == Retry::Same);
                if let Some(exceeded) = &fault.exceeded {
                    exceeded.write(o);
                }
            });
        });
        o.string("request_id", request_id);
    });
}

/// Status and type of a fault in this dialect.
fn form(fault: &Fault) -> (u16, &'static str) {
    use FaultKind as K;
    if fault.exceeded.as_ref().is_some_and(|exceeded| exceeded.as_rate_limit) {
        return (429, "rate_limit_error");
    }
    match fault.kind {
        K::Malformed | K::ContextLength | K::ContentPolicy | K::Lossy => (400, "invalid_request_error"),
        K::Unauthorized => (401, "authentication_error"),
        K::QuotaExceeded => (402, "billing_error"),
        K::Forbidden => (403, "permission_error"),
        K::NotFound => (404, "not_found_error"),
        K::MethodNotAllowed => (405, "invalid_request_error"),
        K::Conflict => (409, "conflict_error"),
        K::TooLarge => (413, "request_too_large"),
        K::UnsupportedMedia => (415, "invalid_request_error"),
        K::Unprocessable => (422, "invalid_request_error"),
        K::RateLimited => (429, "rate_limit_error"),
        K::Internal => (500, "api_error"),
        K::Tls | K::BadUpstream | K::Truncated | K::InvalidOutput => (502, "api_error"),
        K::Upstream => (upstream_status(fault.provider_status), "api_error"),
        K::Unavailable => (503, "api_error"),
        K::Overloaded if fault.origin == Origin::Provider => (529, "overloaded_error"),
        K::Overloaded => (503, "overloaded_error"),
        K::Timeout => (504, "timeout_error"),
    }
}

/// The provider's own status, where it is one of a server's errors (E1).
fn upstream_status(status: Option<u16>) -> u16 {
    status.filter(|status| (500..600).contains(status)).unwrap_or(502)
}
