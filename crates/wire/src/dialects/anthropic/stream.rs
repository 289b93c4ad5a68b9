//! Reads a streamed answer (WIRE section 10). It runs beside every stream that passes through, so an ordinary delta is
//! read in one go, with no tree. What follows the terminator or an error is ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{KnownDelta, Reading, foreign};
use super::fault;
use crate::dialects::Decoder;
use crate::event::Event;
use crate::fault::Malformed;
use crate::frame::sse::{self, Splitter};
use crate::json::Fields;

/// The decoder of streams.
#[derive(Debug, Default)]
pub(super) struct StreamDecoder {
    splitter: Splitter,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    reading: Reading,
    over: bool,
}

#[derive(Deserialize)]
struct DeltaEvent {
    index: u32,
    delta: KnownDelta,
}

impl Decoder for StreamDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Self { splitter, state } = self;
        if state.over {
            return Ok(());
        }
        splitter.push(bytes, |event| state.event(event, out))
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let rest = self.splitter.take_rest();
        if self.state.over || rest.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        // The last event may lack its blank line (D1). One that was cut short is no complaint: the answer then has no end.
        let seen = out.len();
        let result = self.state.event(&rest, out);
        if result.is_err() && looks_like_an_event(&rest) {
            out.truncate(seen);
            return Ok(());
        }
        result
    }
}

/// The delta of an event that is written as the provider itself writes it: two lines, and a delta of a kind that we know.
/// Everything else, and everything that is wrong, is for the long way.
fn plain_delta(bytes: &[u8]) -> Option<DeltaEvent> {
    let rest = bytes.strip_prefix(b"event: content_block_delta\ndata: ")?;
    let end = memchr::memchr2(b'\n', b'\r', rest)?;
    let (data, tail) = rest.split_at(end);
    if !tail.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
        return None;
    }
    serde_json::from_str(std::str::from_utf8(data).ok()?).ok()
}

/// Whether bytes begin as an event does, however they go on.
fn looks_like_an_event(bytes: &[u8]) -> bool {
    [&b"event:"[..], b"data:", b":"].iter().any(|start| {
        let common = start.len().min(bytes.len());
        bytes.get(..common) == start.get(..common)
    })
}

impl State {
    fn event(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over {
            return Ok(());
        }
        if let Some(delta) = plain_delta(bytes)
            && self.reading.known_delta(delta.index, delta.delta, out)
        {
            return Ok(());
        }
        let Some(event) = sse::read(bytes)? else { return Ok(()) };
        if event.data.is_empty() || event.name == "ping" || event.data == "[DONE]" {
            return Ok(());
        }
        self.any(event.name, &event.data, out)
    }

    /// An event of any type, which its data names; where that is missing, the event's own name counts.
    fn any(&mut self, name: &str, data: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut fields = Fields::parse(data, "")?;
        let kind = fields.take_string("type")?.unwrap_or_else(|| name.to_owned());
        match kind.as_str() {
            "message_start" => match fields.take_object("message")? {
                Some(message) => self.reading.message(message, out),
                None => Err(Malformed::at("message", "required object is missing")),
            },
            "content_block_start" => {
                let index = index(&mut fields)?;
                self.reading.open_block(index, need(&mut fields, "content_block")?, out)
            }
            "content_block_delta" => {
                let index = index(&mut fields)?;
                self.reading.other_delta(index, need(&mut fields, "delta")?, out)
            }
            "content_block_stop" => {
                self.reading.close(index(&mut fields)?, out);
                Ok(())
            }
            "message_delta" => self.message_delta(fields, out),
            "message_stop" => {
                self.reading.close_all(out);
                out.push(Event::End);
                self.over = true;
                Ok(())
            }
            "ping" => Ok(()),
            "error" => {
                out.push(Event::Fault(Box::new(fault::read_event(data))));
                self.over = true;
                Ok(())
            }
            _ => {
                if fields.remaining().next().is_some() {
                    out.extend(crate::json::raw(data).map(|raw| foreign(None, &kind, raw)));
                }
                Ok(())
            }
        }
    }

    fn message_delta(&mut self, mut fields: Fields<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.reading.close_all(out);
        let usage = fields.take_object("usage")?;
        if let Some(mut delta) = fields.take_object("delta")? {
            let (reason, sequence) = (delta.take_string("stop_reason")?, delta.take_string("stop_sequence")?);
            self.reading.finish(reason, sequence, out);
            self.reading.fields(&delta, "", out);
        }
        self.reading.fields(&fields, "", out);
        self.reading.usage(usage, out);
        Ok(())
    }
}

fn index(fields: &mut Fields<'_>) -> Result<u32, Malformed> {
    fields
        .take_as("index", "a block index")?
        .ok_or_else(|| Malformed::at("index", "required number is missing"))
}

fn need<'a>(fields: &mut Fields<'a>, name: &str) -> Result<&'a RawValue, Malformed> {
    fields.take(name).ok_or_else(|| Malformed::at(name, "required object is missing"))
}
