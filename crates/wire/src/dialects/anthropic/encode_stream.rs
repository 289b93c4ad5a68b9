//! Writes a streamed answer. The dialect's blocks follow each other; where a provider's calls run side by side, the later ones
//! wait until the earlier ones are complete. Faults are written by `fault`, pings by nobody.

use std::collections::VecDeque;

use serde_json::value::RawValue;

use super::NAME;
use super::summary::{BESIDE_ENDING, CALL_USUAL, Duty, RawField, Summary, TEXT_USUAL, Usual, put, set, type_of};
use crate::dialects::Encoder;
use crate::event::{AnswerContext, Block, Delta, Event};
use crate::frame::sse;
use crate::json::{self, ObjectWriter};
use crate::loss::Loss;

/// The encoder of streams.
#[derive(Debug)]
pub(super) struct StreamEncoder {
    summary: Summary,
    begun: bool,
    ended: bool,
    /// The index of the next block to be written.
    index: u64,
    /// Open blocks in order; only the first is being written. The provider's answer, which is bounded, bounds them.
    blocks: VecDeque<Waiting>,
    /// Fields for the next block.
    fields: Vec<RawField>,
}

#[derive(Debug)]
struct Waiting {
    block: u32,
    kind: Block,
    fields: Vec<RawField>,
    written: bool,
    closed: bool,
    held: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Delta(Delta),
    Raw(Box<RawValue>),
}

impl StreamEncoder {
    /// For an answer in that context.
    pub(super) fn new(context: AnswerContext) -> Self {
        Self {
            summary: Summary::new(context),
            begun: false,
            ended: false,
            index: 0,
            blocks: VecDeque::new(),
            fields: Vec::new(),
        }
    }

    /// Writes the message's head, once. Not before content comes, so that the input's count may be known.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let summary = &self.summary;
        event(out, "message_start", |o| {
            o.object("message", |o| {
                summary.write_head(o);
                o.array("content", |_| {});
                o.null("stop_reason");
                o.null("stop_sequence");
                put(o, &[], BESIDE_ENDING);
                o.object("usage", |o| summary.write_usage(o));
            });
        });
    }

    fn open(&mut self, block: u32, kind: &Block, out: &mut Vec<u8>) {
        self.begin(out);
        let fields = std::mem::take(&mut self.fields);
        let lost = match kind {
            Block::Foreign(foreign) => self.summary.loses(foreign),
            Block::Redacted(seal) if seal.dialect != NAME => {
                self.summary.loss.add("reasoning");
                true
            }
            _ => false,
        };
        if lost {
            return;
        }
        self.summary.called |= matches!(kind, Block::ToolCall { .. });
        self.summary.refused |= matches!(kind, Block::Refusal);
        self.blocks.push_back(Waiting {
            block,
            kind: kind.clone(),
            fields,
            written: false,
            closed: false,
            held: Vec::new(),
        });
        if self.blocks.len() == 1 {
            self.advance(out);
        }
    }

    /// Writes what may be written now: the first block as far as it is known, and what waits behind it once it is closed.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while let Some(first) = self.blocks.front_mut() {
            // A text of no words is no block: it would be refused when it is sent back.
            let lazy = matches!(first.kind, Block::Text | Block::Reasoning | Block::Refusal);
            let due = !lazy || !first.held.is_empty();
            if due && !first.written {
                first.written = true;
                write_start(first, self.index, &self.summary, out);
            }
            for piece in std::mem::take(&mut first.held) {
                write_piece(&piece, &first.kind, self.index, out);
            }
            if !first.closed {
                return;
            }
            if first.written {
                let index = self.index;
                event(out, "content_block_stop", |o| o.integer("index", index));
                self.index += 1;
            }
            self.blocks.pop_front();
        }
    }

    fn hold(&mut self, block: Option<u32>, piece: Piece, out: &mut Vec<u8>) {
        let found = match block {
            Some(block) => self.blocks.iter().position(|waiting| waiting.block == block),
            None => self.blocks.len().checked_sub(1),
        };
        let Some(at) = found else { return };
        let Some(waiting) = self.blocks.get_mut(at) else { return };
        waiting.held.push(piece);
        if at == 0 {
            self.advance(out);
        }
    }

    fn delta(&mut self, block: u32, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Arguments(text) if text.is_empty() => {}
            Delta::Signature(seal) if seal.dialect != NAME => self.summary.loss.add("reasoning.signature"),
            // The usual case: the block is being written, and nothing needs to be kept.
            _ => match self.blocks.front() {
                Some(first) if first.block == block && first.written => write_delta(delta, &first.kind, self.index, out),
                _ => self.hold(Some(block), Piece::Delta(delta.clone()), out),
            },
        }
    }

    fn own(&mut self, name: &str, raw: &RawValue, out: &mut Vec<u8>) {
        if type_of(raw).is_some_and(|kind| kind.ends_with("_delta")) {
            self.hold(None, Piece::Raw(raw.to_owned()), out);
        } else {
            set(&mut self.fields, name, raw);
        }
    }
}

