//! The registry of wire formats, and what a format is: both its sides, the caller's and the provider's, in one folder.

use std::borrow::Cow;

use crate::envelope::Envelope;
use crate::event::{AnswerContext, Event};
use crate::fault::{Fault, Malformed};
use crate::loss::Loss;
use crate::patch::Patch;
use crate::request::Request;
use crate::target::Target;

pub mod anthropic;
mod edit;
mod form;
mod names;
pub mod openai_chat;

/// Every wire format that we speak.
pub static DIALECTS: &[&dyn Dialect] = &[&anthropic::Anthropic, &openai_chat::OpenAiChat];

/// The format of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}

/// Whether both are the same format. (By name: formats hold no state, so two of them may share one address.)
#[must_use]
pub fn same(one: &dyn Dialect, other: &dyn Dialect) -> bool {
    one.name() == other.name()
}

/// What a caller asks for, whatever the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An answer to a conversation.
    Chat,
}

impl Operation {
    /// Every operation.
    pub const ALL: &[Self] = &[Self::Chat];

    /// The word for records and metrics (OpenTelemetry's `gen_ai.operation.name`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
        }
    }
}

/// Request headers that belong to a format's body, by their lower-case names.
#[derive(Debug, Clone, Copy, Default)]
pub struct DialectHeaders {
    /// They say which version of the format is spoken.
    pub version: &'static [&'static str],
    /// They name features that the caller opts into.
    pub betas: &'static [&'static str],
}

/// A wire format, both sides of it.
pub trait Dialect: Sync + Send {
    /// Its name in config and records.
    fn name(&self) -> &'static str;

    /// The caller-side paths, without `/v1`, and what they ask for.
    fn routes(&self) -> &'static [(&'static str, Operation)];

    /// The provider-side path of an operation, to be appended to the provider's base URL.
    fn endpoint(&self, op: Operation) -> &'static str;

    /// The request headers that belong to its body; most formats have none.
    fn headers(&self) -> DialectHeaders {
        DialectHeaders::default()
    }

    /// Reads what we need of a caller's body without parsing it.
    ///
    /// # Errors
    /// When the body is not one JSON object of sane depth, repeats a key that decides, or names no model.
    fn scan(&self, op: Operation, body: &[u8]) -> Result<Envelope, Malformed>;

    /// The edits that make a caller's body fit a provider of the same dialect: the model's name, the usage flag, the
    /// vendor's quirks, with what is lost by those. Everything else stays as the caller wrote it.
    fn patch(&self, op: Operation, envelope: &Envelope, body: &[u8], target: &Target, loss: &mut Loss) -> Patch;

    /// Reads a caller's request. Liberal: what is unknown is kept.
    ///
    /// # Errors
    /// When a known field has a wrong type or a required one is missing.
    fn read_request(&self, op: Operation, body: &[u8]) -> Result<Request, Malformed>;

    /// Writes a request for a provider. Strict: what the dialect or the target cannot carry becomes a loss.
    fn write_request(&self, op: Operation, request: &Request, target: &Target, loss: &mut Loss) -> Vec<u8>;

    /// The name by which a tool is written in a request, where its own does not fit. The answer calls it by that name.
    fn tool_name<'n>(&self, name: &'n str) -> Cow<'n, str>;

    /// Reads a provider's answer, streamed or whole, as events.
    fn decoder(&self, op: Operation, streamed: bool) -> Box<dyn Decoder>;

    /// Looks at a whole answer that goes on to the caller as it is: appends how it ended, what it used and its fault, as the decoder
    /// would; what it says may be left out.
    ///
    /// # Errors
    /// When the bytes are not of the dialect, as the decoder says.
    fn look(&self, op: Operation, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        read_whole(self, op, body, out)
    }

    /// Writes an answer for a caller, streamed or whole, from events.
    fn encoder(&self, op: Operation, context: AnswerContext) -> Box<dyn Encoder>;

    /// Reads a provider's error answer. Any body will do: HTML, empty, cut.
    fn read_fault(&self, status: u16, body: &[u8]) -> Fault;

    /// Writes an error answer for a caller: status and body. `request_id` is ours.
    fn write_fault(&self, fault: &Fault, request_id: &str) -> (u16, Vec<u8>);

    /// Writes an error into a stream that has begun. The stream then ends without the dialect's terminator.
    fn write_stream_fault(&self, fault: &Fault, request_id: &str) -> Vec<u8>;
}

/// All events of a whole answer.
fn read_whole<D: Dialect + ?Sized>(dialect: &D, op: Operation, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
    let mut decoder = dialect.decoder(op, false);
    decoder.push(body, out)?;
    decoder.end(out)
}

/// Bytes of a provider's answer to events.
pub trait Decoder: Send {
    /// Reads the next bytes, cut anywhere; appends what happened. For a whole answer nothing may happen before `end`.
    ///
    /// # Errors
    /// When the bytes are not of the dialect; events appended before that stand.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed>;

    /// Reads one whole event of a stream, its blank line included. For a stream that is cut into events already: `push` then
    /// takes only what is left over at its end.
    ///
    /// # Errors
    /// As `push`.
    fn event(&mut self, event: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.push(event, out)
    }

    /// The provider closed the answer.
    ///
    /// # Errors
    /// When what was left over is not of the dialect. A missing terminator is no error here: no [`Event::End`] was given.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed>;
}

/// Events to bytes of a caller's answer.
pub trait Encoder: Send {
    /// Appends the bytes that an event becomes; for a whole answer none before `end`.
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Appends what remains: the terminator of a stream, or the whole answer.
    fn end(&mut self, out: &mut Vec<u8>);

    /// What of the answer could not be carried so far.
    fn loss(&self) -> &Loss;
}
