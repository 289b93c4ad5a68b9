//! The carrier of reasoning in this dialect: `reasoning_details[]` as OpenRouter defined it, beside the plain text fields.
//! An entry's `format` says whose seal it carries; entries of formats that no dialect of ours owns stay raw.

use serde_json::value::RawValue;

use crate::dialects::DIALECTS;
use crate::json::{self, ArrayWriter, Fields, Kind};
use crate::request::Opaque;

/// The message field that carries the entries.
pub(super) const DETAILS: &str = "reasoning_details";

/// The formats in use, one a line (OpenRouter, "Preserving reasoning": `reasoning_details[].format`). A dialect owns the
/// format that begins with its name. Data: what this dialect carries for others, it need not know by name.
const FORMATS: &str = include_str!("reasoning_formats.txt");

/// One entry, as far as the language knows it.
#[derive(Debug, Default)]
pub(super) struct Detail {
    /// Its place among the blocks, where said.
    pub(super) index: Option<u64>,
    /// Its text, where it has the field at all.
    pub(super) text: Option<String>,
    /// The seal over the text.
    pub(super) signature: Option<Opaque>,
    /// Reasoning that its provider encrypted.
    pub(super) redacted: Option<Opaque>,
    /// What of it only this dialect can carry, as a JSON object.
    pub(super) rest: Option<Box<RawValue>>,
}

/// Reads an entry. `None`: not an object.
pub(super) fn read(raw: &RawValue) -> Option<Detail> {
    let mut fields = Fields::parse(raw.get(), "").ok()?;
    let kind = fields.take_string("type").ok()??;
    let format = fields.take_string("format").ok().flatten();
    let owner = format.as_deref().and_then(owner);
    let index = fields.take_u64("index").ok().flatten();
    let mut detail = Detail {
        index,
        ..Detail::default()
    };
    match kind.as_str() {
        "reasoning.text" | "reasoning.summary" => {
            let field = if kind == "reasoning.text" { "text" } else { "summary" };
            detail.text = fields.take_string(field).ok().flatten();
            let seal = fields.take_string("signature").ok().flatten().filter(|seal| !seal.is_empty());
            match (owner, seal) {
                (Some(dialect), Some(data)) => detail.signature = Some(Opaque { dialect, data }),
                (None, Some(data)) => detail.rest = seal_only(&kind, format.as_deref(), index, &data),
                (_, None) => {}
            }
        }
        "reasoning.encrypted" => {
            let data = fields.take_string("data").ok().flatten();
            match (owner, data) {
                (Some(dialect), Some(data)) => detail.redacted = Some(Opaque { dialect, data }),
                _ => detail.rest = Some(raw.to_owned()),
            }
        }
        _ => detail.rest = Some(raw.to_owned()),
    }
    Some(detail)
}

fn seal_only(kind: &str, format: Option<&str>, index: Option<u64>, seal: &str) -> Option<Box<RawValue>> {
    let mut out = Vec::new();
    json::object(&mut out, |entry| {
        entry.string("type", kind);
        entry.string("signature", seal);
        entry.string_if("format", format);
        if let Some(index) = index {
            entry.integer("index", index);
        }
    });
    String::from_utf8(out).ok().and_then(|text| json::raw(&text))
}

/// Writes a text entry, with its seal where it has one.
pub(super) fn write_text(entries: &mut ArrayWriter<'_>, text: &str, signature: Option<&Opaque>, index: u64) {
    entries.object(|entry| {
        entry.string("type", "reasoning.text");
        entry.string("text", text);
        if let Some(signature) = signature {
            entry.string("signature", &signature.data);
            entry.string("format", format_of(signature.dialect));
        }
        entry.integer("index", index);
    });
}

/// Writes an encrypted entry.
pub(super) fn write_redacted(entries: &mut ArrayWriter<'_>, redacted: &Opaque, index: u64) {
    entries.object(|entry| {
        entry.string("type", "reasoning.encrypted");
        entry.string("data", &redacted.data);
        entry.string("format", format_of(redacted.dialect));
        entry.integer("index", index);
    });
}

/// The text of a `{type: "thinking", thinking: [{text}] | string}` content part (Mistral).
pub(super) fn thinking_text(part: &mut Fields<'_>) -> Option<String> {
    let raw = part.take("thinking")?;
    if json::kind(raw) == Kind::String {
        return serde_json::from_str(raw.get()).ok();
    }
    let pieces: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    let mut text = String::new();
    for piece in pieces {
        let mut fields = Fields::parse(piece.get(), "").ok()?;
        text.push_str(&fields.take_string("text").ok()??);
    }
    Some(text)
}

/// The dialect that owns a format.
fn owner(format: &str) -> Option<&'static str> {
    DIALECTS.iter().map(|dialect| dialect.name()).find(|name| owns(name, format))
}

/// The format of a dialect's seals; its own name where no format is known.
fn format_of(dialect: &'static str) -> &'static str {
    FORMATS.lines().find(|format| owns(dialect, format)).unwrap_or(dialect)
}

fn owns(dialect: &str, format: &str) -> bool {
    format
        .strip_prefix(dialect)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