impl Encoder for StreamEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match (self.summary.take(event), event) {
            (Duty::Content, Event::Open { block, kind, .. }) => self.open(*block, kind, out),
            (Duty::Content, Event::Delta { block, delta, .. }) => self.delta(*block, delta, out),
            (Duty::Content, Event::Close { block, .. }) => {
                if let Some(waiting) = self.blocks.iter_mut().find(|waiting| waiting.block == *block) {
                    waiting.closed = true;
                }
                self.advance(out);
            }
            (Duty::Block(name, raw), _) => self.own(name, raw, out),
            (Duty::Whole(name, raw), _) => {
                self.begin(out);
                write_line(out, name, |out| out.extend_from_slice(raw.get().as_bytes()));
            }
            _ => {}
        }
    }

    /// Writes the ending. It waits until here because usage may come after the finish.
    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.begin(out);
        self.blocks.iter_mut().for_each(|waiting| waiting.closed = true);
        self.advance(out);
        let summary = &mut self.summary;
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                summary.write_ending(o);
                summary.write_beside_ending(o);
            });
            o.object("usage", |o| summary.write_usage(o));
            summary.write_fields(o);
        });
        event(out, "message_stop", |_| {});
    }

    fn loss(&self) -> &Loss {
        &self.summary.loss
    }
}

/// Writes one event whose data carries its own name.
fn event(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    write_line(out, name, |out| {
        json::object(out, |o| {
            o.string("type", name);
            fill(o);
        });
    });
}

/// Writes one event. Raw JSON may have come with line breaks between its tokens, which would end the line of data.
fn write_line(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    sse::write(out, name, |out| {
        let start = out.len();
        data(out);
        let written = out.get_mut(start..).unwrap_or_default();
        if memchr::memchr2(b'\n', b'\r', written).is_some() {
            let breaks = written.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
            breaks.for_each(|byte| *byte = b' ');
        }
    });
}

fn write_start(waiting: &Waiting, index: u64, summary: &Summary, out: &mut Vec<u8>) {
    event(out, "content_block_start", |o| {
        o.integer("index", index);
        if let Block::Foreign(foreign) = &waiting.kind {
            o.raw("content_block", foreign.raw.get());
            return;
        }
        o.object("content_block", |o| {
            let mut usual: &[Usual] = &[];
            match &waiting.kind {
                Block::Text | Block::Refusal | Block::Foreign(_) => {
                    o.string("type", "text");
                    o.string("text", "");
                    usual = TEXT_USUAL;
                }
                Block::Reasoning => {
                    o.string("type", "thinking");
                    o.string("thinking", "");
                    o.string("signature", "");
                }
                Block::Redacted(seal) => {
                    o.string("type", "redacted_thinking");
                    o.string("data", &seal.data);
                }
                Block::ToolCall { id, name } => {
                    o.string("type", "tool_use");
                    o.string("id", &summary.call_id(id, waiting.block));
                    o.string("name", summary.tool_name(name));
                    o.raw("input", "{}");
                    usual = CALL_USUAL;
                }
            }
            put(o, &waiting.fields, usual);
        });
    });
}

fn write_piece(piece: &Piece, kind: &Block, index: u64, out: &mut Vec<u8>) {
    match piece {
        Piece::Delta(delta) => write_delta(delta, kind, index, out),
        Piece::Raw(raw) => event(out, "content_block_delta", |o| {
            o.integer("index", index);
            o.raw("delta", raw.get());
        }),
    }
}

fn write_delta(delta: &Delta, kind: &Block, index: u64, out: &mut Vec<u8>) {
    let (delta_type, member, text) = match (delta, kind) {
        (Delta::Text(text), Block::Reasoning) => ("thinking_delta", "thinking", text),
        (Delta::Text(text), _) => ("text_delta", "text", text),
        (Delta::Arguments(text), _) => ("input_json_delta", "partial_json", text),
        (Delta::Signature(seal), _) => ("signature_delta", "signature", &seal.data),
    };
    event(out, "content_block_delta", |o| {
        o.integer("index", index);
        o.object("delta", |o| {
            o.string("type", delta_type);
            o.string(member, text);
        });
    });
}
