//! OpenAI Chat Completions, as OpenAI and the many vendors that are compatible with it speak it; both sides. What differs
//! by vendor comes as data (`target::Quirks`), or is read liberally: no vendor is asked for by name.

use std::borrow::Cow;

use super::{Decoder, Dialect, Encoder, Operation, read_whole};
use crate::envelope::Envelope;
use crate::event::{AnswerContext, Event};
use crate::fault::{Fault, Malformed};
use crate::loss::Loss;
use crate::patch::Patch;
use crate::request::Request;
use crate::target::Target;

mod answer;
mod calls;
mod chunk;
mod encode;
mod fault;
mod finish;
mod fit;
mod glance;
mod history;
mod loose;
mod message;
mod part;
mod pass;
mod reasoning;
mod repeat;
mod request;
mod response;
mod speaker;
mod stream;
mod thinking;
mod tool;
mod turn;
mod usage;
mod wording;
mod write;

/// The dialect's name: in config, in records, and as the tag of what only it knows.
const NAME: &str = "openai_chat";

/// OpenAI Chat Completions.
#[derive(Debug)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn routes(&self) -> &'static [(&'static str, Operation)] {
        &[("/chat/completions", Operation::Chat)]
    }

    fn endpoint(&self, op: Operation) -> &'static str {
        match op {
            Operation::Chat => "/chat/completions",
        }
    }

    fn scan(&self, _: Operation, body: &[u8]) -> Result<Envelope, Malformed> {
        pass::scan(body)
    }

    fn patch(&self, _: Operation, envelope: &Envelope, body: &[u8], target: &Target, loss: &mut Loss) -> Patch {
        pass::patch(envelope, body, target, loss)
    }

    fn read_request(&self, _: Operation, body: &[u8]) -> Result<Request, Malformed> {
        request::read(body)
    }

    fn write_request(&self, _: Operation, request: &Request, target: &Target, loss: &mut Loss) -> Vec<u8> {
        write::write(request, target, loss)
    }

    fn tool_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        tool::name(name)
    }

    fn decoder(&self, _: Operation, streamed: bool) -> Box<dyn Decoder> {
        if streamed {
            Box::new(stream::Stream::new())
        } else {
            Box::new(response::Whole::new())
        }
    }

    fn look(&self, op: Operation, body: &[u8], out: &mut Vec<Event>) -> Result<(), Malformed> {
        if glance::look(body, out) {
            return Ok(());
        }
        read_whole(self, op, body, out)
    }

    fn encoder(&self, _: Operation, context: AnswerContext) -> Box<dyn Encoder> {
        encode::encoder(&context)
    }

    fn read_fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn write_fault(&self, fault: &Fault, request_id: &str) -> (u16, Vec<u8>) {
        fault::write(fault, request_id)
    }

    fn write_stream_fault(&self, fault: &Fault, request_id: &str) -> Vec<u8> {
        fault::write_in_stream(fault, request_id)
    }
}

#[cfg(test)]
mod tests;
