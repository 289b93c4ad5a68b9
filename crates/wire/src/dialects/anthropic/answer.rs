//! What is common to whole and streamed answers: message heads, content blocks, deltas and ends become events. Framing is
//! `stream`'s and `response`'s. A field or block that we do not know goes on raw, as a `Foreign` event or block.
//!
//! `Foreign` events of this dialect: without a choice, `name` is a top-level field of the message (`usage.…`: of its usage),
//! or the type of a whole stream event when the raw object says so itself; with a choice, the raw object is a delta of the open
//! block, or, between blocks, `name` is a field of the next block.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::NAME;
use super::content;
use super::counts::Counts;
use crate::event::{Block, Delta, Event, Finish, Start};
use crate::fault::Malformed;
use crate::json::Fields;
use crate::request::{Foreign, Opaque};

/// The most blocks that may be open at once; the dialect opens one after the other.
const OPEN_BLOCKS_MAX: usize = 64;

/// The state of reading one answer.
#[derive(Debug, Default)]
pub(super) struct Reading {
    started: bool,
    finished: bool,
    blocks: u32,
    open: Vec<Open>,
    counts: Counts,
}

#[derive(Debug)]
struct Open {
    index: u32,
    block: u32,
    kind: Holds,
    /// Arguments that came with the head; they count when no deltas follow (T16).
    arguments: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Text,
    Reasoning,
    Arguments,
    Foreign(String),
}

/// A delta whose kind we know, read in one go: the hot path of every stream.
#[derive(Deserialize)]
pub(super) struct KnownDelta {
    #[serde(rename = "type")]
    kind: DeltaKind,
    text: Option<String>,
    thinking: Option<String>,
    partial_json: Option<String>,
    signature: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
enum DeltaKind {
    #[serde(rename = "text_delta")]
    Text,
    #[serde(rename = "thinking_delta")]
    Thinking,
    #[serde(rename = "input_json_delta")]
    Arguments,
    #[serde(rename = "signature_delta")]
    Signature,
}

impl Reading {
    /// Reads a message's head; a second one changes nothing (D9). Content that comes with it is read as whole blocks.
    pub(super) fn message(&mut self, mut message: Fields<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.started {
            return Ok(());
        }
        self.started = true;
        out.push(Event::Start(Start {
            id: message.take_string("id")?,
            model: message.take_string("model")?,
            created: None,
        }));
        for known in ["type", "role", "stop_reason", "stop_sequence"] {
            message.take(known);
        }
        let usage = message.take_object("usage")?;
        for (index, block) in message.take_array("content")?.into_iter().enumerate() {
            self.whole_block(index, block, out)?;
        }
        self.fields(&message, "", out);
        self.usage(usage, out);
        Ok(())
    }

    /// Reads a block that is there whole.
    pub(super) fn whole_block(&mut self, index: usize, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        self.open_block(index, raw, out)?;
        self.close(index, out);
        Ok(())
    }

    /// Opens a block. A second one of the same index takes the place of the first (D9).
    pub(super) fn open_block(&mut self, index: u32, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.start_if_missing(out);
        self.close(index, out);
        if self.open.len() == OPEN_BLOCKS_MAX {
            return Err(Malformed::new("more than 64 content blocks are open at once"));
        }
        let mut fields = Fields::parse(raw.get(), "content_block")?;
        let kind = fields.need_string("type")?;
        let head = Head::read(&kind, &mut fields, raw)?;
        let block = self.blocks;
        self.blocks += 1;
        // A block that goes on raw has all its fields with it.
        if !matches!(head.block, Block::Foreign(_)) {
            self.block_fields(&fields, out);
        }
        out.push(Event::Open {
            choice: 0,
            block,
            kind: head.block,
        });
        for delta in head.deltas {
            out.push(Event::Delta { choice: 0, block, delta });
        }
        for citation in head.citations {
            out.push(foreign(Some(0), "citations", citation));
        }
        self.open.push(Open {
            index,
            block,
            kind: head.holds,
            arguments: head.arguments,
        });
        Ok(())
    }

    /// Reads a delta of a known kind. False: this is not one, or its block does not take it; try [`Reading::other_delta`].
    pub(super) fn known_delta(&mut self, index: u32, delta: KnownDelta, out: &mut Vec<Event>) -> bool {
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else {
            return false;
        };
        let (text, fits) = match delta.kind {
            DeltaKind::Text => (delta.text, open.kind == Holds::Text),
            DeltaKind::Thinking => (delta.thinking, open.kind == Holds::Reasoning),
            DeltaKind::Signature => (delta.signature, open.kind == Holds::Reasoning),
            DeltaKind::Arguments => (delta.partial_json, open.kind == Holds::Arguments),
        };
        let (Some(text), true) = (text, fits) else { return false };
        if text.is_empty() {
            return true;
        }
        let block = open.block;
        let delta = match delta.kind {
            DeltaKind::Text | DeltaKind::Thinking => Delta::Text(text),
            DeltaKind::Signature => Delta::Signature(opaque(text)),
            DeltaKind::Arguments => {
                open.arguments = None;
                Delta::Arguments(text)
            }
        };
        out.push(Event::Delta { choice: 0, block, delta });
        true
    }

    /// Reads a delta of any kind: one that its block cannot take goes on raw.
    pub(super) fn other_delta(&mut self, index: u32, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if let Ok(delta) = serde_json::from_str::<KnownDelta>(raw.get())
            && self.known_delta(index, delta, out)
        {
            return Ok(());
        }
        let kind = Fields::parse(raw.get(), "delta")?.need_string("type")?;
        let name = match self.open.iter().find(|open| open.index == index) {
            Some(Open {
                kind: Holds::Foreign(block),
                ..
            }) => block.clone(),
            _ => kind.strip_suffix("_delta").unwrap_or(&kind).to_owned(),
        };
        out.push(foreign(Some(0), &name, raw.to_owned()));
        Ok(())
    }

