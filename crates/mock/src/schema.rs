//! Makes an instance of a JSON Schema: the arguments of a simulated tool call, a simulated structured answer.
//! It follows the keywords that models' callers use; it does not solve `pattern`, `not` or `if`.

use serde_json::{Map, Number, Value};

/// Levels after which optional things are left out, so that a recursive schema ends.
const OPTIONAL_DEPTH_MAX: usize = 6;
/// Levels after which nothing more is made.
const DEPTH_MAX: usize = 24;

/// An instance of the schema; the same for the same schema.
pub(crate) fn instance(schema: &Value) -> Value {
    Maker { root: schema }.make(schema, "text", 0)
}

struct Maker<'a> {
    root: &'a Value,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if DEPTH_MAX < depth {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| self.resolve(path)) {
            return self.make(target, name, depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
            return value.clone();
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branch) = schema.get(keyword).and_then(Value::as_array).and_then(|all| first_not_null(all)) {
                return self.make(branch, name, depth + 1);
            }
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            return self.make(&merge(schema, all, self), name, depth + 1);
        }
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => Value::Number(Number::from(integer(schema))),
            "number" => Number::from_f64(number(schema)).map_or(Value::Null, Value::Number),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => Value::String(string(schema, name)),
        }
    }

    fn resolve(&self, reference: &str) -> Option<&Value> {
        let pointer = reference.strip_prefix('#')?;
        if pointer.is_empty() {
            Some(self.root)
        } else {
            self.root.pointer(pointer)
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut object = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if required.contains(&name.as_str()) || depth < OPTIONAL_DEPTH_MAX {
                object.insert(name.clone(), self.make(property, name, depth + 1));
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            return items.iter().map(|item| self.make(item, name, depth + 1)).collect();
        }
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let wanted = if depth < OPTIONAL_DEPTH_MAX { least.max(1) } else { least };
        let any = Value::Bool(true);
        let item = schema.get("items").unwrap_or(&any);
        (0..wanted.min(most).min(64)).map(|_| self.make(item, name, depth + 1)).collect()
    }
}

fn first_not_null(branches: &[Value]) -> Option<&Value> {
    branches
        .iter()
        .find(|branch| type_of(branch) != "null")
        .or_else(|| branches.first())
}

/// One schema of all branches: their properties and requirements together, other keywords by last mention.
fn merge(schema: &Value, branches: &[Value], maker: &Maker<'_>) -> Value {
    let mut merged = schema.as_object().cloned().unwrap_or_default();
    merged.remove("allOf");
    for branch in branches {
        let branch = branch
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|path| maker.resolve(path))
            .unwrap_or(branch);
        for (keyword, value) in branch.as_object().into_iter().flatten() {
            match (merged.get_mut(keyword), value) {
                (Some(Value::Object(into)), Value::Object(from)) => {
                    into.extend(from.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                (Some(Value::Array(into)), Value::Array(from)) => into.extend(from.iter().cloned()),
                _ => {
                    merged.insert(keyword.clone(), value.clone());
                }
            }
        }
    }
    Value::Object(merged)
}

fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() || schema.get("prefixItems").is_some() => "array",
        _ => "string",
    }
}

fn integer(schema: &Value) -> i64 {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    let value = least.unwrap_or_else(|| most.map_or(42, |most| most.min(42)));
    match bound("multipleOf") {
        Some(step) if 0 < step => value.div_euclid(step).saturating_add(i64::from(value.rem_euclid(step) != 0)) * step,
        _ => value,
    }
}

fn number(schema: &Value) -> f64 {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    match (
        bound("minimum").or(bound("exclusiveMinimum")),
        bound("maximum").or(bound("exclusiveMaximum")),
    ) {
        (Some(least), Some(most)) => f64::midpoint(least, most),
        (Some(least), None) => least + 0.5,
        (None, Some(most)) => most.min(1.5) - 0.5,
        (None, None) => 1.5,
    }
}

fn string(schema: &Value, name: &str) -> String {
    let formatted = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-11-20T12:00:00Z",
        Some("date") => "2026-11-20",
        Some("time") => "12:00:00Z",
        Some("duration") => "PT5M",
        Some("email") => "ada@example.com",
        Some("hostname") => "example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "123e4567-e89b-42d3-a456-426614174000",
        _ => "",
    };
    if !formatted.is_empty() {
        return formatted.to_owned();
    }
    let length = |keyword: &str| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let mut text = format!("sample {name}");
    while text.chars().count() < length("minLength").unwrap_or(0).min(65_536) {
        text.push('x');
    }
    text.chars().take(length("maxLength").unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instances() {
        let rows = [
            (
                json!({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}),
                json!({"city":"sample city"}),
            ),
            (json!({}), json!("sample text")),
            (json!({"type":"object"}), json!({})),
            (json!({"enum":["c","f"]}), json!("c")),
            (json!({"const":7}), json!(7)),
            (json!({"type":["null","integer"],"minimum":3}), json!(3)),
            (json!({"type":"integer","minimum":5,"multipleOf":4}), json!(8)),
            (json!({"type":"number","minimum":0,"maximum":1}), json!(0.5)),
            (json!({"anyOf":[{"type":"null"},{"type":"boolean"}]}), json!(true)),
            (
                json!({"type":"array","items":{"type":"string","maxLength":3},"minItems":2}),
                json!(["sam", "sam"]),
            ),
            (
                json!({"allOf":[{"properties":{"a":{"const":1}}},{"properties":{"b":{"const":2}}}]}),
                json!({"a":1,"b":2}),
            ),
            (
                json!({"$ref":"#/$defs/p","$defs":{"p":{"type":"string","format":"date"}}}),
                json!("2026-11-20"),
            ),
        ];
        for (schema, expected) in rows {
            assert_eq!(instance(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn recursion_ends() {
        let schema = json!({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{
            "value":{"type":"integer"},"next":{"$ref":"#/$defs/n"}},"required":["value"]}}});
        assert!(instance(&schema).to_string().len() < 1000);
    }
}
