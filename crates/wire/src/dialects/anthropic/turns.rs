//! Arranges a conversation into the turns that the dialect accepts: system texts at the top (M1), neighbours of one role merged
//! (M2), blank texts gone (M4), tool results right behind their calls and first in their turn (T3), a user's turn first (M8).
//! Decides what is sent and in which order; `blocks` writes it.

use std::borrow::Cow;

use super::NAME;
use crate::loss::Loss;
use crate::request::{Body, Extra, MediaSource, Message, Part, Role};
use crate::target::ModelFacts;

/// What stands in for a first user turn where a conversation begins with the assistant's.
const FIRST_TURN: &str = "Hello.";

/// A conversation as it is to be written.
#[derive(Debug, Default)]
pub(super) struct Conversation<'r> {
    /// The top-level system texts.
    pub(super) system: Vec<Cow<'r, Part>>,
    /// The turns, alternating but for system ones.
    pub(super) turns: Vec<Turn<'r>>,
}

/// One turn.
#[derive(Debug)]
pub(super) struct Turn<'r> {
    /// Who speaks: `User`, `Assistant` or `System`.
    pub(super) role: Role,
    /// What is said.
    pub(super) parts: Vec<Cow<'r, Part>>,
    /// Fields of the messages that became this turn.
    pub(super) extras: Vec<&'r Extra>,
}

/// Arranges the messages.
pub(super) fn arrange<'r>(messages: &'r [Message], facts: &ModelFacts, loss: &mut Loss) -> Conversation<'r> {
    if messages.iter().any(|message| message.name.is_some()) {
        loss.add("messages.name"); // M10
    }
    let leading = messages.iter().take_while(|message| is_top_level(message)).count();
    let (top, rest) = messages.split_at(leading);
    let mut conversation = Conversation::default();
    for message in top {
        conversation.system.extend(admitted(message, loss));
        note_extra(&message.extra, loss);
    }
    for message in rest {
        let parts = admitted(message, loss);
        if parts.is_empty() {
            continue;
        }
        let role = turn_role(message.role, facts, loss);
        let turn = Turn {
            role,
            parts,
            extras: vec![&message.extra],
        };
        conversation.place(turn, message.role == Role::Tool);
    }
    conversation.order_results();
    conversation.begin_with_user(loss);
    conversation.trim_end(facts, loss);
    conversation
}

/// Whether a message can stand in the top-level field, which holds texts only.
fn is_top_level(message: &Message) -> bool {
    let instructs = matches!(message.role, Role::System | Role::Developer);
    let ours = |part: &Part| matches!(&part.body, Body::Foreign(foreign) if foreign.dialect == NAME);
    instructs && !message.parts.iter().any(ours)
}

fn turn_role(role: Role, facts: &ModelFacts, loss: &mut Loss) -> Role {
    match role {
        Role::Assistant => Role::Assistant,
        Role::User | Role::Tool => Role::User,
        Role::System | Role::Developer if facts.system_midway => Role::System,
        // Said where it stood, but by the user: at the top it would mean something else (M1).
        Role::System | Role::Developer => {
            loss.add("messages.role");
            Role::User
        }
    }
}

fn note_extra(extra: &Extra, loss: &mut Loss) {
    if !extra.fields.is_empty() {
        extra.fields.iter().for_each(|(name, _)| loss.add(&format!("messages.{name}")));
    }
}

impl<'r> Conversation<'r> {
    /// Adds a turn; results go right behind the latest turn that may have called (T3).
    fn place(&mut self, turn: Turn<'r>, is_results: bool) {
        let caller = self.turns.iter().rposition(|earlier| earlier.role == Role::Assistant);
        let at = match caller {
            Some(caller) if is_results => caller + 1,
            _ => self.turns.len().saturating_sub(1),
        };
        match self.turns.get_mut(at) {
            Some(neighbour) if neighbour.role == turn.role => {
                neighbour.parts.extend(turn.parts);
                neighbour.extras.extend(turn.extras);
            }
            _ if is_results && caller.is_some() => self.turns.insert(at, turn),
            _ => self.turns.push(turn),
        }
    }

    /// Puts the results first in their turn, in the order of the calls.
    fn order_results(&mut self) {
        let mut calls: Vec<String> = Vec::new();
        for turn in &mut self.turns {
            if turn.role == Role::Assistant {
                calls = turn.parts.iter().filter_map(|part| call_id(part)).map(ToOwned::to_owned).collect();
            } else if turn.parts.iter().any(|part| result_id(part).is_some()) {
                let place = |part: &Part| match result_id(part) {
                    Some(id) => calls.iter().position(|call| call == id).unwrap_or(calls.len()),
                    None => usize::MAX,
                };
                turn.parts.sort_by_key(|part| place(part)); // stable
            }
        }
    }

    /// The first turn is the user's (M8), and there is one.
    fn begin_with_user(&mut self, loss: &mut Loss) {
        if self.turns.first().is_some_and(|turn| turn.role == Role::User) {
            return;
        }
        loss.add("messages.role");
        // Instructions alone are what the model is to answer.
        let parts = match self.turns.is_empty() && !self.system.is_empty() {
            true => std::mem::take(&mut self.system),
            false => vec![Cow::Owned(Part::text(FIRST_TURN))],
        };
        self.turns.insert(
            0,
            Turn {
                role: Role::User,
                parts,
                extras: Vec::new(),
            },
        );
    }

