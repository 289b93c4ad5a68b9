//! The schema and the structs say the same.

use serde_json::{Value, json};

use super::super::raw::Raw;
use super::super::units::FORMATS;
use super::{COMPILED, schema};

/// Every schema within the schema.
fn each<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.iter()
                .filter(|(key, _)| *key != "examples" && *key != "default")
                .for_each(|(_, value)| each(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        _ => {}
    }
}

#[test]
fn the_defaults_are_valid_and_read_back() {
    let compiled = COMPILED.as_ref().map_err(String::as_str).unwrap();
    let defaults = serde_json::to_value(Raw::default()).unwrap();
    assert!(compiled.validator.is_valid(&defaults), "{defaults}");
    assert_eq!(serde_json::from_value::<Raw>(defaults).unwrap(), Raw::default());
    assert_eq!(serde_json::from_value::<Raw>(json!({})).unwrap(), Raw::default());
}

#[test]
fn nothing_may_be_null() {
    let schema = schema();
    each(&schema, &mut |map| {
        assert_ne!(map.get("type"), Some(&json!("null")), "{map:?}");
        assert!(map.get("type").is_none_or(|kind| !kind.to_string().contains("null")), "{map:?}");
        assert_ne!(map.get("default"), Some(&Value::Null), "{map:?}");
    });
}

#[test]
fn every_setting_is_described() {
    let schema = schema();
    each(&schema, &mut |map| {
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(
                property.get("description").is_some_and(Value::is_string),
                "{name} has no description"
            );
        }
    });
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    let schema = schema();
    each(&schema, &mut |map| {
        if map.contains_key("properties") {
            assert_eq!(map.get("additionalProperties"), Some(&json!(false)), "{map:?}");
        }
    });
}

#[test]
fn examples_of_formats_are_of_their_format() {
    let schema = schema();
    let mut seen = 0;
    each(&schema, &mut |map| {
        let Some(Value::String(format)) = map.get("format") else { return };
        let Some((_, check)) = FORMATS.iter().find(|(name, _)| name == format) else {
            return;
        };
        for example in map.get("examples").and_then(Value::as_array).into_iter().flatten() {
            assert_eq!(check(example.as_str().unwrap()), Ok(()), "{example}");
            seen += 1;
        }
    });
    assert!(FORMATS.len() <= seen, "only {seen} examples");
}

#[test]
fn examples_of_sections_are_valid() {
    let compiled = COMPILED.as_ref().map_err(String::as_str).unwrap();
    for (name, property) in schema()["properties"].as_object().unwrap() {
        for example in property.get("examples").and_then(Value::as_array).into_iter().flatten() {
            let file = json!({ name.as_str(): example });
            assert!(compiled.validator.is_valid(&file), "{file}");
        }
    }
}

#[test]
fn what_is_not_yet_supported_is_not_supported() {
    let schema = schema();
    each(&schema, &mut |map| {
        for later in map
            .get("x-not-yet")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(
                map.get("properties").is_none_or(|properties| properties.get(later).is_none()),
                "{later} is both"
            );
        }
    });
}
