//! All of N×M: a request crosses by being read in one dialect and written in another, an answer by being decoded and
//! encoded. No pair is named. Sending, and the choice between this and the caller's own bytes, is the gateway's.

use crate::dialects::{Decoder, Dialect, Encoder, Operation};
use crate::event::{AnswerContext, Block, Delta, Event, Finish, Start};
use crate::fault::Malformed;
use crate::loss::Loss;
use crate::target::Target;
use crate::usage::Usage;

/// A caller's body as a provider of another dialect wants it, and what was lost on the way.
///
/// # Errors
/// When the body cannot be read in the caller's dialect.
pub fn request(from: &dyn Dialect, to: &dyn Dialect, op: Operation, body: &[u8], target: &Target) -> Result<(Vec<u8>, Loss), Malformed> {
    let request = from.read_request(op, body)?;
    let mut loss = Loss::default();
    let written = to.write_request(op, &request, target, &mut loss);
    Ok((written, loss))
}

/// An answer on its way from a provider's dialect to the caller's.
pub struct Pipe {
    decoder: Box<dyn Decoder>,
    encoder: Box<dyn Encoder>,
}

impl Pipe {
    /// From the provider's dialect (which streams or not) to the caller's (which streams or not).
    #[must_use]
    pub fn new(from: &dyn Dialect, streamed: bool, to: &dyn Dialect, op: Operation, context: AnswerContext) -> Self {
        Self {
            decoder: from.decoder(op, streamed),
            encoder: to.encoder(op, context),
        }
    }

    /// Takes provider bytes; appends the caller's bytes to `out` and what happened to `events`.
    ///
    /// # Errors
    /// When the bytes are not of the provider's dialect; what came before is already in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let seen = events.len();
        let result = self.decoder.push(bytes, events);
        self.encode(events, seen, out);
        result
    }

    /// The provider closed the answer: decodes what is left over. The caller's terminator is written by [`Pipe::finish`].
    ///
    /// # Errors
    /// When what was left over is not of the provider's dialect.
    pub fn end(&mut self, out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let seen = events.len();
        let result = self.decoder.end(events);
        self.encode(events, seen, out);
        result
    }

    /// The answer is complete: writes the caller's terminator, or the whole answer.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.encoder.end(out);
    }

    /// What of the answer could not be carried so far.
    #[must_use]
    pub fn loss(&self) -> &Loss {
        self.encoder.loss()
    }

    fn encode(&mut self, events: &[Event], from: usize, out: &mut Vec<u8>) {
        for event in events.iter().skip(from) {
            self.encoder.push(event, out);
        }
    }
}

/// A text as an answer that nobody had to be asked for: a normal end, no tokens.
#[must_use]
pub fn said(to: &dyn Dialect, op: Operation, context: AnswerContext, (model, text): (&str, &str)) -> Vec<u8> {
    let start = Start {
        model: Some(model.to_owned()),
        ..Start::default()
    };
    let (choice, block) = (0, 0);
    let events = [
        Event::Start(start),
        Event::Open {
            choice,
            block,
            kind: Block::Text,
        },
        Event::Delta {
            choice,
            block,
            delta: Delta::Text(text.to_owned()),
        },
        Event::Close { choice, block },
        Event::Finish {
            choice,
            reason: Finish::Stop,
        },
        Event::Usage(Usage::default()),
        Event::End,
    ];
    let (mut encoder, mut out) = (to.encoder(op, context), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.end(&mut out);
    out
}

#[cfg(test)]
mod tests;
