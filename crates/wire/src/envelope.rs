//! The few spans that we need of a body without parsing it into a tree: one walk over the raw bytes, strict about JSON,
//! that finds the top-level fields. Fuzzed against serde_json: it accepts exactly the same documents (up to its depth).

use std::borrow::Cow;
use std::ops::Range;

use crate::fault::Malformed;

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
    let text = std::str::from_utf8(body).map_err(|error| {
        Malformed::new(format!(
            "the body is not valid UTF-8 at byte {}; send JSON encoded as UTF-8",
            error.valid_up_to()
        ))
    })?;
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
    };
    let found = scanner.document()?;
    refuse_ambiguity(&found.0)?;
    Ok(found)
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

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(Vec<Field>, usize), Malformed> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(Malformed::new("the body is not a JSON object"));
        }
        self.at += 1;
        let head = self.at;
        let mut fields = Vec::with_capacity(12);
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            self.fields(&mut fields)?;
        }
        self.space();
        if self.at != self.bytes.len() {
            return Err(self.wrong("bytes after the end of the JSON object"));
        }
        Ok((fields, head))
    }

    fn fields(&mut self, fields: &mut Vec<Field>) -> Result<(), Malformed> {
        loop {
            self.space();
            let key = self.at;
            let name = self.key()?;
            let key = key..self.at;
            self.colon()?;
            let value = self.at;
            self.value()?;
            if fields.len() == FIELDS_MAX {
                return Err(self.wrong("more than 512 top-level fields"));
            }
            fields.push(Field {
                name,
                key,
                value: value..self.at,
            });
            self.space();
            match self.bump() {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                _ => return Err(self.wrong("expected a comma or a closing brace")),
            }
        }
    }

    fn key(&mut self) -> Result<String, Malformed> {
        let start = self.at;
        let escaped = self.string()?;
        let literal = self
            .bytes
            .get(start..self.at)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default();
        if escaped {
            return serde_json::from_str(literal).map_err(|_| self.wrong("a key has an invalid escape"));
        }
        Ok(literal.trim_matches('"').to_owned())
    }

    fn colon(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.bump() != Some(b':') {
            return Err(self.wrong("expected a colon"));
        }
        self.space();
        Ok(())
    }

    /// One value of any depth, without recursion: a bit per open container says whether it is an object.
    fn value(&mut self) -> Result<(), Malformed> {
        let mut open: u128 = 0;
        let mut depth: usize = 1; // the document's own object
        loop {
            let closed = self.scalar_or_open(&mut open, &mut depth)?;
            if !closed {
                continue;
            }
            loop {
                if depth == 1 {
                    return Ok(());
                }
                self.space();
                let in_object = open & 1 == 1;
                match (self.bump(), in_object) {
                    (Some(b','), true) => {
                        self.space();
                        self.string()?;
                        self.colon()?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.space();
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        open >>= 1;
                        depth -= 1;
                    }
                    _ => return Err(self.wrong("expected a comma or the end of the array or object")),
                }
            }
        }
    }

    /// Reads a scalar or an empty container (true), or enters a container (false).
    fn scalar_or_open(&mut self, open: &mut u128, depth: &mut usize) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| true),
            Some(opening @ (b'{' | b'[')) => {
                self.at += 1;
                if *depth == DEPTH_MAX {
                    return Err(self.wrong("nested deeper than 128 levels"));
                }
                self.space();
                let closing = if opening == b'{' { b'}' } else { b']' };
                if self.peek() == Some(closing) {
                    self.at += 1;
                    return Ok(true);
                }
                *depth += 1;
                *open = (*open << 1) | u128::from(opening == b'{');
                if opening == b'{' {
                    self.string()?;
                    self.colon()?;
                }
                Ok(false)
            }
            Some(b't') => self.literal(b"true").map(|()| true),
            Some(b'f') => self.literal(b"false").map(|()| true),
            Some(b'n') => self.literal(b"null").map(|()| true),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| true),
            _ => Err(self.wrong("expected a JSON value")),
        }
    }

    /// A string literal; true when it holds an escape.
    fn string(&mut self) -> Result<bool, Malformed> {
        if self.bump() != Some(b'"') {
            return Err(self.wrong("expected a string"));
        }
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(run) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(self.wrong("a string does not end"));
            };
            let text = rest.get(..run).unwrap_or_default();
            // No early end: the compiler then looks at many bytes at once.
            if text.iter().fold(false, |found, byte| found | (*byte < 0x20)) {
                return Err(self.wrong("a string holds a raw control character; escape it"));
            }
            self.at += run + 1;
            if rest.get(run) == Some(&b'"') {
                return Ok(escaped);
            }
            escaped = true;
            self.escape()?;
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bump() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let unit = self.hex4()?;
                if (0xDC00..=0xDFFF).contains(&unit) {
                    return Err(self.wrong("a lone surrogate escape"));
                }
                if (0xD800..=0xDBFF).contains(&unit) {
                    let low = (self.bump(), self.bump());
                    if low != (Some(b'\\'), Some(b'u')) || !(0xDC00..=0xDFFF).contains(&self.hex4()?) {
                        return Err(self.wrong("a lone surrogate escape"));
                    }
                }
                Ok(())
            }
            _ => Err(self.wrong("an invalid escape in a string")),
        }
    }

    fn hex4(&mut self) -> Result<u32, Malformed> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.bump().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.wrong("an invalid escape in a string"))?;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.bump() {
            Some(b'0') => {}
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.wrong("an invalid number")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), Malformed> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong("an invalid number"));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(self.wrong("expected a JSON value"));
        }
        self.at = end;
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn wrong(&self, what: &str) -> Malformed {
        Malformed::new(format!("the body is not valid JSON at byte {}: {what}", self.at))
    }
}

#[cfg(test)]
mod tests;
