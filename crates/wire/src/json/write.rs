//! Writing JSON field by field, straight into the bytes that leave.

use super::run::plain_run;
use crate::loss::Loss;
use crate::request::Extra;

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
