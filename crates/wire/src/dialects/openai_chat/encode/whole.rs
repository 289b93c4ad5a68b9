//! A whole answer: one `chat.completion`, collected from the events and written at the end. After a fault nothing is
//! written: the gateway writes the error.

use serde_json::value::RawValue;

use super::super::{NAME, finish, reasoning, usage};
use super::{Fields, Frame, Head};
use crate::dialects::Encoder;
use crate::event::{AnswerContext, Block, Delta, Event, Finish};
use crate::json::{self, ArrayWriter, ObjectWriter};
use crate::loss::Loss;
use crate::request::Opaque;

/// Collects an answer.
pub(super) struct Whole {
    frame: Frame,
    choices: Vec<Choice>,
}

#[derive(Default)]
struct Choice {
    index: u32,
    blocks: Vec<(u32, Piece)>,
    fields: Fields,
    reason: Option<Finish>,
}

enum Piece {
    Text(String),
    Refusal(String),
    Reasoning { text: String, signature: Option<Opaque> },
    Redacted(Opaque),
    Call { id: String, name: String, arguments: String },
    Custom(Box<RawValue>),
}

impl Whole {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            frame: Frame::new(context),
            choices: Vec::new(),
        }
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                ..Choice::default()
            });
            self.choices.len() - 1
        });
        self.choices.get_mut(at)
    }

    fn open(&mut self, choice: u32, block: u32, kind: &Block) {
        let piece = match kind {
            Block::Text => Piece::Text(String::new()),
            Block::Refusal => Piece::Refusal(String::new()),
            Block::Reasoning => Piece::Reasoning {
                text: String::new(),
                signature: None,
            },
            Block::Redacted(redacted) => Piece::Redacted(redacted.clone()),
            Block::ToolCall { id, name } => Piece::Call {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            },
            Block::Foreign(foreign) if foreign.dialect == NAME && foreign.kind == "custom" => Piece::Custom(foreign.raw.clone()),
            Block::Foreign(foreign) => return self.frame.loss.add(&format!("content.{}", foreign.kind)),
        };
        if let Some(choice) = self.choice(choice) {
            choice.blocks.push((block, piece));
        }
    }

    fn grow(&mut self, choice: u32, block: u32, delta: &Delta) {
        let Some(choice) = self.choice(choice) else { return };
        let Some((_, piece)) = choice.blocks.iter_mut().rfind(|(known, _)| *known == block) else {
            return;
        };
        match (piece, delta) {
            (Piece::Text(whole) | Piece::Refusal(whole) | Piece::Reasoning { text: whole, .. }, Delta::Text(text)) => whole.push_str(text),
            (Piece::Call { arguments, .. }, Delta::Arguments(text)) => arguments.push_str(text),
            (Piece::Reasoning { signature, .. }, Delta::Signature(piece)) => match signature {
                Some(signature) => signature.data.push_str(&piece.data),
                None => *signature = Some(piece.clone()),
            },
            _ => {}
        }
    }

    fn foreign(&mut self, choice: Option<u32>, name: &str, raw: &RawValue) {
        match choice {
            None => merge(&mut self.frame.top, name, raw),
            Some(index) => {
                if let Some(choice) = self.choice(index) {
                    merge(&mut choice.fields, name, raw);
                }
            }
        }
    }
}

/// Adds a field that may have come in pieces: lists grow, in log probabilities too; anything else is replaced.
fn merge(fields: &mut Fields, name: &str, raw: &RawValue) {
    let Some((_, before)) = fields.iter_mut().find(|(known, _)| known == name) else {
        return fields.push((name.to_owned(), raw.to_owned()));
    };
    let joined = if name == "logprobs" {
        join_members(before.get(), raw.get())
    } else {
        join_lists(before.get(), raw.get())
    };
    *before = joined.as_deref().and_then(json::raw).unwrap_or_else(|| raw.to_owned());
}

fn join_lists(before: &str, after: &str) -> Option<String> {
    let inner = |text: &'_ str| Some(text.strip_prefix('[')?.strip_suffix(']')?.trim().to_owned());
    let (before, after) = (inner(before)?, inner(after)?);
    let comma = if before.is_empty() || after.is_empty() { "" } else { "," };
    Some(format!("[{before}{comma}{after}]"))
}

/// `{"content": […], "refusal": […]}`: member by member.
fn join_members(before: &str, after: &str) -> Option<String> {
    let mut before = json::Fields::parse(before, "").ok()?;
    let after = json::Fields::parse(after, "").ok()?;
    let mut out = Vec::new();
    json::object(&mut out, |object| {
        for (name, raw) in after.remaining() {
            let joined = before
                .take(name)
                .map(|earlier| join_lists(earlier.get(), raw.get()).unwrap_or_else(|| earlier.get().to_owned()));
            object.raw(name, joined.as_deref().unwrap_or(raw.get()));
        }
        for (name, raw) in before.remaining().filter(|(_, raw)| raw.get() != "null") {
            object.raw(name, raw.get());
        }
    });
    String::from_utf8(out).ok()
}

impl Choice {
    fn text(&self, pick: impl Fn(&Piece) -> Option<&str>) -> Option<String> {
        let mut pieces = self.blocks.iter().filter_map(|(_, piece)| pick(piece)).peekable();
        pieces.peek()?;
        Some(pieces.collect())
    }

    fn called(&self) -> bool {
        let is_call = |(_, piece): &(u32, Piece)| matches!(piece, Piece::Call { .. } | Piece::Custom(_));
        self.blocks.iter().any(is_call) || self.fields.iter().any(|(name, _)| name == "message.tool_calls")
    }

