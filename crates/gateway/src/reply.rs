//! Answers and faults as HTTP for the caller: statuses come from the dialects, headers are an allow-list of our own. Nothing of a
//! provider's head crosses.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tollgate_guard::mask;
use tollgate_policy::accounts::Room;
use tollgate_policy::release::Status;
use tollgate_upstream::deployment::Asked;
use tollgate_wire::dialects::Dialect;
use tollgate_wire::fault::{Fault, FaultKind, Origin, Retry};
use tollgate_wire::json;

use crate::identify::Caller;
use crate::record::{Record, line};
use crate::stream::Stream;
use crate::tail::{AnswerBody, Drains, Ending};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ROUTE: HeaderName = HeaderName::from_static("x-tollgate-route");
const MODEL: HeaderName = HeaderName::from_static("x-tollgate-model");
const MODEL_STATUS: HeaderName = HeaderName::from_static("x-tollgate-model-status");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-attempts");
const OVERHEAD: HeaderName = HeaderName::from_static("x-tollgate-overhead-ms");
const QUEUED: HeaderName = HeaderName::from_static("x-tollgate-queued-ms");
const CONFIG: HeaderName = HeaderName::from_static("x-tollgate-config");
const FALLBACK: HeaderName = HeaderName::from_static("x-tollgate-fallback");
const DOWNGRADED: HeaderName = HeaderName::from_static("x-tollgate-downgraded");
const MAX_TOKENS: HeaderName = HeaderName::from_static("x-tollgate-max-tokens");
const COST: HeaderName = HeaderName::from_static("x-tollgate-cost-usd");
static REQUESTS_ROOM: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS_ROOM: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const REPLAYED: HeaderName = HeaderName::from_static("x-tollgate-idempotent-replay");
const LOSS: HeaderName = HeaderName::from_static("x-tollgate-loss");
const FAULT_ORIGIN: HeaderName = HeaderName::from_static("x-tollgate-fault-origin");
const KEY_DEPRECATED: HeaderName = HeaderName::from_static("x-tollgate-key-deprecated");
const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-tollgate-provider-request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Anthropic's SDKs read the request id here.
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A whole answer.
#[must_use]
pub fn whole(bytes: Bytes, mut headers: HeaderMap, ending: Ending) -> Response<AnswerBody> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_head(AnswerBody::whole(bytes, ending), headers)
}

/// A streamed answer. Intermediaries are told to keep their hands off it.
#[must_use]
pub fn live(
    answer: (Stream, Asked),
    dialect: &'static dyn Dialect,
    mut headers: HeaderMap,
    ending: Ending,
    drains: &Drains,
) -> Response<AnswerBody> {
    mark_as_stream(&mut headers);
    let (stream, health) = answer;
    with_head(AnswerBody::live(stream, health, dialect, ending, drains), headers)
}

/// A whole answer for a caller who asked for a stream: its events, all at once.
#[must_use]
pub fn events(bytes: Bytes, mut headers: HeaderMap, ending: Ending) -> Response<AnswerBody> {
    mark_as_stream(&mut headers);
    with_head(AnswerBody::whole(bytes, ending), headers)
}

/// How a review stands; `at`: its address while it is open.
#[must_use]
pub fn review((status, at): (u16, Option<String>), bytes: Bytes, mut headers: HeaderMap, ending: Ending) -> Response<AnswerBody> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(at) = at {
        set(&mut headers, LOCATION, at);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    let mut response = with_head(AnswerBody::whole(bytes, ending), headers);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn mark_as_stream(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

fn with_head(body: AnswerBody, headers: HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The status and body that a fault has in the caller's dialect. A provider's own error answer in that dialect goes on as it is
/// (less any credential in it), so that the SDK reads what it would read without us.
#[must_use]
pub fn fault_parts(dialect: &dyn Dialect, fault: &Fault, request_id: &str) -> (u16, Bytes) {
    if let (Some(own), Some(status)) = (&fault.provider_body, fault.provider_status)
        && own.dialect == dialect.name()
        && let Ok(text) = std::str::from_utf8(&own.body)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    {
        return (status, Bytes::from(mask::credentials(text)));
    }
    let (status, body) = dialect.write_fault(&shown(fault), request_id);
    (status, Bytes::from(body))
}

/// The fault as a caller may see it.
#[must_use]
pub fn shown(fault: &Fault) -> Fault {
    let mut shown = fault.clone();
    shown.message = mask::credentials(&fault.message);
    shown
}

/// A fault as an answer, with its head.
#[must_use]
pub fn fault(status: u16, body: Bytes, fault: &Fault, ending: Ending, headers: HeaderMap) -> Response<AnswerBody> {
    let mut response = with_head(AnswerBody::whole(body, ending), headers);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if fault.origin == Origin::Provider {
        headers.insert(FAULT_ORIGIN, HeaderValue::from_static("provider"));
    }
    if let Some(wait) = fault.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(
            RETRY_AFTER_MS,
            HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        );
    }
    if let Some(retry) = advice(fault, headers.get(ATTEMPTS)) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
    }
    response
}

/// Whether the SDK should try again: not when we did already, and not what would fail again.
fn advice(fault: &Fault, attempts: Option<&HeaderValue>) -> Option<&'static str> {
    let tried = attempts.and_then(|value| value.to_str().ok()?.parse::<u32>().ok()).unwrap_or(0);
    match (fault.origin, fault.retry, fault.kind) {
        (Origin::Gateway, _, FaultKind::Unavailable | FaultKind::Overloaded) | (Origin::Gateway, Retry::Same, FaultKind::RateLimited) => {
            Some("true")
        }
        (_, Retry::Never, _) | (Origin::Provider, Retry::Other, _) => Some("false"),
        _ if tried > 1 => Some("false"),
        _ => None,
    }
}

