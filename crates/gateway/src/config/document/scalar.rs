//! What an unquoted YAML scalar means, by the core schema of YAML 1.2: `yes`, `on` and `12:30` are text, as in every 1.2 reader.

use serde_json::{Number, Value};

/// Resolves a plain (unquoted, untagged) scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    // Rust also reads "inf", "nan" and "infinity" as floats; YAML does not.
    let first_is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let chars_fit = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'));
    if !first_is_number || !chars_fit {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole));
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(Number::from(whole));
    }
    let float = text.parse::<f64>().ok()?;
    // A whole number may be written 95.0 or 1e3: JSON Schema takes these for integers, serde does not.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= EXACT_MAX {
        return format!("{float:.0}").parse::<i64>().ok().map(Number::from);
    }
    Number::from_f64(float)
}
