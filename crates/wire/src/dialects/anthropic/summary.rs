//! What an answer is beside its content, gathered from events for both encoders: head, ending, counts, fields, losses.
//! Content blocks are the encoders' own.

use serde_json::value::RawValue;

use super::{NAME, counts};
use crate::event::{AnswerContext, Event, Finish, Start};
use crate::json::{Fields, ObjectWriter};
use crate::loss::Loss;
use crate::request::Foreign;
use crate::usage::{ServiceTier, Usage};

/// A field's name and raw value.
pub(super) type RawField = (String, Box<RawValue>);

/// The gathered parts.
#[derive(Debug, Default)]
pub(super) struct Summary {
    context: AnswerContext,
    start: Start,
    finish: Option<Finish>,
    usage: Option<Usage>,
    fields: Vec<RawField>,
    usage_fields: Vec<RawField>,
    /// A tool was called.
    pub(super) called: bool,
    /// The model refused in words.
    pub(super) refused: bool,
    /// What could not be carried.
    pub(super) loss: Loss,
}

/// What an encoder must do about an event itself.
pub(super) enum Duty<'e> {
    /// Nothing: the summary took it.
    None,
    /// It is about content of the one answer that the dialect has.
    Content,
    /// A field of the next block, or a delta of the open one.
    Block(&'e str, &'e RawValue),
    /// A whole stream event that only this dialect knows.
    Whole(&'e str, &'e RawValue),
}

impl Summary {
    /// For an answer in that context.
    pub(super) fn new(context: AnswerContext) -> Self {
        Self {
            context,
            ..Self::default()
        }
    }

    /// Takes what is not content.
    pub(super) fn take<'e>(&mut self, event: &'e Event) -> Duty<'e> {
        match event {
            Event::Open { choice, .. } | Event::Delta { choice, .. } | Event::Close { choice, .. } | Event::Finish { choice, .. }
                if *choice > 0 =>
            {
                self.loss.add("n"); // the dialect gives one answer
            }
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } => return Duty::Content,
            Event::Start(start) => self.start = start.clone(),
            Event::Finish { reason, .. } => self.finish = Some(reason.clone()),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Foreign {
                dialect,
                name,
                choice,
                raw,
            } if *dialect == NAME => return self.take_own(name, *choice, raw),
            Event::Foreign { name, .. } => self.loss.add_from_answer(name),
            // The gateway writes faults, for it knows the request's id; a terminator is written by `end`.
            Event::Fault(_) | Event::End => {}
        }
        Duty::None
    }

    fn take_own<'e>(&mut self, name: &'e str, choice: Option<u32>, raw: &'e RawValue) -> Duty<'e> {
        if choice.is_some() {
            return Duty::Block(name, raw);
        }
        if type_of(raw).as_deref() == Some(name) {
            return Duty::Whole(name, raw);
        }
        match name.strip_prefix("usage.") {
            Some(name) => set(&mut self.usage_fields, name, raw),
            None => set(&mut self.fields, name, raw),
        }
        Duty::None
    }

    /// Whether a block of another dialect is lost; notes it.
    pub(super) fn loses(&mut self, foreign: &Foreign) -> bool {
        if foreign.dialect != NAME {
            self.loss.add(&format!("content.{}", foreign.kind));
        }
        foreign.dialect != NAME
    }

    /// The call's id, or one of ours where the provider gave none.
    pub(super) fn call_id(&self, id: &str, block: u32) -> String {
        if id.is_empty() {
            format!("toolu_{}_{block}", super::tools::call_id(&self.context.id))
        } else {
            id.to_owned()
        }
    }

    /// The caller's name of a tool.
    pub(super) fn tool_name<'n>(&'n self, called: &'n str) -> &'n str {
        self.context.tool_name(called)
    }

    /// Writes the head of a message.
    pub(super) fn write_head(&self, o: &mut ObjectWriter<'_>) {
        o.string("id", self.start.id.as_deref().unwrap_or(&self.context.id));
        o.string("type", "message");
        o.string("role", "assistant");
        o.string("model", self.start.model.as_deref().unwrap_or(&self.context.model));
    }

    /// Writes the counts so far.
    pub(super) fn write_usage(&self, o: &mut ObjectWriter<'_>) {
        let usage = self.usage.unwrap_or_default();
        counts::write(&usage, o);
        let tier = match usage.service_tier {
            Some(ServiceTier::Standard) => r#""standard""#,
            Some(ServiceTier::Priority) => r#""priority""#,
            Some(ServiceTier::Batch) => r#""batch""#,
            _ => "null",
        };
        put(o, &self.usage_fields, &[USAGE_USUAL, &[("service_tier", tier)]].concat());
    }

    /// Writes why the answer ended. Tools that wait to be called are the reason, whatever the provider called it (T10).
    pub(super) fn write_ending(&mut self, o: &mut ObjectWriter<'_>) {
        let mut sequence = None;
        let reason = match &self.finish {
            Some(Finish::Stop) | None if self.refused => "refusal",
            Some(Finish::Stop) | None if self.called => "tool_use",
            Some(Finish::Stop) | None => "end_turn",
            Some(Finish::StopSequence(which)) => {
                sequence = which.as_deref();
                "stop_sequence"
            }
            Some(Finish::Length) => "max_tokens",
            Some(Finish::ToolCalls) => "tool_use",
            Some(Finish::ContentFilter) => "refusal",
            Some(Finish::Pause) => "pause_turn",
            // The one further word that the dialect has; SDKs refuse words that they do not know.
            Some(Finish::Other(word)) if word == "compaction" => "compaction",
            Some(Finish::Other(_)) => {
                self.loss.add("stop_reason");
                "end_turn"
            }
        };
        o.string("stop_reason", reason);
        match sequence {
            Some(sequence) => o.string("stop_sequence", sequence),
            None => o.null("stop_sequence"),
        }
    }

    /// Writes the fields of the message that stand beside its ending in a stream.
    pub(super) fn write_beside_ending(&self, o: &mut ObjectWriter<'_>) {
        put(o, self.fields.iter().filter(|field| is_beside_ending(field)), BESIDE_ENDING);
    }

    /// Writes the other fields of the message.
    pub(super) fn write_fields(&self, o: &mut ObjectWriter<'_>) {
        put(o, self.fields.iter().filter(|field| !is_beside_ending(field)), &[]);
    }
}

