//! What a request is about, without parsing it: the last words of its user, and how much stands around them. One walk over the raw
//! conversation, whatever the dialect; of long texts the beginning and the end alone are read. It judges nothing.

use crate::envelope::Field;
use crate::envelope::scanner::Scanner;
use crate::fault::Malformed;

/// So much of the user's text is read from its beginning, and as much from its end.
pub const TEXT_BYTES_MAX: usize = 4 << 10;

/// The fields that hold a conversation, the instructions above it, and its tools.
const TURNS: [&str; 3] = ["messages", "contents", "input"];
const SYSTEM: [&str; 4] = ["system", "instructions", "systemInstruction", "system_instruction"];
const TOOLS: [&str; 2] = ["tools", "functions"];
/// The fields in which a form of the answer is asked for.
const FORMS: [&str; 6] = [
    "response_format",
    "output_config",
    "output_format",
    "text",
    "generationConfig",
    "generation_config",
];
/// The fields in which reasoning is asked for, and the words that ask for little or none.
const REASONING: [&str; 3] = ["reasoning_effort", "reasoning", "thinking"];
const NO_REASONING: [&str; 6] = ["null", "none", "minimal", "low", "disabled", "{}"];
const LIMITS: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];

/// What a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// The text of the user's last turn that has any, without escapes; no more than its first [`TEXT_BYTES_MAX`].
    pub head: String,
    /// Its end, where it is longer than `head`; no more than its last [`TEXT_BYTES_MAX`].
    pub tail: String,
    /// Its whole length in bytes, as it was written in JSON.
    pub text_bytes: u64,
    /// Turns of user, assistant and tools.
    pub turns: u64,
    /// Text of system and developer, in bytes.
    pub system_bytes: u64,
    /// Images.
    pub images: u64,
    /// Results of tools.
    pub tool_results: u64,
    /// Tools that may be called.
    pub tools: u64,
    /// JSON is asked for, with or without a schema.
    pub json: bool,
    /// Much reasoning is asked for.
    pub reasoning: bool,
    /// The limit of the output, in tokens.
    pub max_tokens: Option<u64>,
}

/// Looks at a body, whose top-level fields these are. What is not as it should be is passed over: the dialect complains of it.
#[must_use]
pub fn of(body: &[u8], fields: &[Field]) -> Outline {
    let mut walk = Walk::default();
    for field in fields {
        let (name, text) = (field.name.as_str(), field.text(body));
        let mut scanner = Scanner::new(text.as_bytes());
        if TURNS.contains(&name) {
            // What was read until then counts.
            let _ = walk.turns(&mut scanner);
        } else if SYSTEM.contains(&name) {
            let _ = walk.system(&mut scanner);
        } else if TOOLS.contains(&name) {
            walk.outline.tools += elements(&mut scanner);
        } else if FORMS.contains(&name) {
            walk.outline.json |= text.contains("json") || text.contains("Schema");
        } else if REASONING.contains(&name) {
            walk.outline.reasoning |= !NO_REASONING.iter().any(|word| text.contains(word));
        } else if LIMITS.contains(&name) {
            walk.outline.max_tokens = walk.outline.max_tokens.or_else(|| text.parse().ok());
        }
    }
    walk.end()
}

#[derive(Default)]
struct Walk<'a> {
    outline: Outline,
    /// The texts of the turn that is being read, raw.
    turn: Vec<&'a [u8]>,
    /// Those of the user's last turn.
    last: Vec<&'a [u8]>,
}

