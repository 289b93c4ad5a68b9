//! The words for each kind of structural problem. Everything said comes from the schema: legal names, examples, ranges, what is not yet
//! supported.

use serde_json::{Map, Value};

use super::super::document::Document;
use super::super::suggest::{did_you_mean, listed};
use super::super::units::{FORMATS, shown};

/// Reason and remedy.
type Said = (String, Option<String>);

/// What the words are made from.
pub(super) struct Words<'a> {
    pub(super) schema: &'a Value,
    pub(super) document: &'a Document,
}

impl Words<'_> {
    /// The schema that holds the keyword at this pointer.
    pub(super) fn schema_around(&self, keyword: &str) -> &Value {
        let pointer = keyword.rsplit_once('/').map_or("", |(before, _)| before);
        self.schema.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub(super) fn unknown_key(&self, schema: &Value, key: &str) -> Said {
        if is_not_yet(schema, key) {
            return (format!("\"{key}\" is not yet supported"), Some("leave it out for now".to_owned()));
        }
        let known = self.keys_of(schema);
        let names = known.iter().map(String::as_str);
        let remedy = did_you_mean(key, names.clone()).unwrap_or_else(|| format!("known here: {}", listed(names)));
        (format!("unknown key \"{}\"", shown(key)), Some(remedy))
    }

    pub(super) fn missing(&self, schema: &Value, property: &Value) -> Said {
        let name = property.as_str().unwrap_or_default();
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        let example = property.and_then(|property| self.first_example(property));
        let remedy = example.map_or_else(|| format!("add {name}"), |example| format!("add {name}: {}", in_line(example)));
        (format!("\"{name}\" is missing"), Some(remedy))
    }

    pub(super) fn wrong_root(&self, found: &Value) -> Said {
        let remedy = "write keys with their values, as in listen: 127.0.0.1:8080, with a space behind each colon";
        (
            format!("expected a map of settings, found {}", found_name(found)),
            Some(remedy.to_owned()),
        )
    }

    pub(super) fn wrong_type(&self, schema: &Value, found: &Value) -> Said {
        let expected = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        let found_name = match found {
            // A number may be a secret, too; elsewhere it helps to see it.
            Value::Number(number) if expected == "integer" => format!("{number}"),
            _ => found_name(found).to_owned(),
        };
        let reason = format!("expected {}, found {found_name}", expected_name(expected));
        let remedy = match (expected, found) {
            ("string", Value::Number(_) | Value::Bool(_)) if schema.get("format").is_none() => Some("put it in quotes".to_owned()),
            ("array", Value::String(_)) => Some("put it in brackets, as in [ … ]".to_owned()),
            (_, Value::Null) => {
                let example = self
                    .first_example(schema)
                    .map_or_else(String::new, |example| format!(" such as {}", in_line(example)));
                Some(format!("give it a value{example}, or leave it out"))
            }
            _ => self.example(schema),
        };
        (reason, remedy)
    }

    pub(super) fn not_one_of(&self, schema: &Value, found: &Value) -> Said {
        let names = legal_values(schema);
        let names = || names.iter().copied();
        let Some(text) = found.as_str() else {
            return (format!("expected one of {}, found {}", listed(names()), found_name(found)), None);
        };
        let choice = format!("use {}", listed(names()));
        if is_not_yet(schema, text) {
            // A database's address may hold a password: only what stands before it is quoted.
            let quoted = text.split_once("://").map_or(text, |(scheme, _)| scheme);
            return (format!("\"{}\" is not yet supported", shown(quoted)), Some(choice));
        }
        let remedy = did_you_mean(text, names()).unwrap_or(choice);
        (format!("\"{}\" is not one of {}", shown(text), listed(names())), Some(remedy))
    }

    pub(super) fn bad_text(&self, format: &str, found: &Value) -> Said {
        let check = FORMATS.iter().find(|(name, _)| *name == format).map(|(_, check)| check);
        match check.and_then(|check| check(found.as_str()?).err()) {
            Some(complaint) => (complaint.reason, complaint.remedy),
            None => (format!("this is no {format}"), None),
        }
    }

    pub(super) fn out_of_range(&self, schema: &Value, found: &Value) -> Said {
        let bound = |keyword: &str| schema.get(keyword).cloned().unwrap_or(Value::from(0));
        let (min, max) = (bound("minimum"), bound("maximum"));
        (format!("{found} is out of range"), Some(format!("use {min} to {max}")))
    }

    /// "write for example …", from the schema.
    pub(super) fn example(&self, schema: &Value) -> Option<String> {
        self.first_example(schema)
            .map(|example| format!("write for example {}", in_line(example)))
    }

    /// The first example of the schema, or of what it refers to.
    fn first_example<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        let own = schema.get("examples").and_then(|examples| examples.get(0));
        own.or_else(|| {
            let target = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
            self.schema.pointer(target)?.get("examples")?.get(0)
        })
    }

    fn keys_of(&self, schema: &Value) -> Vec<String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// Whether the schema lists the name as one that later versions bring.
fn is_not_yet(schema: &Value, name: &str) -> bool {
    let listed = schema.get("x-not-yet").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|later| match later.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == later,
        })
}

/// The values of an enum, however it is written.
fn legal_values(schema: &Value) -> Vec<&str> {
    let consts = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| one.get("const"));
    let plain = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    consts.chain(plain).chain(schema.get("const")).filter_map(Value::as_str).collect()
}

fn expected_name(kind: &str) -> &str {
    match kind {
        "object" => "a map",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}

fn found_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// An example as YAML on one line.
fn in_line(value: &Value) -> String {
    let pairs = |map: &Map<String, Value>| {
        map.iter()
            .map(|(key, value)| format!("{key}: {}", in_line(value)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(in_line).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => format!("{{ {} }}", pairs(map)),
        other => other.to_string(),
    }
}
