//! A look at Rust text that is good enough for house rules: which bytes are code, and where functions begin and end.
//! It is not a parser: macros are read as plain text, and types are never resolved.

/// What to blank out of a file before looking at it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Only code: comments and the contents of literals are blank.
    Code,
    /// Code and literals: only comments are blank.
    Literals,
}

/// The same text with comments, and unless kept the contents of literals, turned into spaces. Line breaks and byte
/// positions stay.
pub(crate) fn blank(text: &str, keep: Keep) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (end, literal) = token(bytes, at);
        if end > at + 1 && (!literal || keep == Keep::Code) {
            let inner = out.get_mut(at..end).unwrap_or_default();
            inner.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment or literal that begins at `at`, and whether it is a literal; one byte further when neither does.
fn token(bytes: &[u8], at: usize) -> (usize, bool) {
    let rest = bytes.get(at..).unwrap_or_default();
    let before = at.checked_sub(1).and_then(|index| bytes.get(index)).copied().unwrap_or(b' ');
    match rest {
        [b'/', b'/', ..] => (at + until(rest, b"\n"), false),
        [b'/', b'*', ..] => (at + block_comment(rest), false),
        [b'"', ..] => (at + quoted(rest), true),
        [b'r', b'"' | b'#', ..] if !is_word(before) || before == b'b' => (at + raw(rest), true),
        [b'\'', ..] => (at + character(rest), true),
        _ => (at + 1, false),
    }
}

fn until(rest: &[u8], needle: &[u8]) -> usize {
    rest.windows(needle.len()).position(|window| window == needle).unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest.get(at..) {
            Some([b'/', b'*', ..]) => (depth, at) = (depth + 1, at + 2),
            Some([b'*', b'/', ..]) => (depth, at) = (depth.saturating_sub(1), at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"` and `r#"…"#`; a raw identifier such as `r#type` is one byte of code.
fn raw(rest: &[u8]) -> usize {
    let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
    if rest.get(hashes + 1) != Some(&b'"') {
        return 1;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let start = hashes + 2;
    start + until(rest.get(start..).unwrap_or_default(), &close) + close.len()
}

/// `'x'` and `'\n'` are characters, `'a` is a lifetime.
fn character(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', _, tail @ ..] => 3 + until(tail, b"'") + 1,
        // A character of up to four bytes.
        [_, tail @ ..] => (1..=4).find(|length| tail.get(*length) == Some(&b'\'')).map_or(1, |length| {
            let one = std::str::from_utf8(tail.get(..length).unwrap_or_default()).is_ok_and(|text| text.chars().count() == 1);
            if one { length + 2 } else { 1 }
        }),
        [] => 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The line number, from 1, of a byte position.
pub(crate) fn line_of(text: &str, position: usize) -> usize {
    text.bytes().take(position).filter(|byte| *byte == b'\n').count() + 1
}

/// Code (already blanked) without its inline test modules: what follows `#[cfg(test)]` up to the end of that item is blank.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let start = from + found;
        let end = item_end(code.as_bytes(), start + "#[cfg(test)]".len());
        let item = out.get_mut(start..end).unwrap_or_default();
        item.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the item ends whose text begins at `from`: behind its closing brace, or its semicolon.
fn item_end(code: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// One function: where it stands and how large it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace; 1 for a declaration.
    pub(crate) lines: usize,
    /// Arguments without `self`.
    pub(crate) arguments: usize,
}

/// All functions of code that was blanked with [`Keep::Code`], nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code.get(from..).and_then(|rest| rest.find("fn ")).map(|found| from + found) {
        from = at + 3;
        let standing_alone = at
            .checked_sub(1)
            .and_then(|index| code.as_bytes().get(index))
            .is_none_or(|byte| !is_word(*byte));
        let name: String = code
            .get(from..)
            .unwrap_or_default()
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        if standing_alone && !name.is_empty() {
            found.push(function(code, at, name));
        }
    }
    found
}

fn function(code: &str, at: usize, name: String) -> Function {
    let open = parameters(code, at);
    let (close, arguments) = arguments(code, open);
    let end = item_end(code.as_bytes(), close);
    let line = line_of(code, at);
    Function {
        name,
        line,
        lines: line_of(code, end.saturating_sub(1)) - line + 1,
        arguments,
    }
}

/// Where the parameter list of the function at `at` opens, behind its generics.
fn parameters(code: &str, at: usize) -> usize {
    let mut angle = 0_usize;
    let mut before = ' ';
    for (offset, letter) in code.get(at..).unwrap_or_default().char_indices() {
        match letter {
            '(' if angle == 0 => return at + offset,
            '<' => angle += 1,
            '>' if before != '-' => angle = angle.saturating_sub(1),
            _ => {}
        }
        before = letter;
    }
    code.len()
}

/// The position behind the closing parenthesis, and how many arguments stand before it.
fn arguments(code: &str, open: usize) -> (usize, usize) {
    let (mut depth, mut angle) = (0_usize, 0_usize);
    let (mut count, mut current) = (0, String::new());
    let mut before = ' ';
    for (offset, letter) in code.get(open..).unwrap_or_default().char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '<' => angle += 1,
            '>' if before != '-' => angle = angle.saturating_sub(1),
            _ => {}
        }
        let ends = depth == 0 || (letter == ',' && depth == 1 && angle == 0);
        if ends {
            count += usize::from(is_argument(&current));
            current.clear();
        } else if offset > 0 {
            current.push(letter);
        }
        if depth == 0 {
            return (open + offset + 1, count);
        }
        before = letter;
    }
    (code.len(), count)
}

fn is_argument(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['&', ' ']).trim_start_matches("mut ");
    !text.is_empty() && text != "self" && !text.starts_with("self:") && !text.ends_with(" self")
}

#[cfg(test)]
mod tests;
