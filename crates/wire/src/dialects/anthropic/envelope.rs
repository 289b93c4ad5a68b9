//! What must be known of a caller's body without parsing it, and the edits that make it fit a provider of the same dialect.
//! No value but the deciding ones is looked at: the provider judges the rest.

use crate::dialects::edit::Edit;
use crate::envelope::{Envelope, Field, scan as scan_fields, string_of};
use crate::fault::Malformed;
use crate::loss::Loss;
use crate::patch::Patch;
use crate::target::Target;

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
    match find("messages").map(|field| field.is_array(body)) {
        Some(true) => {}
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
pub(super) fn patch(envelope: &Envelope, body: &[u8], target: &Target, loss: &mut Loss) -> Patch {
    let mut patch = Patch::default();
    if !target.model.is_empty() && target.model != envelope.model {
        patch.replace_string(envelope.model_span.clone(), &target.model);
    }
    fit(&envelope.fields, body, target, (&mut patch, loss));
    patch
}

/// The top-level fields as the vendor and the model want them, in a caller's body or in one that we wrote.
pub(super) fn fit(fields: &[Field], body: &[u8], target: &Target, (patch, loss): (&mut Patch, &mut Loss)) {
    let mut edit = Edit::new(body, 0, fields);
    edit.refuse(target, loss);
    edit.rename(&target.quirks.rename, patch);
    edit.cut(patch);
}
