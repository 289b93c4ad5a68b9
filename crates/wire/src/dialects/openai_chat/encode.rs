//! Writes an answer for a caller, from events. What a stream and a whole answer have in common is here.

use serde_json::value::RawValue;

use super::NAME;
use crate::dialects::Encoder;
use crate::event::{AnswerContext, Event, Start};
use crate::json::ObjectWriter;
use crate::loss::Loss;
use crate::usage::Usage;

mod stream;
mod whole;

/// The encoder for a caller.
pub(super) fn encoder(context: &AnswerContext) -> Box<dyn Encoder> {
    if context.stream {
        Box::new(stream::Stream::new(context))
    } else {
        Box::new(whole::Whole::new(context))
    }
}

/// Names and raw values of fields of our own dialect.
type Fields = Vec<(String, Box<RawValue>)>;

/// What an answer is beside its choices.
#[derive(Debug)]
struct Frame {
    head: Head,
    /// Top-level fields of our own dialect.
    top: Fields,
    usage: Option<Usage>,
    faulted: bool,
    loss: Loss,
}

impl Frame {
    fn new(context: &AnswerContext) -> Self {
        Self {
            head: Head(context.clone()),
            top: Vec::new(),
            usage: None,
            faulted: false,
            loss: Loss::default(),
        }
    }

    /// Takes what is about the answer as a whole; false for what is about a choice, or a field of our own dialect.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Start(start) => self.head.start(start),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => {}
            Event::Fault(_) => self.faulted = true,
            Event::Foreign { dialect, name, .. } if *dialect != NAME => self.loss.add_from_answer(name),
            _ => return false,
        }
        true
    }
}

/// What stands at the head of an answer, and of each of its chunks: ours, until the provider says otherwise.
#[derive(Debug)]
struct Head(AnswerContext);

impl Head {
    /// What the provider says counts.
    fn start(&mut self, start: &Start) {
        if let Some(id) = &start.id {
            id.clone_into(&mut self.0.id);
        }
        if let Some(model) = &start.model {
            model.clone_into(&mut self.0.model);
        }
        self.0.created = start.created.unwrap_or(self.0.created);
    }

    fn write(&self, out: &mut ObjectWriter<'_>, object: &str) {
        out.string("id", &self.0.id);
        out.string("object", object);
        out.integer("created", self.0.created);
        out.string("model", &self.0.model);
    }

    /// An id for a tool call that came without one, unique among the answers of a conversation.
    fn call_id(&self, choice: u32, call: u64) -> String {
        let id: String = self.0.id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        format!("call_{id}_{choice}_{call}")
    }

    /// The caller's name of a tool.
    fn tool_name<'n>(&'n self, called: &'n str) -> &'n str {
        self.0.tool_name(called)
    }
}
