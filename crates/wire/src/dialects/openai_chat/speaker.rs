//! The blocks of one choice: which is open, which opens next, and which tool call a piece of arguments belongs to.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::NAME;
use super::answer::foreign;
use super::calls::{Calls, arguments};
use super::chunk::{Call, Function, Message};
use super::loose::{self, Content, Raw};
use super::reasoning::{self, Detail};
use crate::event::{Block, Delta, Event};
use crate::fault::Malformed;
use crate::json::{self, Fields};
use crate::request::Foreign;

/// What one choice has said so far.
#[derive(Debug)]
pub(super) struct Speaker {
    choice: u32,
    whole: bool,
    next: u32,
    open: Option<Open>,
    calls: Calls,
    custom: bool,
}

/// A text-like block that is open.
#[derive(Debug)]
struct Open {
    kind: Voice,
    block: u32,
    /// The index of its `reasoning_details` entries.
    index: Option<u64>,
    /// Reasoning that came without an entry: an entry with the seal may repeat it.
    plain: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Text,
    Reasoning,
    Refusal,
}

impl Speaker {
    pub(super) fn new(choice: u32, whole: bool) -> Self {
        Self {
            choice,
            whole,
            next: 0,
            open: None,
            calls: Calls::default(),
            custom: false,
        }
    }

    /// True when it called a tool.
    pub(super) fn called(&self) -> bool {
        self.custom || !self.calls.is_empty()
    }

    /// True when it said anything.
    pub(super) fn spoke(&self) -> bool {
        self.next > 0 || self.called()
    }

    /// Takes a delta or a message.
    pub(super) fn hear(&mut self, message: &mut Message<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let plain = message.reasoning_content.get().or(message.reasoning.get());
        self.reason(plain, message.details.0.as_deref().unwrap_or_default(), out);
        match std::mem::take(&mut message.content) {
            Content::None => {}
            Content::Text(text) => self.say(Voice::Text, None, text, out),
            Content::Parts(parts) => self.parts(&parts, out),
        }
        if let Some(refusal) = std::mem::take(&mut message.refusal).into_inner() {
            self.say(Voice::Refusal, None, refusal, out);
        }
        for raw in message.calls.0.as_deref().unwrap_or_default() {
            self.call(raw, out)?;
        }
        // The form before tools: one call, without id. Snowflake sends an empty one always.
        let function = &message.function;
        if message.has_function && (function.name.get().is_some() || function.arguments.is_some() && self.calls.is_bare()) {
            let at = self.calls.place(None, "", false, false)?;
            self.grow(at, function, out)?;
        }
        Ok(())
    }

    /// Closes what is open.
    pub(super) fn close_all(&mut self, out: &mut Vec<Event>) {
        self.close_voice(out);
        self.close_calls(out);
    }

    fn say(&mut self, kind: Voice, index: Option<u64>, text: Cow<'_, str>, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let block = self.voice(kind, index, out);
        out.push(Event::Delta {
            choice: self.choice,
            block,
            delta: Delta::Text(text.into_owned()),
        });
    }

    /// The open block of that kind, opened where need be.
    fn voice(&mut self, kind: Voice, index: Option<u64>, out: &mut Vec<Event>) -> u32 {
        if let Some(open) = &mut self.open
            && open.kind == kind
            && (open.index.is_none() || index.is_none() || open.index == index)
        {
            open.index = open.index.or(index);
            return open.block;
        }
        self.close_all(out);
        let block = self.number();
        let opened = match kind {
            Voice::Text => Block::Text,
            Voice::Reasoning => Block::Reasoning,
            Voice::Refusal => Block::Refusal,
        };
        out.push(Event::Open {
            choice: self.choice,
            block,
            kind: opened,
        });
        self.open = Some(Open {
            kind,
            block,
            index,
            plain: String::new(),
        });
        block
    }

    fn number(&mut self) -> u32 {
        let block = self.next;
        self.next += 1;
        block
    }

