//! Writes a whole answer from its events, at the end. Errors are `fault`'s.

use serde_json::value::RawValue;

use super::NAME;
use super::blocks::write_answer_call;
use super::summary::{CALL_USUAL, Duty, RawField, Summary, TEXT_USUAL, Usual, put, set, type_of};
use crate::dialects::Encoder;
use crate::event::{AnswerContext, Block, Delta, Event};
use crate::json::{self, ArrayWriter, Fields, ObjectWriter};
use crate::loss::Loss;

/// The encoder of whole answers.
#[derive(Debug)]
pub(super) struct WholeEncoder {
    summary: Summary,
    /// The provider's answer, which is bounded, bounds them.
    blocks: Vec<Gathered>,
    /// Fields for the next block.
    fields: Vec<RawField>,
    ended: bool,
}

/// One block so far.
#[derive(Debug)]
struct Gathered {
    block: u32,
    kind: Block,
    fields: Vec<RawField>,
    /// Text, reasoning, or arguments.
    text: String,
    signature: String,
    citations: Vec<Box<RawValue>>,
}

impl WholeEncoder {
    /// For an answer in that context.
    pub(super) fn new(context: AnswerContext) -> Self {
        Self {
            summary: Summary::new(context),
            blocks: Vec::new(),
            fields: Vec::new(),
            ended: false,
        }
    }

    fn open(&mut self, block: u32, kind: &Block) {
        let fields = std::mem::take(&mut self.fields);
        match kind {
            Block::Foreign(foreign) if self.summary.loses(foreign) => return,
            Block::Redacted(seal) if seal.dialect != NAME => {
                self.summary.loss.add("reasoning");
                return;
            }
            Block::ToolCall { .. } => self.summary.called = true,
            Block::Refusal => self.summary.refused = true,
            _ => {}
        }
        let kind = kind.clone();
        self.blocks.push(Gathered {
            block,
            kind,
            fields,
            text: String::new(),
            signature: String::new(),
            citations: Vec::new(),
        });
    }

    fn delta(&mut self, block: u32, delta: &Delta) {
        // Mostly the last one; calls that run side by side are few.
        let Some(gathered) = self.blocks.iter_mut().rev().find(|gathered| gathered.block == block) else {
            return;
        };
        match delta {
            Delta::Text(text) | Delta::Arguments(text) => gathered.text.push_str(text),
            Delta::Signature(seal) if seal.dialect == NAME => gathered.signature.push_str(&seal.data),
            Delta::Signature(_) => self.summary.loss.add("reasoning.signature"),
        }
    }

    /// A field of the next block, or a delta that only this dialect knows.
    fn own(&mut self, name: &str, raw: &RawValue) {
        let kind = type_of(raw).filter(|kind| kind.ends_with("_delta"));
        let Some(kind) = kind else {
            set(&mut self.fields, name, raw);
            return;
        };
        let Some(last) = self.blocks.last_mut() else { return };
        let Ok(mut delta) = Fields::parse(raw.get(), "delta") else { return };
        match kind.as_str() {
            "citations_delta" => last.citations.extend(delta.take("citation").map(ToOwned::to_owned)),
            "input_json_delta" => last
                .text
                .push_str(&delta.take_string("partial_json").ok().flatten().unwrap_or_default()),
            // A kind whose members are those of its block.
            _ => {
                delta.take("type");
                delta.remaining().for_each(|(name, raw)| set(&mut last.fields, name, raw));
            }
        }
    }
}

impl Encoder for WholeEncoder {
    fn push(&mut self, event: &Event, _out: &mut Vec<u8>) {
        match (self.summary.take(event), event) {
            (Duty::Content, Event::Open { block, kind, .. }) => self.open(*block, kind),
            (Duty::Content, Event::Delta { block, delta, .. }) => self.delta(*block, delta),
            (Duty::Block(name, raw), _) => self.own(name, raw),
            (Duty::Whole(name, _), _) => self.summary.loss.add(name),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Self { summary, blocks, .. } = self;
        json::object(out, |o| {
            summary.write_head(o);
            o.array("content", |a| blocks.iter().for_each(|gathered| write_block(gathered, a, summary)));
            summary.write_ending(o);
            o.object("usage", |o| summary.write_usage(o));
            summary.write_beside_ending(o);
            summary.write_fields(o);
        });
    }

    fn loss(&self) -> &Loss {
        &self.summary.loss
    }
}

fn write_block(gathered: &Gathered, a: &mut ArrayWriter<'_>, summary: &mut Summary) {
    let Gathered {
        block,
        kind,
        fields,
        text,
        signature,
        citations,
    } = gathered;
    match kind {
        // A text of no words would be refused when it is sent back.
        Block::Text | Block::Refusal if text.is_empty() && citations.is_empty() => {}
        Block::Reasoning if text.is_empty() && signature.is_empty() => {}
        Block::Foreign(foreign) => a.object(|o| write_grown(foreign.raw.get(), gathered, o)),
        _ => a.object(|o| {
            let mut usual: &[Usual] = &[];
            match kind {
                Block::Reasoning => {
                    o.string("type", "thinking");
                    o.string("thinking", text);
                    o.string("signature", signature);
                }
                Block::Redacted(seal) => {
                    o.string("type", "redacted_thinking");
                    o.string("data", &seal.data);
                }
                Block::ToolCall { id, name } => {
                    let (id, name) = (summary.call_id(id, *block), summary.tool_name(name).to_owned());
                    write_answer_call(&id, &name, text, o, &mut summary.loss);
                    usual = CALL_USUAL;
                }
                Block::Text | Block::Refusal | Block::Foreign(_) => {
                    o.string("type", "text");
                    o.string("text", text);
                    usual = if citations.is_empty() { TEXT_USUAL } else { &[] };
                }
            }
            if !citations.is_empty() {
                o.array("citations", |a| citations.iter().for_each(|citation| a.raw(citation.get())));
            }
            put(o, fields, usual);
        }),
    }
}

/// Writes a block of our own with what its deltas set.
fn write_grown(raw: &str, gathered: &Gathered, o: &mut ObjectWriter<'_>) {
    let Ok(block) = Fields::parse(raw, "") else { return };
    let input = (!gathered.text.is_empty()).then(|| json::raw(&gathered.text)).flatten();
    let set_by_delta = |name: &str| gathered.fields.iter().any(|(set, _)| set == name) || (name == "input" && input.is_some());
    for (name, raw) in block.remaining().filter(|(name, _)| !set_by_delta(name)) {
        o.raw(name, raw.get());
    }
    if let Some(input) = &input {
        o.raw("input", input.get());
    }
    put(o, &gathered.fields, &[]);
}
