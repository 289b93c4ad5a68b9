//! Reads the turns and content blocks of a caller's request. A block that the language cannot hold whole, or that we do not
//! know, stays raw.

use serde_json::value::RawValue;

use super::NAME;
use crate::fault::Malformed;
use crate::json::{Fields, Kind, kind};
use crate::request::{Body, Extra, Foreign, Media, MediaSource, Message, Opaque, Part, Role, Thought, ToolCall, ToolResult};

/// Where blocks stand. A tool result holds no further one: a nested one stays raw, so that depth is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a turn.
    Message,
    /// In a tool result.
    Result,
}

/// Reads one turn. A user turn with tool results becomes two messages, the results first (T3).
pub(super) fn turn(raw: &RawValue, path: &str, out: &mut Vec<Message>) -> Result<(), Malformed> {
    let mut fields = Fields::parse(raw.get(), path)?;
    let role = fields.need_string("role")?;
    let content_path = fields.path_of("content");
    let Some(content) = fields.take("content") else {
        return Err(Malformed::at(content_path, "required content is missing"));
    };
    let role = match role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(Malformed::at(fields.path_of("role"), "expected user, assistant or system")),
    };
    let parts = parts(content, &content_path, Place::Message)?;
    let mut extra = fields.rest(NAME);
    let (results, others): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| role == Role::User && matches!(part.body, Body::ToolResult(_)));
    let only_results = !results.is_empty() && others.is_empty();
    if !results.is_empty() {
        out.push(Message {
            role: Role::Tool,
            parts: results,
            name: None,
            extra: std::mem::take(&mut extra),
        });
    }
    if !only_results {
        out.push(Message {
            role,
            parts: others,
            name: None,
            extra,
        });
    }
    Ok(())
}

/// Reads content: a string, or an array of blocks.
pub(super) fn parts(raw: &RawValue, path: &str, place: Place) -> Result<Vec<Part>, Malformed> {
    match kind(raw) {
        Kind::String => {
            let text: String = serde_json::from_str(raw.get()).map_err(|_| Malformed::at(path, "expected a string"))?;
            Ok(vec![Part::text(text)])
        }
        Kind::Array => {
            let blocks: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| Malformed::at(path, "expected an array"))?;
            blocks
                .into_iter()
                .enumerate()
                .map(|(index, block)| part(block, &format!("{path}[{index}]"), place))
                .collect()
        }
        _ => Err(Malformed::at(path, "expected a string or an array of content blocks")),
    }
}

fn part(raw: &RawValue, path: &str, place: Place) -> Result<Part, Malformed> {
    let mut fields = Fields::parse(raw.get(), path)?;
    let kind = fields.need_string("type")?;
    let body = match kind.as_str() {
        "text" => Some(Body::Text(fields.need_string("text")?)),
        "image" => media(&mut fields)?.map(Body::Image),
        "document" => media(&mut fields)?.map(Body::Document),
        "tool_use" => Some(Body::ToolCall(tool_call(&mut fields)?)),
        "tool_result" if place == Place::Message => Some(Body::ToolResult(tool_result(&mut fields)?)),
        "thinking" => Some(Body::Reasoning(thought(&mut fields)?)),
        "redacted_thinking" => Some(Body::Reasoning(redacted(&mut fields)?)),
        _ => None,
    };
    // Answers name the usual caller of a tool, and clients send it back.
    if fields.remaining().any(|(name, raw)| name == "caller" && is_direct(raw)) {
        fields.take("caller");
    }
    Ok(match body {
        Some(body) => Part {
            body,
            cache: fields.take("cache_control").map(ToOwned::to_owned),
            extra: fields.rest(NAME),
        },
        None => Part::new(Body::Foreign(Foreign {
            dialect: NAME,
            kind,
            raw: raw.to_owned(),
        })),
    })
}

/// The medium, or `None` for a source that only this dialect knows (such as a document made of blocks).
fn media(fields: &mut Fields<'_>) -> Result<Option<Media>, Malformed> {
    let path = fields.path_of("source");
    let Some(mut source) = fields.take_object("source")? else {
        return Err(Malformed::at(path, "required object is missing"));
    };
    let found = match source.need_string("type")?.as_str() {
        "base64" => MediaSource::Base64 {
            media_type: source.need_string("media_type")?,
            data: source.need_string("data")?,
        },
        "url" => MediaSource::Url(source.need_string("url")?),
        "text" => MediaSource::Text {
            media_type: source.need_string("media_type")?,
            text: source.need_string("data")?,
        },
        "file" => MediaSource::File(opaque(source.need_string("file_id")?)),
        _ => return Ok(None),
    };
    if !source.rest(NAME).fields.is_empty() {
        return Ok(None);
    }
    Ok(Some(Media {
        source: found,
        name: fields.take_string("title")?,
    }))
}

fn tool_call(fields: &mut Fields<'_>) -> Result<ToolCall, Malformed> {
    Ok(ToolCall {
        id: fields.need_string("id")?,
        name: fields.need_string("name")?,
        arguments: fields.take("input").map_or("{}", RawValue::get).to_owned(),
    })
}

/// Whether a `caller` is the model itself, as it is where nothing is said.
pub(super) fn is_direct(caller: &RawValue) -> bool {
    Fields::parse(caller.get(), "")
        .is_ok_and(|mut caller| caller.take("type").is_some_and(|kind| kind.get() == "\"direct\"") && caller.remaining().next().is_none())
}

fn tool_result(fields: &mut Fields<'_>) -> Result<ToolResult, Malformed> {
    let path = fields.path_of("content");
    let content = match fields.take("content") {
        // "" and absence both say nothing.
        None => Vec::new(),
        Some(raw) if raw.get() == "\"\"" => Vec::new(),
        Some(raw) => parts(raw, &path, Place::Result)?,
    };
    Ok(ToolResult {
        id: fields.need_string("tool_use_id")?,
        content,
        is_error: fields.take_bool("is_error")?.unwrap_or_default(),
    })
}

fn thought(fields: &mut Fields<'_>) -> Result<Thought, Malformed> {
    Ok(Thought {
        text: fields.need_string("thinking")?,
        signature: fields.take_string("signature")?.filter(|seal| !seal.is_empty()).map(opaque),
        redacted: None,
    })
}

fn redacted(fields: &mut Fields<'_>) -> Result<Thought, Malformed> {
    Ok(Thought {
        text: String::new(),
        signature: None,
        redacted: Some(opaque(fields.need_string("data")?)),
    })
}

fn opaque(data: String) -> Opaque {
    Opaque { dialect: NAME, data }
}

/// The fields of ours that are kept raw, below `prefix` (empty: top level).
pub(super) fn kept<'r>(extra: &'r Extra, prefix: &str) -> impl Iterator<Item = (&'r str, &'r RawValue)> {
    extra
        .fields
        .iter()
        .filter(|_| extra.dialect == NAME)
        .filter_map(move |(name, raw)| {
            let (parent, own) = name
                .rsplit_once('.')
                .filter(|(parent, _)| NESTED.contains(parent))
                .unwrap_or(("", name));
            (parent == prefix).then_some((own, &**raw))
        })
}

/// The objects whose unknown members are kept by dotted name.
const NESTED: &[&str] = &["metadata", "output_config", "output_config.format", "thinking", "tool_choice"];
