//! One walk over raw JSON, strict and without a tree: it says where things stand, and refuses what is not JSON. Deeper than
//! [`DEPTH_MAX`] it does not go.

use std::ops::Range;

use super::DEPTH_MAX;
use crate::fault::Malformed;
use crate::json::plain_run;

/// A key of an object.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    /// What stands between its quotes.
    pub(crate) text: &'a [u8],
    /// Its place, quotes included.
    pub(crate) span: Range<usize>,
    /// It is spelt with escapes.
    pub(crate) escaped: bool,
}

/// A place in a JSON text. Every step is strict: what it passes is valid JSON.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text, which must be valid UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads an object: `field` is called behind each key's colon, with the key's raw text between its quotes, its span, and whether
    /// it holds an escape, and must read the value.
    pub(crate) fn object<F>(&mut self, mut field: F) -> Result<(), Malformed>
    where
        F: FnMut(&mut Self, Key<'a>) -> Result<(), Malformed>,
    {
        self.open(b'{', "expected an object")?;
        if self.closes(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let key = self.key()?;
            self.colon()?;
            field(self, key)?;
            self.space();
            match self.bump() {
                Some(b',') => {}
                Some(b'}') => return Ok(()),
                _ => return Err(self.wrong("expected a comma or a closing brace")),
            }
        }
    }

    /// Reads an array: `element` is called at each element and must read it.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        self.open(b'[', "expected an array")?;
        if self.closes(b']') {
            return Ok(());
        }
        loop {
            self.space();
            element(self)?;
            self.space();
            match self.bump() {
                Some(b',') => {}
                Some(b']') => return Ok(()),
                _ => return Err(self.wrong("expected a comma or the end of the array")),
            }
        }
    }

    /// Reads a value of any kind and gives its raw text.
    pub(crate) fn raw(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        self.value()?;
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Where it stands, in bytes from the beginning.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.wrong("bytes after the end of the JSON object"))
        }
    }

    fn open(&mut self, bracket: u8, otherwise: &str) -> Result<(), Malformed> {
        if self.peek() != Some(bracket) {
            return Err(self.wrong(otherwise));
        }
        self.at += 1;
        Ok(())
    }

    fn closes(&mut self, bracket: u8) -> bool {
        self.space();
        let closes = self.peek() == Some(bracket);
        self.at += usize::from(closes);
        closes
    }

    fn key(&mut self) -> Result<Key<'a>, Malformed> {
        let start = self.at;
        let escaped = self.string()?;
        let span = start..self.at;
        let text = self.bytes.get(start + 1..self.at - 1).unwrap_or_default();
        Ok(Key { text, span, escaped })
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
    pub(crate) fn value(&mut self) -> Result<(), Malformed> {
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
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.bump() {
                Some(b'"') => return Ok(escaped),
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.wrong("a string holds a raw control character; escape it")),
                None => return Err(self.wrong("a string does not end")),
            }
            escaped = true;
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

    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    pub(crate) fn wrong(&self, what: &str) -> Malformed {
        Malformed::new(format!("the body is not valid JSON at byte {}: {what}", self.at))
    }
}
