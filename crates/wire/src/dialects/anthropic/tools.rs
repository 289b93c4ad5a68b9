//! Tools and tool choice, read from callers and written for providers. Calls and results are turns' business.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::content::kept;
use super::limits::Limits;
use super::{NAME, request};
use crate::dialects::names;
use crate::fault::Malformed;
use crate::json::{Fields, Kind, ObjectWriter, kind};
use crate::loss::Loss;
use crate::request::{Extra, Foreign, Function, Request, Tool, ToolChoice};

/// The longest name accepted by the dialect, in bytes.
const NAME_BYTES_MAX: usize = 128;
const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

/// Reads `tools` and `tool_choice`.
pub(super) fn read(fields: &mut Fields<'_>, request: &mut Request, extra: &mut Extra) -> Result<(), Malformed> {
    for (index, raw) in fields.take_array("tools")?.into_iter().enumerate() {
        request.tools.push(tool(raw, &format!("tools[{index}]"))?);
    }
    let Some(raw) = fields.take("tool_choice") else { return Ok(()) };
    let mut choice = Fields::parse(raw.get(), "tool_choice")?;
    let kind = choice.need_string("type")?;
    request.tool_choice = Some(match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(choice.need_string("name")?),
        "none" => ToolChoice::None,
        _ => {
            request.tool_choice = Some(ToolChoice::Foreign(Foreign {
                dialect: NAME,
                kind,
                raw: raw.to_owned(),
            }));
            return Ok(());
        }
    });
    request.parallel_tool_calls = choice.take_bool("disable_parallel_tool_use")?.map(|disabled| !disabled);
    request::keep(extra, &choice);
    Ok(())
}

fn tool(raw: &RawValue, path: &str) -> Result<Tool, Malformed> {
    let mut fields = Fields::parse(raw.get(), path)?;
    match fields.take_string("type")? {
        Some(kind) if kind != "custom" => {
            return Ok(Tool::Foreign(Foreign {
                dialect: NAME,
                kind,
                raw: raw.to_owned(),
            }));
        }
        _ => {}
    }
    Ok(Tool::Function(Function {
        name: fields.need_string("name")?,
        description: fields.take_string("description")?,
        schema: fields.take("input_schema").map(ToOwned::to_owned),
        strict: fields.take_bool("strict")?,
        cache: fields.take("cache_control").map(ToOwned::to_owned),
        extra: fields.rest(NAME),
    }))
}

/// Writes `tools` and `tool_choice`. A choice that may not be forced becomes `auto`, with only the named tool left (T9).
pub(super) fn write(request: &Request, limits: &Limits, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let named = match &request.tool_choice {
        Some(ToolChoice::Named(name)) if !limits.may_force_tool => Some(name),
        _ => None,
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function(function) if named.is_none_or(|name| *name == function.name) => tools.push(tool),
            Tool::Foreign(foreign) if foreign.dialect != NAME => loss.add(&format!("tools.{}", foreign.kind)),
            Tool::Foreign(_) if named.is_none() => tools.push(tool),
            _ => {}
        }
    }
    if tools.is_empty() {
        if matches!(
            request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Foreign(_))
        ) {
            loss.add("tool_choice");
        }
        return;
    }
    o.array("tools", |a| {
        for tool in tools {
            match tool {
                Tool::Function(function) => a.object(|o| write_function(function, o, loss)),
                Tool::Foreign(foreign) => a.raw(foreign.raw.get()),
            }
        }
    });
    write_choice(request, limits, o, loss);
}

fn write_function(function: &Function, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let name = tool_name(&function.name);
    if name != function.name {
        loss.add("tools.name");
    }
    o.string("name", &name);
    o.string_if("description", function.description.as_deref());
    o.raw("input_schema", &object_schema(function.schema.as_deref()));
    if let Some(strict) = function.strict {
        o.bool("strict", strict);
    }
    if let Some(cache) = &function.cache {
        o.raw("cache_control", cache.get());
    }
    o.extra(&function.extra, NAME, "tools", loss);
}

/// The schema as given, but for the `type` that the dialect demands at its top.
fn object_schema(schema: Option<&RawValue>) -> Cow<'_, str> {
    let Some(schema) = schema.filter(|schema| kind(schema) == Kind::Object) else {
        return Cow::Borrowed(EMPTY_SCHEMA);
    };
    let Ok(mut fields) = Fields::parse(schema.get(), "") else {
        return Cow::Borrowed(EMPTY_SCHEMA);
    };
    if fields.remaining().next().is_none() {
        return Cow::Borrowed(EMPTY_SCHEMA);
    }
    if fields.take("type").is_some() {
        return Cow::Borrowed(schema.get());
    }
    let members = schema.get().get(1..).unwrap_or("}");
    Cow::Owned(format!(r#"{{"type":"object",{members}"#))
}

fn write_choice(request: &Request, limits: &Limits, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    let (kind, name) = match &request.tool_choice {
        None if !one_at_a_time => return,
        None | Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required | ToolChoice::Named(_)) if !limits.may_force_tool => {
            loss.add("tool_choice");
            ("auto", None)
        }
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(tool_name(name))),
        Some(ToolChoice::Foreign(foreign)) if foreign.dialect == NAME => {
            o.raw("tool_choice", foreign.raw.get());
            return;
        }
        Some(ToolChoice::Foreign(_)) => {
            loss.add("tool_choice");
            return;
        }
    };
    o.object("tool_choice", |o| {
        o.string("type", kind);
        o.string_if("name", name.as_deref());
        // The wish has no member in `none`, and no meaning there.
        if let (Some(parallel), true) = (request.parallel_tool_calls, kind != "none") {
            o.bool("disable_parallel_tool_use", !parallel);
        }
        for (name, raw) in kept(&request.extra, "tool_choice") {
            o.raw(name, raw.get());
        }
    });
}

/// A tool's name in the dialect's alphabet and length (T12). Names that fit are kept; others change the same way everywhere.
pub(super) fn tool_name(name: &str) -> Cow<'_, str> {
    names::fit(name, NAME_BYTES_MAX)
}

/// A call's id in the dialect's alphabet (T2). Ids that fit are kept; others change the same way in calls and results.
pub(super) fn call_id(id: &str) -> Cow<'_, str> {
    names::fit(id, usize::MAX)
}
