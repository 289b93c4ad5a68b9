//! Chunks to events: what an answer means, whoever of the many vendors wrote it, streamed or whole. Reads no bytes.

use serde_json::value::RawValue;

use super::chunk::{Choice, Chunk, Message, Unknown};
use super::loose::{self, Word};
use super::repeat::{Places, Repeat};
use super::speaker::Speaker;
use super::{NAME, fault, finish, usage};
use crate::event::{Event, Finish, Start};
use crate::fault::Malformed;
use crate::json::Fields;
use crate::usage::{ServiceTier, Usage};

/// The most choices of one answer; OpenAI's own limit for `n`.
const CHOICES_MAX: usize = 128;
/// The most top-level fields of which the last value is remembered.
const REMEMBERED_MAX: usize = 32;

/// An answer so far.
#[derive(Debug)]
pub(super) struct Answer {
    whole: bool,
    started: bool,
    faulted: bool,
    /// The last raw value of each unknown top-level field: vendors repeat them in every chunk.
    remembered: Vec<(String, Box<RawValue>)>,
    choices: Vec<State>,
    repeat: Repeat,
}

/// A choice so far.
#[derive(Debug)]
struct State {
    index: u32,
    speaker: Speaker,
    finished: bool,
}

impl Answer {
    /// An answer that comes in chunks, or `whole`.
    pub(super) fn new(whole: bool) -> Self {
        Self {
            whole,
            started: false,
            faulted: false,
            remembered: Vec::new(),
            choices: Vec::new(),
            repeat: Repeat::default(),
        }
    }

    /// Reads one chunk, or a whole answer.
    ///
    /// # Errors
    /// When the text is not one.
    pub(super) fn take(&mut self, text: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.repeat.again(text, out).is_some() {
            return Ok(());
        }
        let seen = out.len();
        let mut chunk = loose::read::<Chunk<'_>>(text).map_err(|error| Malformed::new(format!("not a chat completion: {error}")))?;
        let places = if self.whole { None } else { Places::find(&chunk, text) };
        let taken = self.chunk(&mut chunk, text, out);
        self.repeat.learn(text, places, out.get(seen..).unwrap_or_default());
        taken
    }

    /// Whether a chunk would be read as the last one again.
    #[cfg(test)]
    pub(super) fn repeats(&self, text: &str) -> bool {
        self.repeat.again(text, &mut Vec::new()).is_some()
    }

    /// Makes sure that the next chunk is parsed.
    #[cfg(test)]
    pub(super) fn forget(&mut self) {
        self.repeat = Repeat::default();
    }

    /// True when the answer ended in a fault.
    pub(super) fn faulted(&self) -> bool {
        self.faulted
    }

    /// The terminator was seen: choices that never said why they ended (Snowflake says `""`) are complete too.
    ///
    /// # Errors
    /// When there are no choices (FAULTS F16).
    pub(super) fn complete(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.choices.is_empty() {
            return Err(Malformed::at("choices", "an answer without choices"));
        }
        for state in self.choices.iter_mut().filter(|state| !state.finished) {
            let reason = finish::unsaid(state.speaker.called());
            state.finish(reason, out);
        }
        out.push(Event::End);
        Ok(())
    }

    fn chunk(&mut self, chunk: &mut Chunk<'_>, text: &str, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let choices = chunk.choices.0.as_deref_mut().unwrap_or_default();
        self.start(&chunk.id, &chunk.model, chunk.created.0, !choices.is_empty(), out);
        for (name, raw) in &chunk.unknown {
            self.top(name, raw, out);
        }
        let groq = chunk.groq.and_then(|raw| self.groq(raw, out));
        let mut failed = chunk.error.or(groq);
        for choice in choices {
            failed = failed.or(choice.error);
            if failed.is_none() {
                self.choice(choice, out)?;
            }
        }
        if let Some(usage) = chunk.usage.and_then(usage::read) {
            let service_tier = self.service_tier();
            out.push(Event::Usage(Usage { service_tier, ..usage }));
        }
        match failed {
            Some(_) if chunk.error.is_some() => self.fault(text, out),
            Some(inner) => self.fault(&format!(r#"{{"error":{}}}"#, inner.get()), out),
            None => {}
        }
        Ok(())
    }

    /// The provider reports an error; `text` is the whole event.
    pub(super) fn fault(&mut self, text: &str, out: &mut Vec<Event>) {
        self.faulted = true;
        out.push(Event::Fault(Box::new(fault::read_in_answer(text))));
    }

    fn start(&mut self, id: &Word<'_>, model: &Word<'_>, created: Option<u64>, spoken: bool, out: &mut Vec<Event>) {
        // Azure's first chunk has neither id nor model nor choices; the second one has.
        if self.started || (id.get().is_none() && model.get().is_none() && !spoken) {
            return;
        }
        self.started = true;
        out.push(Event::Start(Start {
            id: id.get().map(str::to_owned),
            model: model.get().map(str::to_owned),
            created: created.filter(|seconds| *seconds > 0),
        }));
    }

    /// A top-level field: told when it is new or says something else than before.
    fn top(&mut self, name: &str, raw: &RawValue, out: &mut Vec<Event>) {
        let room = self.remembered.len() < REMEMBERED_MAX;
        match self.remembered.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) if before.get() == raw.get() => return,
            Some((_, before)) => *before = raw.to_owned(),
            None if room => self.remembered.push((name.to_owned(), raw.to_owned())),
            None => {}
        }
        out.push(foreign(None, name.to_owned(), raw));
    }

