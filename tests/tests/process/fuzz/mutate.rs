//! Mutations, of bytes and of JSON values. A body depends on the generator's state alone.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

/// Values that programs trip over.
fn odd(rng: &mut StdRng) -> Value {
    match rng.random_range(0..22) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(-0.0),
        8 => json!(""),
        9 => json!("\u{0}\u{1f}\u{7f}\u{202e}\u{feff}"),
        10 => json!("😀\u{10ffff}"),
        11 => json!("x".repeat(rng.random_range(1..3_000))),
        12 => json!([]),
        13 => json!({}),
        14 => json!([null, [], {}, ""]),
        15 => (0..rng.random_range(1..140)).fold(json!(1), |inner, _| json!([inner])),
        16 => json!({"type": "text", "text": "t"}),
        17 => json!("data:image/png;base64,"),
        18 => json!("openai/echo"),
        19 => json!({"type": "nothing_known"}),
        20 => json!("user"),
        _ => json!("{\"a\":"),
    }
}

/// The next body.
pub(crate) fn next(rng: &mut StdRng, seeds: &[&str]) -> Vec<u8> {
    let seed = seeds.choose(rng).copied().unwrap_or_default();
    match rng.random_range(0..20) {
        0 => noise(rng),
        1 => odd(rng).to_string().into_bytes(),
        2 => seed.as_bytes().to_vec(),
        3..8 => {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..rng.random_range(1..4) {
                of_bytes(rng, &mut bytes, seeds);
            }
            bytes
        }
        _ => {
            let mut value: Value = serde_json::from_str(seed).unwrap();
            for _ in 0..rng.random_range(1..3) {
                of_value(rng, &mut value);
            }
            let mut text = value.to_string();
            // A double key cannot stand in a map.
            if rng.random_range(0..16) == 0 {
                let key = ["model", "messages", "stream", "max_tokens", "tools", "other"].choose(rng).unwrap();
                text = text.replacen('{', &format!("{{\"{key}\":{},", odd(rng)), 1);
            }
            text.into_bytes()
        }
    }
}

fn noise(rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..400)];
    rng.fill(&mut bytes[..]);
    bytes
}

fn of_bytes(rng: &mut StdRng, bytes: &mut Vec<u8>, seeds: &[&str]) {
    if bytes.is_empty() {
        bytes.push(b'{');
    }
    let at = rng.random_range(0..bytes.len());
    let to = rng.random_range(at..bytes.len().min(at + 40));
    match rng.random_range(0..9) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = *b"{}[]\",:\\0\x00\xff".choose(rng).unwrap(),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..to)),
        4 => {
            let piece = bytes[at..to].to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let other = seeds.choose(rng).unwrap().as_bytes();
            let from = rng.random_range(0..other.len());
            bytes.splice(at.., other[from..].iter().copied());
        }
        6 => drop(bytes.splice(at..at, *b"\\ud800")),
        7 => drop(bytes.splice(at..to, odd(rng).to_string().into_bytes())),
        _ => drop(bytes.splice(at..at, noise(rng))),
    }
}

/// Walks to a random place, and changes what is there.
fn of_value(rng: &mut StdRng, value: &mut Value) {
    let here = rng.random_range(0..5) == 0;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(rng.random_range(0..fields.len())).cloned().unwrap();
            if here {
                of_field(rng, fields, &key);
            } else if let Some(inner) = fields.get_mut(&key) {
                of_value(rng, inner);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = rng.random_range(0..items.len());
            if !here {
                return of_value(rng, &mut items[at]);
            }
            match rng.random_range(0..4) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, odd(rng)),
                2 => items.extend_from_within(at..),
                _ => items.reverse(),
            }
        }
        Value::String(text) if here => text.insert_str(0, "\u{fffd}~"),
        other => *other = odd(rng),
    }
}

fn of_field(rng: &mut StdRng, fields: &mut Map<String, Value>, key: &str) {
    let found = fields.get(key).cloned().unwrap_or_default();
    match rng.random_range(0..5) {
        0 => drop(fields.remove(key)),
        1 => drop(fields.insert(key.to_owned(), odd(rng))),
        2 => drop(fields.insert(key.to_owned(), json!([found]))),
        3 => drop(fields.insert(key.to_uppercase(), found)),
        _ => drop(fields.insert(format!("{key}_x"), odd(rng))),
    }
}
