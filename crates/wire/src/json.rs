//! Reading and writing JSON objects field by field, with every value that we do not know kept raw, byte for byte.
//! No tree is built, and nothing is flattened (serde's `flatten` and `untagged` break `RawValue` at run time).

mod run;
mod write;

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::fault::Malformed;
use crate::request::Extra;

pub use run::plain_run;
pub use write::{ArrayWriter, ObjectWriter, array, object, write_integer, write_string};

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
