//! What a caller says beside: `x-tollgate-metadata`, a JSON object of short texts, and the body's own `metadata`. The header is refused when it
//! cannot be read; of the body, which is the provider's to judge, what is no text is passed over.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Map, Value};
use tollgate_wire::envelope::Envelope;
use tollgate_wire::fault::{Fault, FaultKind};

/// Pairs of one call; OpenAI's own bounds.
const PAIRS_MAX: usize = 16;
const NAME_CHARS_MAX: usize = 64;
const VALUE_CHARS_MAX: usize = 512;
/// A larger `metadata` of a body is not looked at.
const BODY_BYTES_MAX: usize = 64 << 10;

type Pair = (Arc<str>, Arc<str>);

/// The header's pairs, in the order of their names.
pub(super) fn of_header(headers: &HeaderMap) -> Result<Vec<Pair>, Fault> {
    let Some(header) = headers.get("x-tollgate-metadata") else {
        return Ok(Vec::new());
    };
    let wrong = |what: &str| {
        let message = format!("x-tollgate-metadata {what}; send a JSON object of up to {PAIRS_MAX} short texts");
        Fault::client(FaultKind::Malformed, message).with_code("invalid_attribution")
    };
    let object: Map<String, Value> = serde_json::from_slice(header.as_bytes()).map_err(|_| wrong("is no JSON object"))?;
    if PAIRS_MAX < object.len() {
        return Err(wrong("has too many entries"));
    }
    let pairs = object.iter().map(|(name, value)| {
        let text = value.as_str().filter(|text| is_short(name, text));
        text.map(|text| pair(name, text)).ok_or_else(|| {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
            wrong(&format!("has \"{shown}\", which is no short text"))
        })
    });
    let mut pairs = pairs.collect::<Result<Vec<Pair>, Fault>>()?;
    pairs.sort();
    Ok(pairs)
}

/// The header's pairs and the body's; the header's stand above.
pub(super) fn with_body(said: &[Pair], envelope: &Envelope, body: &[u8]) -> Vec<Pair> {
    let mut pairs = said.to_vec();
    let text = envelope
        .field("metadata")
        .map(|field| field.text(body))
        .filter(|text| text.len() <= BODY_BYTES_MAX);
    let object: Map<String, Value> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for (name, value) in &object {
        let known = pairs.iter().any(|(known, _)| **known == **name);
        if let Some(text) = value
            .as_str()
            .filter(|text| !known && is_short(name, text) && pairs.len() < 2 * PAIRS_MAX)
        {
            pairs.push(pair(name, text));
        }
    }
    pairs.sort();
    pairs
}

fn pair(name: &str, text: &str) -> Pair {
    (Arc::from(name), Arc::from(text))
}

fn is_short(name: &str, text: &str) -> bool {
    name.chars().count() <= NAME_CHARS_MAX && text.chars().count() <= VALUE_CHARS_MAX
}
