//! Errors of this dialect: statuses, types and codes, read from any vendor's body and written for a caller. The only file
//! of the dialect that knows HTTP statuses. What the words of a message mean is in `wording.rs`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wording;
use crate::fault::{Fault, FaultKind, MESSAGE_BYTES_MAX, Origin, Retry, cut};
use crate::frame::sse;
use crate::json::{self, Fields, Kind};

/// What an error body says, in whatever shape.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    kind: String,
    code: String,
    param: Option<String>,
    status: Option<u16>,
}

/// Reads a provider's error answer.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let text = std::str::from_utf8(body).unwrap_or_default().trim_start_matches('\u{feff}').trim();
    let said = said(text);
    fault(status, &said, text)
}

/// Reads an error that came as an answer, whole or in mid-stream: its real status is in its words.
pub(super) fn read_in_answer(text: &str) -> Fault {
    let said = said(text);
    let status = said.status.unwrap_or_else(|| implied_status(&said));
    fault(status, &said, text)
}

fn fault(status: u16, said: &Said, text: &str) -> Fault {
    let message = said.message.as_deref().map_or("", str::trim);
    let kind = kind(status, said, message);
    let shown = if message.is_empty() {
        Cow::Owned(format!("the provider answered with status {status} and no readable error message"))
    } else if matches!(kind, FaultKind::Unauthorized | FaultKind::Forbidden) {
        Cow::Owned(wording::mask(message))
    } else {
        Cow::Borrowed(message)
    };
    let mut fault = Fault::provider(kind, cut(&shown, MESSAGE_BYTES_MAX));
    fault.provider_status = Some(status);
    fault.param.clone_from(&said.param);
    fault.retry_after = wording::retry_after(message);
    if let Some(code) = code(kind, said) {
        fault.code = Some(code);
    }
    if kind == FaultKind::RateLimited && wording::too_large(message) {
        // No window is long enough for it; another deployment's may be.
        fault.retry = Retry::Other;
    }
    if said.message.is_none() && !text.is_empty() {
        // Not the body itself: it may quote the prompt, and causes go into the log.
        fault.cause = Some(format!("an error body of {} bytes without a message", text.len()));
    }
    fault
}

fn kind(status: u16, said: &Said, message: &str) -> FaultKind {
    let word = |text: &str| said.code == text || said.kind == text;
    if matches!(status, 400 | 413 | 422 | 500)
        && (word("context_length_exceeded") || word("too_many_prompt_tokens") || wording::context_length(message))
    {
        return FaultKind::ContextLength;
    }
    if status < 500 && (word("content_filter") || word("content_policy_violation") || wording::content_policy(message)) {
        return FaultKind::ContentPolicy;
    }
    if matches!(status, 402 | 403 | 429) && (word("insufficient_quota") || word("billing_hard_limit_reached") || wording::quota(message)) {
        return FaultKind::QuotaExceeded;
    }
    // A code that we would write ourselves says more than a status of its class.
    let coded = [&said.code, &said.kind].into_iter().find_map(|code| FaultKind::from_code(code));
    if let Some(kind) = coded.filter(|kind| form(*kind, Origin::Provider).0 / 100 == status / 100) {
        return kind;
    }
    match status {
        400 if word("invalid_api_key") || wording::bad_key(message) => FaultKind::Unauthorized,
        400 | 404 if word("model_not_found") => FaultKind::NotFound,
        401 | 407 => FaultKind::Unauthorized,
        402 => FaultKind::QuotaExceeded,
        403 | 451 => FaultKind::Forbidden,
        404 | 410 => FaultKind::NotFound,
        405 => FaultKind::MethodNotAllowed,
        408 | 504 | 524 => FaultKind::Timeout,
        409 => FaultKind::Conflict,
        413 if word("rate_limit_exceeded") => FaultKind::RateLimited,
        413 => FaultKind::TooLarge,
        415 => FaultKind::UnsupportedMedia,
        422 => FaultKind::Unprocessable,
        424 => FaultKind::BadUpstream,
        425 | 429 => FaultKind::RateLimited,
        // 498 is Groq's word for no capacity, 529 Anthropic's.
        498 | 503 | 529 => FaultKind::Overloaded,
        502 | 521..=523 => FaultKind::Unavailable,
        525 | 526 => FaultKind::Tls,
        500..=599 => FaultKind::Upstream,
        400..=499 => FaultKind::Malformed,
        _ => FaultKind::BadUpstream,
    }
}

