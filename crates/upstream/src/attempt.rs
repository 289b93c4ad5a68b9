//! One try: sign, send, time out, read the fault. It does not choose, does not try again, and does not read answers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use jiff::Timestamp;
use tollgate_wire::dialects::Operation;
use tollgate_wire::fault::{Fault, FaultKind, ProviderBody, Retry};

use crate::client::{AnswerBody, Client, Timeouts, TransportFault, TransportFaultKind, collect};
use crate::credentials::{Credential, read_left};
use crate::deployment::Door;

/// The largest error body that is read.
const FAULT_BYTES_MAX: usize = 256 << 10;
/// How long an error body may take.
const FAULT_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest provider request id that is kept.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The names that vendors give the id of an exchange.
static REQUEST_ID_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("mistral-correlation-id"),
    HeaderName::from_static("cf-ray"),
];

/// What to send, and where.
pub struct Try<'a> {
    /// The way to the provider.
    pub door: &'a Door,
    /// Whose key; `None`: none is needed.
    pub credential: Option<&'a Credential>,
    /// What is asked for.
    pub operation: Operation,
    /// In the door's dialect.
    pub body: Bytes,
    /// Headers of the caller's that may cross, beside the door's own.
    pub headers: HeaderMap,
    /// A stream is wanted.
    pub stream: bool,
    /// The route's clocks.
    pub timeouts: &'a Timeouts,
    /// When the exchange must be over.
    pub deadline: Instant,
    /// The present time since 1970, to read dates in `Retry-After`.
    pub unix: Duration,
}

/// An answer that has begun: its status says success.
pub struct Reply {
    /// The body comes as a stream of events; else as one document.
    pub streamed: bool,
    /// The body, still to be read.
    pub body: AnswerBody,
    /// The provider's own request id.
    pub request_id: Option<String>,
}

/// Makes one try.
///
/// # Errors
/// Whatever kept the provider from beginning an answer, with the advice what to do next.
pub async fn open(client: &Client, attempt: Try<'_>) -> Result<Reply, Fault> {
    let (timeouts, deadline, unix, wants_stream) = (attempt.timeouts, attempt.deadline, attempt.unix, attempt.stream);
    let (door, credential) = (attempt.door, attempt.credential);
    let request = request(attempt)?;
    // One key alone has nobody to be compared with, and pays nothing.
    let pooled = credential
        .filter(|_| !door.left.is_empty())
        .map(|credential| (credential, Instant::now()));
    let sent = client.send(&door.site.origin, request, timeouts, deadline).await;
    let response = sent.map_err(|fault| transport_fault(&fault))?;
    let status = response.status();
    if let Some((credential, began)) = pooled {
        note_left(door, credential, response.headers(), (began, unix));
    }
    if status.is_success() {
        return reply(response, wants_stream);
    }
    if status.is_redirection() || status.is_informational() {
        let mut fault = bad_answer(&format!("the provider answered with status {status}, which is never followed"));
        fault.provider_status = Some(status.as_u16());
        return Err(fault);
    }
    let now = Timestamp::UNIX_EPOCH.saturating_add(unix).unwrap_or_default();
    Err(refusal(door, credential, response, now).await)
}

/// Remembers what the head says that the credential has left.
fn note_left(door: &Door, credential: &Credential, headers: &HeaderMap, (began, unix): (Instant, Duration)) {
    let now = Instant::now();
    let unix = unix + now.saturating_duration_since(began);
    let timestamp = Timestamp::UNIX_EPOCH.saturating_add(unix).unwrap_or_default();
    if let Some(reading) = read_left(headers, timestamp) {
        door.site.credentials.note(credential, &door.left, reading, now);
    }
}

fn request(attempt: Try<'_>) -> Result<Request<Bytes>, Fault> {
    let Try {
        door,
        credential,
        operation,
        body,
        headers: crossing,
        stream,
        ..
    } = attempt;
    let site = &door.site;
    let mut headers = site.headers.clone();
    // A name that comes again is `None`: appended to the first.
    let mut last = None;
    for (name, value) in crossing {
        match (name, &last) {
            (Some(name), _) => {
                headers.insert(name.clone(), value);
                last = Some(name);
            }
            (None, Some(name)) => {
                headers.append(name, value);
            }
            (None, None) => {}
        }
    }
    headers.insert(
        ACCEPT,
        HeaderValue::from_static(if stream { "text/event-stream" } else { "application/json" }),
    );
    site.auth.apply(credential, &site.origin, &mut headers).map_err(|error| {
        Fault::gateway(
            FaultKind::Unavailable,
            "this gateway's access to the provider is not set up; tell who runs it",
        )
        .with_code("upstream_credential")
        .with_cause(error.to_string())
    })?;
    let path = door
        .path(operation)
        .ok_or_else(|| bad_answer("the door has no path for the operation"))?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(path.clone());
    *request.headers_mut() = headers;
    Ok(request)
}

fn reply(response: Response<AnswerBody>, wants_stream: bool) -> Result<Reply, Fault> {
    let request_id = request_id(response.headers());
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let streamed = match kind.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim()) {
        Some("text/event-stream") => true,
        Some(kind) if kind == "application/json" || kind.ends_with("+json") => false,
        None | Some("" | "text/plain" | "application/octet-stream") => wants_stream,
        Some(kind) => return Err(bad_answer(&format!("the provider answered with content-type {kind}"))),
    };
    Ok(Reply {
        streamed,
        body: response.into_body(),
        request_id,
    })
}

