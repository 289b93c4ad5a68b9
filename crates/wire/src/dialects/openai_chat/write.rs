//! Writes a request for a provider. Strict and canonical: what the dialect, the model or the vendor cannot take becomes a
//! loss. Messages are written in `turn.rs`, tools in `tool.rs`.

use super::{NAME, fit, thinking, tool, turn};
use crate::json::{self, ObjectWriter};
use crate::loss::Loss;
use crate::request::{OutputFormat, Request};
use crate::target::{Quirks, StreamUsage, Target};

/// OpenAI demands a name for a schema.
const SCHEMA_NAME: &str = "response";
/// The service tiers that OpenAI and its vendors know.
const TIERS: &[&str] = &["auto", "default", "flex", "priority", "scale", "fast", "on_demand", "performance"];

/// Writes a request body.
pub(super) fn write(request: &Request, target: &Target, loss: &mut Loss) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    json::object(&mut out, |out| {
        let mut top = Top {
            out,
            quirks: &target.quirks,
            loss,
        };
        top.field("model", |out, key, _| out.string(key, &target.model));
        top.field("messages", |out, key, loss| {
            out.array(key, |array| turn::write_all(array, &request.messages, &target.quirks, loss));
        });
        tools(&mut top, request, target);
        output(&mut top, request);
        limits(&mut top, request, target);
        stream(&mut top, request, target);
        rest(&mut top, request, target);
    });
    fit::written(out, target, loss)
}

/// The top-level fields, each by the vendor's name for it, or lost where the vendor refuses it.
struct Top<'t, 'o> {
    out: &'t mut ObjectWriter<'o>,
    quirks: &'t Quirks,
    loss: &'t mut Loss,
}

impl<'o> Top<'_, 'o> {
    /// Writes a field of the caller's.
    fn field(&mut self, name: &str, fill: impl FnOnce(&mut ObjectWriter<'o>, &str, &mut Loss)) {
        if self.refused(name) {
            return self.loss.add(name);
        }
        let key = self
            .quirks
            .rename
            .iter()
            .find(|(ours, _)| ours == name)
            .map_or(name, |(_, theirs)| theirs);
        fill(self.out, key, self.loss);
    }

    fn refused(&self, name: &str) -> bool {
        self.quirks.drop.iter().any(|dropped| dropped == name)
    }
}

fn tools(top: &mut Top<'_, '_>, request: &Request, target: &Target) {
    if !tool::any(&request.tools) {
        // Lost foreign ones must still be told. Without tools the other two fields are refused.
        return tool::write_all_lost(&request.tools, top.loss);
    }
    top.field("tools", |out, key, loss| {
        out.array(key, |array| tool::write_all(array, &request.tools, loss));
    });
    if let Some(choice) = &request.tool_choice {
        top.field("tool_choice", |out, key, loss| {
            tool::write_choice(out, key, choice, &target.facts, loss);
        });
    }
    if let Some(parallel) = request.parallel_tool_calls {
        top.field("parallel_tool_calls", |out, key, _| out.bool(key, parallel));
    }
}

fn output(top: &mut Top<'_, '_>, request: &Request) {
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => top.field("response_format", |out, key, _| {
            out.object(key, |format| format.string("type", "json_object"));
        }),
        OutputFormat::Schema {
            name,
            description,
            schema,
            strict,
        } => top.field("response_format", |out, key, _| {
            out.object(key, |format| {
                format.string("type", "json_schema");
                format.object("json_schema", |outer| {
                    outer.string("name", name.as_deref().unwrap_or(SCHEMA_NAME));
                    outer.string_if("description", description.as_deref());
                    outer.raw("schema", schema.get());
                    if let Some(strict) = strict {
                        outer.bool("strict", *strict);
                    }
                });
            });
        }),
    }
}

fn limits(top: &mut Top<'_, '_>, request: &Request, target: &Target) {
    if let Some(tokens) = request.max_tokens {
        // OpenAI's reasoning models refuse the older name, and most other servers know only that one.
        let name = if target.facts.max_completion_tokens {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        top.field(name, |out, key, _| out.integer(key, tokens));
    }
    let sampling = target.facts.sampling;
    match request.temperature {
        Some(_) if !sampling => top.loss.add("temperature"),
        Some(wished) => top.field("temperature", |out, key, loss| {
            let most = target.quirks.temperature_max.unwrap_or(f64::INFINITY);
            if wished > most {
                loss.add("temperature");
            }
            out.number(key, wished.min(most));
        }),
        None => {}
    }
    match request.top_p {
        Some(_) if !sampling => top.loss.add("top_p"),
        Some(top_p) => top.field("top_p", |out, key, _| out.number(key, top_p)),
        None => {}
    }
    if request.top_k.is_some() {
        top.loss.add("top_k");
    }
    match request.stop.as_slice() {
        [] => {}
        _ if !target.facts.stop => top.loss.add("stop"),
        stops => top.field("stop", |out, key, _| {
            out.array(key, |array| stops.iter().for_each(|stop| array.string(stop)));
        }),
    }
    if let Some(n) = request.n {
        top.field("n", |out, key, _| out.integer(key, u64::from(n)));
    }
}

/// Usage is always asked for: the bill needs it. Whether the caller gets it is the encoder's matter.
fn stream(top: &mut Top<'_, '_>, request: &Request, target: &Target) {
    if !request.stream {
        return;
    }
    top.field("stream", |out, key, _| out.bool(key, true));
    if target.quirks.stream_usage == StreamUsage::Ask && !top.refused("stream_options") {
        top.out.object("stream_options", |options| options.bool("include_usage", true));
    }
}

fn rest(top: &mut Top<'_, '_>, request: &Request, target: &Target) {
    let ours = request.extra.dialect == NAME;
    // Where the vendor's own field is written back, it says all that there is to say.
    let said = ours
        && request
            .extra
            .fields
            .iter()
            .any(|(name, _)| thinking::ASKING.contains(&name.as_str()));
    if let Some(reasoning) = request.reasoning.filter(|_| !said)
        && let Some(effort) = thinking::write(reasoning, &target.facts, top.loss)
    {
        top.field("reasoning_effort", |out, key, _| out.string(key, &effort));
    }
    if let Some(user) = &request.user {
        top.field("user", |out, key, _| out.string(key, user));
    }
    match request.service_tier.as_deref() {
        Some(tier) if TIERS.contains(&tier) => top.field("service_tier", |out, key, _| out.string(key, tier)),
        Some(_) => top.loss.add("service_tier"),
        None => {}
    }
    if !ours {
        return top.out.extra(&request.extra, NAME, "", top.loss);
    }
    for (name, raw) in &request.extra.fields {
        top.field(name, |out, key, _| out.raw(key, raw.get()));
    }
}