    /// Closes a block, if it is open.
    pub(super) fn close(&mut self, index: u32, out: &mut Vec<Event>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else {
            return;
        };
        let open = self.open.remove(at);
        if let Some(arguments) = open.arguments {
            out.push(Event::Delta {
                choice: 0,
                block: open.block,
                delta: Delta::Arguments(arguments),
            });
        }
        out.push(Event::Close {
            choice: 0,
            block: open.block,
        });
    }

    /// Closes what a provider left open.
    pub(super) fn close_all(&mut self, out: &mut Vec<Event>) {
        while let Some(index) = self.open.first().map(|open| open.index) {
            self.close(index, out);
        }
    }

    /// Takes the reason why the answer ended, the first that is given.
    pub(super) fn finish(&mut self, reason: Option<String>, sequence: Option<String>, out: &mut Vec<Event>) {
        let Some(reason) = reason.filter(|_| !self.finished) else { return };
        self.start_if_missing(out);
        self.finished = true;
        out.push(Event::Finish {
            choice: 0,
            reason: finish(reason, sequence),
        });
    }

    /// Takes counts, and gives the sums so far.
    pub(super) fn usage(&mut self, usage: Option<Fields<'_>>, out: &mut Vec<Event>) {
        let Some(mut usage) = usage else { return };
        self.counts.take(&mut usage);
        self.fields(&usage, "usage.", out);
        out.push(Event::Usage(self.counts.usage()));
    }

    /// Gives on the fields that are left, as fields of the message.
    pub(super) fn fields(&mut self, fields: &Fields<'_>, prefix: &str, out: &mut Vec<Event>) {
        for (name, raw) in fields.remaining() {
            let name = format!("{prefix}{name}");
            if raw.get() != "null" && !says_nothing(&name, raw) {
                out.push(foreign(None, &name, raw.to_owned()));
            }
        }
    }

    /// Gives on the fields that are left, as fields of the block that is about to open.
    fn block_fields(&mut self, fields: &Fields<'_>, out: &mut Vec<Event>) {
        for (name, raw) in fields.remaining() {
            if raw.get() != "null" && !says_nothing(name, raw) {
                out.push(foreign(Some(0), name, raw.to_owned()));
            }
        }
    }

    fn start_if_missing(&mut self, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            out.push(Event::Start(Start::default()));
        }
    }
}

/// Fields at the value that they have when they say nothing: naming them as lost would be noise on every answer.
fn says_nothing(name: &str, raw: &RawValue) -> bool {
    match name {
        "usage.service_tier" => raw.get() == "\"standard\"",
        "usage.inference_geo" => matches!(raw.get(), "\"not_available\"" | "\"global\""),
        "caller" => content::is_direct(raw),
        _ => false,
    }
}

/// What the head of a block becomes.
struct Head {
    block: Block,
    holds: Holds,
    deltas: Vec<Delta>,
    citations: Vec<Box<RawValue>>,
    arguments: Option<String>,
}

impl Head {
    fn new(block: Block, holds: Holds) -> Self {
        Self {
            block,
            holds,
            deltas: Vec::new(),
            citations: Vec::new(),
            arguments: None,
        }
    }

    fn read(kind: &str, fields: &mut Fields<'_>, raw: &RawValue) -> Result<Self, Malformed> {
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(match kind {
            "text" => {
                let mut head = Self::new(Block::Text, Holds::Text);
                head.deltas.extend(text(fields.take_string("text")?).map(Delta::Text));
                for citation in fields.take_array("citations")? {
                    head.citations.extend(crate::json::raw(&format!(
                        r#"{{"type":"citations_delta","citation":{}}}"#,
                        citation.get()
                    )));
                }
                head
            }
            "thinking" => {
                let mut head = Self::new(Block::Reasoning, Holds::Reasoning);
                head.deltas.extend(text(fields.take_string("thinking")?).map(Delta::Text));
                head.deltas
                    .extend(text(fields.take_string("signature")?).map(|seal| Delta::Signature(opaque(seal))));
                head
            }
            "redacted_thinking" => {
                let data = fields.need_string("data")?;
                Self::new(Block::Redacted(opaque(data)), Holds::Foreign(kind.to_owned()))
            }
            "tool_use" => {
                let call = Block::ToolCall {
                    id: fields.take_string("id")?.unwrap_or_default(),
                    name: fields.need_string("name")?,
                };
                let mut head = Self::new(call, Holds::Arguments);
                head.arguments = fields
                    .take("input")
                    .filter(|input| !is_empty_object(input))
                    .map(|input| input.get().to_owned());
                head
            }
            _ => {
                let foreign = Foreign {
                    dialect: NAME,
                    kind: kind.to_owned(),
                    raw: raw.to_owned(),
                };
                Self::new(Block::Foreign(foreign), Holds::Foreign(kind.to_owned()))
            }
        })
    }
}

fn is_empty_object(raw: &RawValue) -> bool {
    let inner = raw.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

fn finish(reason: String, sequence: Option<String>) -> Finish {
    match reason.as_str() {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        _ => Finish::Other(reason),
    }
}

fn opaque(data: String) -> Opaque {
    Opaque { dialect: NAME, data }
}

/// Something of this dialect's own.
pub(super) fn foreign(choice: Option<u32>, name: &str, raw: Box<RawValue>) -> Event {
    Event::Foreign {
        dialect: NAME,
        choice,
        name: name.to_owned(),
        raw,
    }
}
