//! Reads a caller's request. Liberal: older forms are read as the newer ones, vendors' extensions as what they mean, and
//! what is unknown is kept raw. Messages are read in `message.rs`, tools in `tool.rs`.

use serde_json::value::RawValue;

use super::{NAME, message, thinking, tool};
use crate::fault::Malformed;
use crate::json::{self, Fields, Kind};
use crate::request::{OutputFormat, Request};

/// Reads a request body.
pub(super) fn read(body: &[u8]) -> Result<Request, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::new("the body is not valid UTF-8; send JSON encoded as UTF-8"))?;
    let mut fields = Fields::parse(text, "")?;
    let model = fields.need_string("model")?;
    let Some(messages) = fields.take_as::<Vec<&RawValue>>("messages", "an array")? else {
        return Err(Malformed::at("messages", "required array is missing"));
    };
    let completion = fields.take_u64("max_completion_tokens")?;
    let tools = tool::read_all(&mut fields)?;
    let stream = fields.take_bool("stream")?.unwrap_or(false);
    let mut request = Request {
        model,
        messages: message::read_all(&messages)?,
        tools,
        tool_choice: tool::read_choice(&mut fields)?,
        parallel_tool_calls: fields.take_bool("parallel_tool_calls")?,
        output: OutputFormat::Text,
        max_tokens: completion.or(fields.take_u64("max_tokens")?),
        temperature: fields.take_f64("temperature")?,
        top_p: fields.take_f64("top_p")?,
        top_k: fields.take_u64("top_k")?,
        stop: stop(&mut fields)?,
        n: answers(&mut fields)?,
        stream,
        include_usage: include_usage(&mut fields)?,
        reasoning: None,
        user: fields.take_string("user")?,
        service_tier: fields.take_string("service_tier")?,
        extra: crate::request::Extra::default(),
    };
    let mut kept = Vec::new();
    request.reasoning = thinking::read(&mut fields, &mut kept)?;
    request.output = output(&mut fields, &mut kept)?;
    request.extra = fields.rest(NAME);
    request.extra.fields.extend(kept);
    Ok(request)
}

/// A field that is kept although it was looked at.
pub(super) type Kept = Vec<(String, Box<RawValue>)>;

fn answers(fields: &mut Fields<'_>) -> Result<Option<u32>, Malformed> {
    let n = fields.take_u64("n")?;
    n.map(|n| u32::try_from(n).map_err(|_| Malformed::at("n", "too many answers")))
        .transpose()
}

/// A string, an array of strings, or nothing.
fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, Malformed> {
    let Some(raw) = fields.take("stop") else { return Ok(Vec::new()) };
    let wrong = |_| Malformed::at("stop", "expected a string or an array of strings");
    if json::kind(raw) == Kind::String {
        return serde_json::from_str(raw.get()).map(|text| vec![text]).map_err(wrong);
    }
    serde_json::from_str(raw.get()).map_err(wrong)
}

/// Of the stream's options only this one means anything to another dialect: the rest is padding against traffic analysis.
fn include_usage(fields: &mut Fields<'_>) -> Result<bool, Malformed> {
    let Some(mut options) = fields.take_object("stream_options")? else {
        return Ok(false);
    };
    Ok(options.take_bool("include_usage")?.unwrap_or(false))
}

/// The form of the answer. Forms that we do not know (a vendor's grammars) stay as they are.
fn output(fields: &mut Fields<'_>, kept: &mut Kept) -> Result<OutputFormat, Malformed> {
    const FIELD: &str = "response_format";
    let Some(raw) = fields.take(FIELD) else {
        return Ok(OutputFormat::Text);
    };
    let mut format = Fields::parse(raw.get(), FIELD)?;
    let schema = format.take_object("json_schema")?;
    let kind = format.take_string("type")?;
    match (kind.as_deref(), schema) {
        (Some("text"), _) => return Ok(OutputFormat::Text),
        (Some("json_object"), None) => return Ok(OutputFormat::Json),
        (Some("json_schema" | "json_object") | None, Some(mut outer)) => {
            if let Some(schema) = outer.take("schema").filter(|raw| json::kind(raw) == Kind::Object) {
                return Ok(OutputFormat::Schema {
                    name: outer.take_string("name")?,
                    description: outer.take_string("description")?,
                    strict: outer.take_bool("strict")?,
                    schema: schema.to_owned(),
                });
            }
        }
        (Some("json_schema"), None) => return Err(Malformed::at("response_format.json_schema", "required object is missing")),
        _ => {}
    }
    kept.push((FIELD.to_owned(), raw.to_owned()));
    Ok(OutputFormat::Text)
}
