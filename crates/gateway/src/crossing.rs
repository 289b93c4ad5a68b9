//! The caller's headers that may cross to a provider: an allow-list (FAULTS R-B4, R-B5). Credentials, cookies and whatever else a
//! caller sends stay here.

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_policy::plan::Dice;
use tollgate_wire::dialects::Dialect;

use crate::ingress::Call;
use crate::record::Draft;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The longest value that crosses, in bytes.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// The headers that cross to any provider: the W3C trace context, continued. The trace id goes into the record.
#[must_use]
pub fn headers(call: &Call, draft: &mut Draft, dice: &mut Dice) -> HeaderMap {
    let mut crossing = HeaderMap::new();
    let Some(parent) = call
        .headers
        .get(TRACEPARENT)
        .and_then(|value| TraceParent::parse(value.to_str().ok()?))
    else {
        return crossing;
    };
    draft.record_mut().trace_id = Some(parent.trace_id.to_owned());
    let span = dice.roll().max(1);
    if let Ok(value) = HeaderValue::from_str(&format!("00-{}-{span:016x}-{}", parent.trace_id, parent.flags)) {
        crossing.insert(TRACEPARENT, value);
    }
    copy(&call.headers, &TRACESTATE, &mut crossing);
    crossing
}

/// The headers that belong to the dialect's own body, for a provider of the same dialect: its version, and (where the provider
/// knows them) the features that the caller opts into.
pub fn dialect_headers(dialect: &dyn Dialect, from: &HeaderMap, betas: bool, to: &mut HeaderMap) {
    let headers = dialect.headers();
    let betas = headers.betas.iter().filter(|_| betas);
    for name in headers.version.iter().chain(betas) {
        copy(from, &HeaderName::from_static(name), to);
    }
}

fn copy(from: &HeaderMap, name: &HeaderName, to: &mut HeaderMap) {
    for value in from.get_all(name).iter().filter(|value| value.len() <= VALUE_BYTES_MAX) {
        to.append(name, value.clone());
    }
}

/// A `traceparent` (W3C Trace Context, level 1, section 3.2).
struct TraceParent<'a> {
    trace_id: &'a str,
    flags: &'a str,
}

impl<'a> TraceParent<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.split('-');
        let (version, trace_id, span_id, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |field: &str, length: usize| field.len() == length && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let zero = |field: &str| field.bytes().all(|byte| byte == b'0');
        let sound = hex(version, 2) && hex(trace_id, 32) && hex(span_id, 16) && hex(flags, 2);
        let later = version == "00" && fields.next().is_some();
        (sound && version != "ff" && !later && !zero(trace_id) && !zero(span_id)).then_some(Self { trace_id, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_parents_are_read_strictly() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            TraceParent::parse(good).map(|parent| parent.trace_id),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        let bad = [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ];
        for text in bad {
            assert!(TraceParent::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_the_dialects_own_headers_cross_and_betas_only_where_they_are_known() {
        let mut from = HeaderMap::new();
        for name in [
            "authorization",
            "x-api-key",
            "cookie",
            "x-forwarded-for",
            "anthropic-version",
            "anthropic-beta",
            "openai-organization",
        ] {
            from.insert(name, HeaderValue::from_static("canary"));
        }
        for (betas, expected) in [(false, 1), (true, 2)] {
            let mut to = HeaderMap::new();
            dialect_headers(&tollgate_wire::dialects::anthropic::Anthropic, &from, betas, &mut to);
            assert_eq!(to.len(), expected);
            assert!(to.keys().all(|name| name.as_str().starts_with("anthropic-")));
            let mut to = HeaderMap::new();
            dialect_headers(&tollgate_wire::dialects::openai_chat::OpenAiChat, &from, betas, &mut to);
            assert!(to.is_empty(), "r_b5: a header of another dialect stays here");
        }
    }
}
