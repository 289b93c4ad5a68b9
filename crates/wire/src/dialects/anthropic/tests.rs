//! The Messages dialect against rows of our own, and against recorded exchanges where the corpus is at hand.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::Anthropic;
use crate::dialects::{Dialect, Operation};
use crate::event::{AnswerContext, Block, Delta, Event, Finish};
use crate::fault::{Fault, Malformed};
use crate::loss::Loss;
use crate::request::{Extra, Function, Request, Tool};
use crate::target::{ModelFacts, Target};
use crate::usage::Usage;

mod answers;
mod carrying;
mod corpus;
mod encoding;
mod faults;
mod fitting;
mod fuzz;
mod reading;
mod scanning;
mod writing;

const CHAT: Operation = Operation::Chat;

/// A model that takes everything that the dialect has.
fn able() -> Target {
    Target {
        model: String::new(),
        facts: ModelFacts {
            system_midway: true,
            ..ModelFacts::default()
        },
        ..Target::default()
    }
}

fn read(body: &str) -> Request {
    Anthropic.read_request(CHAT, body.as_bytes()).unwrap()
}

/// A tool of which only the name is known.
fn function(name: &str) -> Tool {
    Tool::Function(Function {
        name: name.to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
        extra: Extra::default(),
    })
}

/// The written request as JSON, and the losses as the header says them.
fn write(request: &Request, target: &Target) -> (Value, String) {
    let mut loss = Loss::default();
    let bytes = Anthropic.write_request(CHAT, request, target, &mut loss);
    (serde_json::from_slice(&bytes).unwrap(), loss.to_string())
}

/// The events of an answer that comes in the given pieces.
fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, streamed: bool) -> Result<Vec<Event>, Malformed> {
    let mut events = Vec::new();
    let mut decoder = Anthropic.decoder(CHAT, streamed);
    for piece in pieces {
        decoder.push(piece, &mut events)?;
    }
    decoder.end(&mut events)?;
    Ok(events)
}

fn decode(body: &[u8], streamed: bool) -> Result<Vec<Event>, Malformed> {
    decode_pieces([body], streamed)
}

/// An answer's bytes, and the losses.
fn encode(events: &[Event], stream: bool) -> (Vec<u8>, String) {
    let context = AnswerContext {
        id: "msg_ours".to_owned(),
        model: "ours".to_owned(),
        stream,
        ..AnswerContext::default()
    };
    let mut encoder = Anthropic.encoder(CHAT, context);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.end(&mut out);
    (out, encoder.loss().to_string())
}

/// What a reader of an answer sees in the end, whatever pieces it came in.
#[derive(Debug, Default, PartialEq)]
struct View {
    model: Option<String>,
    id: Option<String>,
    text: String,
    reasoning: String,
    signatures: Vec<String>,
    calls: Vec<(String, String, String)>,
    foreign: Vec<String>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    fault: Option<String>,
    ended: bool,
}

fn view(events: &[Event]) -> View {
    let mut view = View::default();
    let mut reasons = Vec::new();
    for event in events {
        match event {
            Event::Start(start) => {
                view.id.clone_from(&start.id);
                view.model.clone_from(&start.model);
            }
            Event::Open { block, kind, .. } => match kind {
                Block::ToolCall { id, name } => view.calls.push((id.clone(), name.clone(), String::new())),
                Block::Reasoning => reasons.push((*block, view.signatures.len())),
                Block::Redacted(seal) => view.signatures.push(seal.data.clone()),
                Block::Foreign(foreign) => view.foreign.push(foreign.raw.get().to_owned()),
                Block::Text | Block::Refusal => {}
            },
            Event::Delta { block, delta, .. } => match delta {
                Delta::Text(text) if reasons.iter().any(|(reason, _)| reason == block) => view.reasoning.push_str(text),
                Delta::Text(text) => view.text.push_str(text),
                Delta::Arguments(text) => view.calls.last_mut().unwrap().2.push_str(text),
                Delta::Signature(seal) => match reasons
                    .iter()
                    .find(|(reason, _)| reason == block)
                    .and_then(|(_, at)| view.signatures.get_mut(*at))
                {
                    Some(signature) => signature.push_str(&seal.data),
                    None => view.signatures.push(seal.data.clone()),
                },
            },
            Event::Finish { reason, .. } => view.finish = Some(reason.clone()),
            Event::Usage(usage) => view.usage = Some(*usage),
            Event::End => view.ended = true,
            Event::Fault(fault) => view.fault = Some(format!("{:?}: {}", fault.kind, fault.message)),
            Event::Foreign { name, raw, .. } => view.foreign.push(format!("{name} {}", raw.get())),
            Event::Close { .. } => {}
        }
    }
    view
}

fn read_fault(status: u16, body: &str) -> Fault {
    Anthropic.read_fault(status, body.as_bytes())
}
