//! Reads and checks the parameters of a Messages request, with the vendor's own words for what is wrong.
//! Messages are read in `messages.rs`. Not checked: which parameters a particular model supports.

use serde_json::Value;

use super::messages;
use crate::{
    dialects::{
        Refusal,
        json::{count_members, items, member, text},
    },
    question::{Format, Question, Tool, ToolChoice},
    text::input_token_count,
};

/// The members of CreateMessageParams and its beta form in the OpenAPI document, and what newer betas add.
const PARAMETERS: [&str; 25] = [
    "betas",
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "fallbacks",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// The vendor's bound on cache breakpoints.
const CACHE_MARKS_MAX: usize = 4;
/// A prefix shorter than this is not cached by the vendor.
const CACHEABLE_TOKENS_MIN: u64 = 1024;
/// The least budget for thinking.
const THINKING_TOKENS_MIN: u64 = 1024;

/// Reads a request; one that is only counted needs no `max_tokens`.
pub(super) fn read(body: &Value, strict: bool, generate: bool) -> Result<Question, Refusal> {
    let Some(members) = body.as_object() else {
        return Err(Refusal::bad("body: Input should be a valid dictionary"));
    };
    if let Some(unknown) = members.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(Refusal::bad(format!("{unknown}: Extra inputs are not permitted")));
    }
    let model = text(body, "model").ok_or_else(|| Refusal::bad("model: Field required"))?;
    // A message has one answer, and a stream always reports its usage.
    let mut question = Question {
        model: model.to_owned(),
        parallel: true,
        choices: 1,
        include_usage: true,
        ..Question::default()
    };
    if generate {
        question.max_tokens = Some(max_tokens(body)?);
    }
    question.stream = match member(body, "stream") {
        None => false,
        Some(flag) => flag
            .as_bool()
            .ok_or_else(|| Refusal::bad("stream: Input should be a valid boolean"))?,
    };
    sampling(body, strict)?;
    question.stop = stop(body)?;
    question.tools = tools(body)?;
    tool_choice(body, &mut question)?;
    thinking(body, &mut question)?;
    question.format = format(body)?;
    question.input_tokens += system(body)?;
    messages::read(body, strict, &mut question)?;
    cache(body, &mut question)?;
    Ok(question)
}

fn max_tokens(body: &Value) -> Result<u64, Refusal> {
    let Some(value) = body.get("max_tokens") else {
        return Err(Refusal::bad("max_tokens: Field required"));
    };
    match value.as_i64() {
        Some(tokens) if tokens < 0 => Err(Refusal::bad("max_tokens: Input should be greater than or equal to 0")),
        Some(tokens) => Ok(u64::try_from(tokens).unwrap_or(0)),
        None => Err(Refusal::bad("max_tokens: Input should be a valid integer")),
    }
}

fn sampling(body: &Value, strict: bool) -> Result<(), Refusal> {
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = member(body, name) else { continue };
        if strict {
            return Err(Refusal::bad(format!("`{name}` is not supported in this API version.")));
        }
        let Some(number) = value.as_f64() else {
            return Err(Refusal::bad(format!("{name}: Input should be a valid number")));
        };
        if number < 0.0 {
            return Err(Refusal::bad(format!("{name}: Input should be greater than or equal to 0")));
        }
        if name != "top_k" && 1.0 < number {
            return Err(Refusal::bad(format!("{name}: range: 0..1")));
        }
    }
    Ok(())
}

