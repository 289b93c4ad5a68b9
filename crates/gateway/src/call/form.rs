//! Whether an answer has the form that was asked for: JSON where JSON was, and of a schema what can be told at a glance. Looked at only
//! where a route goes on to another model when it has not (`fallback_on: [invalid_output]`).

use serde_json::Value;
use tollgate_wire::event::{Block, Delta, Event, Finish};
use tollgate_wire::request::OutputFormat;

/// What is wrong with the form of an answer; `None`: nothing that can be told at a glance.
pub(super) fn flaw(format: &OutputFormat, events: &[Event]) -> Option<String> {
    let schema: Option<Value> = match format {
        OutputFormat::Text => return None,
        OutputFormat::Json => None,
        OutputFormat::Schema { schema, .. } => serde_json::from_str(schema.get()).ok(),
    };
    let mut choices: Vec<u32> = events
        .iter()
        .filter_map(|event| match event {
            // Tools are called instead of an answer, or something else than the form was in the way.
            Event::Finish {
                reason: Finish::ToolCalls | Finish::ContentFilter | Finish::Pause,
                ..
            } => None,
            Event::Finish { choice, .. } => Some(*choice),
            _ => None,
        })
        .collect();
    choices.dedup();
    choices
        .into_iter()
        .find_map(|choice| flaw_of(&text_of(events, choice), schema.as_ref()))
}

fn flaw_of(text: &str, schema: Option<&Value>) -> Option<String> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return Some(format!("no JSON: {error}")),
    };
    let Some(schema) = schema else {
        return (!value.is_object()).then(|| "no JSON object".to_owned());
    };
    let kind = schema.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !is_of(&value, kind)) {
        return Some(format!("not of the schema's type, {}", kind.unwrap_or_default()));
    }
    let required = schema.get("required").and_then(Value::as_array);
    let mut missing = required.into_iter().flatten().filter_map(Value::as_str);
    let missing = missing.find(|name| value.is_object() && value.get(name).is_none())?;
    Some(format!("the required member \"{missing}\" is missing"))
}

/// The text of a choice, without reasoning and refusals.
fn text_of(events: &[Event], of: u32) -> String {
    let mut blocks = Vec::new();
    let mut text = String::new();
    for event in events {
        match event {
            Event::Open {
                choice,
                block,
                kind: Block::Text,
            } if *choice == of => blocks.push(*block),
            Event::Delta {
                choice,
                block,
                delta: Delta::Text(piece),
            } if *choice == of && blocks.contains(block) => text.push_str(piece),
            _ => {}
        }
    }
    text
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_flaw_is_what_can_be_told_at_a_glance() {
        let schema = r#"{"type":"object","required":["name","age"]}"#;
        let rows = [
            ("{}", None, None),
            ("{\"a\":1} ", None, None),
            ("[1]", None, Some("no JSON object")),
            ("```json\n{}\n```", None, Some("no JSON: ")),
            ("", None, Some("no JSON: ")),
            ("{\"name\":\"x\",\"age\":1}", Some(schema), None),
            ("{\"name\":\"x\"}", Some(schema), Some("the required member \"age\" is missing")),
            ("[]", Some(schema), Some("not of the schema's type, object")),
            ("7", Some(r#"{"type":"integer"}"#), None),
            ("7.5", Some(r#"{"type":"integer"}"#), Some("not of the schema's type, integer")),
            ("7.5", Some(r#"{"anyOf":[{"type":"integer"}]}"#), None),
        ];
        for (text, schema, expected) in rows {
            let schema: Option<Value> = schema.map(|schema| serde_json::from_str(schema).unwrap());
            let told = flaw_of(text, schema.as_ref());
            match expected {
                None => assert_eq!(told, None, "{text}"),
                Some(expected) => assert!(told.as_ref().is_some_and(|told| told.starts_with(expected)), "{text}: {told:?}"),
            }
        }
    }
}
