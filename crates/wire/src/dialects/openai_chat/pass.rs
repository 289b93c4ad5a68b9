//! The fast path: what we must know of a caller's body, and the edits that make it fit a provider of the same dialect.
//! Everything else stays as the caller wrote it, byte for byte.

use std::ops::Range;

use super::fit;
use crate::dialects::edit::Edit;
use crate::envelope::{self, Envelope, Field};
use crate::fault::Malformed;
use crate::loss::Loss;
use crate::patch::Patch;
use crate::target::{StreamUsage, Target};

/// Reads what we need without parsing the rest.
pub(super) fn scan(body: &[u8]) -> Result<Envelope, Malformed> {
    let (fields, head) = envelope::scan(body)?;
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    let model = find("model").ok_or_else(|| Malformed::at("model", "required string is missing; name a model"))?;
    let name = envelope::string_of(model, body)?.into_owned();
    if name.is_empty() {
        return Err(Malformed::at("model", "the model is an empty string; name a model"));
    }
    if !find("messages").is_some_and(|field| field.is_array(body)) {
        return Err(Malformed::at("messages", "required array is missing"));
    }
    let include_usage = match find("stream_options").map(|field| field.text(body)) {
        None | Some("null") => false,
        Some(options) => include_usage(options)?.is_some_and(|(on, _)| on),
    };
    // Where both are set a vendor may take either: the larger counts.
    let limits = ["max_completion_tokens", "max_tokens"].into_iter().filter_map(find);
    let limits = limits.map(|field| count(field, body)).collect::<Result<Vec<_>, _>>()?;
    Ok(Envelope {
        model: name,
        model_span: model.value.clone(),
        stream: find("stream").map_or(Ok(false), |field| flag(field.text(body), "stream"))?,
        include_usage,
        max_tokens: limits.into_iter().flatten().max(),
        head,
        fields,
    })
}

fn flag(text: &str, param: &str) -> Result<bool, Malformed> {
    match text {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(Malformed::at(param, "expected true or false")),
    }
}

fn count(field: &Field, body: &[u8]) -> Result<Option<u64>, Malformed> {
    let text = field.text(body);
    if text == "null" {
        return Ok(None);
    }
    let number = text.parse::<u64>().ok().or_else(|| {
        // `1e3` and `5.0` are whole numbers too.
        let number = text
            .parse::<f64>()
            .ok()
            .filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number))?;
        format!("{number:.0}").parse().ok()
    });
    number
        .map(Some)
        .ok_or_else(|| Malformed::at(field.name.clone(), "expected a whole number of 0 or more"))
}

/// The flag in `stream_options` and the span of its value there; `None`: it is not there.
fn include_usage(options: &str) -> Result<Option<(bool, Range<usize>)>, Malformed> {
    let wrong = |_| Malformed::at("stream_options", "expected an object");
    let (fields, _) = envelope::scan(options.as_bytes()).map_err(wrong)?;
    let Some(field) = fields.iter().rfind(|field| field.name == "include_usage") else {
        return Ok(None);
    };
    let on = flag(field.text(options.as_bytes()), "stream_options.include_usage")?;
    Ok(Some((on, field.value.clone())))
}

/// The edits for a provider.
pub(super) fn patch(envelope: &Envelope, body: &[u8], target: &Target, loss: &mut Loss) -> Patch {
    let mut patch = Patch::default();
    if envelope.model != target.model {
        patch.replace_string(envelope.model_span.clone(), &target.model);
    }
    let quirks = &target.quirks;
    let mut edit = Edit::new(body, 0, &envelope.fields);
    match quirks.stream_usage {
        // Refused altogether: then there is nothing to ask with, and nobody is asked.
        _ if quirks.drop.iter().any(|name| name == "stream_options") => {
            edit.remove("stream_options");
        }
        StreamUsage::Ask if envelope.stream && !envelope.include_usage => ask(envelope, body, &mut patch),
        StreamUsage::Ask => {}
        StreamUsage::Always | StreamUsage::Never => {
            edit.remove("stream_options");
        }
    }
    fit::all(edit, target, (&mut patch, loss));
    patch
}

/// Asks for usage within the stream.
fn ask(envelope: &Envelope, body: &[u8], patch: &mut Patch) {
    let Some(field) = envelope.field("stream_options") else {
        // There is at least the model behind it.
        patch.replace(envelope.head..envelope.head, &br#""stream_options":{"include_usage":true},"#[..]);
        return;
    };
    let options = field.text(body);
    if let Ok(Some((_, span))) = include_usage(options) {
        let at = field.value.start;
        patch.replace(at + span.start..at + span.end, &b"true"[..]);
        return;
    }
    match envelope::scan(options.as_bytes()) {
        Ok((fields, head)) if !fields.is_empty() => {
            let at = field.value.start + head;
            patch.replace(at..at, &br#""include_usage":true,"#[..]);
        }
        _ => patch.replace(field.value.clone(), &br#"{"include_usage":true}"#[..]),
    }
}
