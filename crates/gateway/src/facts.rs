//! What conditions may ask of a call, put together from the caller, the head and the envelope: nothing of the body is parsed for it. What
//! has to be looked for in the body is looked for when a condition asks.

mod metadata;

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tollgate_policy::affinity::{Affinity, Sticky};
use tollgate_policy::plan::DeploymentId;
use tollgate_policy::release::Risk;
use tollgate_policy::rules::{Costly, Facts, Pairs};
use tollgate_wire::fault::Fault;
use tollgate_wire::{envelope, sizes};

use crate::admit::Desk;
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::release;

/// What conditions may ask of a call. What the rules of a route may ask besides, its own sight adds.
#[must_use]
pub fn of<'a>(desk: Desk<'a>, route: &'a Route, call: &'a Call) -> Facts<'a> {
    let caller = desk.caller;
    Facts {
        team: &caller.team().name,
        user: caller.user().unwrap_or_default(),
        end_user: caller.end_user().unwrap_or_default(),
        key: caller.key_id().unwrap_or_default(),
        feature: caller.feature().unwrap_or_default(),
        route: &route.name,
        operation: call.operation.name(),
        task: header(call, "x-tollgate-task"),
        label: call.label().level().name(),
        risk: release::risk(route, call).map_or("", Risk::name),
        stream: call.envelope.stream,
        has_tools: call.envelope.field("tools").is_some(),
        input_tokens: call.body.len() as u64 / 3,
        max_tokens: call.envelope.max_tokens.unwrap_or(0),
        hour: u8::try_from(desk.now.unix.as_secs() / 3600 % 24).unwrap_or(0),
        priority: priority(call),
        session: header(call, "x-tollgate-session"),
        tags: caller.tags().pairs(),
        costly: call.into(),
        ..Facts::default()
    }
}

fn header<'a>(call: &'a Call, name: &'static str) -> &'a str {
    call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// How urgent its caller says a call is, from 0 to 9: among the calls of its own team.
#[must_use]
pub fn priority(call: &Call) -> u8 {
    priority_of(&call.headers)
}

/// The same, by the head alone.
#[must_use]
pub fn priority_of(headers: &HeaderMap) -> u8 {
    let header = headers.get("x-tollgate-priority").and_then(|value| value.to_str().ok());
    header
        .and_then(|text| text.parse().ok())
        .filter(|priority| *priority <= 9)
        .unwrap_or(0)
}

/// What was found out about a call beside its envelope, once.
#[derive(Debug, Default)]
pub struct Found {
    has_images: OnceLock<bool>,
    /// Of the header.
    said: Vec<(Arc<str>, Arc<str>)>,
    /// Of header and body.
    metadata: OnceLock<Vec<(Arc<str>, Arc<str>)>>,
}

impl Found {
    /// What the head says.
    ///
    /// # Errors
    /// Malformed, for metadata that is no object of short texts.
    pub fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        Ok(Self {
            said: metadata::of_header(headers)?,
            ..Self::default()
        })
    }
}

impl Costly for Call {
    fn has_images(&self) -> bool {
        // Every way to carry an image has the word in it, and most bodies have not.
        let scan = || memchr::memmem::find(&self.body, b"image").is_some() && sizes::scan(&self.body).images > 0;
        *self.found.has_images.get_or_init(scan)
    }

    fn wants_json(&self) -> bool {
        let text = |name| self.envelope.field(name).map(|field| field.text(&self.body));
        let forms = ["response_format", "output_format", "output_config"];
        forms.into_iter().filter_map(text).any(|text| text.contains("\"json"))
    }

    fn metadata(&self) -> Pairs<'_> {
        let found = &self.found;
        found
            .metadata
            .get_or_init(|| metadata::with_body(&found.said, &self.envelope, &self.body))
    }

    fn budget_used_percent(&self) -> u64 {
        0
    }

    fn price_micro_usd(&self, _: DeploymentId) -> u64 {
        0
    }
}

/// A number for whom or what a call is about; `None`: it does not say.
#[must_use]
pub fn affinity(by: Sticky, caller: &Caller, call: &Call) -> Option<u64> {
    match by {
        Sticky::User => match caller.user() {
            Some(user) => Some(Affinity::of(user)),
            None => match caller.end_user() {
                Some(user) => Some(of_team(caller, user)),
                None => end_user_of_body(call).map(|user| of_team(caller, &user)),
            },
        },
        Sticky::Session => match header(call, "x-tollgate-session") {
            "" => None,
            session => Some(of_team(caller, session)),
        },
        Sticky::Prefix => {
            let parts = envelope::opening(&call.envelope, &call.body);
            let mut affinity = Affinity::default();
            parts.iter().for_each(|part| affinity.add(part));
            (!parts.is_empty()).then(|| affinity.number())
        }
    }
}

/// One team's end users and sessions are nobody else's.
fn of_team(caller: &Caller, name: &str) -> u64 {
    let mut affinity = Affinity::default();
    affinity.add(caller.team().name.as_bytes());
    affinity.add(name.as_bytes());
    affinity.number()
}

/// Whom the body names: `safety_identifier`, `user`, or Anthropic's `metadata.user_id`.
fn end_user_of_body(call: &Call) -> Option<String> {
    let word = |name| call.envelope.word(name, &call.body).filter(|text| !text.is_empty());
    if let Some(user) = word("safety_identifier").or_else(|| word("user")) {
        return Some(user.into_owned());
    }
    let user = call.metadata().iter().find(|(name, _)| **name == *"user_id");
    user.map(|(_, value)| value.to_string())
}

#[cfg(test)]
mod tests;
