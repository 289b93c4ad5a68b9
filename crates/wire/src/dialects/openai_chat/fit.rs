//! A body of this dialect as one vendor or model wants it: edits by span, alike for a caller's own bytes and for what we wrote.
//! What cannot be asked of the vendor becomes a loss.

use serde_json::value::RawValue;

use crate::dialects::edit::Edit;
use crate::dialects::form;
use crate::envelope::{self, Field};
use crate::json::{self, Fields, Kind};
use crate::loss::Loss;
use crate::patch::Patch;
use crate::target::{Quirks, Target};

/// The schema of any JSON object, for vendors that bind an answer to schemas only.
const ANY_OBJECT: &str = r#"{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}"#;

/// Where edits and losses go.
type Out<'o> = (&'o mut Patch, &'o mut Loss);

/// What was written by us, for a vendor who wants more than other names for top-level fields.
pub(super) fn written(body: Vec<u8>, target: &Target, loss: &mut Loss) -> Vec<u8> {
    let Target { facts, quirks, .. } = target;
    let lists = [&facts.one_of, &quirks.message_drop, &quirks.tool_choices, &quirks.response_formats];
    let plain = facts.json_schema && !quirks.content_as_string && quirks.n_max.is_none();
    if plain && lists.iter().all(|list| list.is_empty()) {
        return body;
    }
    let Ok((fields, _)) = envelope::scan(&body) else { return body };
    let mut patch = Patch::default();
    all(Edit::new(&body, 0, &fields), target, (&mut patch, loss));
    patch.apply(&body)
}

/// All edits for a vendor and a model.
pub(super) fn all(mut edit: Edit<'_>, target: &Target, (patch, loss): Out<'_>) {
    let quirks = &target.quirks;
    edit.refuse(target, loss);
    temperature(&edit, quirks, (patch, loss));
    count(&edit, quirks, (patch, loss));
    tool_choice(&edit, quirks, (patch, loss));
    let sentence = response_format(&mut edit, target, (patch, loss));
    let into_messages = quirks.developer_as_system || quirks.content_as_string || !quirks.message_drop.is_empty() || sentence.is_some();
    if into_messages && let Some((field, text)) = edit.said("messages") {
        messages(text, field.value.start, quirks, (patch, loss));
        if let Some(sentence) = sentence {
            tell(text, field.value.start, &sentence, patch);
        }
    }
    edit.rename(&quirks.rename, patch);
    edit.cut(patch);
}

fn temperature(edit: &Edit<'_>, quirks: &Quirks, (patch, loss): Out<'_>) {
    if let (Some(most), Some((field, text))) = (quirks.temperature_max, edit.said("temperature"))
        && text.parse::<f64>().is_ok_and(|wished| wished > most)
    {
        edit.replace(field, number(most), patch);
        loss.add("temperature");
    }
}

fn number(number: f64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn count(edit: &Edit<'_>, quirks: &Quirks, (patch, loss): Out<'_>) {
    if let (Some(most), Some((field, text))) = (quirks.n_max, edit.said("n"))
        && text.parse::<f64>().is_ok_and(|wished| wished > f64::from(most))
    {
        edit.replace(field, most.to_string(), patch);
        loss.add("n");
    }
}

fn tool_choice(edit: &Edit<'_>, quirks: &Quirks, (patch, loss): Out<'_>) {
    let Some((field, text)) = edit.said("tool_choice").filter(|_| !quirks.tool_choices.is_empty()) else {
        return;
    };
    let word = match serde_json::from_str::<String>(text) {
        Ok(word) => word,
        Err(_) => match type_of(text) {
            Some(kind) if kind != "function" => kind,
            _ => "named".to_owned(),
        },
    };
    if word != "auto" && !quirks.tool_choices.contains(&word) {
        edit.replace_string(field, "auto", patch);
        loss.add("tool_choice");
    }
}

fn type_of(text: &str) -> Option<String> {
    Fields::parse(text, "").ok()?.take_string("type").ok()?
}

/// Asks for the form of the answer that comes nearest. Gives the sentence that the model must be told where it is bound to less
/// than was asked for.
fn response_format(edit: &mut Edit<'_>, target: &Target, (patch, loss): Out<'_>) -> Option<String> {
    let formats = &target.quirks.response_formats;
    let takes = |kind: &str| {
        let known = formats.is_empty() || formats.iter().any(|format| format == kind);
        known && (kind != "json_schema" || target.facts.json_schema)
    };
    let (field, text) = edit.said("response_format")?;
    let kind = type_of(text)?;
    if takes(&kind) || kind == "text" {
        return None;
    }
    if kind == "json_object" && takes("json_schema") {
        edit.replace(field, ANY_OBJECT, patch);
        return None;
    }
    loss.add(&format!("response_format.{kind}"));
    let sentence = form::sentence(schema(text).map(RawValue::get));
    let is_json = kind == "json_schema" || kind == "json_object";
    if is_json && takes("json_object") {
        edit.replace(field, &br#"{"type":"json_object"}"#[..], patch);
    } else {
        edit.remove("response_format");
    }
    is_json.then_some(sentence)
}

fn schema(format: &str) -> Option<&RawValue> {
    Fields::parse(format, "").ok()?.take_object("json_schema").ok()??.take("schema")
}

/// Adds a sentence to the system text that stands first, or as one.
fn tell(messages: &str, at: usize, sentence: &str, patch: &mut Patch) {
    let mut literal = Vec::new();
    json::write_string(&mut literal, sentence);
    if let Some((first, offset)) = elements(messages).next()
        && let Ok((fields, _)) = envelope::scan(first.get().as_bytes())
        && let Some(content) = system_text(&fields, first.get())
    {
        let end = at + offset + content.value.end - 1;
        let inner = literal.get(1..).unwrap_or_default();
        patch.replace(end..end + 1, [&br"\n\n"[..], inner].concat());
        return;
    }
    let comma = if elements(messages).next().is_some() { "," } else { "" };
    let mut message = br#"{"role":"system","content":"#.to_vec();
    message.extend_from_slice(&literal);
    message.push(b'}');
    message.extend_from_slice(comma.as_bytes());
    patch.replace(at + 1..at + 1, message);
}

/// The content of a message that instructs, where it is one text.
fn system_text<'f>(fields: &'f [Field], message: &str) -> Option<&'f Field> {
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    let role = envelope::string_of(find("role")?, message.as_bytes()).ok()?;
    let content = find("content").filter(|_| matches!(role.as_ref(), "system" | "developer"))?;
    content.text(message.as_bytes()).starts_with('"').then_some(content)
}

