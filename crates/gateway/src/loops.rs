//! Stage 3a, of routes that ask for it: does this caller ask nearly the same again and again? What near is, and how much is too much, is decided
//! in `policy::loops`; here it is put together what is asked.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate_policy::loops::{Bounds, Fingerprint, Verdict, Watch, fold};
use tollgate_wire::fault::{Fault, FaultKind, Retry};
use tollgate_wire::request::{Body, MediaSource, Message, Request, Role};

use crate::admit::Desk;
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::ledger::lock;
use crate::release::{self, Memory};

/// Messages behind the last user's turn that belong to what is asked: a tool's call and its result.
const TAIL_MESSAGES: usize = 2;

/// What a route says about loops.
pub struct OnLoop {
    /// How much is too much.
    pub bounds: Bounds,
    /// One too many is refused.
    pub rejects: bool,
    /// Who asked what lately.
    pub watch: Arc<Mutex<Watch>>,
    /// Where it is told.
    pub memory: Arc<Memory>,
}

/// Looks whether a call is one too many of its kind.
///
/// # Errors
/// RateLimited, where the route refuses such calls; Malformed, when the body cannot be read.
pub fn check(desk: Desk<'_>, route: &Route, call: &Call) -> Result<(), Fault> {
    let Some(on_loop) = &route.on_loop else { return Ok(()) };
    let asked = fingerprint(call.request()?, call);
    let (who, scope) = who(desk.caller, call);
    let now_ms = u64::try_from(desk.now.unix.as_millis()).unwrap_or(u64::MAX);
    let verdict = lock(&on_loop.watch).look(now_ms, who, asked, on_loop.bounds, !on_loop.rejects);
    let Verdict::Loop { repeats, tell, wait_ms } = verdict else {
        return Ok(());
    };
    if tell {
        on_loop.tell(route, &scope, (repeats, now_ms));
    }
    if !on_loop.rejects {
        return Ok(());
    }
    let within = Duration::from_millis(on_loop.bounds.within_ms);
    let message = format!(
        "this is a loop: {scope} has asked nearly the same {repeats} times within {} seconds; ask something else, or wait",
        within.as_secs()
    );
    let mut fault = Fault::gateway(FaultKind::RateLimited, message).with_code("loop_detected");
    fault.retry = Retry::Never;
    fault.retry_after = Some(Duration::from_millis(wait_ms));
    Err(fault)
}

impl OnLoop {
    fn tell(&self, route: &Route, scope: &str, (repeats, now_ms): (u32, u64)) {
        let reason = format!(
            "{scope} has asked nearly the same {} times within {} seconds",
            repeats + 1,
            self.bounds.within_ms / 1_000
        );
        let (scope, rejects) = (scope.to_owned(), if self.rejects { "reject" } else { "alert" }.to_owned());
        let facts = [
            ("route", &route.name),
            ("caller", &scope),
            ("action", &rejects),
            ("reason", &reason),
        ];
        let at_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        // What is too much to be told is counted by nobody: the refusals are.
        self.memory.tell(release::event("loop_detected", &facts, at_ms));
    }
}

/// Whose calls are counted together: those of a session; else of a user; else of the key. With a name for people.
fn who(caller: &Caller, call: &Call) -> (u64, String) {
    let session = call.headers.get("x-tollgate-session").map(http::HeaderValue::as_bytes);
    let user = caller.user().or_else(|| caller.end_user());
    let team = &caller.team().name;
    let mut who = fold(fold(0, team.as_bytes()), caller.key_id().unwrap_or_default().as_bytes());
    who = fold(who, user.unwrap_or_default().as_bytes());
    who = fold(who, session.unwrap_or_default());
    let kind = match (session, user) {
        (Some(_), _) => "a session of ",
        (None, Some(_)) => "a user of ",
        (None, None) => "",
    };
    (who, format!("{kind}{}", caller.credential_name()))
}

/// What is asked: the last user's turn, and what the tools said since.
fn fingerprint(request: &Request, call: &Call) -> Fingerprint {
    let turn = request.messages.iter().rposition(|message| message.role == Role::User);
    let tail = request.messages.len().saturating_sub(TAIL_MESSAGES);
    let messages = request.messages.iter().enumerate();
    let asked = messages.filter(|(at, _)| Some(*at) == turn || tail <= *at && turn.is_none_or(|turn| turn < *at));
    let texts: Vec<Cow<'_, str>> = asked.flat_map(|(_, message)| texts(message)).collect();
    let tools = call.envelope.field("tools").map_or("", |tools| tools.text(&call.body));
    Fingerprint::of(texts.iter().map(AsRef::as_ref), tools.as_bytes())
}

fn texts(message: &Message) -> Vec<Cow<'_, str>> {
    let mut texts = Vec::new();
    for part in &message.parts {
        push(&part.body, &mut texts);
    }
    texts
}

fn push<'a>(body: &'a Body, texts: &mut Vec<Cow<'a, str>>) {
    match body {
        Body::Text(text) | Body::Refusal(text) => texts.push(Cow::Borrowed(text)),
        Body::ToolCall(call) => {
            texts.push(Cow::Borrowed(&call.name));
            texts.push(Cow::Borrowed(&call.arguments));
        }
        Body::ToolResult(result) => {
            for part in &result.content {
                push(&part.body, texts);
            }
        }
        // What it shows is not read: two pictures are two, by their names and addresses.
        Body::Image(media) | Body::Document(media) | Body::Audio(media) => {
            let digest = match &media.source {
                MediaSource::Url(text) | MediaSource::Base64 { data: text, .. } | MediaSource::Text { text, .. } => {
                    fold(0, text.as_bytes())
                }
                MediaSource::File(id) => fold(0, id.data.as_bytes()),
            };
            texts.push(Cow::Owned(format!("n{digest}")));
        }
        Body::Reasoning(_) | Body::Foreign(_) => {}
    }
}
