//! A condition's text to CEL's syntax tree: within bounds that keep every recursion on the stack, and with the parser's complaints in
//! our words.

use cel::{ParseErrors, Program};

use super::{CONDITION_BYTES_MAX, ConditionError, Position, SIGNS_MAX};

/// CEL's own parser, with its complaints in our words.
pub(super) fn parse(text: &str) -> Result<Program, ConditionError> {
    let start = Position { line: 1, column: 1 };
    let at_start = |message: &str| ConditionError {
        position: start,
        message: message.to_owned(),
    };
    if text.trim().is_empty() {
        return Err(at_start(
            "a condition must say something; leave \"when\" out for a rule that always holds",
        ));
    }
    if CONDITION_BYTES_MAX < text.len() {
        return Err(at_start("a condition has up to 4096 bytes; make several rules of it"));
    }
    if SIGNS_MAX < signs(text) {
        return Err(at_start("this condition is too long to be read safely; make several rules of it"));
    }
    Program::compile(text).map_err(|errors| unreadable(&errors, text))
}

/// Characters outside of quotes that can make an expression one level deeper. The parser and everything after it recurse, and nothing
/// but a bound keeps them on the stack. Where quotes might be read differently by the parser, those inside count as well.
fn signs(text: &str) -> usize {
    let is_sign = |character: &char| !character.is_alphanumeric() && !character.is_whitespace() && *character != '_';
    let plain = !["\\", "'''", "\"\"\"", "//"].iter().any(|special| text.contains(special));
    let (mut quote, mut closed, mut outside) = (None, true, 0);
    for character in text.chars() {
        match quote {
            Some(_) if character == '\n' => closed = false,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quote = Some(character),
            None => outside += usize::from(is_sign(&character)),
        }
    }
    if plain && closed && quote.is_none() {
        outside
    } else {
        text.chars().filter(is_sign).count()
    }
}

fn unreadable(errors: &ParseErrors, text: &str) -> ConditionError {
    let number = |value: isize| u32::try_from(value).unwrap_or(1).max(1);
    let first = errors.errors.iter().min_by_key(|error| error.pos);
    let position = first.map_or(Position { line: 1, column: 1 }, |error| Position {
        line: number(error.pos.0),
        column: number(error.pos.1),
    });
    let said = first.map_or("", |error| error.msg.as_str());
    let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
    // ANTLR lists every token that could follow.
    let said = said
        .split(" expecting {")
        .next()
        .unwrap_or(said)
        .replace("'<EOF>'", "the end")
        .replace("<EOF>", "the end");
    let remedy = if has_single_equals(text) {
        "; two things are compared with =="
    } else {
        ""
    };
    ConditionError {
        position,
        message: format!("not a condition: {said}{remedy}"),
    }
}

fn has_single_equals(text: &str) -> bool {
    let stripped = ["==", "!=", "<=", ">="]
        .iter()
        .fold(text.to_owned(), |text, operator| text.replace(operator, ""));
    stripped.contains('=')
}

/// Where the character with that number, from 0, stands.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.chars().take(offset);
    let start = Position { line: 1, column: 1 };
    before.fold(start, |at, character| match character {
        '\n' => Position {
            line: at.line.saturating_add(1),
            column: 1,
        },
        _ => Position {
            column: at.column.saturating_add(1),
            ..at
        },
    })
}
