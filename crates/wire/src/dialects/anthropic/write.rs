//! Writes a request for a provider: strict and canonical. What the dialect or the model cannot carry becomes a loss. Turns,
//! tools and numbers are decided elsewhere; here stands the order of the fields.

use super::content::kept;
use super::limits::{Form, Limits};
use super::{NAME, blocks, envelope, tools, turns};
use crate::dialects::form;
use crate::json::{self, ObjectWriter};
use crate::loss::Loss;
use crate::patch::Patch;
use crate::request::{Body, OutputFormat, Part, Request};
use crate::target::Target;

/// The longest `metadata.user_id`, in characters.
const USER_CHARS_MAX: usize = 512;
/// The service classes that a caller may ask for.
const SERVICE_TIERS: &[&str] = &["auto", "standard_only"];

/// See [`crate::Dialect::write_request`].
pub(super) fn write(request: &Request, target: &Target, loss: &mut Loss) -> Vec<u8> {
    // The reader of this dialect leaves its name here even when there are no further fields.
    let native = request.extra.dialect == NAME;
    let limits = Limits::new(request, target, native, loss);
    let mut conversation = turns::arrange(&request.messages, &target.facts, loss);
    if let Some(sentence) = output_sentence(request, target, loss) {
        conversation.system.push(std::borrow::Cow::Owned(Part::text(sentence)));
    }
    let model = if target.model.is_empty() { &request.model } else { &target.model };
    let mut out = Vec::with_capacity(1024);
    json::object(&mut out, |o| {
        o.string("model", model);
        o.integer("max_tokens", limits.max_tokens);
        blocks::write_system(&conversation.system, o, loss);
        blocks::write_turns(&conversation.turns, o, loss);
        tools::write(request, &limits, o, loss);
        write_sampling(request, target, &limits, o, loss);
        if request.stream {
            o.bool("stream", true);
        }
        write_caller(request, o, loss);
        write_thinking(request, &limits, o);
        write_output(request, target, &limits, o, loss);
        write_rest(request, o, loss);
    });
    fitted(out, target, loss)
}

fn write_sampling(request: &Request, target: &Target, limits: &Limits, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    if let Some(temperature) = limits.temperature {
        o.number("temperature", temperature);
    }
    if let Some(top_p) = limits.top_p {
        o.number("top_p", top_p);
    }
    if let Some(top_k) = limits.top_k {
        o.integer("top_k", top_k);
    }
    if request.n.is_some_and(|n| n > 1) {
        loss.add("n");
    }
    // A blank sequence is refused, and none at all is not sent (P6).
    let stop = || request.stop.iter().filter(|text| target.facts.stop && !text.trim().is_empty());
    if stop().count() < request.stop.len() {
        loss.add("stop");
    }
    if stop().next().is_some() {
        o.array("stop_sequences", |a| stop().for_each(|text| a.string(text)));
    }
}

/// Who calls, and in which service class.
fn write_caller(request: &Request, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let user = request.user.as_deref().filter(|user| user.chars().count() <= USER_CHARS_MAX);
    if request.user.is_some() && user.is_none() {
        loss.add("user");
    }
    if user.is_some() || kept(&request.extra, "metadata").next().is_some() {
        o.object("metadata", |o| {
            o.string_if("user_id", user);
            put(o, request, "metadata");
        });
    }
    match request.service_tier.as_deref() {
        Some(tier) if SERVICE_TIERS.contains(&tier) => o.string("service_tier", tier),
        Some(_) => loss.add("service_tier"),
        None => {}
    }
}

fn write_thinking(request: &Request, limits: &Limits, o: &mut ObjectWriter<'_>) {
    let Some(form) = limits.thinking else { return };
    o.object("thinking", |o| {
        match form {
            Form::Off => o.string("type", "disabled"),
            Form::Adaptive => o.string("type", "adaptive"),
            Form::Budget(tokens) => {
                o.string("type", "enabled");
                o.integer("budget_tokens", tokens);
            }
        }
        put(o, request, "thinking");
    });
}

fn write_output(request: &Request, target: &Target, limits: &Limits, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let schema = match &request.output {
        OutputFormat::Schema { schema, description, .. } if target.facts.json_schema => {
            // The name only labels the schema; the description would be read by the model.
            if description.is_some() {
                loss.add("response_format.description");
            }
            Some(schema)
        }
        _ => None,
    };
    let further = kept(&request.extra, "output_config").next().is_some();
    if schema.is_none() && limits.effort.is_none() && !further {
        return;
    }
    o.object("output_config", |o| {
        o.string_if("effort", limits.effort.as_deref());
        if let Some(schema) = schema {
            o.object("format", |o| {
                o.string("type", "json_schema");
                o.raw("schema", schema.get());
                put(o, request, "output_config.format");
            });
        }
        put(o, request, "output_config");
    });
}

/// What the model is told where it cannot be bound to the form of its answer. Never silent: binding is what was asked for.
fn output_sentence(request: &Request, target: &Target, loss: &mut Loss) -> Option<String> {
    let sentence = match &request.output {
        OutputFormat::Text => return None,
        OutputFormat::Schema { .. } if target.facts.json_schema => return None,
        OutputFormat::Json if names_json(request) => String::new(),
        // The dialect has no answer form "any JSON object".
        OutputFormat::Json => form::sentence(None),
        OutputFormat::Schema { schema, .. } => form::sentence(Some(schema.get())),
    };
    loss.add("response_format");
    (!sentence.is_empty()).then_some(sentence)
}

/// Whether the conversation itself speaks of JSON, as dialects with that form of answer demand: saying it again would only
/// change the prompt.
fn names_json(request: &Request) -> bool {
    let named = |part: &Part| matches!(&part.body, Body::Text(text) if text.to_ascii_lowercase().contains("json"));
    request.messages.iter().any(|message| message.parts.iter().any(named))
}

fn write_rest(request: &Request, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    put(o, request, "");
    if request.extra.dialect != NAME {
        request.extra.fields.iter().for_each(|(name, _)| loss.add(name));
    }
}

/// Writes the fields that were kept raw below `prefix`.
fn put(o: &mut ObjectWriter<'_>, request: &Request, prefix: &str) {
    for (name, raw) in kept(&request.extra, prefix) {
        o.raw(name, raw.get());
    }
}

/// What was written, as the vendor and the model want it.
fn fitted(body: Vec<u8>, target: &Target, loss: &mut Loss) -> Vec<u8> {
    let Target { facts, quirks, .. } = target;
    if quirks.drop.is_empty() && quirks.rename.is_empty() && facts.one_of.is_empty() {
        return body;
    }
    let Ok((fields, _)) = crate::envelope::scan(&body) else {
        return body;
    };
    let mut patch = Patch::default();
    envelope::fit(&fields, &body, target, (&mut patch, loss));
    patch.apply(&body)
}