/// The status that an error without one would have had.
fn implied_status(said: &Said) -> u16 {
    let message = said.message.as_deref().unwrap_or_default();
    let has = |word: &str| said.code.contains(word) || said.kind.contains(word);
    if let Some(kind) = FaultKind::from_code(&said.code) {
        return form(kind, Origin::Provider).0;
    }
    match () {
        () if has("rate_limit") || has("quota") || has("too_many_requests") => 429,
        () if has("overloaded") || has("unavailable") => 503,
        () if has("timeout") => 504,
        () if has("authentication") || has("api_key") => 401,
        () if has("permission") => 403,
        () if has("not_found") => 404,
        () if has("invalid_request") || has("content_filter") || has("context_length") || has("bad_request") => 400,
        () if wording::context_length(message) || wording::content_policy(message) => 400,
        () if has("server_error") || has("internal") || has("api_error") => 500,
        () => 502,
    }
}

fn code(kind: FaultKind, said: &Said) -> Option<Cow<'static, str>> {
    match kind {
        FaultKind::ContextLength => Some(Cow::Borrowed("context_length_exceeded")),
        FaultKind::ContentPolicy => Some(Cow::Borrowed("content_filter")),
        FaultKind::QuotaExceeded => Some(Cow::Borrowed("insufficient_quota")),
        // A bare number repeats the status.
        _ if said.code.is_empty() || said.code.bytes().all(|byte| byte.is_ascii_digit()) => None,
        _ => Some(Cow::Owned(cut(&said.code, 128).to_owned())),
    }
}

/// Error bodies as vendors write them: `{"error": {…}}`, `{"error": "…"}`, `{"detail": …}`, `{"message": …}`, the object
/// itself, or any of these in an array. HTML, text and nothing say nothing that may be shown.
fn said(text: &str) -> Said {
    if let Ok(Some(first)) = serde_json::from_str::<Vec<&RawValue>>(text).map(|array| array.into_iter().next()) {
        return said(first.get());
    }
    let Ok(mut fields) = Fields::parse(text, "") else {
        return Said::default();
    };
    let outer = fields.take("error");
    let mut said = Said::default();
    match outer {
        Some(raw) if json::kind(raw) == Kind::Object => {
            if let Ok(mut inner) = Fields::parse(raw.get(), "error") {
                fill(&mut said, &mut inner);
            }
        }
        Some(raw) if json::kind(raw) == Kind::String => said.message = string(raw),
        _ => {}
    }
    fill(&mut said, &mut fields);
    said
}

