//! Tools and tool choice of a request, read and written. `functions` and `function_call`, the form before tools, are read
//! as tools.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::NAME;
use crate::dialects::names;
use crate::fault::Malformed;
use crate::json::{self, ArrayWriter, Fields, Kind, ObjectWriter};
use crate::loss::Loss;
use crate::request::{Extra, Foreign, Function, Tool, ToolChoice};
use crate::target::ModelFacts;

/// The longest name that the dialect has for a tool, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Takes `tools` and `functions`.
pub(super) fn read_all(fields: &mut Fields<'_>) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for (at, raw) in fields.take_array("tools")?.into_iter().enumerate() {
        tools.push(read(raw, format!("tools[{at}]"))?);
    }
    for (at, raw) in fields.take_array("functions")?.into_iter().enumerate() {
        let inner = Fields::parse(raw.get(), format!("functions[{at}]"))?;
        tools.push(Tool::Function(function(inner)?));
    }
    Ok(tools)
}

fn read(raw: &RawValue, path: String) -> Result<Tool, Malformed> {
    let mut outer = Fields::parse(raw.get(), path)?;
    let kind = outer.take_string("type")?;
    let inner = outer.take_object("function")?;
    match (kind.as_deref(), inner) {
        (None | Some("function"), Some(inner)) => {
            let mut tool = function(inner)?;
            tool.cache = outer.take("cache_control").map(ToOwned::to_owned).or(tool.cache);
            tool.extra.fields.extend(outer.rest(NAME).fields);
            Ok(Tool::Function(tool))
        }
        (None | Some("function"), None) => Err(Malformed::at(outer.path_of("function"), "required object is missing")),
        (Some(kind), _) => Ok(Tool::Foreign(Foreign {
            dialect: NAME,
            kind: kind.to_owned(),
            raw: raw.to_owned(),
        })),
    }
}

fn function(mut fields: Fields<'_>) -> Result<Function, Malformed> {
    let schema = fields.take("parameters");
    if schema.is_some_and(|raw| json::kind(raw) != Kind::Object) {
        return Err(Malformed::at(fields.path_of("parameters"), "expected a JSON Schema object"));
    }
    Ok(Function {
        name: fields.need_string("name")?,
        description: fields.take_string("description")?,
        schema: schema.map(ToOwned::to_owned),
        strict: fields.take_bool("strict")?,
        cache: fields.take("cache_control").map(ToOwned::to_owned),
        extra: fields.rest(NAME),
    })
}

/// Takes `tool_choice`, else `function_call`.
pub(super) fn read_choice(fields: &mut Fields<'_>) -> Result<Option<ToolChoice>, Malformed> {
    let legacy = fields.take("function_call");
    let Some(raw) = fields.take("tool_choice").or(legacy) else {
        return Ok(None);
    };
    let foreign = |kind: String| {
        ToolChoice::Foreign(Foreign {
            dialect: NAME,
            kind,
            raw: raw.to_owned(),
        })
    };
    match json::kind(raw) {
        Kind::String => {
            let word: String = serde_json::from_str(raw.get()).map_err(|_| Malformed::at("tool_choice", "expected a string"))?;
            Ok(Some(match word.as_str() {
                "auto" => ToolChoice::Auto,
                "none" => ToolChoice::None,
                // `any` is Mistral's word.
                "required" | "any" => ToolChoice::Required,
                _ => foreign(word),
            }))
        }
        Kind::Object => {
            let mut outer = Fields::parse(raw.get(), "tool_choice")?;
            let kind = outer.take_string("type")?.unwrap_or_else(|| "function".to_owned());
            if kind != "function" {
                return Ok(Some(foreign(kind)));
            }
            let name = match outer.take_object("function")? {
                Some(mut inner) => inner.need_string("name")?,
                None => outer.need_string("name")?,
            };
            Ok(Some(ToolChoice::Named(name)))
        }
        _ => Err(Malformed::at("tool_choice", "expected a string or an object")),
    }
}

/// A tool's name in the length that the dialect has for it (T12). Its alphabet is left alone: many vendors take more than OpenAI.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    names::fit(name, NAME_BYTES_MAX)
}

/// Writes the elements of `tools`.
pub(super) fn write_all(out: &mut ArrayWriter<'_>, tools: &[Tool], loss: &mut Loss) {
    for tool in tools {
        match tool {
            Tool::Function(function) => out.object(|tool| write(tool, function, loss)),
            Tool::Foreign(foreign) if foreign.dialect == NAME => out.raw(foreign.raw.get()),
            Tool::Foreign(foreign) => loss.add(&format!("tools.{}", foreign.kind)),
        }
    }
}

/// Tells of tools that cannot be written at all.
pub(super) fn write_all_lost(tools: &[Tool], loss: &mut Loss) {
    for tool in tools {
        if let Tool::Foreign(foreign) = tool {
            loss.add(&format!("tools.{}", foreign.kind));
        }
    }
}

/// True when one of the tools can be written.
pub(super) fn any(tools: &[Tool]) -> bool {
    tools.iter().any(|tool| match tool {
        Tool::Function(_) => true,
        Tool::Foreign(foreign) => foreign.dialect == NAME,
    })
}

fn write(tool: &mut ObjectWriter<'_>, function: &Function, loss: &mut Loss) {
    tool.string("type", "function");
    tool.object("function", |inner| {
        let name = name(&function.name);
        if name != function.name {
            loss.add("tools.name");
        }
        inner.string("name", &name);
        inner.string_if("description", function.description.as_deref());
        if let Some(schema) = &function.schema {
            inner.raw("parameters", schema.get());
        }
        if let Some(strict) = function.strict {
            inner.bool("strict", strict);
        }
    });
    if function.cache.is_some() {
        loss.add("cache_control");
    }
    let extra = Extra {
        dialect: function.extra.dialect,
        fields: function
            .extra
            .fields
            .iter()
            .filter(|(name, _)| name != "type" && name != "function")
            .cloned()
            .collect(),
    };
    tool.extra(&extra, NAME, "tools", loss);
}

/// Writes `tool_choice`. A model that cannot be forced is left to choose.
pub(super) fn write_choice(out: &mut ObjectWriter<'_>, key: &str, choice: &ToolChoice, facts: &ModelFacts, loss: &mut Loss) {
    match choice {
        ToolChoice::Auto => out.string(key, "auto"),
        ToolChoice::None => out.string(key, "none"),
        ToolChoice::Required | ToolChoice::Named(_) if !facts.forced_tool_choice => {
            loss.add("tool_choice");
            out.string(key, "auto");
        }
        ToolChoice::Required => out.string(key, "required"),
        ToolChoice::Named(name) => out.object(key, |choice| {
            choice.string("type", "function");
            choice.object("function", |function| function.string("name", &self::name(name)));
        }),
        ToolChoice::Foreign(foreign) if foreign.dialect == NAME => out.raw(key, foreign.raw.get()),
        ToolChoice::Foreign(foreign) => loss.add(&format!("tool_choice.{}", foreign.kind)),
    }
}
