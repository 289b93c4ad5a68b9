//! A look at a whole answer that goes on to the caller as it is: how it ended and what it used, no events of its content. It knows the
//! plain answer only (one choice, no tools, no error); everything else, and everything that is wrong, is for the long way, `response`.

use serde_json::value::RawValue;

use super::{finish, usage};
use crate::envelope::scanner::{Key, Scanner};
use crate::event::Event;
use crate::fault::Malformed;
use crate::usage::{ServiceTier, Usage};

/// Looks at an answer and appends what happened. False: it is not a plain one, and nothing was appended.
pub(super) fn look(body: &[u8], out: &mut Vec<Event>) -> bool {
    let Some(answer) = std::str::from_utf8(body).ok().and_then(|_| read(body).ok()) else {
        return false;
    };
    if answer.odd || answer.choices != 1 {
        return false;
    }
    let said = answer.finish.and_then(|word| finish::read(word, answer.stop, false));
    let service_tier = answer.tier.filter(|word| *word != "auto").map(ServiceTier::named);
    let usage = answer.usage.and_then(usage::read);
    out.extend(usage.map(|usage| Event::Usage(Usage { service_tier, ..usage })));
    out.push(Event::Finish {
        choice: answer.index,
        reason: said.unwrap_or_else(|| finish::unsaid(false)),
    });
    out.push(Event::End);
    true
}

#[derive(Default)]
struct Answer<'a> {
    choices: usize,
    index: u32,
    finish: Option<&'a str>,
    stop: Option<&'a str>,
    usage: Option<&'a RawValue>,
    tier: Option<&'a str>,
    /// Something is there that needs more than a look.
    odd: bool,
}

fn read(body: &[u8]) -> Result<Answer<'_>, Malformed> {
    let mut answer = Answer::default();
    let mut scanner = Scanner::new(body);
    scanner.space();
    scanner.object(|scanner, key| answer.field(scanner, &key))?;
    scanner.end()?;
    Ok(answer)
}

impl<'a> Answer<'a> {
    fn field(&mut self, scanner: &mut Scanner<'a>, key: &Key<'a>) -> Result<(), Malformed> {
        self.odd |= key.escaped;
        match key.text {
            b"choices" => {
                // Said twice, the last one counts: not here.
                self.odd |= self.choices > 0;
                scanner.array(|scanner| {
                    self.choices += 1;
                    scanner.object(|scanner, key| self.choice(scanner, &key))
                })
            }
            b"usage" => {
                let text = std::str::from_utf8(scanner.raw()?).unwrap_or_default();
                self.usage = serde_json::from_str(text).ok();
                Ok(())
            }
            b"service_tier" => {
                let raw = scanner.raw()?;
                self.odd |= self.tier.is_some() || raw.contains(&b'\\');
                let inner = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
                self.tier = inner.and_then(|inner| std::str::from_utf8(inner).ok());
                Ok(())
            }
            b"error" | b"x_groq" => self.empty(scanner),
            _ => scanner.value(),
        }
    }

    fn choice(&mut self, scanner: &mut Scanner<'a>, key: &Key<'a>) -> Result<(), Malformed> {
        self.odd |= key.escaped;
        match key.text {
            b"index" => {
                let digits = std::str::from_utf8(scanner.raw()?).ok();
                match digits.and_then(|digits| digits.parse().ok()) {
                    Some(index) => self.index = index,
                    None => self.odd = true,
                }
                Ok(())
            }
            b"message" if scanner.peek() == Some(b'{') => scanner.object(|scanner, key| {
                self.odd |= key.escaped;
                match key.text {
                    b"tool_calls" | b"function_call" | b"reasoning_details" => self.empty(scanner),
                    _ => scanner.value(),
                }
            }),
            b"message" => {
                self.odd |= scanner.raw()? != b"null";
                Ok(())
            }
            b"finish_reason" => {
                self.finish = self.word(scanner)?;
                Ok(())
            }
            b"stop_reason" => {
                self.stop = self.word(scanner)?;
                Ok(())
            }
            b"delta" | b"error" => self.empty(scanner),
            _ => scanner.value(),
        }
    }

    /// A value that is plain only where it says nothing.
    fn empty(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Malformed> {
        self.odd |= !matches!(scanner.raw()?, b"null" | b"[]");
        Ok(())
    }

    /// A string that says something, written without escapes.
    fn word(&mut self, scanner: &mut Scanner<'a>) -> Result<Option<&'a str>, Malformed> {
        let raw = scanner.raw()?;
        let inner = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        self.odd |= inner.is_some_and(|inner| inner.contains(&b'\\'));
        let text = inner.and_then(|inner| std::str::from_utf8(inner).ok());
        Ok(text.filter(|text| !text.is_empty()))
    }
}
