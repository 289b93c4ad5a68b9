//! Errors, read from providers and written for callers.

use serde_json::json;

use super::*;
use crate::fault::{FaultKind, Retry};

#[test]
fn any_error_body_is_understood() {
    let error =
        |kind: &str, message: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#);
    use FaultKind as K;
    use Retry as R;
    for (status, body, kind, retry, message) in [
        (
            400,
            error("invalid_request_error", "`temperature` is deprecated"),
            K::Malformed,
            R::Never,
            "`temperature` is deprecated",
        ),
        (
            400,
            error("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"),
            K::ContextLength,
            R::Other,
            "prompt is too long: 2 tokens > 1 maximum",
        ),
        (
            400,
            error("invalid_request_error", "input length and `max_tokens` exceed context limit: 3"),
            K::ContextLength,
            R::Other,
            "input length and `max_tokens` exceed context limit: 3",
        ),
        (
            400,
            error("invalid_request_error", "Your credit balance is too low"),
            K::QuotaExceeded,
            R::Other,
            "Your credit balance is too low",
        ),
        (
            400,
            error("invalid_request_error", "Output blocked by content filtering policy"),
            K::ContentPolicy,
            R::Other,
            "Output blocked by content filtering policy",
        ),
        (
            401,
            error("authentication_error", "invalid x-api-key"),
            K::Unauthorized,
            R::Other,
            "invalid x-api-key",
        ),
        (402, error("billing_error", "pay"), K::QuotaExceeded, R::Other, "pay"),
        (403, error("permission_error", "no"), K::Forbidden, R::Other, "no"),
        (404, error("not_found_error", "model: x"), K::NotFound, R::Other, "model: x"),
        (409, error("conflict_error", "c"), K::Conflict, R::Same, "c"),
        (
            413,
            error("request_too_large", "Request exceeds the maximum size"),
            K::TooLarge,
            R::Never,
            "Request exceeds the maximum size",
        ),
        (
            429,
            error("rate_limit_error", "This request would exceed the rate limit"),
            K::RateLimited,
            R::Same,
            "This request would exceed the rate limit",
        ),
        (
            500,
            error("api_error", "Internal server error"),
            K::Upstream,
            R::Same,
            "Internal server error",
        ),
        (
            504,
            error("timeout_error", "Request timed out"),
            K::Timeout,
            R::Same,
            "Request timed out",
        ),
        (529, error("overloaded_error", "Overloaded"), K::Overloaded, R::Same, "Overloaded"),
        (
            529,
            String::new(),
            K::Overloaded,
            R::Same,
            "the provider answered with status 529 and no readable error",
        ),
        (
            502,
            "<html><h1>Bad Gateway</h1></html>".to_owned(),
            K::Upstream,
            R::Same,
            "the provider answered with status 502 and no readable error",
        ),
        (
            503,
            "upstream connect error".to_owned(),
            K::Overloaded,
            R::Same,
            "upstream connect error",
        ),
        (422, r#"{"error":"cannot"}"#.to_owned(), K::Unprocessable, R::Never, "cannot"),
        (429, r#"{"detail":"later"}"#.to_owned(), K::RateLimited, R::Same, "later"),
        (418, r#"{"message":"teapot"}"#.to_owned(), K::Malformed, R::Never, "teapot"),
        (
            400,
            r#"{"error":{"message":7}}"#.to_owned(),
            K::Malformed,
            R::Never,
            "the provider answered with status 400 and no readable error",
        ),
    ] {
        let fault = read_fault(status, &body);
        assert_eq!(
            (fault.kind, fault.retry, fault.message.as_str(), fault.provider_status),
            (kind, retry, message, Some(status)),
            "{status} {body}"
        );
    }
    let spent = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Monthly limit.","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    let fault = read_fault(429, spent);
    assert_eq!(
        (fault.kind, fault.code.as_deref()),
        (FaultKind::QuotaExceeded, Some("enforced_spend_limit_reached"))
    );
    assert!(Anthropic.read_fault(500, b"\xff\xfe").message.contains("status 500"));
    let long = read_fault(500, &error("api_error", &"é".repeat(5000)));
    assert_eq!(long.message.len(), 4096);
}

#[test]
fn faults_are_written_in_the_dialects_shape() {
    use FaultKind as K;
    let all = [
        (K::Malformed, 400, "invalid_request_error", "invalid_request"),
        (K::TooLarge, 413, "request_too_large", "request_too_large"),
        (K::UnsupportedMedia, 415, "invalid_request_error", "unsupported_media_type"),
        (K::MethodNotAllowed, 405, "invalid_request_error", "method_not_allowed"),
        (K::Unauthorized, 401, "authentication_error", "invalid_api_key"),
        (K::Forbidden, 403, "permission_error", "forbidden"),
        (K::NotFound, 404, "not_found_error", "not_found"),
        (K::Conflict, 409, "conflict_error", "conflict"),
        (K::Unprocessable, 422, "invalid_request_error", "unprocessable"),
        (K::RateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
        (K::QuotaExceeded, 402, "billing_error", "budget_exceeded"),
        (K::ContextLength, 400, "invalid_request_error", "context_length_exceeded"),
        (K::ContentPolicy, 400, "invalid_request_error", "content_blocked"),
        (K::Lossy, 400, "invalid_request_error", "translation_lossy"),
        (K::Overloaded, 503, "overloaded_error", "overloaded"),
        (K::Unavailable, 503, "api_error", "upstream_unavailable"),
        (K::Timeout, 504, "timeout_error", "upstream_timeout"),
        (K::Tls, 502, "api_error", "upstream_tls"),
        (K::BadUpstream, 502, "api_error", "bad_upstream_response"),
        (K::Truncated, 502, "api_error", "upstream_truncated"),
        (K::Upstream, 502, "api_error", "upstream_error"),
        (K::Internal, 500, "api_error", "internal_error"),
    ];
    for (kind, status, error_type, code) in all {
        let (written, body) = Anthropic.write_fault(&Fault::gateway(kind, "why"), "req_9");
        let expected = json!({"type": "error", "error": {"type": error_type, "message": "why", "details": {"code": code, "retryable": false}}, "request_id": "req_9"});
        assert_eq!((written, serde_json::from_slice::<Value>(&body).unwrap()), (status, expected));
        // Our own shape is read as what it was.
        let again = Anthropic.read_fault(written, &body);
        assert_eq!(again.message, "why");
    }
    assert_eq!(Anthropic.write_fault(&Fault::provider(FaultKind::Overloaded, "x"), "r").0, 529);
    for (kind, code) in [(K::QuotaExceeded, "insufficient_quota"), (K::ContentPolicy, "content_filter")] {
        let (_, body) = Anthropic.write_fault(&Fault::provider(kind, "x"), "r");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["details"]["code"], code);
    }
    let mut upstream = Fault::provider(FaultKind::Upstream, "x");
    upstream.provider_status = Some(500);
    assert_eq!(Anthropic.write_fault(&upstream, "r").0, 500);
    let fault = Fault::client(FaultKind::Forbidden, "no \"x\"\n")
        .with_code("model_not_allowed")
        .with_param("model");
    let (_, body) = Anthropic.write_fault(&fault, "r");
    let details = json!({"code": "model_not_allowed", "param": "model", "retryable": false});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"]["details"], details);
}

#[test]
fn a_fault_in_a_stream_is_an_error_event_and_no_terminator() {
    let bytes = Anthropic.write_stream_fault(&Fault::provider(FaultKind::Overloaded, "line\nbreak"), "req_9");
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        text.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"line\\nbreak\"")
    );
    assert!(text.ends_with("\n\n") && text.matches("\n\n").count() == 1);
    let events = decode(&bytes, true).unwrap();
    assert!(matches!(events.as_slice(), [Event::Fault(fault)] if fault.kind == FaultKind::Overloaded));
}