impl<'a> Walk<'a> {
    fn turns(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        match scanner.peek() {
            Some(b'[') => scanner.array(|scanner| self.turn(scanner)),
            // The whole conversation is one text.
            Some(b'"') => {
                self.outline.turns += 1;
                self.last = vec![scanner.raw()?];
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn turn(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        if scanner.peek() != Some(b'{') {
            return scanner.value();
        }
        self.turn.clear();
        let mut role: &[u8] = b"\"user\"";
        scanner.object(|scanner, key| {
            match key.text {
                b"role" => role = scanner.raw()?,
                b"content" | b"parts" => self.content(scanner)?,
                _ => scanner.value()?,
            }
            Ok(())
        })?;
        let system = matches!(role, b"\"system\"" | b"\"developer\"");
        self.outline.turns += u64::from(!system);
        self.outline.tool_results += u64::from(role == b"\"tool\"");
        if system {
            self.outline.system_bytes += self.turn_bytes();
        } else if role == b"\"user\"" && !self.turn.is_empty() {
            std::mem::swap(&mut self.turn, &mut self.last);
        }
        Ok(())
    }

    fn system(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        self.turn.clear();
        if scanner.peek() == Some(b'{') {
            scanner.object(|scanner, key| match key.text {
                b"parts" => self.content(scanner),
                _ => scanner.value(),
            })?;
        } else {
            self.content(scanner)?;
        }
        self.outline.system_bytes += self.turn_bytes();
        Ok(())
    }

    fn turn_bytes(&self) -> u64 {
        self.turn.iter().map(|text| text.len() as u64).sum()
    }

    /// A text, or a list of parts.
    fn content(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        match scanner.peek() {
            Some(b'"') => self.turn.push(scanner.raw()?),
            Some(b'[') => scanner.array(|scanner| match scanner.peek() {
                Some(b'{') => self.part(scanner),
                Some(b'"') => {
                    self.turn.push(scanner.raw()?);
                    Ok(())
                }
                _ => scanner.value(),
            })?,
            _ => scanner.value()?,
        }
        Ok(())
    }

    fn part(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        scanner.object(|scanner, key| {
            match key.text {
                b"text" if scanner.peek() == Some(b'"') => self.turn.push(scanner.raw()?),
                b"type" => match scanner.raw()? {
                    b"\"image\"" | b"\"image_url\"" | b"\"input_image\"" => self.outline.images += 1,
                    b"\"tool_result\"" | b"\"function_call_output\"" => self.outline.tool_results += 1,
                    _ => {}
                },
                b"inlineData" | b"inline_data" | b"fileData" | b"file_data" => {
                    self.outline.images += 1;
                    scanner.value()?;
                }
                b"functionResponse" | b"function_response" => {
                    self.outline.tool_results += 1;
                    scanner.value()?;
                }
                _ => scanner.value()?,
            }
            Ok(())
        })
    }

    fn end(self) -> Outline {
        let Self { mut outline, last, .. } = self;
        let texts = || last.iter().map(|raw| inner(raw));
        outline.text_bytes = texts().map(|text| text.len() as u64).sum();
        for text in texts() {
            let room = TEXT_BYTES_MAX.saturating_sub(outline.head.len());
            if room == 0 {
                break;
            }
            separate(&mut outline.head);
            unescape(&mut outline.head, text.get(..room.min(text.len())).unwrap_or_default());
        }
        if outline.text_bytes <= TEXT_BYTES_MAX as u64 {
            return outline;
        }
        // From behind: which texts fit whole, and the end of the one before them.
        let mut room = TEXT_BYTES_MAX;
        let mut ends: Vec<&[u8]> = Vec::new();
        for text in last.iter().rev().map(|raw| inner(raw)) {
            ends.push(text.get(text.len().saturating_sub(room)..).unwrap_or_default());
            room = room.saturating_sub(text.len());
            if room == 0 {
                break;
            }
        }
        for text in ends.into_iter().rev() {
            separate(&mut outline.tail);
            unescape(&mut outline.tail, text);
        }
        outline
    }
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

/// What stands between the quotes.
fn inner(raw: &[u8]) -> &[u8] {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// How many elements an array has.
fn elements(scanner: &mut Scanner<'_>) -> u64 {
    let mut count = 0;
    let _ = scanner.array(|scanner| {
        count += 1;
        scanner.value()
    });
    count
}

/// Appends a string's text. A piece that was cut out may begin or end within a character or an escape: that one is left out.
fn unescape(out: &mut String, mut raw: &[u8]) {
    while let Some(at) = memchr::memchr(b'\\', raw) {
        let (plain, rest) = raw.split_at(at);
        push_valid(out, plain);
        let (character, length) = match rest.get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'b' | b'f') => (' ', 2),
            Some(b'u') => unicode(rest),
            Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
            _ => return,
        };
        out.push(character);
        raw = rest.get(length..).unwrap_or_default();
    }
    push_valid(out, raw);
}

/// The character of a `\uXXXX`, or of two of them that belong together, and how many bytes it takes.
fn unicode(raw: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = raw.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let one = unit(2).unwrap_or(0x20);
    if (0xD800..0xDC00).contains(&one) {
        let low = unit(8).unwrap_or(0).wrapping_sub(0xDC00) & 0x3FF;
        let both = 0x10000 + ((one & 0x3FF) << 10) + low;
        return (char::from_u32(both).unwrap_or(' '), 12);
    }
    (char::from_u32(one).unwrap_or(' '), 6)
}

fn push_valid(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => bytes.utf8_chunks().for_each(|chunk| out.push_str(chunk.valid())),
    }
}

#[cfg(test)]
mod tests;
