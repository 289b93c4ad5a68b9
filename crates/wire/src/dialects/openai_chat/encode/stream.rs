//! A streamed answer: chunks of `chat.completion.chunk`, usage where it was asked for, `[DONE]`. A fault is written by the
//! gateway (it knows the request's id); the stream then ends without `[DONE]`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::super::{NAME, finish, reasoning, usage};
use super::{Fields, Frame};
use crate::dialects::Encoder;
use crate::event::{AnswerContext, Block, Delta, Event, Finish};
use crate::frame::sse;
use crate::json::{self, ObjectWriter};
use crate::loss::Loss;
use crate::request::Opaque;

/// The longest reasoning text that is repeated with its seal, in bytes: a longer event would not be read by anyone.
const SEALED_BYTES_MAX: usize = 512 << 10;

/// Writes a stream.
pub(super) struct Stream {
    /// Its top-level fields are those for the next chunk.
    frame: Frame,
    include_usage: bool,
    choices: Vec<Choice>,
}

#[derive(Default)]
struct Choice {
    index: u32,
    begun: bool,
    /// Fields for its next chunk.
    pending: Fields,
    blocks: Vec<Opened>,
    finished: bool,
    calls: u64,
    details: u64,
}

struct Opened {
    block: u32,
    kind: Kind,
}

enum Kind {
    Text,
    Refusal,
    Reasoning { text: String, signature: Option<Opaque> },
    Call { index: u64, argued: bool },
    Nothing,
}