async fn refusal(door: &Door, credential: Option<&Credential>, response: Response<AnswerBody>, now: Timestamp) -> Fault {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    // An error whose body does not come is an error all the same.
    let body = tokio::time::timeout(FAULT_BODY_TIMEOUT, collect(body, FAULT_BYTES_MAX)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    // Vendors like to quote the key that they refuse.
    let body = match (credential, std::str::from_utf8(&body)) {
        (Some(credential), Ok(text)) => Bytes::from(credential.masked(text)),
        _ => body,
    };
    let mut fault = door.dialect.read_fault(status, &body);
    fault.provider_status = Some(status);
    fault.retry_after = retry_after(&head.headers, now).or(fault.retry_after);
    if head.headers.get("x-should-retry").is_some_and(|value| value == "false") && fault.retry == Retry::Same {
        fault.retry = Retry::Other;
    }
    if let Some(id) = request_id(&head.headers) {
        fault.cause = Some(format!("provider request {id}"));
    }
    fault.provider_body = Some(ProviderBody {
        dialect: door.dialect.name(),
        body: body.to_vec(),
    });
    fault
}

/// The provider's own id of the exchange.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = REQUEST_ID_HEADERS.iter().find_map(|name| headers.get(name)?.to_str().ok())?;
    Some(id.chars().filter(char::is_ascii_graphic).take(REQUEST_ID_BYTES_MAX).collect())
}

/// `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1e3).ok();
    }
    let text = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// A transport's trouble as a fault, with its status class and advice (FAULTS F01–F11, F26–F28).
#[must_use]
pub fn transport_fault(fault: &TransportFault) -> Fault {
    use TransportFaultKind as T;
    if fault.kind == T::Exhausted {
        // Ours: it says nothing about the provider, and must not open its breaker.
        return Fault::gateway(
            FaultKind::Unavailable,
            "this gateway has no connection left for the provider; try again in a moment",
        )
        .with_code("gateway_exhausted")
        .with_cause(fault.detail.clone());
    }
    let (kind, code, message, retry) = meaning(fault);
    let mut made = Fault::provider(kind, message).with_code(code).with_cause(fault.detail.clone());
    made.retry = retry;
    made
}

/// Kind, code, words and advice for a provider's trouble.
fn meaning(fault: &TransportFault) -> (FaultKind, &'static str, &'static str, Retry) {
    use TransportFaultKind as T;
    match fault.kind {
        // Asking again at once would be refused again: the next deployment, or a quick answer to the caller.
        T::Refused | T::Exhausted => (
            FaultKind::Unavailable,
            "upstream_unavailable",
            "the provider cannot be reached",
            Retry::Other,
        ),
        T::Dns => (
            FaultKind::Unavailable,
            "upstream_unavailable",
            "the provider's address cannot be found",
            Retry::Other,
        ),
        T::Reset if !fault.response_bytes => (
            FaultKind::Unavailable,
            "upstream_unavailable",
            "the provider closed the connection",
            Retry::Same,
        ),
        T::ConnectTimeout => (
            FaultKind::Unavailable,
            "upstream_unavailable",
            "the provider did not accept a connection in time",
            Retry::Other,
        ),
        T::Tls => (
            FaultKind::Tls,
            "upstream_tls",
            "no trusted connection to the provider could be made",
            Retry::Other,
        ),
        T::FirstByteTimeout => (
            FaultKind::Timeout,
            "upstream_timeout",
            "the provider did not begin to answer in time",
            Retry::Other,
        ),
        T::IdleTimeout => (
            FaultKind::Timeout,
            "upstream_timeout",
            "the provider stopped in mid-answer",
            Retry::Other,
        ),
        T::TotalTimeout => (
            FaultKind::Timeout,
            "upstream_timeout",
            "the time for this call is over",
            Retry::Never,
        ),
        T::Reset | T::Truncated => (
            FaultKind::Truncated,
            "upstream_truncated",
            "the provider's answer broke off",
            Retry::Other,
        ),
        T::BadResponse | T::TooLarge => (
            FaultKind::BadUpstream,
            "bad_upstream_response",
            "the provider's answer could not be read",
            Retry::Other,
        ),
    }
}

/// Something came that is no answer.
fn bad_answer(cause: &str) -> Fault {
    Fault::provider(FaultKind::BadUpstream, "the provider's answer could not be read")
        .with_code("bad_upstream_response")
        .with_cause(cause)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let rows = [
            (vec![("retry-after", "17")], Some(17_000)),
            (vec![("retry-after", "1.5")], Some(1_500)),
            (vec![("retry-after-ms", "250"), ("retry-after", "1")], Some(250)),
            (vec![("retry-after", "Fri, 20 Nov 2026 08:00:30 GMT")], Some(30_000)),
            (vec![("retry-after", "Fri, 20 Nov 2026 07:00:00 GMT")], Some(0)),
            (vec![("retry-after", "1000000000")], Some(1_000_000_000_000)),
            (vec![("retry-after", "-5")], None),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ];
        for (pairs, expected) in rows {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(retry_after(&headers, now).map(|wait| wait.as_millis()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_request_id_holds_only_what_a_header_may() {
        let mut headers = HeaderMap::new();
        headers.insert("request-id", HeaderValue::from_static("req_1 \t2"));
        assert_eq!(request_id(&headers).unwrap(), "req_12");
        assert_eq!(request_id(&HeaderMap::new()), None);
    }
}
