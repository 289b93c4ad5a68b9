//! What conditions may ask of a call, put together from the caller, the head and the envelope: nothing of the body is parsed for it.

use tollgate_policy::rules::Facts;

use crate::admit::Desk;
use crate::config::snapshot::Route;
use crate::ingress::Call;

/// What conditions may ask of a call.
#[must_use]
pub fn of<'a>(desk: Desk<'a>, route: &'a Route, call: &'a Call) -> Facts<'a> {
    let header = |name: &'static str| call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let caller = desk.caller;
    Facts {
        team: &caller.team().name,
        user: caller.user().unwrap_or_default(),
        end_user: caller.end_user().unwrap_or_default(),
        key: caller.key_id().unwrap_or_default(),
        feature: caller.feature().unwrap_or_default(),
        route: &route.name,
        operation: call.operation.name(),
        task: header("x-tollgate-task"),
        risk: header("x-tollgate-risk"),
        stream: call.envelope.stream,
        has_tools: call.envelope.field("tools").is_some(),
        input_tokens: call.body.len() as u64 / 3,
        max_tokens: call.envelope.max_tokens.unwrap_or(0),
        hour: u8::try_from(desk.now.unix.as_secs() / 3600 % 24).unwrap_or(0),
        priority: priority(call),
        tags: caller.tags().pairs(),
        ..Facts::default()
    }
}

/// How urgent its caller says a call is, from 0 to 9: among the calls of its own team.
#[must_use]
pub fn priority(call: &Call) -> u8 {
    let header = call.headers.get("x-tollgate-priority").and_then(|value| value.to_str().ok());
    header
        .and_then(|text| text.parse().ok())
        .filter(|priority| *priority <= 9)
        .unwrap_or(0)
}
