//! The few spans that we need of a body without parsing it into a tree: one walk over the raw bytes, strict about JSON,
//! that finds the top-level fields. Fuzzed against serde_json: it accepts exactly the same documents (up to its depth).

mod opening;
pub(crate) mod scanner;

use std::borrow::Cow;
use std::ops::Range;

use crate::fault::Malformed;
use crate::patch::Patch;

pub use self::opening::opening;
use self::scanner::{Key, Scanner};

/// The deepest nesting accepted; serde_json's own limit.
pub const DEPTH_MAX: usize = 128;
/// The most top-level fields accepted.
pub const FIELDS_MAX: usize = 512;

/// Top-level keys that decide what a request means or costs. Repeating one, or writing it in another case (which some
/// servers accept as the same key), would let our policy and the provider see different documents: both are refused.
pub const DECIDING: &[&str] = &[
    "model",
    "messages",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "system",
    "stream_options",
    "n",
    "service_tier",
];

/// What we know of a caller's body.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The model as the caller names it.
    pub model: String,
    /// The span of the model's JSON string, quotes included.
    pub model_span: Range<usize>,
    /// A stream is wanted.
    pub stream: bool,
    /// The caller asked for usage within the stream.
    pub include_usage: bool,
    /// The caller's own output limit.
    pub max_tokens: Option<u64>,
    /// The top-level fields in order.
    pub fields: Vec<Field>,
    /// Where a first field may be inserted: just behind the opening brace.
    pub head: usize,
}

impl Envelope {
    /// The top-level field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The names of a request's output limit, in every dialect that has one at its top level; the first that is set counts.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

impl Envelope {
    /// The edit that limits the output to `tokens`, whatever limit the body had.
    #[must_use]
    pub fn limit(&self, body: &[u8], tokens: u64) -> Patch {
        let mut patch = Patch::default();
        let set = |field: &&Field| LIMITS.contains(&field.name.as_str()) && field.text(body) != "null";
        let mut fields = self.fields.iter().filter(set).peekable();
        if fields.peek().is_none() {
            // There is at least the model behind it. A field that is null says nothing, and is written over.
            match self.field("max_tokens") {
                Some(null) => patch.replace(null.value.clone(), tokens.to_string()),
                None => patch.replace(self.head..self.head, format!("\"max_tokens\":{tokens},")),
            }
        }
        for field in fields {
            patch.replace(field.value.clone(), tokens.to_string());
        }
        patch
    }

    /// A whole number at the top level; `None`: it is not there, or is none.
    #[must_use]
    pub fn count(&self, name: &str, body: &[u8]) -> Option<u64> {
        let text = self.field(name)?.text(body);
        // `5.0` and `1e1` are whole numbers too; what is none counts as the largest that is believed.
        text.parse().ok().or_else(|| {
            let number = text.parse::<f64>().ok().filter(|number| (0.0..1e9).contains(number))?;
            format!("{:.0}", number.ceil()).parse().ok()
        })
    }

    /// A string at the top level.
    #[must_use]
    pub fn word<'a>(&self, name: &str, body: &'a [u8]) -> Option<Cow<'a, str>> {
        string_of(self.field(name)?, body).ok()
    }
}

/// A top-level field of a body.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, unescaped.
    pub name: String,
    /// The span of its key, quotes included.
    pub key: Range<usize>,
    /// The span of its value.
    pub value: Range<usize>,
}

impl Field {
    /// True when its value is an array.
    #[must_use]
    pub fn is_array(&self, body: &[u8]) -> bool {
        body.get(self.value.start) == Some(&b'[')
    }

    /// The raw text of its value.
    #[must_use]
    pub fn text<'a>(&self, body: &'a [u8]) -> &'a str {
        body.get(self.value.clone())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

/// The top-level fields of a body, and where its first field may be inserted.
///
/// # Errors
/// When the body is not valid UTF-8 or not one JSON object, is nested too deeply, or repeats (or miscases) a deciding key.
pub fn scan(body: &[u8]) -> Result<(Vec<Field>, usize), Malformed> {
    // Most bodies are ASCII, and to see that is cheaper.
    if !body.is_ascii() {
        std::str::from_utf8(body).map_err(|error| {
            Malformed::new(format!(
                "the body is not valid UTF-8 at byte {}; send JSON encoded as UTF-8",
                error.valid_up_to()
            ))
        })?;
    }
    let mut scanner = Scanner::new(body);
    let found = document(&mut scanner)?;
    refuse_ambiguity(&found.0)?;
    Ok(found)
}

fn document(scanner: &mut Scanner<'_>) -> Result<(Vec<Field>, usize), Malformed> {
    scanner.space();
    if scanner.peek() != Some(b'{') {
        return Err(Malformed::new("the body is not a JSON object"));
    }
    let head = scanner.at() + 1;
    let mut fields = Vec::with_capacity(12);
    scanner.object(|scanner, key| {
        let name = name_of(&key).ok_or_else(|| scanner.wrong("a key has an invalid escape"))?;
        let start = scanner.at();
        scanner.value()?;
        if fields.len() == FIELDS_MAX {
            return Err(scanner.wrong("more than 512 top-level fields"));
        }
        fields.push(Field {
            name,
            key: key.span,
            value: start..scanner.at(),
        });
        Ok(())
    })?;
    scanner.end()?;
    Ok((fields, head))
}

/// A key without its escapes.
fn name_of(key: &Key<'_>) -> Option<String> {
    let text = std::str::from_utf8(key.text).ok()?;
    if key.escaped {
        return serde_json::from_str(&format!("\"{text}\"")).ok();
    }
    Some(text.to_owned())
}

/// The string value of a field.
///
/// # Errors
/// When it is not a string.
pub fn string_of<'a>(field: &Field, body: &'a [u8]) -> Result<Cow<'a, str>, Malformed> {
    let text = field.text(body);
    let wrong = || Malformed::at(field.name.clone(), "expected a string");
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(text).map(Cow::Owned).map_err(|_| wrong());
    }
    Ok(Cow::Borrowed(inner))
}

fn refuse_ambiguity(fields: &[Field]) -> Result<(), Malformed> {
    for (index, field) in fields.iter().enumerate() {
        let Some(deciding) = DECIDING.iter().find(|name| name.eq_ignore_ascii_case(&field.name)) else {
            continue;
        };
        if *deciding != field.name {
            return Err(Malformed::at(
                field.name.clone(),
                format!("ambiguous key; write it as \"{deciding}\""),
            ));
        }
        if fields.iter().skip(index + 1).any(|later| later.name == field.name) {
            return Err(Malformed::at(field.name.clone(), "duplicate key; send it once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