fn stop(body: &Value) -> Result<Vec<String>, Refusal> {
    let Some(stops) = member(body, "stop_sequences") else {
        return Ok(Vec::new());
    };
    let Some(stops) = stops.as_array() else {
        return Err(Refusal::bad("stop_sequences: Input should be a valid list"));
    };
    stops
        .iter()
        .enumerate()
        .map(|(at, stop)| match stop.as_str() {
            None => Err(Refusal::bad(format!("stop_sequences.{at}: Input should be a valid string"))),
            Some(stop) if stop.trim().is_empty() => Err(Refusal::bad("stop_sequences: each stop sequence must contain non-whitespace")),
            Some(stop) => Ok(stop.to_owned()),
        })
        .collect()
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refusal> {
    let mut tools = Vec::new();
    for (at, tool) in items(body, "tools").iter().enumerate() {
        // A typed tool (`web_search_20250305`, …) is the vendor's own and has no schema.
        let kind = text(tool, "type").unwrap_or("custom");
        let path = format!("tools.{at}.{kind}");
        let Some(name) = text(tool, "name") else {
            return Err(Refusal::bad(format!("{path}.name: Field required")));
        };
        messages::check_pattern(name, 128, &format!("{path}.name"), "^[a-zA-Z0-9_-]{1,128}$")?;
        if tools.iter().any(|known: &Tool| known.name == name) {
            return Err(Refusal::bad("tools: Tool names must be unique."));
        }
        if kind != "custom" {
            continue;
        }
        let Some(schema) = tool.get("input_schema") else {
            return Err(Refusal::bad(format!("{path}.input_schema: Field required")));
        };
        match text(schema, "type") {
            Some("object") => {}
            Some(_) => return Err(Refusal::bad(format!("{path}.input_schema.type: Input should be 'object'"))),
            None => return Err(Refusal::bad(format!("{path}.input_schema.type: Field required"))),
        }
        tools.push(Tool {
            name: name.to_owned(),
            schema: schema.clone(),
        });
    }
    Ok(tools)
}

fn tool_choice(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let Some(choice) = member(body, "tool_choice") else { return Ok(()) };
    if items(body, "tools").is_empty() {
        return Err(Refusal::bad(
            "tool_choice: tool_choice may only be specified while providing tools.",
        ));
    }
    question.tool_choice = match (text(choice, "type"), text(choice, "name")) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("any"), _) => ToolChoice::Required,
        (Some("none"), _) => ToolChoice::None,
        (Some("tool"), Some(name)) if question.tools.iter().any(|tool| tool.name == name) => ToolChoice::Named(name.to_owned()),
        (Some("tool"), Some(name)) => {
            return Err(Refusal::bad(format!("Tool '{name}' not found in provided tools")));
        }
        (Some("tool"), None) => return Err(Refusal::bad("tool_choice.tool.name: Field required")),
        (Some(other), _) => {
            let message = format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"
            );
            return Err(Refusal::bad(message));
        }
        (None, _) => return Err(Refusal::bad("tool_choice.type: Field required")),
    };
    question.parallel = !choice.get("disable_parallel_tool_use").and_then(Value::as_bool).unwrap_or(false);
    Ok(())
}

fn thinking(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let Some(thinking) = member(body, "thinking") else { return Ok(()) };
    match text(thinking, "type") {
        Some("disabled") => {
            question.thinking_disabled = true;
            return Ok(());
        }
        // Adaptive thinking goes with every tool choice (recorded so).
        Some("adaptive") => return Ok(()),
        Some("enabled") => {
            let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_u64) else {
                return Err(Refusal::bad("thinking.enabled.budget_tokens: Field required"));
            };
            if budget < THINKING_TOKENS_MIN {
                let message = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
                return Err(Refusal::bad(message));
            }
            if question.max_tokens.is_some_and(|tokens_max| tokens_max <= budget) {
                return Err(Refusal::bad("`max_tokens` must be greater than `thinking.budget_tokens`."));
            }
            if member(body, "temperature").is_some_and(|value| value.as_f64() != Some(1.0)) {
                return Err(Refusal::bad("`temperature` may only be set to 1 when thinking is enabled."));
            }
        }
        _ => {
            let message =
                "thinking: Input tag found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'";
            return Err(Refusal::bad(message));
        }
    }
    if matches!(question.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return Err(Refusal::bad("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

fn format(body: &Value) -> Result<Format, Refusal> {
    let new = member(body, "output_config").and_then(|config| member(config, "format"));
    let Some(format) = new.or_else(|| member(body, "output_format")) else {
        return Ok(Format::Text);
    };
    if text(format, "type") != Some("json_schema") {
        return Err(Refusal::bad("output_config.format.type: Input should be 'json_schema'"));
    }
    let Some(schema) = format.get("schema") else {
        return Err(Refusal::bad("output_config.format.schema: Field required"));
    };
    let is_open = |object: &Value| object.get("properties").is_some() && object.get("additionalProperties") != Some(&Value::Bool(false));
    let inner = count_members(schema, &|_, value| is_open(value));
    if 0 < inner || is_open(schema) {
        let message = "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false";
        return Err(Refusal::bad(message));
    }
    Ok(Format::JsonSchema(schema.clone()))
}

fn system(body: &Value) -> Result<u64, Refusal> {
    match member(body, "system") {
        None => Ok(0),
        Some(Value::String(system)) => Ok(input_token_count(system)),
        Some(Value::Array(blocks)) => {
            let mut tokens = 0;
            for (at, block) in blocks.iter().enumerate() {
                match (text(block, "type"), text(block, "text")) {
                    (Some("text"), Some("")) => {
                        return Err(Refusal::bad("system: text content blocks must be non-empty"));
                    }
                    (Some("text"), Some(said)) => tokens += input_token_count(said),
                    _ => return Err(Refusal::bad(format!("system.{at}.type: Input should be 'text'"))),
                }
            }
            Ok(tokens)
        }
        Some(_) => Err(Refusal::bad("system: Input should be a valid string")),
    }
}

/// A marked prefix counts as read from the cache: without memory, every cache is a warm one.
fn cache(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let marks = count_members(body, &|name, value| name == "cache_control" && value.is_object());
    if CACHE_MARKS_MAX < marks {
        let message = format!("A maximum of 4 blocks with cache_control may be provided. Found {marks}.");
        return Err(Refusal::bad(message));
    }
    if 0 < marks && CACHEABLE_TOKENS_MIN <= question.input_tokens {
        question.cached_tokens = question.input_tokens - 4;
    }
    Ok(())
}
