//! The chunk that comes again: most chunks of a stream are the one before them with another piece of text. Such a chunk is compared
//! with the last one, byte for byte, instead of being parsed. Where anything but the text (and the padding) differs, it is parsed.

use std::ops::Range;

use super::chunk::{Chunk, Message};
use super::loose::Content;
use crate::event::{Delta, Event};
use crate::json::plain_run;

/// The last chunk that said nothing but a piece of text.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    text: String,
    /// Where the piece of text, and after or before it the padding, stand in it; in order.
    holes: Vec<Hole>,
    choice: u32,
    block: u32,
}

#[derive(Debug)]
struct Hole {
    at: Range<usize>,
    content: bool,
}

/// Where in a chunk's text its content and its padding stand. `None`: it may mean more than its content.
pub(super) struct Places {
    content: Range<usize>,
    padding: Option<Range<usize>>,
}

impl Places {
    /// Looks for them, before the chunk is taken apart.
    pub(super) fn find(chunk: &Chunk<'_>, text: &str) -> Option<Self> {
        let [choice] = chunk.choices.0.as_deref()? else { return None };
        let Content::Text(std::borrow::Cow::Borrowed(content)) = &choice.delta.content else {
            return None;
        };
        if choice.has_message || may_do_more(&choice.delta) {
            return None;
        }
        let padding = match chunk.padding.borrowed() {
            Some(padding) => Some(place(padding, text)?),
            None => None,
        };
        Some(Self {
            content: place(content, text)?,
            padding,
        })
    }
}

/// Calls are counted even where they bring no event.
fn may_do_more(delta: &Message<'_>) -> bool {
    delta.has_function
        || delta.calls.0.as_ref().is_some_and(|calls| !calls.is_empty())
        || delta.details.0.as_ref().is_some_and(|details| !details.is_empty())
}

/// The place of a slice in the text that it was cut from.
fn place(piece: &str, text: &str) -> Option<Range<usize>> {
    let start = piece.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let place = start..start + piece.len();
    (text.get(place.clone()) == Some(piece)).then_some(place)
}

impl Repeat {
    /// Remembers a chunk that was parsed, if it brought a piece of text and nothing else; else forgets what it knew.
    pub(super) fn learn(&mut self, text: &str, places: Option<Places>, news: &[Event]) {
        self.holes.clear();
        let (Some(places), [Event::Delta { choice, block, delta }]) = (places, news) else {
            return;
        };
        if !matches!(delta, Delta::Text(said) if text.get(places.content.clone()) == Some(said)) {
            return;
        }
        self.text.clear();
        self.text.push_str(text);
        (self.choice, self.block) = (*choice, *block);
        self.holes.push(Hole {
            at: places.content,
            content: true,
        });
        self.holes.extend(places.padding.map(|at| Hole { at, content: false }));
        self.holes.sort_by_key(|hole| hole.at.start);
    }

    /// What a chunk says that is the remembered one again but for its text. `None`: it must be parsed.
    pub(super) fn again(&self, text: &str, out: &mut Vec<Event>) -> Option<()> {
        let (mut known, mut at) = (0, 0);
        let mut said = "";
        for hole in &self.holes {
            let before = self.text.as_bytes().get(known..hole.at.start)?;
            let rest = text.as_bytes().get(at..)?.strip_prefix(before)?;
            at += before.len();
            // Up to a quote; a backslash does not stand where the known text goes on.
            let end = at + plain_run(rest);
            if hole.content {
                said = text.get(at..end)?;
            }
            (known, at) = (hole.at.end, end);
        }
        if self.holes.is_empty() || text.as_bytes().get(at..)? != self.text.as_bytes().get(known..)? {
            return None;
        }
        if !said.is_empty() {
            out.push(Event::Delta {
                choice: self.choice,
                block: self.block,
                delta: Delta::Text(said.to_owned()),
            });
        }
        Some(())
    }
}
