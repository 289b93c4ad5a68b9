//! What the journal tells at a start: which holds were open when the process ended.

use std::collections::BTreeMap;

use tollgate_policy::ledger::{Entry, Extension, Hold};

use super::error::JournalError;
use super::format::HEADER_BYTES;
use super::position::Position;
use super::reader::missing;
use super::{Journal, Reader};

/// What was found when the journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Behind the last record.
    pub end: Position,
    /// A torn end that was cut off: it was never acknowledged.
    pub cut: Option<Cut>,
}

/// Bytes that were cut off the journal's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where the journal ends now.
    pub at: Position,
    /// How many bytes went.
    pub bytes: u64,
}

/// A hold without a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenHold {
    /// A place before it, in the same segment or at the end of the one before.
    pub position: Position,
    /// The hold.
    pub hold: Hold,
    /// What was added to it, in order.
    pub extensions: Vec<Extension>,
}

/// The holds that are open at a place in the journal, by request id: told every entry in order, it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenHolds(BTreeMap<String, OpenHold>);

impl OpenHolds {
    /// Takes an entry in; `before` is a place before it.
    pub fn note(&mut self, entry: &Entry, before: Position) {
        match entry {
            Entry::Opened(_) => {}
            Entry::Hold(hold) => {
                let open = OpenHold {
                    position: before,
                    hold: hold.clone(),
                    extensions: Vec::new(),
                };
                self.0.insert(hold.request.clone(), open);
            }
            Entry::Extension(extension) => {
                if let Some(open) = self.0.get_mut(&extension.request) {
                    open.extensions.push(extension.clone());
                }
            }
            Entry::Settlement(settlement) => {
                self.0.remove(&settlement.request);
            }
        }
    }

    /// The place that must be kept for the sake of the oldest.
    #[must_use]
    pub fn oldest(&self) -> Option<Position> {
        self.0.values().map(|open| open.position).min()
    }

    /// The open holds, by request id.
    pub fn iter(&self) -> impl Iterator<Item = &OpenHold> {
        self.0.values()
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Journal {
    /// Reads everything that is kept, and gives `replay` each entry behind `applied`, in order. What is left are the holds that nobody
    /// settled. Twice the same when nothing was written in between.
    ///
    /// # Errors
    /// When the journal is damaged or does not reach back, or forward, to `applied`.
    pub fn recover(&self, applied: Position, mut replay: impl FnMut(&Entry)) -> Result<OpenHolds, JournalError> {
        // Fails where entries behind `applied` are gone, or `applied` lies behind the end.
        let behind = self.read(applied)?.position();
        let mut reader = self.read_all()?;
        let mut open = OpenHolds::default();
        let mut reached = behind.offset as usize == HEADER_BYTES;
        loop {
            let before = reader.position();
            let Some(entry) = reader.next()? else { return Ok(open) };
            open.note(&entry, before);
            reached |= reader.position() == behind;
            if behind < reader.position() {
                if !reached {
                    return Err(missing(&self.shared.dir, &format!("{applied} lies within a record")));
                }
                replay(&entry);
            }
        }
    }

    fn read_all(&self) -> Result<Reader, JournalError> {
        self.read(self.first()?)
    }
}
