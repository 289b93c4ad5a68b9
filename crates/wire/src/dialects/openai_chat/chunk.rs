//! One chunk of a stream, or one whole answer, as borrowed pieces: a single typed pass, no tree. What is known is liberal
//! about its type; what is unknown stays raw. Gives no meaning to anything: that is `answer.rs`.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::loose::{Content, Count, Fill, List, Raw, Shape, Word};

/// Names and raw values of fields that we do not know, without nulls.
pub(super) type Unknown<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// A `chat.completion.chunk` or a `chat.completion`.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub(super) id: Word<'a>,
    pub(super) model: Word<'a>,
    pub(super) created: Count,
    pub(super) choices: List<Choice<'a>>,
    pub(super) usage: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) groq: Option<&'a RawValue>,
    /// Against traffic analysis (OpenAI, Mistral); it means nothing behind another encoder.
    pub(super) padding: Word<'a>,
    pub(super) unknown: Unknown<'a>,
}

/// One of its choices.
#[derive(Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) index: Count,
    pub(super) delta: Message<'a>,
    pub(super) has_delta: bool,
    pub(super) message: Message<'a>,
    pub(super) has_message: bool,
    pub(super) finish: Word<'a>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) stop: Word<'a>,
    pub(super) unknown: Unknown<'a>,
}

/// A `delta` or a `message`.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) content: Content<'a>,
    pub(super) refusal: Word<'a>,
    pub(super) reasoning_content: Word<'a>,
    pub(super) reasoning: Word<'a>,
    pub(super) details: List<Raw<'a>>,
    pub(super) calls: List<Raw<'a>>,
    pub(super) function: Function<'a>,
    pub(super) has_function: bool,
    pub(super) unknown: Unknown<'a>,
}

/// One entry of `tool_calls`.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) index: Count,
    pub(super) id: Word<'a>,
    pub(super) kind: Word<'a>,
    pub(super) function: Function<'a>,
    pub(super) has_function: bool,
    pub(super) custom: Option<&'a RawValue>,
}

/// The `function` of a call.
#[derive(Debug, Default)]
pub(super) struct Function<'a> {
    pub(super) name: Word<'a>,
    pub(super) arguments: Option<&'a RawValue>,
}

fn present<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Option<&'a RawValue>, A::Error> {
    let raw: &'a RawValue = map.next_value()?;
    Ok((raw.get() != "null").then_some(raw))
}

fn keep<'a, A: MapAccess<'a>>(unknown: &mut Unknown<'a>, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
    // An empty list (`annotations: []`) says as little as a null.
    if let Some(raw) = present(map)?.filter(|raw| raw.get() != "[]") {
        unknown.push((key, raw));
    }
    Ok(())
}

fn skip<'a, A: MapAccess<'a>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

impl<'a> Shape<'a> for Chunk<'a> {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "created" => self.created = map.next_value()?,
            "choices" => self.choices = map.next_value()?,
            "usage" => self.usage = present(map)?,
            "error" => self.error = present(map)?,
            "x_groq" => self.groq = present(map)?,
            "obfuscation" | "p" => self.padding = map.next_value()?,
            "object" => skip(map)?,
            _ => keep(&mut self.unknown, key, map)?,
        }
        Ok(())
    }
}

impl<'a> Shape<'a> for Choice<'a> {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "index" => self.index = map.next_value()?,
            "delta" => self.has_delta = map.next_value_seed(Fill(&mut self.delta))?,
            "message" => self.has_message = map.next_value_seed(Fill(&mut self.message))?,
            "finish_reason" => self.finish = map.next_value()?,
            "error" => self.error = present(map)?,
            "stop_reason" => self.stop = map.next_value()?,
            _ => keep(&mut self.unknown, key, map)?,
        }
        Ok(())
    }
}

impl<'a> Shape<'a> for Message<'a> {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "content" => self.content = map.next_value()?,
            "refusal" => self.refusal = map.next_value()?,
            "reasoning_content" => self.reasoning_content = map.next_value()?,
            "reasoning" => self.reasoning = map.next_value()?,
            "reasoning_details" => self.details = map.next_value()?,
            "tool_calls" => self.calls = map.next_value()?,
            "function_call" => self.has_function = map.next_value_seed(Fill(&mut self.function))?,
            "role" => skip(map)?,
            _ => keep(&mut self.unknown, key, map)?,
        }
        Ok(())
    }
}

impl<'a> Shape<'a> for Call<'a> {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "index" => self.index = map.next_value()?,
            "id" => self.id = map.next_value()?,
            "type" => self.kind = map.next_value()?,
            "function" => self.has_function = map.next_value_seed(Fill(&mut self.function))?,
            "custom" => self.custom = present(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Shape<'a> for Function<'a> {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "name" => self.name = map.next_value()?,
            "arguments" => self.arguments = present(map)?,
            _ => skip(map)?,
        }
        Ok(())
    }
}
