//! Writes a JSON value in ways that no serialiser would: the same value, other bytes. Only JSON's own freedom is used: white space,
//! escapes, spellings of numbers.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::dice::Dice;

/// The value in an unusual spelling; which, the dice say.
pub(crate) fn spell(value: &Value, dice: &mut Dice) -> String {
    let mut out = String::new();
    write(value, dice, &mut out);
    out
}

fn write(value: &Value, dice: &mut Dice, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
        Value::Number(number) => out.push_str(&spell_number(&number.to_string(), dice)),
        Value::String(text) => string(text, dice, out),
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                comma(at, dice, out);
                write(element, dice, out);
            }
            space(dice, out);
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                comma(at, dice, out);
                string(name, dice, out);
                space(dice, out);
                out.push(':');
                space(dice, out);
                write(value, dice, out);
            }
            space(dice, out);
            out.push('}');
        }
    }
}

fn comma(at: usize, dice: &mut Dice, out: &mut String) {
    if at > 0 {
        space(dice, out);
        out.push(',');
    }
    space(dice, out);
}

fn space(dice: &mut Dice, out: &mut String) {
    while dice.once_in(3) {
        out.push(*dice.pick(&[' ', '\n', '\r', '\t']));
    }
}

/// A number of the same value: `7`, `7.0`, `7.00`; a fraction or an exponent with more zeros.
fn spell_number(text: &str, dice: &mut Dice) -> String {
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match dice.below(4) {
        0 if whole => format!("{text}.0"),
        1 if !text.contains(['e', 'E']) => format!("{text}e0"),
        2 if text.contains('.') && !text.contains(['e', 'E']) => format!("{text}000E+00"),
        _ => text.to_owned(),
    }
}

fn string(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '/' if dice.once_in(2) => out.push_str("\\/"),
            _ if dice.once_in(12) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&if dice.once_in(2) {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    });
                }
            }
            _ => {
                let literal = serde_json::to_string(&c).unwrap();
                out.push_str(&literal[1..literal.len() - 1]);
            }
        }
    }
    out.push('"');
}

#[test]
fn an_unusual_spelling_is_the_same_value() {
    let value = serde_json::json!({"a/b": ["é😀\n\"\\", 1, -2.5, 1e300, null, true, {}, [], ""], "": {"x": 0}});
    for seed in 0..200 {
        let text = spell(&value, &mut Dice::new(seed));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert!(alike(&read, &value), "{text}");
    }
}

/// Equal but for the type of numbers: `7.0` is `7`.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other)),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && alike(one.1, other.1))
        }
        _ => one == other,
    }
}
