//! Reads the messages of a request. The parts of their content are read in `part.rs`.

use serde_json::value::RawValue;

use super::history::History;
use super::{NAME, part, reasoning};
use crate::fault::Malformed;
use crate::json::{self, Fields, Kind};
use crate::request::{Body, Foreign, Message, Part, Role, Thought, ToolCall, ToolResult};

/// Reads all messages.
pub(super) fn read_all(messages: &[&RawValue]) -> Result<Vec<Message>, Malformed> {
    let mut history = History::default();
    messages.iter().enumerate().map(|(at, raw)| read(raw, at, &mut history)).collect()
}

fn read(raw: &RawValue, at: usize, history: &mut History) -> Result<Message, Malformed> {
    let mut fields = Fields::parse(raw.get(), format!("messages[{at}]"))?;
    let word = fields.need_string("role")?;
    let role = match word.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => {
            let roles = "expected system, developer, user, assistant or tool";
            return Err(Malformed::at(fields.path_of("role"), format!("unknown role {word:?}; {roles}")));
        }
    };
    let mut parts = Vec::new();
    let mut rest = Vec::new();
    let name = fields.take_string("name")?;
    match role {
        Role::Assistant => assistant(&mut fields, at, history, &mut parts, &mut rest)?,
        Role::Tool => {
            let id = fields.take_string("tool_call_id")?;
            let mut content = Vec::new();
            part::read_content(&mut fields, &mut content)?;
            let id = history.result(id, name.as_deref(), at);
            parts.push(Part::new(Body::ToolResult(ToolResult {
                id,
                content,
                is_error: false,
            })));
        }
        Role::System | Role::Developer | Role::User => part::read_content(&mut fields, &mut parts)?,
    }
    // A mark on the message stands behind its last part (OpenRouter, LiteLLM).
    if let Some(mark) = fields.take("cache_control")
        && let Some(last) = parts.last_mut()
    {
        last.cache.get_or_insert_with(|| mark.to_owned());
    }
    let mut extra = fields.rest(NAME);
    extra.fields.extend(rest);
    Ok(Message { role, parts, name, extra })
}

fn assistant(
    fields: &mut Fields<'_>,
    at: usize,
    history: &mut History,
    parts: &mut Vec<Part>,
    rest: &mut Vec<(String, Box<RawValue>)>,
) -> Result<(), Malformed> {
    thoughts(fields, parts, rest)?;
    part::read_content(fields, parts)?;
    if let Some(refusal) = fields.take_string("refusal")? {
        parts.push(Part::new(Body::Refusal(refusal)));
    }
    let path = fields.path_of("tool_calls");
    for (index, raw) in fields.take_array("tool_calls")?.into_iter().enumerate() {
        parts.push(call(raw, &format!("{path}[{index}]"), history, (at, index))?);
    }
    if let Some(mut function) = fields.take_object("function_call")? {
        let name = function.need_string("name")?;
        let arguments = arguments(&mut function);
        let id = history.call(None, &name, at, 0);
        parts.push(Part::new(Body::ToolCall(ToolCall { id, name, arguments })));
    }
    Ok(())
}

fn call(raw: &RawValue, path: &str, history: &mut History, (message, at): (usize, usize)) -> Result<Part, Malformed> {
    let mut fields = Fields::parse(raw.get(), path)?;
    let kind = fields.take_string("type")?;
    let function = fields.take_object("function")?;
    let (Some(mut function), None | Some("function" | "")) = (function, kind.as_deref()) else {
        let Some(kind) = kind.filter(|kind| kind != "function") else {
            return Err(Malformed::at(fields.path_of("function"), "required object is missing"));
        };
        return Ok(Part::new(Body::Foreign(Foreign {
            dialect: NAME,
            kind,
            raw: raw.to_owned(),
        })));
    };
    let name = function.need_string("name")?;
    let arguments = arguments(&mut function);
    let id = history.call(fields.take_string("id")?, &name, message, at);
    // Echoed from a stream.
    let _ = fields.take("index");
    let mut part = Part::new(Body::ToolCall(ToolCall { id, name, arguments }));
    part.cache = fields.take("cache_control").map(ToOwned::to_owned);
    part.extra = fields.rest(NAME);
    Ok(part)
}

/// The arguments' JSON text: a string of it, or (some clients) the object itself.
fn arguments(function: &mut Fields<'_>) -> String {
    match function.take("arguments") {
        Some(raw) if json::kind(raw) == Kind::String => serde_json::from_str(raw.get()).unwrap_or_default(),
        Some(raw) => raw.get().to_owned(),
        None => String::new(),
    }
}

/// Reasoning that is sent back. Entries repeat the plain text: it counts only where no entry holds text.
fn thoughts(fields: &mut Fields<'_>, parts: &mut Vec<Part>, rest: &mut Vec<(String, Box<RawValue>)>) -> Result<(), Malformed> {
    let plain = match (plain(fields, "reasoning_content", rest)?, plain(fields, "reasoning", rest)?) {
        (Some(text), _) | (None, Some(text)) => Some(text).filter(|text| !text.is_empty()),
        (None, None) => None,
    };
    let mut thoughts: Vec<Thought> = Vec::new();
    let mut raws = Vec::new();
    let mut told = false;
    for raw in fields.take_array(reasoning::DETAILS)? {
        let Some(detail) = reasoning::read(raw) else { continue };
        raws.extend(detail.rest);
        told |= detail.text.is_some();
        if detail.text.is_some() || detail.signature.is_some() {
            // A seal without a text field belongs to the plain text.
            let text = detail.text.or_else(|| plain.clone().filter(|_| !told)).unwrap_or_default();
            if !text.is_empty() || detail.signature.is_some() {
                thoughts.push(Thought {
                    text,
                    signature: detail.signature,
                    redacted: None,
                });
                told = true;
            }
        }
        if detail.redacted.is_some() {
            thoughts.push(Thought {
                text: String::new(),
                signature: None,
                redacted: detail.redacted,
            });
        }
    }
    if let Some(text) = plain.filter(|_| !told) {
        thoughts.insert(
            0,
            Thought {
                text,
                signature: None,
                redacted: None,
            },
        );
    }
    parts.extend(thoughts.into_iter().map(|thought| Part::new(Body::Reasoning(thought))));
    if let Some(kept) = array(&raws) {
        rest.push((reasoning::DETAILS.to_owned(), kept));
    }
    Ok(())
}

/// A plain reasoning field; one that is no string is kept.
fn plain(fields: &mut Fields<'_>, name: &str, rest: &mut Vec<(String, Box<RawValue>)>) -> Result<Option<String>, Malformed> {
    let Some(raw) = fields.take(name) else { return Ok(None) };
    if json::kind(raw) == Kind::String {
        return serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| Malformed::at(fields.path_of(name), "expected a string"));
    }
    rest.push((name.to_owned(), raw.to_owned()));
    Ok(None)
}

fn array(raws: &[Box<RawValue>]) -> Option<Box<RawValue>> {
    let elements: Vec<&str> = raws.iter().map(|raw| raw.get()).collect();
    (!elements.is_empty())
        .then(|| json::raw(&format!("[{}]", elements.join(","))))
        .flatten()
}
