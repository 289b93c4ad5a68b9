//! Errors of every vendor, read and written. Each row: status and body, what it is, what the caller gets.

use std::time::Duration;

use serde_json::Value;

use super::super::OpenAiChat;
use crate::dialects::Dialect;
use crate::fault::{Fault, FaultKind as K, Origin, Retry};

#[test]
fn what_providers_say() {
    let rows: &[(u16, &str, K, Retry, u16, &str)] = &[
        // OpenAI.
        (
            400,
            r#"{"error":{"message":"Unsupported value","type":"invalid_request_error","param":"messages[0].role","code":"unsupported_value"}}"#,
            K::Malformed,
            Retry::Never,
            400,
            "unsupported_value",
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abcd.","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            K::Unauthorized,
            Retry::Other,
            401,
            "invalid_api_key",
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
            K::NotFound,
            Retry::Other,
            404,
            "model_not_found",
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached. Please try again in 644ms.","type":"tokens","code":"rate_limit_exceeded"}}"#,
            K::RateLimited,
            Retry::Same,
            429,
            "rate_limit_exceeded",
        ),
        (
            429,
            r#"{"error":{"message":"Request too large for gpt-4o","type":"tokens","code":"rate_limit_exceeded"}}"#,
            K::RateLimited,
            Retry::Other,
            429,
            "rate_limit_exceeded",
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            K::QuotaExceeded,
            Retry::Other,
            429,
            "insufficient_quota",
        ),
        (
            500,
            r#"{"error":{"message":"The server had an error","type":"server_error"}}"#,
            K::Upstream,
            Retry::Same,
            500,
            "upstream_error",
        ),
        (
            503,
            r#"{"error":{"message":"Overloaded"}}"#,
            K::Overloaded,
            Retry::Same,
            503,
            "upstream_overloaded",
        ),
        // Contexts that are full, in each vendor's words.
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
            K::ContextLength,
            Retry::Other,
            400,
            "context_length_exceeded",
        ),
        (
            400,
            r#"{"error":{"message":"prompt too long; exceeded max context length by 9 tokens","type":"invalid_request_error"}}"#,
            K::ContextLength,
            Retry::Other,
            400,
            "context_length_exceeded",
        ),
        (
            400,
            r#"{"error":{"message":"The total length of all messages is too long.","type":"too_many_prompt_tokens","code":400}}"#,
            K::ContextLength,
            Retry::Other,
            400,
            "context_length_exceeded",
        ),
        (
            413,
            r#"{"error":{"message":"Please reduce the length of the messages or completion."}}"#,
            K::ContextLength,
            Retry::Other,
            400,
            "context_length_exceeded",
        ),
        // Azure.
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist."}}"#,
            K::NotFound,
            Retry::Other,
            404,
            "DeploymentNotFound",
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","param":"prompt","code":"content_filter","status":400}}"#,
            K::ContentPolicy,
            Retry::Other,
            400,
            "content_filter",
        ),
        (
            401,
            r#"{"error":{"code":"401","message":"Access denied."}}"#,
            K::Unauthorized,
            Retry::Other,
            401,
            "invalid_api_key",
        ),
        // Shapes of others: Mistral, FastAPI, xAI, Ollama, OpenRouter, Google in an array.
        (
            401,
            r#"{"detail":"Invalid API Key"}"#,
            K::Unauthorized,
            Retry::Other,
            401,
            "invalid_api_key",
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","n"],"msg":"too large"},{"msg":"no"}]}"#,
            K::Unprocessable,
            Retry::Never,
            422,
            "unprocessable",
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"msg":"extra field"}]},"type":"invalid_request_error"}"#,
            K::Unprocessable,
            Retry::Never,
            422,
            "unprocessable",
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: ab."}"#,
            K::Unauthorized,
            Retry::Other,
            401,
            "Client specified an invalid argument",
        ),
        (
            404,
            r#"{"error":"model 'x' not found"}"#,
            K::NotFound,
            Retry::Other,
            404,
            "not_found",
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient credits","code":402}}"#,
            K::QuotaExceeded,
            Retry::Other,
            402,
            "insufficient_quota",
        ),
        (
            403,
            r#"{"error":{"message":"Key limit exceeded","code":403}}"#,
            K::QuotaExceeded,
            Retry::Other,
            403,
            "insufficient_quota",
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}]"#,
            K::RateLimited,
            Retry::Same,
            429,
            "rate_limit_exceeded",
        ),
        // Statuses that callers would misread.
        (
            529,
            r#"{"error":{"message":"Overloaded"}}"#,
            K::Overloaded,
            Retry::Same,
            503,
            "upstream_overloaded",
        ),
        (
            498,
            r#"{"error":{"message":"capacity"}}"#,
            K::Overloaded,
            Retry::Same,
            503,
            "upstream_overloaded",
        ),
        (408, r#"{"message":"slow"}"#, K::Timeout, Retry::Same, 504, "upstream_timeout"),
        (
            424,
            r#"{"message":"dependency"}"#,
            K::BadUpstream,
            Retry::Other,
            502,
            "bad_upstream_response",
        ),
        (418, r#"{"message":"teapot"}"#, K::Malformed, Retry::Never, 400, "invalid_request"),
        (302, "", K::BadUpstream, Retry::Other, 502, "bad_upstream_response"),
        // Nothing that can be read.
        (
            502,
            "<html><head><title>502 Bad Gateway</title></head></html>",
            K::Unavailable,
            Retry::Same,
            503,
            "upstream_unavailable",
        ),
        (500, "", K::Upstream, Retry::Same, 500, "upstream_error"),
        (400, "{\"error\":", K::Malformed, Retry::Never, 400, "invalid_request"),
        (401, "Unauthorized", K::Unauthorized, Retry::Other, 401, "invalid_api_key"),
    ];
    for (status, body, kind, retry, written, code) in rows {
        let fault = OpenAiChat.read_fault(*status, body.as_bytes());
        assert_eq!(
            (fault.kind, fault.retry, fault.origin, fault.provider_status),
            (*kind, *retry, Origin::Provider, Some(*status)),
            "{body}"
        );
        let (answered, bytes) = OpenAiChat.write_fault(&fault, "req_1");
        let error: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(answered, *written, "{body}");
        assert_eq!(error["error"]["code"], *code, "{body}");
        assert!(!fault.message.is_empty() && !fault.message.contains('<'), "{}", fault.message);
    }
}

