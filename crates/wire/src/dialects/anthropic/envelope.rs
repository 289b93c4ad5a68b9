//! What must be known of a caller's body without parsing it, and the edits that make it fit a provider of the same dialect.
//! No value but the deciding ones is looked at: the provider judges the rest.

use std::ops::Range;

use crate::envelope::{Envelope, Field, scan as scan_fields, string_of};
use crate::fault::Malformed;
use crate::patch::Patch;
use crate::target::{Quirks, Target};

/// See [`crate::Dialect::scan`].
pub(super) fn scan(body: &[u8]) -> Result<Envelope, Malformed> {
    let (fields, head) = scan_fields(body)?;
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    let Some(model_field) = find("model") else {
        return Err(Malformed::at("model", "required string is missing"));
    };
    let model = string_of(model_field, body)?.into_owned();
    if model.is_empty() {
        return Err(Malformed::at("model", "must not be empty; name a model"));
    }
    let model_span = model_field.value.clone();
    match find("messages").map(|field| field.text(body)) {
        Some(text) if text.starts_with('[') => {}
        Some(_) => return Err(Malformed::at("messages", "expected an array")),
        None => return Err(Malformed::at("messages", "required array is missing")),
    }
    let stream = match find("stream").map(|field| field.text(body)) {
        Some("true") => true,
        Some("false" | "null") | None => false,
        Some(_) => return Err(Malformed::at("stream", "expected true or false")),
    };
    let max_tokens = match find("max_tokens").map(|field| field.text(body)) {
        Some("null") | None => None,
        Some(text) => Some(whole_number(text)?),
    };
    // Usage is a part of every stream of this dialect; there is no flag to ask for it.
    Ok(Envelope {
        model,
        model_span,
        stream,
        include_usage: true,
        max_tokens,
        fields,
        head,
    })
}

fn whole_number(text: &str) -> Result<u64, Malformed> {
    // `1e3` and `5.0` are whole numbers too.
    let spelled_otherwise = || {
        let number = text.parse::<f64>().ok()?;
        let whole = number.fract() == 0.0 && (0.0..9e15).contains(&number);
        whole.then(|| format!("{number:.0}").parse().ok()).flatten()
    };
    text.parse()
        .ok()
        .or_else(spelled_otherwise)
        .ok_or_else(|| Malformed::at("max_tokens", "expected a whole number of 0 or more"))
}

/// See [`crate::Dialect::patch`].
pub(super) fn patch(envelope: &Envelope, target: &Target) -> Patch {
    let mut patch = Patch::default();
    if !target.model.is_empty() && target.model != envelope.model {
        patch.replace_string(envelope.model_span.clone(), &target.model);
    }
    apply_quirks(&envelope.fields, &target.quirks, &mut patch);
    patch
}

/// Removes and renames the top-level fields that the vendor wants removed or renamed. A field that is there under the vendor's
/// name too is removed instead: a key must not stand twice.
pub(super) fn apply_quirks(fields: &[Field], quirks: &Quirks, patch: &mut Patch) {
    let theirs = |name: &str| quirks.rename.iter().find(|(ours, _)| ours == name).map(|(_, theirs)| theirs);
    let gone = |field: &Field| {
        quirks.drop.contains(&field.name) || theirs(&field.name).is_some_and(|theirs| fields.iter().any(|other| other.name == *theirs))
    };
    for span in dropped_spans(fields, gone) {
        patch.replace(span, Vec::new());
    }
    for field in fields.iter().filter(|field| !gone(field)) {
        if let Some(theirs) = theirs(&field.name) {
            patch.replace_string(field.key.clone(), theirs);
        }
    }
}

/// The spans to cut so that no comma is left over: each run of dropped neighbours goes with the comma behind it, or, at
/// the end of the object, with the one before it.
fn dropped_spans(fields: &[Field], gone: impl Fn(&Field) -> bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut kept_before: Option<&Field> = None;
    let mut run: Option<(&Field, &Field)> = None;
    for field in fields {
        if gone(field) {
            run = Some((run.map_or(field, |(first, _)| first), field));
        } else {
            if let Some((first, _)) = run.take() {
                spans.push(first.key.start..field.key.start);
            }
            kept_before = Some(field);
        }
    }
    if let Some((first, last)) = run {
        let start = kept_before.map_or(first.key.start, |kept| kept.value.end);
        spans.push(start..last.value.end);
    }
    spans
}