    fn write(&self, out: &mut ObjectWriter<'_>, head: &Head, loss: &mut Loss) {
        out.integer("index", u64::from(self.index));
        out.object("message", |message| self.message(message, head));
        let is_ours = |name: &str| name.starts_with("message.");
        for (name, raw) in self.fields.iter().filter(|(name, _)| !is_ours(name)) {
            out.raw(name, raw.get());
        }
        if !self.fields.iter().any(|(name, _)| name == "logprobs") {
            out.null("logprobs");
        }
        let called = self.called();
        let unsaid = finish::unsaid(called);
        out.string(
            "finish_reason",
            finish::write(self.reason.as_ref().unwrap_or(&unsaid), called, loss),
        );
    }

    fn message(&self, message: &mut ObjectWriter<'_>, head: &Head) {
        message.string("role", "assistant");
        let refusal = self.text(|piece| if let Piece::Refusal(text) = piece { Some(text) } else { None });
        match self.text(|piece| if let Piece::Text(text) = piece { Some(text) } else { None }) {
            Some(text) => message.string("content", &text),
            None if self.called() || refusal.is_some() => message.null("content"),
            None => message.string("content", ""),
        }
        match &refusal {
            Some(refusal) => message.string("refusal", refusal),
            None => message.null("refusal"),
        }
        let reasoning = self.text(|piece| {
            if let Piece::Reasoning { text, .. } = piece {
                Some(text)
            } else {
                None
            }
        });
        message.string_if("reasoning_content", reasoning.as_deref().filter(|text| !text.is_empty()));
        self.list(message, reasoning::DETAILS, self.sealed(), |entries| self.details(entries));
        let calls = self
            .blocks
            .iter()
            .any(|(_, piece)| matches!(piece, Piece::Call { .. } | Piece::Custom(_)));
        self.list(message, "tool_calls", calls, |entries| self.calls(entries, head));
        for (name, raw) in &self.fields {
            let Some(name) = name.strip_prefix("message.") else { continue };
            if name != reasoning::DETAILS && name != "tool_calls" {
                message.raw(name, raw.get());
            }
        }
    }

    /// A list that is ours, the caller's dialect's own entries behind it.
    fn list(&self, message: &mut ObjectWriter<'_>, name: &str, ours: bool, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        let own = self.fields.iter().find(|(known, _)| known.strip_prefix("message.") == Some(name));
        let own: Vec<&RawValue> = own.and_then(|(_, raw)| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        if ours || !own.is_empty() {
            message.array(name, |entries| {
                if ours {
                    fill(entries);
                }
                own.iter().for_each(|raw| entries.raw(raw.get()));
            });
        }
    }

    fn sealed(&self) -> bool {
        self.blocks
            .iter()
            .any(|(_, piece)| matches!(piece, Piece::Redacted(_) | Piece::Reasoning { signature: Some(_), .. }))
    }

    fn details(&self, entries: &mut ArrayWriter<'_>) {
        let mut index = 0;
        for (_, piece) in &self.blocks {
            match piece {
                Piece::Reasoning { text, signature } => reasoning::write_text(entries, text, signature.as_ref(), index),
                Piece::Redacted(redacted) => reasoning::write_redacted(entries, redacted, index),
                _ => continue,
            }
            index += 1;
        }
    }

    fn calls(&self, entries: &mut ArrayWriter<'_>, head: &Head) {
        let mut index = 0;
        for (_, piece) in &self.blocks {
            match piece {
                Piece::Call { id, name, arguments } => entries.object(|call| {
                    let id = if id.is_empty() {
                        head.call_id(self.index, index)
                    } else {
                        id.clone()
                    };
                    call.string("id", &id);
                    call.string("type", "function");
                    call.object("function", |function| {
                        function.string("name", head.tool_name(name));
                        function.string("arguments", if arguments.is_empty() { "{}" } else { arguments });
                    });
                }),
                Piece::Custom(raw) => entries.raw(raw.get()),
                _ => continue,
            }
            index += 1;
        }
    }
}

impl Encoder for Whole {
    fn push(&mut self, event: &Event, _: &mut Vec<u8>) {
        if self.frame.take(event) {
            return;
        }
        match event {
            Event::Open { choice, block, kind } => self.open(*choice, *block, kind),
            Event::Delta { choice, block, delta } => self.grow(*choice, *block, delta),
            Event::Finish { choice, reason } => {
                if let Some(choice) = self.choice(*choice) {
                    choice.reason = Some(reason.clone());
                }
            }
            Event::Foreign { choice, name, raw, .. } => self.foreign(*choice, name, raw),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.frame.faulted {
            return;
        }
        if self.choices.is_empty() {
            // A caller expects at least one choice.
            self.choices.push(Choice::default());
        }
        self.choices.sort_by_key(|choice| choice.index);
        let Self { frame, choices } = self;
        let Frame {
            head, top, usage, loss, ..
        } = frame;
        json::object(out, |object| {
            head.write(object, "chat.completion");
            object.array("choices", |array| {
                choices
                    .iter()
                    .for_each(|choice| array.object(|object| choice.write(object, head, loss)));
            });
            if let Some(usage) = usage {
                usage::write(object, usage);
            }
            for (name, raw) in &*top {
                object.raw(name, raw.get());
            }
        });
    }

    fn loss(&self) -> &Loss {
        &self.frame.loss
    }
}