    /// A last assistant text is continued by the model: it must not end in white space (M7). Where the model cannot continue,
    /// the turn is sent all the same, for only the caller can say what is meant; the loss entry lets a route go elsewhere.
    fn trim_end(&mut self, facts: &ModelFacts, loss: &mut Loss) {
        let Some(last) = self.turns.last_mut().filter(|turn| turn.role == Role::Assistant) else {
            return;
        };
        if !facts.prefill {
            loss.add("prefill");
        }
        let Some(part) = last.parts.last_mut() else { return };
        let Body::Text(text) = &part.body else { return };
        let kept = text.trim_end().len();
        if kept < text.len()
            && let Body::Text(text) = &mut part.to_mut().body
        {
            text.truncate(kept);
        }
    }
}

fn call_id(part: &Part) -> Option<&str> {
    match &part.body {
        Body::ToolCall(call) => Some(&call.id),
        _ => None,
    }
}

fn result_id(part: &Part) -> Option<&str> {
    match &part.body {
        Body::ToolResult(result) => Some(&result.id),
        _ => None,
    }
}

/// The parts of a message that can be written; the others become losses.
fn admitted<'r>(message: &'r Message, loss: &mut Loss) -> Vec<Cow<'r, Part>> {
    let only_text = matches!(message.role, Role::System | Role::Developer);
    let admit = |part: &'r Part| {
        let part = admit(part, loss)?;
        if only_text && !matches!(part.body, Body::Text(_) | Body::Foreign(_)) {
            loss.add("messages.content");
            return None;
        }
        Some(part)
    };
    message.parts.iter().filter_map(admit).collect()
}

/// The part as it can be written, if it can.
pub(super) fn admit<'r>(part: &'r Part, loss: &mut Loss) -> Option<Cow<'r, Part>> {
    let lost = match &part.body {
        // Blank texts say nothing and are refused (M4); but the model's own, between two citations, are its own words.
        Body::Text(text) | Body::Refusal(text) if text.is_empty() || (text.trim().is_empty() && part.extra.dialect != NAME) => return None,
        Body::Refusal(text) => {
            let mut said = Part::text(text.as_str());
            said.cache.clone_from(&part.cache);
            return Some(Cow::Owned(said));
        }
        Body::Image(media) => match &media.source {
            MediaSource::Text { .. } => Some("messages.content.image".to_owned()),
            source => not_ours(source).then(|| "messages.content.image".to_owned()),
        },
        Body::Document(media) => match document(&media.source) {
            Document::Ready => None,
            Document::AsText(text) => return Some(Cow::Owned(as_text(part, text))),
            Document::Unknown => Some("messages.content.file".to_owned()),
        },
        Body::Audio(_) => Some("messages.content.input_audio".to_owned()),
        // Only the seal of this dialect makes reasoning acceptable (R5); without one it is refused.
        Body::Reasoning(thought) => {
            let seal = thought.redacted.as_ref().or(thought.signature.as_ref());
            seal.is_none_or(|seal| seal.dialect != NAME).then(|| "reasoning".to_owned())
        }
        Body::Foreign(foreign) => (foreign.dialect != NAME).then(|| format!("messages.content.{}", foreign.kind)),
        Body::Text(_) | Body::ToolCall(_) | Body::ToolResult(_) => None,
    };
    match lost {
        Some(name) => {
            loss.add(&name);
            None
        }
        None => Some(Cow::Borrowed(part)),
    }
}

fn not_ours(source: &MediaSource) -> bool {
    matches!(source, MediaSource::File(id) if id.dialect != NAME)
}

enum Document {
    /// As it is.
    Ready,
    /// Inline text that came as base64.
    AsText(String),
    /// Not a form that the dialect reads.
    Unknown,
}

/// The dialect reads PDF as base64, and text as text.
fn document(source: &MediaSource) -> Document {
    let MediaSource::Base64 { media_type, data } = source else {
        return if not_ours(source) { Document::Unknown } else { Document::Ready };
    };
    if is_pdf(media_type, data) {
        return Document::Ready;
    }
    let textual = media_type.starts_with("text/") || media_type == "application/json";
    match textual.then(|| super::base64::decode(data)).flatten().map(String::from_utf8) {
        Some(Ok(text)) if !text.trim().is_empty() => Document::AsText(text),
        _ => Document::Unknown,
    }
}

/// A PDF by its name, or by its first bytes (`%PDF-`) under a name that says nothing.
pub(super) fn is_pdf(media_type: &str, data: &str) -> bool {
    media_type == "application/pdf" || (data.starts_with("JVBERi0") && !media_type.starts_with("text/"))
}

fn as_text(part: &Part, text: String) -> Part {
    let mut part = part.clone();
    if let Body::Document(media) = &mut part.body {
        media.source = MediaSource::Text {
            media_type: "text/plain".to_owned(),
            text,
        };
    }
    part
}
