//! Reads and checks the parameters of a chat completion request, with the vendor's own words for what is wrong.
//! Messages are read in `messages.rs`. Not checked: which parameters a particular model supports.

use serde_json::Value;

use super::messages;
use crate::{
    dialects::{
        Refusal,
        json::{items, member, text, type_name},
    },
    question::{Format, Question, Tool, ToolChoice},
};

/// The members of CreateChatCompletionRequest in the OpenAPI document; any other is a 400.
const PARAMETERS: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// A prompt shorter than this is not cached by the vendor.
const CACHEABLE_TOKENS_MIN: u64 = 1024;
/// Cached tokens come in blocks of this size.
const CACHE_BLOCK_TOKENS: u64 = 128;

pub(super) fn read(body: &Value) -> Result<Question, Refusal> {
    let Some(members) = body.as_object() else {
        return Err(Refusal::bad("Invalid body: expected a JSON object."));
    };
    if let Some(unknown) = members.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return Err(Refusal::bad(format!("Unknown parameter: '{unknown}'."))
            .at(unknown.as_str())
            .code("unknown_parameter"));
    }
    let Some(model) = text(body, "model") else {
        return Err(Refusal::bad("you must provide a model parameter"));
    };
    let mut question = Question {
        model: model.to_owned(),
        parallel: true,
        ..Question::default()
    };
    flags(body, &mut question)?;
    numbers(body, &mut question)?;
    question.stop = stop(body)?;
    question.tools = tools(body)?;
    question.tool_choice = tool_choice(body, &question.tools)?;
    messages::read(body, &mut question)?;
    question.format = format(body)?;
    question.input_tokens += 3;
    if member(body, "prompt_cache_key").is_some() && CACHEABLE_TOKENS_MIN <= question.input_tokens {
        question.cached_tokens = question.input_tokens / CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS;
    }
    Ok(question)
}

/// "Invalid type for 'x': expected a string, but got an integer instead."
pub(super) fn wrong_type(path: &str, expected: &str, got: &Value) -> Refusal {
    let got = type_name(got);
    let article = |word: &str| if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let got = if got == "null" {
        got.to_owned()
    } else {
        format!("{} {got}", article(got))
    };
    let message = format!(
        "Invalid type for '{path}': expected {} {expected}, but got {got} instead.",
        article(expected)
    );
    Refusal::bad(message).at(path).code("invalid_type")
}

fn flags(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let flag = |name: &str| match member(body, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong_type(name, "boolean", other)),
    };
    question.stream = flag("stream")?.unwrap_or(false);
    flag("store")?;
    if let Some(options) = member(body, "stream_options") {
        if !question.stream {
            let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            return Err(Refusal::bad(message).at("stream_options"));
        }
        question.include_usage = options.get("include_usage").and_then(Value::as_bool).unwrap_or(false);
    }
    if let Some(parallel) = flag("parallel_tool_calls")? {
        if items(body, "tools").is_empty() {
            let message = "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.";
            return Err(Refusal::bad(message).at("parallel_tool_calls"));
        }
        question.parallel = parallel;
    }
    let logprobs = flag("logprobs")?.unwrap_or(false);
    match member(body, "top_logprobs").map(|value| value.as_u64().ok_or(value)) {
        None => question.logprobs = logprobs.then_some(0),
        Some(Ok(top)) if logprobs && top <= 20 => question.logprobs = Some(top),
        Some(Ok(_)) if !logprobs => {
            let message = "Invalid value for 'top_logprobs': 'logprobs' must be set to true if 'top_logprobs' is used.";
            return Err(Refusal::bad(message).at("top_logprobs"));
        }
        Some(Ok(top)) => return Err(out_of_range("top_logprobs", 20.0, top, "<=", "integer_above_max_value")),
        Some(Err(other)) => return Err(wrong_type("top_logprobs", "integer", other)),
    }
    Ok(())
}

fn out_of_range(name: &str, bound: f64, got: impl std::fmt::Display, sign: &str, code: &'static str) -> Refusal {
    let side = if sign == "<=" { "above maximum" } else { "below minimum" };
    let message = format!("Invalid '{name}': {side} value. Expected a value {sign} {bound}, but got {got} instead.");
    Refusal::bad(message).at(name).code(code)
}

