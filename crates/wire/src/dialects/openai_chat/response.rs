//! A provider's whole answer: one JSON document. It becomes the events that it would have been as a stream. A stream where
//! a document was asked for is read as the stream that it is.

use super::answer::Answer;
use super::stream::Events;
use crate::dialects::Decoder;
use crate::event::Event;
use crate::fault::Malformed;

/// The longest whole answer, in bytes; pictures and sounds come inline.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Reads a whole answer.
#[derive(Debug)]
pub(super) struct Whole {
    body: Vec<u8>,
}

impl Whole {
    pub(super) fn new() -> Self {
        Self { body: Vec::new() }
    }
}

impl Decoder for Whole {
    fn push(&mut self, bytes: &[u8], _: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.body.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(Malformed::new("an answer is longer than 64 MiB"));
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let body = std::mem::take(&mut self.body);
        let text = std::str::from_utf8(&body).map_err(|_| Malformed::new("an answer is not valid UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if ["data:", "event:", ":"].iter().any(|start| text.starts_with(start)) {
            let mut events = Events::new();
            events.push(text.as_bytes(), out)?;
            return events.end(out);
        }
        let mut answer = Answer::new(true);
        answer.take(text, out)?;
        if answer.faulted() {
            return Ok(());
        }
        answer.complete(out)
    }
}
