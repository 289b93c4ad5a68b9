//! How a prompt begins: what stays the same over the turns of one conversation, and what providers' prompt caches go by. Spans of the raw
//! body; nothing is parsed into a tree.

use super::scanner::Scanner;
use super::{Envelope, Field};

/// Instructions and tools, in the dialects that have them beside the messages.
const BESIDE: [&str; 2] = ["tools", "system"];
/// Who speaks before the conversation begins.
const BEFORE: [&[u8]; 2] = [b"\"system\"", b"\"developer\""];

/// The raw parts of a prompt's opening: tools, instructions, and the messages up to the first that is part of the conversation. Of a body
/// without messages: its `input` or `prompt`.
#[must_use]
pub fn opening<'a>(envelope: &Envelope, body: &'a [u8]) -> Vec<&'a [u8]> {
    let value = |field: &Field| body.get(field.value.clone()).unwrap_or_default();
    let mut parts: Vec<&[u8]> = BESIDE.iter().filter_map(|name| envelope.field(name)).map(value).collect();
    match envelope.field("messages") {
        Some(messages) => first_messages(value(messages), &mut parts),
        None => parts.extend(["input", "prompt"].iter().filter_map(|name| envelope.field(name)).map(value)),
    }
    parts
}

fn first_messages<'a>(messages: &'a [u8], parts: &mut Vec<&'a [u8]>) {
    let mut begun = false;
    // An error is how the walk stops early; the envelope has found the whole to be JSON before.
    let _ = Scanner::new(messages).array(|scanner| {
        if begun {
            return Err(scanner.wrong("enough"));
        }
        let message = scanner.raw()?;
        begun = !role(message).is_some_and(|role| BEFORE.contains(&role));
        parts.push(message);
        Ok(())
    });
}

/// The raw text of a message's role, quotes included.
fn role(message: &[u8]) -> Option<&[u8]> {
    let mut role = None;
    let _ = Scanner::new(message).object(|scanner, key| {
        let value = scanner.raw()?;
        if key.text == b"role" {
            role = Some(value);
            return Err(scanner.wrong("enough"));
        }
        Ok(())
    });
    role
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::dialects::{self, Operation};

    fn parts(dialect: &str, body: &str) -> Vec<String> {
        let dialect = dialects::by_name(dialect).unwrap();
        let envelope = dialect.scan(Operation::Chat, body.as_bytes()).unwrap();
        let parts = opening(&envelope, body.as_bytes());
        parts.into_iter().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
    }

    #[test]
    fn an_opening_ends_with_the_first_message_of_the_conversation() {
        let rows: [(&str, &str, &[&str]); 5] = [
            (
                "openai_chat",
                r#"{"model":"m","messages":[{"content":"be brief","role":"system"}, {"role":"user","content":"a"},{"role":"user","content":"b"}],"tools":[{"x":1}]}"#,
                &[
                    r#"[{"x":1}]"#,
                    r#"{"content":"be brief","role":"system"}"#,
                    r#"{"role":"user","content":"a"}"#,
                ],
            ),
            (
                "openai_chat",
                r#"{"model":"m","messages":[{"role":"developer","content":"s"}]}"#,
                &[r#"{"role":"developer","content":"s"}"#],
            ),
            ("openai_chat", r#"{"model":"m","messages":[]}"#, &[]),
            (
                "anthropic",
                r#"{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#,
                &[r#""s""#, r#"{"role":"user","content":"a"}"#],
            ),
            ("openai_chat", r#"{"model":"m","messages":[7,{"role":"user"}]}"#, &["7"]),
        ];
        for (dialect, body, expected) in rows {
            assert_eq!(parts(dialect, body), expected, "{body}");
        }
    }
}
