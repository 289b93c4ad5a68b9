//! A provider's streamed answer: events of `data:` lines, ended by `[DONE]`, cut anywhere. A JSON document where a stream
//! was asked for is read as the whole answer that it is.

use super::answer::Answer;
use super::response::Whole;
use crate::dialects::Decoder;
use crate::event::Event;
use crate::fault::Malformed;
use crate::frame::sse::{self, Splitter};

/// Reads a stream.
#[derive(Debug)]
pub(super) struct Stream {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Nothing but white space so far.
    Unseen,
    Events(Events),
    /// A JSON document.
    Whole(Whole),
}

impl Stream {
    pub(super) fn new() -> Self {
        Self { form: Form::Unseen }
    }
}

impl Decoder for Stream {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut bytes = bytes;
        if let Form::Unseen = self.form {
            bytes = bytes.trim_ascii_start();
            match bytes.first() {
                None => return Ok(()),
                Some(b'{' | b'[') => self.form = Form::Whole(Whole::new()),
                Some(_) => self.form = Form::Events(Events::new()),
            }
        }
        match &mut self.form {
            Form::Unseen => Ok(()),
            Form::Events(events) => events.push(bytes, out),
            Form::Whole(whole) => whole.push(bytes, out),
        }
    }

    fn event(&mut self, event: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        match &mut self.form {
            Form::Events(events) => read(event, &mut events.answer, &mut events.over, out),
            _ => self.push(event, out),
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        match &mut self.form {
            Form::Unseen => Ok(()),
            Form::Events(events) => events.end(out),
            Form::Whole(whole) => whole.end(out),
        }
    }
}

/// Server-sent events of chunks.
#[derive(Debug)]
pub(super) struct Events {
    splitter: Splitter,
    answer: Answer,
    /// The terminator or a fault was seen: what follows is ignored.
    over: bool,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            splitter: Splitter::default(),
            answer: Answer::new(false),
            over: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over {
            return Ok(());
        }
        let Self { splitter, answer, over } = self;
        splitter.push(bytes, |event| read(event, answer, over, out))
    }

    pub(super) fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let rest = self.splitter.take_rest();
        if rest.is_empty() || self.over {
            return Ok(());
        }
        let mut found = Vec::new();
        match read(&rest, &mut self.answer, &mut self.over, &mut found) {
            Ok(()) => out.append(&mut found),
            // A last line without its end that makes no sense was cut: the missing terminator tells.
            Err(_) if !rest.ends_with(b"\n") && !rest.ends_with(b"\r") => {}
            Err(malformed) => return Err(malformed),
        }
        Ok(())
    }
}

fn read(event: &[u8], answer: &mut Answer, over: &mut bool, out: &mut Vec<Event>) -> Result<(), Malformed> {
    if *over {
        return Ok(());
    }
    if let Some(data) = only_data(event) {
        return take(data, answer, over, out);
    }
    let Some(event) = sse::read(event)? else { return Ok(()) };
    if event.name == "error" {
        answer.fault(&event.data, out);
        *over = true;
        return Ok(());
    }
    take(&event.data, answer, over, out)
}

/// The data of an ordinary event, which is one line of it; nearly all of them are.
fn only_data(event: &[u8]) -> Option<&str> {
    let line = event.strip_prefix(b"data:")?.trim_ascii();
    if memchr::memchr2(b'\n', b'\r', line).is_some() {
        return None;
    }
    std::str::from_utf8(line).ok()
}

fn take(data: &str, answer: &mut Answer, over: &mut bool, out: &mut Vec<Event>) -> Result<(), Malformed> {
    let data = data.trim();
    if data.is_empty() {
        return Ok(());
    }
    if data == "[DONE]" {
        *over = true;
        return answer.complete(out);
    }
    answer.take(data, out)?;
    *over = answer.faulted();
    Ok(())
}
