//! Reading and writing JSON objects field by field, with every value that we do not know kept raw, byte for byte.
//! No tree is built, and nothing is flattened (serde's `flatten` and `untagged` break `RawValue` at run time).

mod run;

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fault::Malformed;
use crate::loss::Loss;
use crate::request::Extra;

pub use run::plain_run;

/// The fields of one JSON object in order, to be taken by name; what is left is what we do not know.
#[derive(Debug)]
pub struct Fields<'a> {
    path: Cow<'a, str>,
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads an object. `path` names it in complaints (`messages[0]`; empty for the document).
    ///
    /// # Errors
    /// When the text is not one JSON object.
    pub fn parse(text: &'a str, path: impl Into<Cow<'a, str>>) -> Result<Self, Malformed> {
        let path = path.into();
        match serde_json::from_str::<Entries<'a>>(text) {
            Ok(Entries(entries)) => Ok(Self { path, entries }),
            // Not serde's own words: they quote what they met.
            Err(error) => Err(complaint(
                &path,
                &format!("expected a JSON object (line {}, column {})", error.line(), error.column()),
            )),
        }
    }

    /// The object's own path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of one of its fields.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Takes a field; a `null` counts as absent. Where a key is repeated its last value counts, as for most JSON parsers, and
    /// none is left over.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.entries.iter().rposition(|(key, _)| key == name)?;
        let (_, raw) = self.entries.remove(at);
        self.entries.retain(|(key, _)| key != name);
        (raw.get() != "null").then_some(raw)
    }

    /// Takes a field of a serde type.
    ///
    /// # Errors
    /// When it is there and of another type.
    pub fn take_as<T: Deserialize<'a>>(&mut self, name: &str, expected: &str) -> Result<Option<T>, Malformed> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| Malformed::at(self.path_of(name), format!("expected {expected}")))
    }

    /// Takes a string.
    ///
    /// # Errors
    /// When it is there and not a string.
    pub fn take_string(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        self.take_as(name, "a string")
    }

    /// Takes a string that must be there.
    ///
    /// # Errors
    /// When it is missing or not a string.
    pub fn need_string(&mut self, name: &str) -> Result<String, Malformed> {
        let path = self.path_of(name);
        self.take_string(name)?
            .ok_or_else(|| Malformed::at(path, "required string is missing"))
    }

    /// Takes a whole number of 0 or more; `5.0` is one.
    ///
    /// # Errors
    /// When it is there and not such a number.
    pub fn take_u64(&mut self, name: &str) -> Result<Option<u64>, Malformed> {
        const EXPECTED: &str = "a whole number of 0 or more";
        let Some(number) = self.take_f64(name).map_err(|m| Malformed {
            message: format!("expected {EXPECTED}"),
            ..m
        })?
        else {
            return Ok(None);
        };
        #[expect(clippy::cast_precision_loss, reason = "only a bound")]
        let fits = number >= 0.0 && number.fract() == 0.0 && number < (1_u64 << 53) as f64;
        if !fits {
            return Err(Malformed::at(self.path_of(name), format!("expected {EXPECTED}")));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        Ok(Some(number as u64))
    }

    /// Takes a number.
    ///
    /// # Errors
    /// When it is there and not a number.
    pub fn take_f64(&mut self, name: &str) -> Result<Option<f64>, Malformed> {
        self.take_as(name, "a number")
    }

    /// Takes a boolean.
    ///
    /// # Errors
    /// When it is there and not a boolean.
    pub fn take_bool(&mut self, name: &str) -> Result<Option<bool>, Malformed> {
        self.take_as(name, "true or false")
    }

    /// Takes an array as its raw elements; absent: empty.
    ///
    /// # Errors
    /// When it is there and not an array.
    pub fn take_array(&mut self, name: &str) -> Result<Vec<&'a RawValue>, Malformed> {
        Ok(self.take_as(name, "an array")?.unwrap_or_default())
    }

    /// Takes an object as its fields; absent: `None`.
    ///
    /// # Errors
    /// When it is there and not an object.
    pub fn take_object(&mut self, name: &str) -> Result<Option<Fields<'a>>, Malformed> {
        let path = self.path_of(name);
        self.take(name).map(|raw| Fields::parse(raw.get(), path)).transpose()
    }

    /// What was not taken, without nulls, tagged with its dialect.
    #[must_use]
    pub fn rest(self, dialect: &'static str) -> Extra {
        let fields = self
            .entries
            .into_iter()
            .filter(|(_, raw)| raw.get() != "null")
            .map(|(key, raw)| (key.into_owned(), raw.to_owned()))
            .collect();
        Extra { dialect, fields }
    }

    /// The names and raw values that were not taken, in order.
    pub fn remaining(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.entries.iter().map(|(key, raw)| (key.as_ref(), *raw))
    }
}