/// The elements of an array, and where in its text they begin.
fn elements(array: &str) -> impl Iterator<Item = (&RawValue, usize)> {
    let all = serde_json::from_str::<Vec<&RawValue>>(array).unwrap_or_default();
    let start = array.as_ptr().addr();
    // An element is a slice of the array: its place is the distance of their starts.
    all.into_iter()
        .filter_map(move |raw| Some((raw, raw.get().as_ptr().addr().checked_sub(start)?)))
}

fn messages(text: &str, at: usize, quirks: &Quirks, (patch, loss): Out<'_>) {
    // Most conversations hold none of it; looking for the words is cheaper than reading the messages.
    let holds = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    let developer = quirks.developer_as_system && holds("developer");
    // A key may be spelled with escapes.
    let drops = !quirks.message_drop.is_empty() && (holds("\\u") || quirks.message_drop.iter().any(|name| holds(name)));
    if !developer && !drops && !quirks.content_as_string {
        return;
    }
    for (message, offset) in elements(text) {
        let object = message.get().as_bytes();
        let Ok((fields, _)) = envelope::scan(object) else { continue };
        let mut edit = Edit::new(object, at + offset, &fields);
        if developer
            && let Some((field, _)) = edit.said("role")
            && envelope::string_of(field, object).is_ok_and(|role| role == "developer")
        {
            edit.replace_string(field, "system", patch);
        }
        for name in &quirks.message_drop {
            if edit.remove(name) {
                loss.add(&format!("messages.{name}"));
            }
        }
        if quirks.content_as_string {
            content(&edit, &fields, object, (patch, loss));
        }
        edit.cut(patch);
    }
}

/// The content of one message as a string.
fn content(edit: &Edit<'_>, fields: &[Field], message: &[u8], (patch, loss): Out<'_>) {
    let Some(field) = fields.iter().find(|field| field.name == "content") else {
        return;
    };
    match field.text(message) {
        "null" => edit.replace_string(field, "", patch),
        text if text.starts_with('[') => {
            let texts: Vec<String> = elements(text).filter_map(|(part, _)| said(part, loss)).collect();
            edit.replace_string(field, &texts.join("\n\n"), patch);
        }
        _ => {}
    }
}

/// The text of a part; a part of another kind is lost.
fn said(part: &RawValue, loss: &mut Loss) -> Option<String> {
    if json::kind(part) == Kind::String {
        return serde_json::from_str(part.get()).ok();
    }
    let mut fields = Fields::parse(part.get(), "").ok()?;
    let kind = fields.take_string("type").ok().flatten().unwrap_or_else(|| "text".to_owned());
    let text = match kind.as_str() {
        "text" | "refusal" => fields.take_string(&kind).ok().flatten(),
        _ => None,
    };
    if text.is_none() {
        loss.add(&format!("messages.content.{kind}"));
    }
    text
}
