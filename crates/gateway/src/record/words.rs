//! The words that records and metrics use for what happened.

use tollgate_wire::event::Finish;
use tollgate_wire::fault::{FaultKind, Origin};

/// The word for a kind of fault.
#[must_use]
pub fn kind_name(kind: FaultKind) -> &'static str {
    use FaultKind as K;
    match kind {
        K::Malformed => "malformed",
        K::TooLarge => "too_large",
        K::UnsupportedMedia => "unsupported_media",
        K::MethodNotAllowed => "method_not_allowed",
        K::Unauthorized => "unauthorized",
        K::Forbidden => "forbidden",
        K::NotFound => "not_found",
        K::Conflict => "conflict",
        K::Unprocessable => "unprocessable",
        K::RateLimited => "rate_limited",
        K::QuotaExceeded => "quota_exceeded",
        K::ContextLength => "context_length",
        K::ContentPolicy => "content_policy",
        K::Lossy => "lossy",
        K::Overloaded => "overloaded",
        K::Unavailable => "unavailable",
        K::Timeout => "timeout",
        K::Tls => "tls",
        K::BadUpstream => "bad_upstream",
        K::Truncated => "truncated",
        K::InvalidOutput => "invalid_output",
        K::Upstream => "upstream_error",
        K::Internal => "internal",
    }
}

/// The word for who is at fault.
#[must_use]
pub fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "client",
        Origin::Gateway => "gateway",
        Origin::Provider => "provider",
    }
}

/// Our word for why an answer ended; `Err`: only the provider has one.
pub(super) fn finish_name(finish: &Finish) -> Result<&'static str, &str> {
    Ok(match finish {
        Finish::Stop => "stop",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Pause => "pause",
        Finish::Other(word) => return Err(word),
    })
}