#[test]
fn messages_are_the_providers_bounded_and_without_credentials() {
    let read = |status, body: &str| OpenAiChat.read_fault(status, body.as_bytes());
    assert_eq!(read(422, r#"{"detail":[{"msg":"a"},{"msg":"b"}]}"#).message, "a; b");
    assert_eq!(read(400, r#"{"error":{"message":"x","param":"p"}}"#).param.as_deref(), Some("p"));
    assert_eq!(
        read(
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-a. See https://platform.openai.com/account/api-keys."}}"#
        )
        .message,
        "Incorrect API key provided: ***. See https://platform.openai.com/account/api-keys."
    );
    assert_eq!(
        read(401, r#"{"error":{"message":"bad key 0123456789abcdef!"}}"#).message,
        "bad key ***!"
    );
    let long = read(400, &format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(5000)));
    assert!(long.message.len() <= 4096 && long.message.ends_with('é'));
    let html = read(502, "<html>secret</html>");
    assert_eq!(html.message, "the provider answered with status 502 and no readable error message");
    assert_eq!(html.cause.as_deref(), Some("an error body of 19 bytes without a message"));
    assert_eq!(OpenAiChat.read_fault(500, b"\xff\xfe").kind, K::Upstream);
}

#[test]
fn waits_that_messages_name() {
    let rows = [
        ("Please try again in 644ms. Visit", Some(644)),
        ("Please try again in 6m0s.", Some(300_000)),
        ("try again in 1m2.5s", Some(62_500)),
        ("Try again after 20 seconds", Some(20_000)),
        ("try again in 1000000000s", Some(300_000)),
        ("Please try again later", None),
        ("try again in a moment", None),
        ("try again in 5 parsecs", None),
    ];
    for (message, millis) in rows {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        assert_eq!(
            OpenAiChat.read_fault(429, body.as_bytes()).retry_after,
            millis.map(Duration::from_millis),
            "{message}"
        );
    }
}

#[test]
fn what_callers_get() {
    let rows = [
        (
            Fault::client(K::Malformed, "bad").with_param("messages"),
            400,
            "invalid_request_error",
            "invalid_request",
        ),
        (
            Fault::gateway(K::Unauthorized, "no"),
            401,
            "invalid_request_error",
            "invalid_api_key",
        ),
        (
            Fault::gateway(K::Forbidden, "no").with_code("model_not_allowed"),
            403,
            "permission_error",
            "model_not_allowed",
        ),
        (Fault::gateway(K::QuotaExceeded, "no"), 402, "insufficient_quota", "budget_exceeded"),
        (Fault::gateway(K::RateLimited, "no"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (
            Fault::gateway(K::ContentPolicy, "no"),
            400,
            "invalid_request_error",
            "content_blocked",
        ),
        (
            Fault::gateway(K::Unavailable, "no").with_code("limits_unavailable"),
            503,
            "api_error",
            "limits_unavailable",
        ),
        (Fault::provider(K::Unavailable, "no"), 503, "api_error", "upstream_unavailable"),
        (Fault::provider(K::Timeout, "no"), 504, "api_error", "upstream_timeout"),
        (Fault::provider(K::Tls, "no"), 502, "api_error", "upstream_tls"),
        (Fault::provider(K::Truncated, "no"), 502, "api_error", "upstream_truncated"),
        (Fault::client(K::TooLarge, "no"), 413, "invalid_request_error", "request_too_large"),
        (
            Fault::client(K::UnsupportedMedia, "no"),
            415,
            "invalid_request_error",
            "unsupported_media_type",
        ),
        (
            Fault::client(K::MethodNotAllowed, "no"),
            405,
            "invalid_request_error",
            "method_not_allowed",
        ),
        (Fault::gateway(K::Lossy, "no"), 400, "invalid_request_error", "translation_lossy"),
        (Fault::gateway(K::Internal, "no"), 500, "api_error", "internal_error"),
    ];
    for (fault, status, kind, code) in rows {
        let (is, bytes) = OpenAiChat.write_fault(&fault, "req_1");
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let error = &body["error"];
        assert_eq!(
            (is, error["type"].as_str(), error["code"].as_str()),
            (status, Some(kind), Some(code)),
            "{fault:?}"
        );
        assert_eq!(error["param"].as_str(), fault.param.as_deref());
        assert_eq!(error["details"]["request_id"], "req_1");
        assert_eq!(error["details"]["retryable"], fault.retry == Retry::Same);
    }
}

#[test]
fn an_error_in_a_stream_is_one_event() {
    let bytes = OpenAiChat.write_stream_fault(&Fault::provider(K::Overloaded, "busy\n\ndata: [DONE]"), "req_1");
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "data: {\"error\":{\"message\":\"busy\\n\\ndata: [DONE]\",\"type\":\"api_error\",\"param\":null,\"code\":\"upstream_overloaded\",\"details\":{\"request_id\":\"req_1\",\"retryable\":true}}}\n\n"
    );
}