    fn close_voice(&mut self, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            out.push(Event::Close {
                choice: self.choice,
                block: open.block,
            });
        }
    }

    /// Entries say more than the plain text, and repeat it: the plain text counts only where no entry holds text.
    fn reason(&mut self, plain: Option<&str>, entries: &[Raw<'_>], out: &mut Vec<Event>) {
        let details: Vec<Detail> = entries.iter().filter_map(|raw| reasoning::read(raw)).collect();
        let told = details
            .iter()
            .any(|detail| detail.text.as_ref().is_some_and(|text| !text.is_empty()));
        if let Some(plain) = plain.filter(|_| !told) {
            self.say(Voice::Reasoning, None, Cow::Borrowed(plain), out);
            if let Some(open) = &mut self.open {
                open.plain.push_str(plain);
            }
        }
        for detail in details {
            self.detail(detail, out);
        }
    }

    fn detail(&mut self, detail: Detail, out: &mut Vec<Event>) {
        if let Some(rest) = &detail.rest
            && let Some(array) = json::raw(&format!("[{}]", rest.get()))
        {
            out.push(foreign(Some(self.choice), format!("message.{}", reasoning::DETAILS), &array));
        }
        if let Some(redacted) = detail.redacted {
            self.once(Block::Redacted(redacted), out);
        }
        let text = detail.text.unwrap_or_default();
        let repeats = self
            .open
            .as_ref()
            .is_some_and(|open| open.kind == Voice::Reasoning && !text.is_empty() && open.plain == text);
        if !repeats {
            self.say(Voice::Reasoning, detail.index, Cow::Owned(text), out);
        }
        if let Some(signature) = detail.signature {
            let block = self.voice(Voice::Reasoning, detail.index, out);
            out.push(Event::Delta {
                choice: self.choice,
                block,
                delta: Delta::Signature(signature),
            });
        }
    }

    /// A block that is complete at once.
    fn once(&mut self, kind: Block, out: &mut Vec<Event>) {
        self.close_all(out);
        let block = self.number();
        out.push(Event::Open {
            choice: self.choice,
            block,
            kind,
        });
        out.push(Event::Close {
            choice: self.choice,
            block,
        });
    }

    /// Content as a list (Mistral): text and thinking.
    fn parts(&mut self, parts: &[Raw<'_>], out: &mut Vec<Event>) {
        for raw in parts {
            let Ok(mut fields) = Fields::parse(raw.get(), "content") else {
                continue;
            };
            let kind = fields.take_string("type").ok().flatten().unwrap_or_default();
            match kind.as_str() {
                "text" => {
                    let text = fields.take_string("text").ok().flatten().unwrap_or_default();
                    self.say(Voice::Text, None, Cow::Owned(text), out);
                }
                "thinking" => {
                    let text = reasoning::thinking_text(&mut fields).unwrap_or_default();
                    self.say(Voice::Reasoning, None, Cow::Owned(text), out);
                }
                _ => self.once(
                    Block::Foreign(Foreign {
                        dialect: NAME,
                        kind,
                        raw: (*raw).to_owned(),
                    }),
                    out,
                ),
            }
        }
    }

    fn call(&mut self, raw: &RawValue, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let call: Call<'_> = loose::read(raw.get()).map_err(|error| Malformed::at("tool_calls", error.to_string()))?;
        if call.kind.get() == Some("custom") || (!call.has_function && call.custom.is_some()) {
            self.custom = true;
            if self.whole {
                self.once(
                    Block::Foreign(Foreign {
                        dialect: NAME,
                        kind: "custom".to_owned(),
                        raw: raw.to_owned(),
                    }),
                    out,
                );
            } else if let Some(array) = json::raw(&format!("[{}]", raw.get())) {
                out.push(foreign(Some(self.choice), "message.tool_calls".to_owned(), &array));
            }
            return Ok(());
        }
        let function = &call.function;
        let id = call.id.get().unwrap_or_default();
        let at = self.calls.place(call.index.0, id, function.name.get().is_some(), self.whole)?;
        self.grow(at, function, out)
    }

    fn grow(&mut self, at: usize, function: &Function<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let arguments = arguments(function.arguments);
        if self.calls.get(at).is_some_and(|started| started.block.is_none()) {
            match function.name.get() {
                Some(name) => self.open_call(at, name, out),
                None => return self.calls.hold(at, &arguments),
            }
        }
        let Some(block) = self.calls.get(at).and_then(|started| started.block) else {
            return Ok(());
        };
        if !arguments.is_empty() {
            out.push(Event::Delta {
                choice: self.choice,
                block,
                delta: Delta::Arguments(arguments.into_owned()),
            });
        }
        Ok(())
    }

    fn open_call(&mut self, at: usize, name: &str, out: &mut Vec<Event>) {
        self.close_voice(out);
        let block = self.number();
        let Some(started) = self.calls.get_mut(at) else { return };
        started.block = Some(block);
        let kind = Block::ToolCall {
            id: started.id.clone(),
            name: name.to_owned(),
        };
        out.push(Event::Open {
            choice: self.choice,
            block,
            kind,
        });
        let held = std::mem::take(&mut started.held);
        if !held.is_empty() {
            out.push(Event::Delta {
                choice: self.choice,
                block,
                delta: Delta::Arguments(held),
            });
        }
    }

    fn close_calls(&mut self, out: &mut Vec<Event>) {
        for at in 0..self.calls.len() {
            if self.calls.get(at).is_some_and(|started| started.block.is_none() && !started.closed) {
                self.open_call(at, "", out);
            }
            if let Some(started) = self.calls.get_mut(at)
                && let Some(block) = started.block
                && !std::mem::replace(&mut started.closed, true)
            {
                out.push(Event::Close {
                    choice: self.choice,
                    block,
                });
            }
        }
    }
}
