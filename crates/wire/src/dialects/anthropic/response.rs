//! Reads a whole answer: its events at once, when it has ended.

use super::answer::Reading;
use super::fault;
use crate::dialects::Decoder;
use crate::event::Event;
use crate::fault::Malformed;
use crate::json::Fields;

/// The longest whole answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The decoder of whole answers.
#[derive(Debug, Default)]
pub(super) struct WholeDecoder {
    held: Vec<u8>,
}

impl Decoder for WholeDecoder {
    fn push(&mut self, bytes: &[u8], _out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.held.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(Malformed::new("the answer is longer than 64 MiB"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let held = std::mem::take(&mut self.held);
        let text = std::str::from_utf8(&held).map_err(|_| Malformed::new("the answer is not valid UTF-8"))?;
        read(text, out)
    }
}

fn read(text: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
    let mut message = Fields::parse(text, "")?;
    let has = |name: &str| message.remaining().any(|(key, raw)| key == name && raw.get() != "null");
    if has("error") && !has("content") {
        out.push(Event::Fault(Box::new(fault::read_event(text))));
        return Ok(());
    }
    // An empty list is an answer (a refusal, say); none at all is not (F2, F16).
    if !has("content") {
        return Err(Malformed::at("content", "the answer has no content"));
    }
    let mut reading = Reading::default();
    let usage = message.take_object("usage")?;
    let (reason, sequence) = (message.take_string("stop_reason")?, message.take_string("stop_sequence")?);
    reading.message(message, out)?;
    reading.finish(reason, sequence, out);
    reading.usage(usage, out);
    out.push(Event::End);
    Ok(())
}
