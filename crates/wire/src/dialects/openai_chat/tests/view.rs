//! What an answer says, whichever way its events were cut: the measure by which two answers are the same.

use crate::dialects::{Dialect, Operation};
use crate::event::{AnswerContext, Block, Delta, Event, Finish};
use crate::fault::{Fault, Malformed};
use crate::usage::Usage;

use super::super::OpenAiChat;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
    pub(super) fault: Option<Box<Fault>>,
    pub(super) ended: bool,
    pub(super) foreign: Vec<(Option<u32>, String, String)>,
}

/// One choice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) index: u32,
    pub(super) blocks: Vec<(u32, Said)>,
    pub(super) open: Vec<u32>,
    pub(super) reason: Option<Finish>,
}

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Text(String),
    Refusal(String),
    Reasoning(String, String),
    Redacted(String),
    Call(String, String, String),
    Foreign(String, String),
}

impl Choice {
    pub(super) fn text(&self) -> String {
        self.join(|said| if let Said::Text(text) = said { Some(text) } else { None })
    }
    pub(super) fn refusal(&self) -> String {
        self.join(|said| if let Said::Refusal(text) = said { Some(text) } else { None })
    }
    pub(super) fn reasoning(&self) -> String {
        self.join(|said| if let Said::Reasoning(text, _) = said { Some(text) } else { None })
    }
    fn join(&self, pick: impl Fn(&Said) -> Option<&String>) -> String {
        self.blocks.iter().filter_map(|(_, said)| pick(said)).cloned().collect()
    }
    pub(super) fn calls(&self) -> Vec<(&str, &str, &str)> {
        self.blocks
            .iter()
            .filter_map(|(_, said)| {
                if let Said::Call(id, name, arguments) = said {
                    Some((id.as_str(), name.as_str(), arguments.as_str()))
                } else {
                    None
                }
            })
            .collect()
    }
}

impl View {
    /// Collects events, and insists on their order.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut view = Self::default();
        for event in events {
            assert!(view.fault.is_none() && !view.ended, "nothing follows the end: {event:?}");
            view.take(event);
        }
        view.choices.sort_by_key(|choice| choice.index);
        view
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                ..Choice::default()
            });
            self.choices.len() - 1
        });
        self.choices.get_mut(at).unwrap()
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                assert!(self.id.is_none() && self.choices.is_empty(), "one start, at the start");
                self.id.clone_from(&start.id);
                self.model.clone_from(&start.model);
            }
            Event::Open { choice, block, kind } => {
                let choice = self.choice(*choice);
                assert_eq!(*block as usize, choice.blocks.len(), "blocks are counted from 0");
                choice.blocks.push((*block, said(kind)));
                choice.open.push(*block);
            }
            Event::Delta { choice, block, delta } => {
                let choice = self.choice(*choice);
                assert!(choice.open.contains(block), "a block grows while it is open");
                let (_, said) = choice.blocks.get_mut(*block as usize).unwrap();
                match (said, delta) {
                    (Said::Text(whole) | Said::Refusal(whole) | Said::Reasoning(whole, _), Delta::Text(text)) => whole.push_str(text),
                    (Said::Call(_, _, whole), Delta::Arguments(text)) => whole.push_str(text),
                    (Said::Reasoning(_, seal), Delta::Signature(piece)) => seal.push_str(&piece.data),
                    (said, delta) => panic!("{delta:?} in {said:?}"),
                }
            }
            Event::Close { choice, block } => {
                let choice = self.choice(*choice);
                assert!(choice.open.contains(block), "a block is closed once");
                choice.open.retain(|open| open != block);
            }
            Event::Finish { choice, reason } => {
                let choice = self.choice(*choice);
                assert!(choice.open.is_empty() && choice.reason.is_none(), "one finish, behind the blocks");
                choice.reason = Some(reason.clone());
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.ended = true,
            Event::Fault(fault) => self.fault = Some(fault.clone()),
            Event::Foreign { choice, name, raw, .. } => self.foreign.push((*choice, name.clone(), raw.get().to_owned())),
        }
    }
}

fn said(kind: &Block) -> Said {
    match kind {
        Block::Text => Said::Text(String::new()),
        Block::Refusal => Said::Refusal(String::new()),
        Block::Reasoning => Said::Reasoning(String::new(), String::new()),
        Block::Redacted(redacted) => Said::Redacted(redacted.data.clone()),
        Block::ToolCall { id, name } => Said::Call(id.clone(), name.clone(), String::new()),
        Block::Foreign(foreign) => Said::Foreign(foreign.kind.clone(), foreign.raw.get().to_owned()),
    }
}

/// Decodes pieces of an answer.
pub(super) fn decode<'p>(streamed: bool, pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Event>, Result<(), Malformed>) {
    let mut decoder = OpenAiChat.decoder(Operation::Chat, streamed);
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(malformed) = decoder.push(piece, &mut events) {
            return (events, Err(malformed));
        }
    }
    let result = decoder.end(&mut events);
    (events, result)
}

/// Encodes events for a caller who wants everything.
pub(super) fn encode(stream: bool, events: &[Event]) -> Vec<u8> {
    let context = AnswerContext {
        id: "chatcmpl-1".to_owned(),
        model: "m".to_owned(),
        created: 7,
        stream,
        include_usage: true,
        renamed_tools: Vec::new(),
    };
    encode_with(context, events).0
}

/// Encodes events; gives the loss too.
pub(super) fn encode_with(context: AnswerContext, events: &[Event]) -> (Vec<u8>, String) {
    let mut encoder = OpenAiChat.encoder(Operation::Chat, context);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.end(&mut out);
    let loss = encoder.loss().to_string();
    (out, loss)
}
