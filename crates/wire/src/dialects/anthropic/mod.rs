//! Anthropic's Messages API, both sides: as callers speak it to us and as we speak it to providers. Addresses, keys and
//! version headers are the provider's row, not ours.
//!
//! In reading order: `request` and `content` (a caller's request), `write`, `limits`, `tools`, `turns` and `blocks` (a provider's),
//! `answer`, `stream` and `response` (a provider's answer), `summary`, `encode_stream` and `encode_whole` (a caller's), `fault`.
//! Source of the format: Anthropic's OpenAPI document and the traps of WIRE.md, whose names (M1, T3 …) stand in the comments.

use std::borrow::Cow;

use crate::dialects::{Decoder, Dialect, DialectHeaders, Encoder, Operation};
use crate::envelope::Envelope;
use crate::event::AnswerContext;
use crate::fault::{Fault, Malformed};
use crate::loss::Loss;
use crate::patch::Patch;
use crate::request::Request;
use crate::target::Target;

mod answer;
mod base64;
mod blocks;
mod content;
mod counts;
mod encode_stream;
mod encode_whole;
mod envelope;
mod fault;
mod limits;
mod request;
mod response;
mod stream;
mod summary;
mod tools;
mod turns;
mod write;

/// The name in config and records, and the tag of everything that only this dialect knows.
const NAME: &str = "anthropic";

/// Anthropic's Messages API.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anthropic;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn routes(&self) -> &'static [(&'static str, Operation)] {
        &[("/messages", Operation::Chat)]
    }

    fn endpoint(&self, op: Operation) -> &'static str {
        match op {
            Operation::Chat => "/v1/messages",
        }
    }

    fn headers(&self) -> DialectHeaders {
        DialectHeaders {
            version: &["anthropic-version"],
            betas: &["anthropic-beta"],
        }
    }

    fn scan(&self, _op: Operation, body: &[u8]) -> Result<Envelope, Malformed> {
        envelope::scan(body)
    }

    fn patch(&self, _op: Operation, envelope: &Envelope, body: &[u8], target: &Target, loss: &mut Loss) -> Patch {
        envelope::patch(envelope, body, target, loss)
    }

    fn read_request(&self, _op: Operation, body: &[u8]) -> Result<Request, Malformed> {
        request::read(body)
    }

    fn write_request(&self, _op: Operation, request: &Request, target: &Target, loss: &mut Loss) -> Vec<u8> {
        write::write(request, target, loss)
    }

    fn tool_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        tools::tool_name(name)
    }

    fn decoder(&self, _op: Operation, streamed: bool) -> Box<dyn Decoder> {
        if streamed {
            Box::new(stream::StreamDecoder::default())
        } else {
            Box::new(response::WholeDecoder::default())
        }
    }

    fn encoder(&self, _op: Operation, context: AnswerContext) -> Box<dyn Encoder> {
        if context.stream {
            Box::new(encode_stream::StreamEncoder::new(context))
        } else {
            Box::new(encode_whole::WholeEncoder::new(context))
        }
    }

    fn read_fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn write_fault(&self, fault: &Fault, request_id: &str) -> (u16, Vec<u8>) {
        fault::write(fault, request_id)
    }

    fn write_stream_fault(&self, fault: &Fault, request_id: &str) -> Vec<u8> {
        fault::write_stream(fault, request_id)
    }
}

#[cfg(test)]
mod tests;