fn complaint(path: &str, message: &str) -> Malformed {
    if path.is_empty() {
        Malformed::new(message)
    } else {
        Malformed::at(path, message)
    }
}

/// Whether a raw value is a string, object, array …, by its first byte.
#[must_use]
pub fn kind(raw: &RawValue) -> Kind {
    match raw.get().as_bytes().first() {
        Some(b'"') => Kind::String,
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// The six kinds of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `"…"`
    String,
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// `null`
    Null,
}

/// Text as a raw JSON value, when it is one.
#[must_use]
pub fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(8);
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// The key of a field, borrowed where it holds no escape.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Appends a JSON string literal.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    if plain_run(text.as_bytes()) == text.len() {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Serialising a &str into a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends a whole number.
pub fn write_integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut first = digits.len();
    for (at, place) in digits.iter_mut().enumerate().rev() {
        *place += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends an object whose fields `fill` writes.
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.push(b'{');
    let mut writer = ObjectWriter { out, first: true };
    fill(&mut writer);
    out.push(b'}');
}

/// Appends an array whose elements `fill` writes.
pub fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
    out.push(b'[');
    let mut writer = ArrayWriter { out, first: true };
    fill(&mut writer);
    out.push(b']');
}

/// Writes the fields of one object.
#[derive(Debug)]
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl ObjectWriter<'_> {
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write_string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A string field.
    pub fn string(&mut self, name: &str, value: &str) {
        write_string(self.key(name), value);
    }

    /// A string field, or nothing.
    pub fn string_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(name, value);
        }
    }

    /// Any serde value; for numbers and booleans. Whole numbers are written without a fraction.
    pub fn number(&mut self, name: &str, value: f64) {
        let out = self.key(name);
        if value.fract() == 0.0 && value.abs() < 9e15 {
            out.extend_from_slice(format!("{value:.0}").as_bytes());
        } else {
            let _ = serde_json::to_writer(out, &value);
        }
    }

    /// A whole number.
    pub fn integer(&mut self, name: &str, value: u64) {
        write_integer(self.key(name), value);
    }

    /// `true` or `false`.
    pub fn bool(&mut self, name: &str, value: bool) {
        self.key(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// `null`.
    pub fn null(&mut self, name: &str) {
        self.key(name).extend_from_slice(b"null");
    }

    /// A raw JSON value; the text must be valid JSON.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.key(name).extend_from_slice(value.as_bytes());
    }

    /// A nested object.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        object(self.key(name), fill);
    }

    /// A nested array.
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        array(self.key(name), fill);
    }

    /// The unknown fields of the dialect that is being written; those of another dialect become losses, by `path` and name.
    pub fn extra(&mut self, extra: &Extra, dialect: &str, path: &str, loss: &mut Loss) {
        for (name, raw) in &extra.fields {
            if extra.dialect == dialect {
                self.raw(name, raw.get());
            } else if path.is_empty() {
                loss.add(name);
            } else {
                loss.add(&format!("{path}.{name}"));
            }
        }
    }
}

/// Writes the elements of one array.
#[derive(Debug)]
pub struct ArrayWriter<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl ArrayWriter<'_> {
    fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out
    }

    /// A string element.
    pub fn string(&mut self, value: &str) {
        write_string(self.next(), value);
    }

    /// A raw JSON element; the text must be valid JSON.
    pub fn raw(&mut self, value: &str) {
        self.next().extend_from_slice(value.as_bytes());
    }

    /// An object element.
    pub fn object(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        object(self.next(), fill);
    }
}