fn numbers(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    for (name, least, most) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ] {
        let Some(value) = member(body, name) else { continue };
        let Some(number) = value.as_f64() else {
            return Err(wrong_type(name, "decimal", value));
        };
        if number < least {
            return Err(out_of_range(name, least, number, ">=", "decimal_below_min_value"));
        }
        if most < number {
            return Err(out_of_range(name, most, number, "<=", "decimal_above_max_value"));
        }
    }
    let integer = |name: &str| match member(body, name) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) if number < 1 => Err(out_of_range(name, 1.0, number, ">=", "integer_below_min_value")),
            Some(number) => Ok(u64::try_from(number).ok()),
            None => Err(wrong_type(name, "integer", value)),
        },
    };
    let (old, new) = (integer("max_tokens")?, integer("max_completion_tokens")?);
    if old.is_some() && new.is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refusal::bad(message).at("max_tokens").code("invalid_parameter_combination"));
    }
    question.max_tokens = new.or(old);
    question.choices = integer("n")?.unwrap_or(1);
    if 128 < question.choices {
        return Err(out_of_range("n", 128.0, question.choices, "<=", "integer_above_max_value"));
    }
    Ok(())
}

fn stop(body: &Value) -> Result<Vec<String>, Refusal> {
    match member(body, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop.clone()]),
        Some(Value::Array(stops)) if 4 < stops.len() => {
            let message = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.",
                stops.len()
            );
            Err(Refusal::bad(message).at("stop").code("array_above_max_length"))
        }
        Some(Value::Array(stops)) => stops
            .iter()
            .enumerate()
            .map(|(at, stop)| {
                stop.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| wrong_type(&format!("stop[{at}]"), "string", stop))
            })
            .collect(),
        Some(other) => Err(wrong_type("stop", "string", other)),
    }
}

fn tools(body: &Value) -> Result<Vec<Tool>, Refusal> {
    let mut tools = Vec::new();
    if let Some(Value::Array(declared)) = member(body, "tools")
        && declared.is_empty()
    {
        let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.";
        return Err(Refusal::bad(message).at("tools").code("empty_array"));
    }
    for (at, tool) in items(body, "tools").iter().enumerate() {
        let kind = match text(tool, "type") {
            Some(kind @ ("function" | "custom")) => kind,
            Some(other) => {
                let message = format!("Invalid value: '{other}'. Supported values are: 'function' and 'custom'.");
                return Err(Refusal::bad(message).at(format!("tools[{at}].type")).code("invalid_value"));
            }
            None => return Err(missing(&format!("tools[{at}].type"))),
        };
        let Some(function) = tool.get(kind) else {
            return Err(missing(&format!("tools[{at}].{kind}")));
        };
        let path = format!("tools[{at}].{kind}.name");
        let Some(name) = text(function, "name") else {
            return Err(missing(&path));
        };
        messages::check_name(name, &path)?;
        let schema = function.get("parameters").cloned().unwrap_or_default();
        if !schema.is_null() {
            let strict = function.get("strict").and_then(Value::as_bool).unwrap_or(false);
            check_schema(
                &schema,
                strict,
                &format!("function '{name}'"),
                &format!("tools[{at}].function.parameters"),
            )?;
        }
        tools.push(Tool {
            name: name.to_owned(),
            schema,
        });
    }
    Ok(tools)
}

/// "Missing required parameter: 'x'."
pub(super) fn missing(path: &str) -> Refusal {
    Refusal::bad(format!("Missing required parameter: '{path}'."))
        .at(path)
        .code("missing_required_parameter")
}

/// The rules for schemas: an object outside; in strict mode every property required and no others allowed, all the way down.
fn check_schema(schema: &Value, strict: bool, what: &str, param: &str) -> Result<(), Refusal> {
    let wrong = |reason: &str| {
        let code = if what.starts_with("function") {
            "invalid_function_parameters"
        } else {
            "invalid_json_schema"
        };
        Refusal::bad(format!("Invalid schema for {what}: {reason}")).at(param).code(code)
    };
    let kind = text(schema, "type");
    if kind.is_some_and(|kind| kind != "object") {
        let kind = kind.unwrap_or_default();
        return Err(wrong(&format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        )));
    }
    if strict { strict_objects(schema, "()", &wrong) } else { Ok(()) }
}