/// Takes what is not known yet.
fn fill(said: &mut Said, fields: &mut Fields<'_>) {
    for name in ["message", "detail", "error_description", "msg", "title"] {
        let found = fields.take(name).and_then(words);
        said.message = said.message.take().or(found);
    }
    for (into, name) in [(&mut said.kind, "type"), (&mut said.code, "code")] {
        let Some(raw) = fields.take(name) else { continue };
        if into.is_empty() {
            *into = string(raw).unwrap_or_else(|| raw.get().to_owned());
        }
    }
    let param = fields.take("param").and_then(string);
    said.param = said.param.take().or(param);
    let given = ["status_code", "status"]
        .into_iter()
        .find_map(|name| fields.take(name))
        .and_then(|raw| raw.get().parse().ok());
    let status = given
        .or_else(|| said.code.parse().ok())
        .filter(|status| (400..=599).contains(status));
    said.status = said.status.or(status);
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A message that is a string, an object with a message, or a list of complaints (`[{"loc": …, "msg": …}]`, FastAPI's).
fn words(raw: &RawValue) -> Option<String> {
    match json::kind(raw) {
        Kind::String => string(raw),
        Kind::Object => {
            let mut fields = Fields::parse(raw.get(), "").ok()?;
            ["message", "msg", "detail", "error"]
                .into_iter()
                .find_map(|name| fields.take(name))
                .and_then(words)
        }
        Kind::Array => {
            let complaints: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
            let all: Vec<String> = complaints.into_iter().take(8).filter_map(words).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        _ => None,
    }
}

/// Status and type of a fault, by GOVERNANCE's table of answers.
fn form(kind: FaultKind, origin: Origin) -> (u16, &'static str) {
    const INVALID: &str = "invalid_request_error";
    match kind {
        FaultKind::Malformed | FaultKind::ContextLength | FaultKind::ContentPolicy | FaultKind::Lossy => (400, INVALID),
        FaultKind::Unauthorized => (401, INVALID),
        FaultKind::QuotaExceeded if origin == Origin::Provider => (429, "insufficient_quota"),
        FaultKind::QuotaExceeded => (402, "insufficient_quota"),
        FaultKind::Forbidden => (403, "permission_error"),
        FaultKind::NotFound => (404, INVALID),
        FaultKind::MethodNotAllowed => (405, INVALID),
        FaultKind::Conflict => (409, INVALID),
        FaultKind::TooLarge => (413, INVALID),
        FaultKind::UnsupportedMedia => (415, INVALID),
        FaultKind::Unprocessable => (422, INVALID),
        FaultKind::RateLimited => (429, "rate_limit_error"),
        FaultKind::Internal => (500, "api_error"),
        FaultKind::Tls | FaultKind::BadUpstream | FaultKind::Truncated | FaultKind::InvalidOutput | FaultKind::Upstream => {
            (502, "api_error")
        }
        FaultKind::Overloaded | FaultKind::Unavailable => (503, "api_error"),
        FaultKind::Timeout => (504, "api_error"),
    }
}

/// The caller's status: the provider's class is kept, and its number where callers know what to do with it. 408, 424 and
/// 529 are not for callers of this dialect: their clients would blame or repeat the request (E1).
fn status(fault: &Fault, usual: u16) -> u16 {
    if fault.exceeded.as_ref().is_some_and(|exceeded| exceeded.as_rate_limit) {
        return 429;
    }
    let Some(given) = fault.provider_status.filter(|_| fault.origin == Origin::Provider) else {
        return usual;
    };
    match fault.kind {
        FaultKind::Timeout | FaultKind::BadUpstream | FaultKind::Overloaded | FaultKind::Unavailable => usual,
        FaultKind::Upstream if matches!(given, 500 | 502 | 503 | 504) => given,
        FaultKind::QuotaExceeded | FaultKind::ContentPolicy if matches!(given, 400 | 402 | 403 | 429) => given,
        _ if given / 100 == usual / 100 => usual,
        _ if given / 100 == 4 => 400,
        _ if given / 100 == 5 => 502,
        _ => usual,
    }
}

/// Writes an error answer.
pub(super) fn write(fault: &Fault, request_id: &str) -> (u16, Vec<u8>) {
    let mut out = Vec::with_capacity(256);
    body(&mut out, fault, request_id);
    (status(fault, form(fault.kind, fault.origin).0), out)
}

/// Writes an error into a stream, which then ends without `[DONE]`: the official clients raise.
pub(super) fn write_in_stream(fault: &Fault, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    sse::write(&mut out, "", |out| body(out, fault, request_id));
    out
}

fn body(out: &mut Vec<u8>, fault: &Fault, request_id: &str) {
    let (_, kind) = form(fault.kind, fault.origin);
    json::object(out, |out| {
        out.object("error", |error| {
            error.string("message", cut(&fault.message, MESSAGE_BYTES_MAX));
            error.string("type", kind);
            match &fault.param {
                Some(param) => error.string("param", param),
                None => error.null("param"),
            }
            error.string("code", fault.code.as_deref().unwrap_or(fault.kind.code(fault.origin)));
            error.object("details", |details| {
                details.string("request_id", request_id);
                details.bool("retryable", fault.retry == Retry::Same);
                if let Some(exceeded) = &fault.exceeded {
                    exceeded.write(details);
                }
            });
        });
    });
}
