//! The tool calls of one choice, and which of them a piece belongs to. Vendors count them from 0, from 1, or not at all, and
//! send them in pieces or whole.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::loose::Content;
use crate::fault::Malformed;
use crate::json::{self, Kind};

/// The most tool calls of one choice.
const CALLS_MAX: usize = 1024;
/// The most argument bytes that wait for their tool's name, per call.
const HELD_BYTES_MAX: usize = 1 << 20;

/// The calls of one choice, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Started>);

/// A tool call that has begun.
#[derive(Debug)]
pub(super) struct Started {
    /// Its index in the provider's counting, which may have gaps or be missing.
    index: Option<u64>,
    /// Its id; empty where none was given.
    pub(super) id: String,
    /// Its block, once its name is known.
    pub(super) block: Option<u32>,
    /// Its block is closed.
    pub(super) closed: bool,
    /// Arguments that came before its name.
    pub(super) held: String,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Started> {
        self.0.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Started> {
        self.0.get_mut(at)
    }

    /// True when its only call has neither index nor id: the form before tools.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only.index.is_none() && only.id.is_empty())
    }

    /// The place of the call that a piece belongs to, begun where need be. `named`: the piece names a tool; `whole`: every
    /// piece is a call of its own.
    pub(super) fn place(&mut self, index: Option<u64>, id: &str, named: bool, whole: bool) -> Result<usize, Malformed> {
        let Some(at) = self.begun(index, id, named).filter(|_| !whole) else {
            return self.begin(index, id);
        };
        if let Some(started) = self.0.get_mut(at)
            && started.id.is_empty()
        {
            id.clone_into(&mut started.id);
        }
        Ok(at)
    }

    /// By index, else by id, else the last one. A whole call with the index of another one, but an id of its own, is
    /// another call.
    fn begun(&self, index: Option<u64>, id: &str, named: bool) -> Option<usize> {
        let differs = |started: &Started| named && !id.is_empty() && !started.id.is_empty() && started.id != id;
        match (index, id) {
            (Some(index), _) => self.0.iter().rposition(|started| started.index == Some(index) && !differs(started)),
            (None, "") if named => None,
            (None, "") => self.0.len().checked_sub(1),
            (None, id) => self.0.iter().rposition(|started| started.id == id),
        }
    }

    fn begin(&mut self, index: Option<u64>, id: &str) -> Result<usize, Malformed> {
        if self.0.len() == CALLS_MAX {
            return Err(Malformed::at("tool_calls", "more than 1024 tool calls in one choice"));
        }
        self.0.push(Started {
            index,
            id: id.to_owned(),
            block: None,
            closed: false,
            held: String::new(),
        });
        Ok(self.0.len() - 1)
    }

    /// Keeps arguments until the name is known.
    pub(super) fn hold(&mut self, at: usize, arguments: &str) -> Result<(), Malformed> {
        let Some(started) = self.0.get_mut(at) else { return Ok(()) };
        if started.held.len() + arguments.len() > HELD_BYTES_MAX {
            return Err(Malformed::at("tool_calls", "more than 1 MiB of arguments before the tool's name"));
        }
        started.held.push_str(arguments);
        Ok(())
    }
}

/// The arguments' JSON text: a string of it, or (some vendors) the object itself.
pub(super) fn arguments(raw: Option<&RawValue>) -> Cow<'_, str> {
    match raw {
        Some(raw) if json::kind(raw) == Kind::String => {
            serde_json::from_str::<Content<'_>>(raw.get()).map_or(Cow::Borrowed(""), |text| match text {
                Content::Text(text) => text,
                _ => Cow::Borrowed(""),
            })
        }
        Some(raw) => Cow::Borrowed(raw.get()),
        None => Cow::Borrowed(""),
    }
}
