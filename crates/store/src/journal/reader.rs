//! Entries in their order, from a place on: of the live journal up to the last complete write, or of a folder that nobody writes to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use tollgate_policy::ledger::Entry;

use super::error::JournalError;
use super::format::{self, HEADER_BYTES, Header, Parsed};
use super::position::Position;
use super::writer::Shared;

/// Reads this much at a time.
const READ_BYTES: usize = 256 * 1024;

/// Reads entries in their order. At the end [`Reader::next`] gives `None`; it may be asked again when more was written.
pub struct Reader {
    dir: PathBuf,
    source: Source,
    cursor: Option<Cursor>,
    position: Position,
}

/// How far may be read.
enum Source {
    /// Up to the last complete write.
    Live(Arc<Shared>),
    /// Up to here.
    Closed(Position),
}

impl Reader {
    pub(super) fn live(dir: &Path, shared: Arc<Shared>, from: Position) -> Result<Self, JournalError> {
        Self::new(dir, Source::Live(shared), from)
    }

    /// Reads the journal in a folder that no process has open, from its first kept segment on. A torn end is where it ends.
    ///
    /// # Errors
    /// When there is no journal, its first or last segment cannot be read, or its last is damaged.
    pub fn offline(dir: &Path) -> Result<Self, JournalError> {
        let segments = segments(dir)?;
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err(missing(dir, "there is no journal here"));
        };
        let from = Position {
            segment: first.number,
            offset: HEADER_BYTES as u32,
        };
        let mut cursor = Cursor::open(dir, last.number, 0)?;
        while matches!(cursor.step(last.bytes)?, Step::Entry(_)) {}
        Self::new(dir, Source::Closed(cursor.position()), from)
    }

    fn new(dir: &Path, source: Source, from: Position) -> Result<Self, JournalError> {
        let mut reader = Self {
            dir: dir.to_owned(),
            source,
            cursor: None,
            position: from,
        };
        if reader.end() < from {
            return Err(missing(dir, &format!("it ends at {}, and {from} is asked for", reader.end())));
        }
        let first = segments(dir)?.first().map_or(0, |segment| segment.number);
        let from = if first <= from.segment && from.segment < reader.end().segment {
            behind_gap(dir, from)?
        } else {
            from
        };
        let cursor = if first <= from.segment {
            Cursor::open(dir, from.segment, from.offset)?
        } else {
            let cursor = Cursor::open(dir, first, 0)?;
            // Nothing was missed when the segment that is gone ended where we are.
            if from.segment.checked_add(1) != Some(first) || cursor.header.before_bytes != from.offset {
                return Err(missing(dir, &format!("it begins with segment {first}, and {from} is asked for")));
            }
            cursor
        };
        reader.position = cursor.position();
        reader.cursor = Some(cursor);
        Ok(reader)
    }

    /// The place behind the last entry that was given.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The next entry; `None`: no more was written yet.
    ///
    /// # Errors
    /// When a segment is damaged, missing or cannot be read. Nothing is skipped: asked again, it fails again.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator ends for good; this one goes on when more was written"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            let end = self.end();
            let Some(cursor) = &mut self.cursor else {
                return Err(missing(&self.dir, "an earlier read failed"));
            };
            if cursor.header.segment < end.segment && cursor.next.is_none() {
                cursor.next = Some(Cursor::open(&self.dir, cursor.header.segment + 1, 0)?.header);
            }
            let limit = cursor.next.map_or(end.offset, |next| next.before_bytes);
            match cursor.step(u64::from(limit))? {
                Step::Entry(entry) => {
                    self.position = cursor.position();
                    return Ok(Some(*entry));
                }
                Step::Torn => return Err(cursor.damaged("it ends within a record")),
                Step::End => {
                    let Some(next) = cursor.next else { return Ok(None) };
                    if !cursor.agrees_with(&next) {
                        return Err(cursor.damaged("the next segment belongs behind another content"));
                    }
                    let cursor = Cursor::open(&self.dir, next.segment, 0)?;
                    self.position = cursor.position();
                    self.cursor = Some(cursor);
                }
            }
        }
    }

    fn end(&self) -> Position {
        match &self.source {
            Source::Live(shared) => shared.written(),
            Source::Closed(end) => *end,
        }
    }
}

/// What a cursor finds.
pub(super) enum Step {
    /// An entry.
    Entry(Box<Entry>),
    /// The limit.
    End,
    /// The file ends within a record, or with pages that were never written.
    Torn,
}

/// Reads one segment.
pub(super) struct Cursor {
    file: File,
    path: PathBuf,
    /// The segment's header.
    pub(super) header: Header,
    /// The header of the next segment, once there is one.
    next: Option<Header>,
    buffer: Vec<u8>,
    /// Where in `buffer` the next record begins.
    unread: usize,
    /// Where in the file the next record begins.
    offset: u64,
    /// What the next record must name as its predecessor; unknown in the middle of a segment.
    link: Option<u32>,
    /// The digest of everything before `offset`; unknown in the middle of a segment.
    sum: Option<Context>,
}