fn strict_objects(schema: &Value, context: &str, wrong: &dyn Fn(&str) -> Refusal) -> Result<(), Refusal> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            let reason = format!("In context={context}, 'additionalProperties' is required to be supplied and to be false.");
            return Err(wrong(&reason));
        }
        let required = items(schema, "required");
        if let Some(name) = properties.keys().find(|name| !required.iter().any(|known| known == name.as_str())) {
            let reason = format!(
                "In context={context}, 'required' is required to be supplied and to be an array including every key in properties. Missing '{name}'."
            );
            return Err(wrong(&reason));
        }
        for (name, property) in properties {
            strict_objects(property, &format!("('properties', '{name}')"), wrong)?;
        }
    }
    if let Some(items) = schema.get("items") {
        strict_objects(items, "('items',)", wrong)?;
    }
    for branch in items(schema, "anyOf") {
        strict_objects(branch, "('anyOf',)", wrong)?;
    }
    for definition in schema
        .get("$defs")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|defs| defs.values())
    {
        strict_objects(definition, "('$defs',)", wrong)?;
    }
    Ok(())
}

fn tool_choice(body: &Value, tools: &[Tool]) -> Result<ToolChoice, Refusal> {
    let Some(choice) = member(body, "tool_choice") else {
        return Ok(ToolChoice::Auto);
    };
    if tools.is_empty() && choice != "none" && choice != "auto" {
        let message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.";
        return Err(Refusal::bad(message).at("tool_choice"));
    }
    let named = choice
        .get("function")
        .or_else(|| choice.get("custom"))
        .and_then(|function| text(function, "name"));
    match (choice.as_str(), text(choice, "type"), named) {
        (Some("auto"), ..) | (None, Some("allowed_tools"), _) => Ok(ToolChoice::Auto),
        (Some("none"), ..) => Ok(ToolChoice::None),
        (Some("required"), ..) => Ok(ToolChoice::Required),
        (None, Some("function" | "custom"), Some(name)) if tools.iter().any(|tool| tool.name == name) => {
            Ok(ToolChoice::Named(name.to_owned()))
        }
        (None, Some("function" | "custom"), Some(name)) => {
            let message = format!("Tool choice 'function' not found in 'tools' parameter: '{name}'.");
            Err(Refusal::bad(message).at("tool_choice"))
        }
        (Some(other), ..) => {
            let message = format!("Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'.");
            Err(Refusal::bad(message).at("tool_choice").code("invalid_value"))
        }
        (None, ..) => Err(missing("tool_choice.function")),
    }
}

fn format(body: &Value) -> Result<Format, Refusal> {
    let Some(format) = member(body, "response_format") else {
        return Ok(Format::Text);
    };
    match text(format, "type") {
        Some("text") => Ok(Format::Text),
        Some("json_object") => {
            let asked = items(body, "messages")
                .iter()
                .any(|message| message.to_string().to_lowercase().contains("json"));
            if asked {
                return Ok(Format::JsonObject);
            }
            let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            Err(Refusal::bad(message).at("messages"))
        }
        Some("json_schema") => {
            let Some(described) = format.get("json_schema") else {
                return Err(missing("response_format.json_schema"));
            };
            let Some(name) = text(described, "name") else {
                return Err(missing("response_format.json_schema.name"));
            };
            messages::check_name(name, "response_format.json_schema.name")?;
            let schema = described.get("schema").cloned().unwrap_or_default();
            let strict = described.get("strict").and_then(Value::as_bool).unwrap_or(false);
            check_schema(&schema, strict, &format!("response_format '{name}'"), "response_format")?;
            Ok(Format::JsonSchema(schema))
        }
        Some(other) => {
            let message = format!("Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'.");
            Err(Refusal::bad(message).at("response_format.type").code("invalid_value"))
        }
        None => Err(missing("response_format.type")),
    }
}