/// The headers that every answer has.
#[must_use]
pub fn facts(record: &Record) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(16);
    let headers = &mut map;
    if let Ok(id) = HeaderValue::from_str(&record.request_id) {
        headers.insert(REQUEST_ID, id.clone());
        headers.insert(ANTHROPIC_REQUEST_ID, id);
    }
    set(headers, CONFIG, &*record.config);
    // A model that is asked for directly is a route of its own name.
    if let Some(route) = record.route_name().or(record.asked.as_deref()) {
        set(headers, ROUTE, route);
    }
    if let Some(model) = record.model_name() {
        set(headers, MODEL, model);
    }
    // That a model will be taken away, or is only tried, is never silent.
    if let Some(status) = record.model_status.filter(|status| *status != Status::Approved) {
        headers.insert(MODEL_STATUS, HeaderValue::from_static(status.name()));
    }
    headers.insert(ATTEMPTS, HeaderValue::from(record.attempts.len()));
    if let Some(us) = record.overhead_us {
        let mut text = Vec::with_capacity(12);
        json::write_integer(&mut text, us / 1000);
        text.push(b'.');
        line::digits(&mut text, us % 1000, 3);
        set(headers, OVERHEAD, text);
    }
    if let Some(us) = record.queued_us {
        set(headers, QUEUED, format!("{}.{:03}", us / 1000, us % 1000));
    }
    if let Some(fallback) = record.fallback.as_deref() {
        set(headers, FALLBACK, fallback);
    }
    if let Some(downgraded) = record.downgraded.as_deref() {
        set(headers, DOWNGRADED, downgraded);
    }
    if let Some(tokens) = record.reduced {
        set(headers, MAX_TOKENS, format!("{tokens}; reason=last_resort"));
    } else if let Some(tokens) = record.clamped {
        set(headers, MAX_TOKENS, format!("{tokens}; reason=budget"));
    }
    if let Some(paid) = record.paid.as_ref().filter(|paid| paid.price_version.is_some()) {
        set(headers, COST, paid.cost.to_string());
    }
    room(headers, &REQUESTS_ROOM, record.headroom.requests);
    room(headers, &TOKENS_ROOM, record.headroom.tokens);
    if record.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if !record.loss.is_empty() {
        set(headers, LOSS, record.loss.join(", "));
    }
    if let Some(until) = record.caller.as_deref().and_then(Caller::deprecated_until) {
        let mut text = Vec::with_capacity(24);
        line::time(&mut text, Duration::from_secs(until));
        set(headers, KEY_DEPRECATED, text);
    }
    if let Some(id) = record.provider_request_id.as_deref() {
        set(headers, PROVIDER_REQUEST_ID, id);
    }
    map
}

/// What the tightest limit still lets pass, as OpenAI says it.
fn room(headers: &mut HeaderMap, names: &[HeaderName; 3], room: Option<Room>) {
    let Some(room) = room else { return };
    let [limit, remaining, reset] = names.clone();
    headers.insert(limit, HeaderValue::from(room.limit));
    headers.insert(remaining, HeaderValue::from(room.remaining));
    set(headers, reset, go_duration(room.reset_ms));
}

/// A duration in Go's form, which OpenAI uses: `1h0m12.5s`, `7m12s`, `20ms`.
fn go_duration(ms: u64) -> Vec<u8> {
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let mut text = Vec::with_capacity(24);
    let mut part = |value, unit: &[u8]| {
        json::write_integer(&mut text, value);
        text.extend_from_slice(unit);
    };
    if ms < 1000 {
        part(ms, b"ms");
        return text;
    }
    if hours > 0 {
        part(hours, b"h");
    }
    if hours > 0 || minutes > 0 {
        part(minutes, b"m");
    }
    part(rest / 1000, b"");
    line::thousandths(&mut text, rest % 1000);
    text.push(b's');
    text
}

/// Names that a header cannot hold are left out: the record has them.
fn set(headers: &mut HeaderMap, name: HeaderName, value: impl AsRef<[u8]>) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
        headers.insert(name, value);
    }
}