impl Cursor {
    /// Opens a segment at its begin, or at a place behind its header.
    pub(super) fn open(dir: &Path, segment: u32, offset: u32) -> Result<Self, JournalError> {
        let path = path_of(dir, segment);
        let file = File::open(&path).map_err(|error| JournalError::io(&path, "open the segment", error))?;
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0)
            .map_err(|error| JournalError::io(&path, "read the segment's header", error))?;
        let damaged = |reason| JournalError::Damaged {
            path: path.clone(),
            offset: 0,
            reason,
        };
        let header = Header::decode(&bytes).map_err(damaged)?;
        if header.segment != segment {
            return Err(damaged(format!("it says that it is segment {}", header.segment)));
        }
        let mut cursor = Self {
            file,
            path,
            header,
            next: None,
            buffer: Vec::new(),
            unread: 0,
            offset: u64::from(offset).max(HEADER_BYTES as u64),
            link: None,
            sum: None,
        };
        if cursor.offset == HEADER_BYTES as u64 {
            let mut sum = Context::new(&SHA256);
            sum.update(&bytes);
            cursor.sum = Some(sum);
            cursor.link = Some(Header::link_of(&bytes));
        }
        Ok(cursor)
    }

    /// The next entry before `limit`.
    pub(super) fn step(&mut self, limit: u64) -> Result<Step, JournalError> {
        if self.offset == limit {
            return Ok(Step::End);
        }
        loop {
            let unread = self.buffer.get(self.unread..).unwrap_or_default();
            let in_limit = usize::try_from(limit.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let unread = unread.get(..in_limit).unwrap_or(unread);
            match format::parse(unread) {
                Parsed::Record { payload, link, next_link } => {
                    if self.link.is_some_and(|expected| expected != link) {
                        return Err(self.damaged("a record does not follow the one before it"));
                    }
                    let entry = postcard::from_bytes(payload).map_err(|_| self.damaged("a record does not hold an entry of the ledger"))?;
                    let bytes = format::RECORD_BYTES + payload.len();
                    if let (Some(sum), Some(record)) = (&mut self.sum, unread.get(..bytes)) {
                        sum.update(record);
                    }
                    self.link = Some(next_link);
                    self.unread += bytes;
                    self.offset += bytes as u64;
                    return Ok(Step::Entry(Box::new(entry)));
                }
                Parsed::Short(bytes) if in_limit < bytes => return Ok(Step::Torn),
                Parsed::Short(bytes) => self.fill(bytes, limit)?,
                Parsed::Bad(reason) => {
                    return if self.is_unwritten(limit)? {
                        Ok(Step::Torn)
                    } else {
                        Err(self.damaged(reason))
                    };
                }
            }
        }
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> Position {
        Position {
            segment: self.header.segment,
            offset: u32::try_from(self.offset).unwrap_or(u32::MAX),
        }
    }

    /// The digest of what was read, and the link to it: of a segment that was read from its begin.
    pub(super) fn into_chain(self) -> Option<(Context, u32)> {
        self.sum.zip(self.link)
    }

    /// Whether `next` was written behind what was read.
    fn agrees_with(&self, next: &Header) -> bool {
        let same = self
            .sum
            .as_ref()
            .is_none_or(|sum| sum.clone().finish().as_ref() == next.before_sha256);
        same && next.journal == self.header.journal
    }

    /// Reads on until at least `bytes` stand in the buffer, or the limit.
    fn fill(&mut self, bytes: usize, limit: u64) -> Result<(), JournalError> {
        self.buffer.drain(..self.unread);
        self.unread = 0;
        let held = self.buffer.len();
        let wanted = usize::try_from(limit.saturating_sub(self.offset))
            .unwrap_or(usize::MAX)
            .min(bytes.max(READ_BYTES));
        self.buffer.resize(wanted.max(held), 0);
        let fresh = self.buffer.get_mut(held..).unwrap_or_default();
        self.file
            .read_exact_at(fresh, self.offset + held as u64)
            .map_err(|error| JournalError::io(&self.path, "read the segment", error))
    }

    fn is_unwritten(&self, limit: u64) -> Result<bool, JournalError> {
        let mut tail = vec![0; usize::try_from(limit.saturating_sub(self.offset)).unwrap_or(0)];
        self.file
            .read_exact_at(&mut tail, self.offset)
            .map_err(|error| JournalError::io(&self.path, "read the segment", error))?;
        Ok(format::is_unwritten(&tail, self.offset))
    }

    fn damaged(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            offset: self.offset,
            reason: reason.into(),
        }
    }
}

/// A segment's file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// Its number.
    pub(super) number: u32,
    /// Its length.
    pub(super) bytes: u64,
}

/// A segment's file.
pub(super) fn path_of(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// The segments of a folder in their order, without a gap.
pub(super) fn segments(dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let list = || -> io::Result<Vec<Segment>> {
        let mut found = Vec::new();
        for file in fs::read_dir(dir)? {
            let file = file?;
            let name = file.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
            if let Some(number) = number {
                let bytes = file.metadata()?.len();
                found.push(Segment { number, bytes });
            }
        }
        Ok(found)
    };
    let mut found = list().map_err(|error| JournalError::io(dir, "list the journal", error))?;
    found.sort_by_key(|segment| segment.number);
    for pair in found.windows(2) {
        if let [one, other] = pair
            && one.number + 1 != other.number
        {
            return Err(missing(
                dir,
                &format!("there is nothing between segments {} and {}", one.number, other.number),
            ));
        }
    }
    Ok(found)
}

/// A place that lies behind its segment's end was reached before a power cut took it; the next segment was begun because of that.
fn behind_gap(dir: &Path, from: Position) -> Result<Position, JournalError> {
    let next = Cursor::open(dir, from.segment + 1, 0)?;
    Ok(if next.header.before_bytes < from.offset {
        next.position()
    } else {
        from
    })
}

/// What the journal does not reach.
pub(super) fn missing(dir: &Path, reason: &str) -> JournalError {
    JournalError::Missing {
        path: dir.to_owned(),
        reason: reason.to_owned(),
    }
}