    /// The service tier that the answer names, if it does: `auto` is a wish, not an answer.
    fn service_tier(&self) -> Option<ServiceTier> {
        let (_, raw) = self.remembered.iter().find(|(name, _)| name == "service_tier")?;
        let word = serde_json::from_str::<String>(raw.get()).ok()?;
        (word != "auto").then(|| ServiceTier::named(&word))
    }

    /// Groq's own object: usage at the end of a stream, or an error.
    fn groq<'a>(&mut self, raw: &'a RawValue, out: &mut Vec<Event>) -> Option<&'a RawValue> {
        self.top("x_groq", raw, out);
        let mut fields = Fields::parse(raw.get(), "x_groq").ok()?;
        if let Some(usage) = fields.take("usage").and_then(usage::read) {
            let service_tier = self.service_tier();
            out.push(Event::Usage(Usage { service_tier, ..usage }));
        }
        fields.take("error")
    }

    fn choice(&mut self, choice: &mut Choice<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let whole = self.whole;
        let state = self.state(choice.index.0.unwrap_or(0))?;
        tell(state.index, "", &choice.unknown, out);
        // Perplexity and Writer send the message so far beside the delta; Azure neither, where it filtered everything.
        if choice.has_message && (whole || (!choice.has_delta && !state.speaker.spoke())) {
            state.message(&mut choice.message, out)?;
        } else if choice.has_delta {
            state.message(&mut choice.delta, out)?;
        }
        if let Some(word) = choice.finish.get()
            && !state.finished
            && let Some(reason) = finish::read(word, choice.stop.get(), state.speaker.called())
        {
            state.finish(reason, out);
        }
        Ok(())
    }

    fn state(&mut self, index: u64) -> Result<&mut State, Malformed> {
        let index = u32::try_from(index).map_err(|_| Malformed::new("a choice index is too large"))?;
        let at = match self.choices.iter().position(|state| state.index == index) {
            Some(at) => at,
            None if self.choices.len() == CHOICES_MAX => return Err(Malformed::new("more than 128 choices")),
            None => {
                self.choices.push(State {
                    index,
                    speaker: Speaker::new(index, self.whole),
                    finished: false,
                });
                self.choices.len() - 1
            }
        };
        self.choices.get_mut(at).ok_or_else(|| Malformed::new("no such choice"))
    }
}

impl State {
    fn message(&mut self, message: &mut Message<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        tell(self.index, "message.", &message.unknown, out);
        self.speaker.hear(message, out)
    }

    fn finish(&mut self, reason: Finish, out: &mut Vec<Event>) {
        self.finished = true;
        self.speaker.close_all(out);
        out.push(Event::Finish {
            choice: self.index,
            reason,
        });
    }
}

/// Unknown fields of a choice, or of its message: those are named `message.…`.
fn tell(choice: u32, prefix: &str, unknown: &Unknown<'_>, out: &mut Vec<Event>) {
    for (name, raw) in unknown {
        out.push(foreign(Some(choice), format!("{prefix}{name}"), raw));
    }
}

/// A field that only this dialect knows.
pub(super) fn foreign(choice: Option<u32>, name: String, raw: &RawValue) -> Event {
    Event::Foreign {
        dialect: NAME,
        choice,
        name,
        raw: raw.to_owned(),
    }
}
