//! Reads a caller's Messages request. Liberal: what the language has no place for is kept raw and tagged. Members of nested
//! objects that we do not know are kept under their dotted name (`thinking.display`), so that `write` can put them back.

use serde_json::value::RawValue;

use super::{NAME, content, tools};
use crate::fault::Malformed;
use crate::json::Fields;
use crate::request::{Effort, Extra, Message, OutputFormat, Reasoning, ReasoningMode, Request, Role};

/// See [`crate::Dialect::read_request`].
pub(super) fn read(body: &[u8]) -> Result<Request, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Malformed::new(format!(
            "the body is not valid UTF-8 at byte {}; send JSON encoded as UTF-8",
            error.valid_up_to()
        ))
    })?;
    let mut fields = Fields::parse(text, "")?;
    let mut extra = Extra {
        dialect: NAME,
        fields: Vec::new(),
    };
    let mut request = Request {
        model: fields.need_string("model")?,
        include_usage: true,
        ..Request::default()
    };
    request.messages = conversation(&mut fields)?;
    tools::read(&mut fields, &mut request, &mut extra)?;
    request.max_tokens = fields.take_u64("max_tokens")?;
    request.temperature = fields.take_f64("temperature")?;
    request.top_p = fields.take_f64("top_p")?;
    request.top_k = fields.take_u64("top_k")?;
    request.stop = fields.take_as("stop_sequences", "an array of strings")?.unwrap_or_default();
    request.stream = fields.take_bool("stream")?.unwrap_or_default();
    request.service_tier = fields.take_string("service_tier")?;
    if let Some(mut metadata) = fields.take_object("metadata")? {
        request.user = metadata.take_string("user_id")?;
        keep(&mut extra, &metadata);
    }
    let mode = thinking(&mut fields, &mut extra)?;
    let effort = output(&mut fields, &mut request, &mut extra)?;
    if mode.is_some() || effort.is_some() {
        request.reasoning = Some(Reasoning {
            mode: mode.unwrap_or(ReasoningMode::Unsaid),
            effort,
        });
    }
    extra.fields.extend(fields.rest(NAME).fields);
    request.extra = extra;
    Ok(request)
}

/// Keeps what is left of a nested object, by dotted name.
pub(super) fn keep(extra: &mut Extra, nested: &Fields<'_>) {
    for (name, raw) in nested.remaining() {
        if raw.get() != "null" {
            extra.fields.push((nested.path_of(name), raw.to_owned()));
        }
    }
}

fn conversation(fields: &mut Fields<'_>) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    if let Some(system) = fields.take("system") {
        let parts = content::parts(system, "system", content::Place::Message)?;
        if !parts.is_empty() {
            messages.push(Message {
                role: Role::System,
                parts,
                name: None,
                extra: Extra::default(),
            });
        }
    }
    let turns: Option<Vec<&RawValue>> = fields.take_as("messages", "an array")?;
    let Some(turns) = turns else {
        return Err(Malformed::at("messages", "required array is missing"));
    };
    for (index, turn) in turns.into_iter().enumerate() {
        content::turn(turn, &format!("messages[{index}]"), &mut messages)?;
    }
    Ok(messages)
}

/// The way in which reasoning is asked for; forms that we do not know stay raw.
fn thinking(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Option<ReasoningMode>, Malformed> {
    let Some(raw) = fields.take("thinking") else { return Ok(None) };
    let mut thinking = Fields::parse(raw.get(), "thinking")?;
    let mode = match thinking.need_string("type")?.as_str() {
        "enabled" => match thinking.take_u64("budget_tokens")? {
            Some(budget) => ReasoningMode::Budget(budget),
            None => return Err(Malformed::at("thinking.budget_tokens", "required number is missing")),
        },
        "adaptive" => ReasoningMode::Adaptive,
        "disabled" => ReasoningMode::Off,
        _ => {
            extra.fields.push(("thinking".to_owned(), raw.to_owned()));
            return Ok(None);
        }
    };
    keep(extra, &thinking);
    Ok(Some(mode))
}

/// Reads the form of the answer (in its present place and in its old one), and the effort.
fn output(fields: &mut Fields<'_>, request: &mut Request, extra: &mut Extra) -> Result<Option<Effort>, Malformed> {
    if let Some(raw) = fields.take("output_format") {
        request.output = format(raw, "output_format", extra)?;
    }
    let Some(mut config) = fields.take_object("output_config")? else {
        return Ok(None);
    };
    if let Some(raw) = config.take("format") {
        request.output = format(raw, "output_config.format", extra)?;
    }
    let effort = match config.take("effort") {
        None => None,
        Some(raw) => {
            let word: String = serde_json::from_str(raw.get()).map_err(|_| Malformed::at("output_config.effort", "expected a string"))?;
            let effort = Effort::from_name(&word);
            if effort.is_none() {
                extra.fields.push(("output_config.effort".to_owned(), raw.to_owned()));
            }
            effort
        }
    };
    keep(extra, &config);
    Ok(effort)
}

fn format(raw: &RawValue, path: &str, extra: &mut Extra) -> Result<OutputFormat, Malformed> {
    let mut format = Fields::parse(raw.get(), path)?;
    if format.need_string("type")? != "json_schema" {
        extra.fields.push((path.to_owned(), raw.to_owned()));
        return Ok(OutputFormat::Text);
    }
    let Some(schema) = format.take("schema") else {
        return Err(Malformed::at(format.path_of("schema"), "required schema is missing"));
    };
    for (name, raw) in format.remaining().filter(|(_, raw)| raw.get() != "null") {
        extra.fields.push((format!("output_config.format.{name}"), raw.to_owned()));
    }
    Ok(OutputFormat::Schema {
        name: None,
        description: None,
        schema: schema.to_owned(),
        strict: None,
    })
}