/// A field's name, and what it holds when there is nothing to say: the dialect's typed clients want these to be there.
pub(super) type Usual = (&'static str, &'static str);

/// The fields beside an ending.
pub(super) const BESIDE_ENDING: &[Usual] = &[("container", "null"), ("stop_details", "null")];
/// The fields of a text.
pub(super) const TEXT_USUAL: &[Usual] = &[("citations", "null")];
/// The fields of a tool call.
pub(super) const CALL_USUAL: &[Usual] = &[("caller", r#"{"type":"direct"}"#)];
const USAGE_USUAL: &[Usual] = &[("inference_geo", "null"), ("server_tool_use", "null")];

fn is_beside_ending(field: &RawField) -> bool {
    BESIDE_ENDING.iter().any(|(name, _)| *name == field.0)
}

/// Writes raw fields, and the usual ones that are not among them.
pub(super) fn put<'f>(o: &mut ObjectWriter<'_>, fields: impl IntoIterator<Item = &'f RawField>, usual: &[Usual]) {
    let mut missing = usual.to_vec();
    for (name, raw) in fields {
        missing.retain(|(usual, _)| usual != name);
        o.raw(name, raw.get());
    }
    missing.iter().for_each(|(name, raw)| o.raw(name, raw));
}

/// The members that the encoders write themselves: a stray field of such a name would stand twice.
const OURS: &[&str] = &[
    "id",
    "type",
    "role",
    "model",
    "content",
    "stop_reason",
    "stop_sequence",
    "usage",
    "text",
    "thinking",
    "signature",
    "data",
    "name",
    "input",
    "index",
    "delta",
    "content_block",
    "message",
];

/// Sets a raw field; a later value takes the place of an earlier one.
pub(super) fn set(fields: &mut Vec<RawField>, name: &str, raw: &RawValue) {
    if OURS.contains(&name) {
        return;
    }
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = raw.to_owned(),
        None => fields.push((name.to_owned(), raw.to_owned())),
    }
}

/// The `type` of a raw object.
pub(super) fn type_of(raw: &RawValue) -> Option<String> {
    Fields::parse(raw.get(), "").ok()?.take_string("type").ok()?
}