impl Stream {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            frame: Frame::new(context),
            include_usage: context.include_usage,
            choices: Vec::new(),
        }
    }

    /// Takes a choice out of the list, to be put back: writing a chunk needs the rest of us.
    fn with(&mut self, index: u32, work: impl FnOnce(&mut Self, &mut Choice)) {
        let at = self.choices.iter().position(|choice| choice.index == index);
        let mut choice = match at.and_then(|at| self.choices.get_mut(at)) {
            Some(choice) => std::mem::take(choice),
            None => Choice {
                index,
                ..Choice::default()
            },
        };
        work(self, &mut choice);
        match at.and_then(|at| self.choices.get_mut(at)) {
            Some(place) => *place = choice,
            None => self.choices.push(choice),
        }
    }

    /// One chunk with one choice; the pending fields of its message go into `delta`.
    fn chunk(&mut self, choice: &mut Choice, out: &mut Vec<u8>, reason: Option<&str>, delta: impl FnOnce(&mut ObjectWriter<'_>)) {
        let pending = std::mem::take(&mut choice.pending);
        let (of_message, of_choice): (Fields, Fields) = pending.into_iter().partition(|(name, _)| name.starts_with("message."));
        self.event(out, |object| {
            object.array("choices", |choices| {
                choices.object(|object| {
                    object.integer("index", u64::from(choice.index));
                    object.object("delta", |object| {
                        delta(object);
                        for (name, raw) in &of_message {
                            object.raw(name.trim_start_matches("message."), &one_line(raw));
                        }
                    });
                    for (name, raw) in &of_choice {
                        object.raw(name, &one_line(raw));
                    }
                    match reason {
                        Some(reason) => object.string("finish_reason", reason),
                        None => object.null("finish_reason"),
                    }
                });
            });
        });
    }

    fn event(&mut self, out: &mut Vec<u8>, choices: impl FnOnce(&mut ObjectWriter<'_>)) {
        let top = std::mem::take(&mut self.frame.top);
        sse::write(out, "", |out| {
            json::object(out, |object| {
                self.frame.head.write(object, "chat.completion.chunk");
                for (name, raw) in &top {
                    object.raw(name, &one_line(raw));
                }
                choices(object);
                if self.include_usage {
                    object.null("usage");
                }
            });
        });
    }

    /// The first chunk of a choice says who speaks; `said`: text may follow.
    fn begin(&mut self, choice: &mut Choice, said: bool, out: &mut Vec<u8>) {
        if std::mem::replace(&mut choice.begun, true) {
            return;
        }
        let pending = std::mem::take(&mut choice.pending);
        self.chunk(choice, out, None, |delta| {
            delta.string("role", "assistant");
            if said {
                delta.string("content", "");
            } else {
                delta.null("content");
            }
            delta.null("refusal");
        });
        choice.pending = pending;
    }

    fn open(&mut self, choice: &mut Choice, block: u32, opened: &Block, out: &mut Vec<u8>) {
        self.begin(choice, !matches!(opened, Block::ToolCall { .. }), out);
        let kind = match opened {
            Block::Text => Kind::Text,
            Block::Refusal => Kind::Refusal,
            Block::Reasoning => Kind::Reasoning {
                text: String::new(),
                signature: None,
            },
            Block::Redacted(redacted) => {
                let index = choice.details;
                choice.details += 1;
                self.chunk(choice, out, None, |delta| {
                    delta.array(reasoning::DETAILS, |entries| reasoning::write_redacted(entries, redacted, index));
                });
                Kind::Nothing
            }
            Block::ToolCall { id, name } => {
                let index = choice.calls;
                choice.calls += 1;
                let id = if id.is_empty() {
                    self.frame.head.call_id(choice.index, index)
                } else {
                    id.clone()
                };
                let name = self.frame.head.tool_name(name).to_owned();
                self.chunk(choice, out, None, |delta| call(delta, index, Some((&id, &name)), ""));
                Kind::Call { index, argued: false }
            }
            Block::Foreign(foreign) if foreign.dialect == NAME && foreign.kind == "custom" => {
                choice.calls += 1;
                self.chunk(choice, out, None, |delta| {
                    delta.array("tool_calls", |calls| calls.raw(&one_line(&foreign.raw)));
                });
                Kind::Nothing
            }
            Block::Foreign(foreign) => {
                self.frame.loss.add(&format!("content.{}", foreign.kind));
                Kind::Nothing
            }
        };
        choice.blocks.push(Opened { block, kind });
    }

    fn grow(&mut self, choice: &mut Choice, block: u32, delta: &Delta, out: &mut Vec<u8>) {
        if matches!(delta, Delta::Text(text) | Delta::Arguments(text) if text.is_empty()) {
            return;
        }
        let Some(at) = choice.blocks.iter().rposition(|opened| opened.block == block) else {
            return;
        };
        let Some(mut opened) = choice
            .blocks
            .get_mut(at)
            .map(|opened| std::mem::replace(&mut opened.kind, Kind::Nothing))
        else {
            return;
        };
        match (&mut opened, delta) {
            (Kind::Text, Delta::Text(text)) => self.chunk(choice, out, None, |object| object.string("content", text)),
            (Kind::Refusal, Delta::Text(text)) => self.chunk(choice, out, None, |object| object.string("refusal", text)),
            (Kind::Reasoning { text: whole, .. }, Delta::Text(text)) => {
                if whole.len() <= SEALED_BYTES_MAX {
                    whole.push_str(text);
                }
                self.chunk(choice, out, None, |object| object.string("reasoning_content", text));
            }
            (Kind::Reasoning { signature, .. }, Delta::Signature(piece)) => match signature {
                Some(signature) => signature.data.push_str(&piece.data),
                None => *signature = Some(piece.clone()),
            },
            (Kind::Call { index, argued }, Delta::Arguments(arguments)) => {
                *argued = true;
                let index = *index;
                self.chunk(choice, out, None, |object| call(object, index, None, arguments));
            }
            _ => {}
        }
        if let Some(place) = choice.blocks.get_mut(at) {
            place.kind = opened;
        }
    }

    fn close(&mut self, choice: &mut Choice, block: u32, out: &mut Vec<u8>) {
        let Some(opened) = choice.blocks.iter_mut().rfind(|opened| opened.block == block) else {
            return;
        };
        match &mut opened.kind {
            // No arguments at all: an empty object (T15).
            Kind::Call { index, argued } if !*argued => {
                *argued = true;
                let index = *index;
                self.chunk(choice, out, None, |object| call(object, index, None, "{}"));
            }
            Kind::Reasoning { text, signature } => {
                let text = std::mem::take(text);
                let Some(signature) = signature.take() else { return };
                if text.len() > SEALED_BYTES_MAX {
                    return self.frame.loss.add("reasoning.signature");
                }
                let index = choice.details;
                choice.details += 1;
                self.chunk(choice, out, None, |object| {
                    object.array(reasoning::DETAILS, |entries| {
                        reasoning::write_text(entries, &text, Some(&signature), index);
                    });
                });
            }
            _ => {}
        }
    }

    fn finish(&mut self, choice: &mut Choice, reason: &Finish, out: &mut Vec<u8>) {
        self.begin(choice, true, out);
        choice.finished = true;
        let word = finish::write(reason, choice.calls > 0, &mut self.frame.loss);
        self.chunk(choice, out, Some(word), |_| {});
    }

    /// A field of our own dialect goes into the next chunk of its choice; a list that may also be ours, into one of its own.
    fn foreign(&mut self, choice: Option<u32>, name: &str, raw: &RawValue, out: &mut Vec<u8>) {
        let Some(index) = choice else {
            self.frame.top.retain(|(known, _)| known != name);
            return self.frame.top.push((name.to_owned(), raw.to_owned()));
        };
        let alone = ["message.tool_calls", "message.reasoning_details"].contains(&name);
        self.with(index, |this, choice| {
            if alone || choice.pending.iter().any(|(known, _)| known == name) {
                this.begin(choice, true, out);
                if !choice.pending.is_empty() {
                    this.chunk(choice, out, None, |_| {});
                }
            }
            choice.pending.push((name.to_owned(), raw.to_owned()));
            if alone {
                choice.calls += u64::from(name == "message.tool_calls");
                this.chunk(choice, out, None, |_| {});
            }
        });
    }
}

/// A raw value that may stand in an event: a provider's own line ends would end it (FAULTS R-D6). JSON has them only
/// between its tokens, where a space does as well.
fn one_line(raw: &RawValue) -> Cow<'_, str> {
    if raw.get().contains(['\n', '\r']) {
        Cow::Owned(raw.get().replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(raw.get())
    }
}

/// One entry of `tool_calls`: its head, or more arguments.
fn call(delta: &mut ObjectWriter<'_>, index: u64, head: Option<(&str, &str)>, arguments: &str) {
    delta.array("tool_calls", |calls| {
        calls.object(|call| {
            call.integer("index", index);
            if let Some((id, _)) = head {
                call.string("id", id);
                call.string("type", "function");
            }
            call.object("function", |function| {
                function.string_if("name", head.map(|(_, name)| name));
                function.string("arguments", arguments);
            });
        });
    });
}

impl Encoder for Stream {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.frame.take(event) {
            return;
        }
        match event {
            Event::Open { choice, block, kind } => self.with(*choice, |this, choice| this.open(choice, *block, kind, out)),
            Event::Delta { choice, block, delta } => self.with(*choice, |this, choice| this.grow(choice, *block, delta, out)),
            Event::Close { choice, block } => self.with(*choice, |this, choice| this.close(choice, *block, out)),
            Event::Finish { choice, reason } => self.with(*choice, |this, choice| this.finish(choice, reason, out)),
            Event::Foreign { choice, name, raw, .. } => self.foreign(*choice, name, raw, out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.frame.faulted {
            return;
        }
        // A caller expects at least one choice, and of each a reason (F5).
        let indices: Vec<u32> = match self.choices.as_slice() {
            [] => vec![0],
            choices => choices.iter().map(|choice| choice.index).collect(),
        };
        for index in indices {
            self.with(index, |this, choice| match choice.finished {
                false => this.finish(choice, &finish::unsaid(choice.calls > 0), out),
                true if choice.pending.is_empty() => {}
                true => this.chunk(choice, out, None, |_| {}),
            });
        }
        let top = std::mem::take(&mut self.frame.top);
        if let Some(usage) = self.frame.usage.filter(|_| self.include_usage) {
            sse::write(out, "", |out| {
                json::object(out, |object| {
                    self.frame.head.write(object, "chat.completion.chunk");
                    for (name, raw) in &top {
                        object.raw(name, &one_line(raw));
                    }
                    object.array("choices", |_| {});
                    usage::write(object, &usage);
                });
            });
        } else {
            // A chunk without choices is only for callers who asked for one.
            top.iter().for_each(|(name, _)| self.frame.loss.add_from_answer(name));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn loss(&self) -> &Loss {
        &self.frame.loss
    }
}
