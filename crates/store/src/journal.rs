//! The journal: what is held and settled, written down on this machine before anybody is told. Segments that are only appended to, read in
//! order by the shipper, and forgotten once the database has them. It knows nothing of the database, and adds nothing up.
//!
//! A record survives the end of the process as soon as [`Journal::append`] has returned, and a power cut as soon as [`Journal::durable`]
//! has. A torn end, which was never acknowledged, is cut off when the journal is opened; damage anywhere else is an error that names the
//! segment and the byte, and nothing is skipped.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use postcard::ser_flavors::Flavor;
use tollgate_policy::ledger::Entry;

mod disk;
mod error;
mod format;
mod position;
mod reader;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

use disk::{Disk, LocalDisk};
pub use error::JournalError;
use format::{HEADER_BYTES, Header};
pub use position::Position;
pub use reader::Reader;
use reader::{Cursor, Step, missing, path_of, segments};
pub use recovery::{Cut, OpenHold, OpenHolds, Recovery};
use writer::{Shared, Writer};

/// What a record survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it ends. A power cut may cost the last second.
    #[default]
    Process,
    /// A power cut: many records share one sync, and their callers wait for it.
    Power,
}

/// How the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What a record survives.
    pub durability: Durability,
    /// A segment that is longer is ended, and the next begun. Below 4 GiB less one append.
    pub segment_bytes: u32,
    /// All segments together: when they are longer, holds are refused, and with them calls. How long a dead database can be borne.
    pub total_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::Process,
            segment_bytes: 64 << 20,
            total_bytes_max: 16 << 30,
        }
    }
}

/// How the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Behind the last complete write.
    pub written: Position,
    /// Bytes of all segments.
    pub bytes: u64,
    /// How many segments there are.
    pub segments: usize,
    /// Whether the last write or sync failed.
    pub failing: bool,
}

/// The journal of one process. Dropping it syncs it and lets another process have it.
pub struct Journal {
    shared: Arc<Shared>,
    syncing: Option<JoinHandle<()>>,
    /// Locked as long as it is open.
    lock: File,
}

/// A buffer that grew beyond this is not kept for the next append.
const BUFFER_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Journal {
    /// Opens the journal in a folder, making both when they are not there. A torn end is cut off.
    ///
    /// # Errors
    /// When another process has it, the system refuses, or the last segment is damaged.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(Arc::new(LocalDisk), dir, settings)
    }

    fn open_on(disk: Arc<dyn Disk>, dir: &Path, settings: Settings) -> Result<(Self, Recovery), JournalError> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(dir);
        made.map_err(|error| JournalError::io(dir, "make the folder", error))?;
        let lock = lock(dir)?;
        let (header, writer, cut) = last_segment(&*disk, dir)?;
        let sizes: BTreeMap<u32, u64> = segments(dir)?.iter().map(|segment| (segment.number, segment.bytes)).collect();
        let recovery = Recovery { end: writer.position, cut };
        let shared = Arc::new(Shared::new(dir.to_owned(), header.journal, settings, (disk, writer), sizes));
        let syncing = std::thread::Builder::new().name("journal".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.sync_until_stopped()
        });
        let syncing = syncing.map_err(|error| JournalError::io(dir, "start the journal's thread", error))?;
        let journal = Self {
            shared,
            syncing: Some(syncing),
            lock,
        };
        Ok((journal, recovery))
    }

    /// The journal's id: random, made with the first segment. Positions of one journal mean nothing in another.
    #[must_use]
    pub fn id(&self) -> u128 {
        self.shared.journal
    }

    /// Writes entries down, one behind the other; the place behind them. They survive the end of the process from here on. When it fails,
    /// none of them counts, and later ones can be read.
    ///
    /// # Errors
    /// When the disk refuses, or a hold is among them and the journal has reached its bound.
    pub fn append(&self, entries: &[Entry]) -> Result<Position, JournalError> {
        if entries.iter().any(|entry| matches!(entry, Entry::Hold(_))) {
            self.shared.room()?;
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            for entry in entries {
                let at = format::open(buffer);
                postcard::serialize_with_flavor(entry, Behind(buffer)).map_err(|_| JournalError::TooLong)?;
                format::close(buffer, at).ok_or(JournalError::TooLong)?;
            }
            let written = self.shared.write(buffer);
            if BUFFER_BYTES_MAX < buffer.capacity() {
                *buffer = Vec::new();
            }
            written
        })
    }

    /// Waits until what was written before `position` survives what [`Settings::durability`] promises: with [`Durability::Process`] it
    /// does at once.
    ///
    /// # Errors
    /// When the disk did not take it.
    pub async fn durable(&self, position: Position) -> Result<(), JournalError> {
        if self.shared.settings.durability == Durability::Process {
            return Ok(());
        }
        loop {
            let mut synced = std::pin::pin!(self.shared.synced_changed.notified());
            // From here on no change is missed.
            synced.as_mut().enable();
            if let Some(kept) = self.shared.kept(position) {
                return kept;
            }
            synced.await;
        }
    }

    /// Behind the last complete write.
    #[must_use]
    pub fn written(&self) -> Position {
        self.shared.written()
    }

    /// Waits until something stands behind `position`.
    pub async fn wait_beyond(&self, position: Position) {
        loop {
            let mut written = std::pin::pin!(self.shared.written_changed.notified());
            written.as_mut().enable();
            if position < self.written() {
                return;
            }
            written.await;
        }
    }

    /// Reads on from a place that an earlier reader has reached; [`Position::START`]: from the begin.
    ///
    /// # Errors
    /// When the place is not in the journal any more, or not yet.
    pub fn read(&self, from: Position) -> Result<Reader, JournalError> {
        Reader::live(&self.shared.dir, Arc::clone(&self.shared), from)
    }

    /// Goes on behind a place that was reached once and lies behind the end now: a power cut took what the disk had not kept yet, and the
    /// reader had seen it. What is written from here on lies behind that place. `None`: the place is not behind the end.
    ///
    /// # Errors
    /// When whole segments are gone, or the next one cannot be begun.
    pub fn go_on_behind(&self, reached: Position) -> Result<Option<Position>, JournalError> {
        let end = self.written();
        if reached <= end {
            return Ok(None);
        }
        if end.segment.saturating_add(1) < reached.segment {
            return Err(missing(&self.shared.dir, &format!("it ends at {end}, and {reached} was reached")));
        }
        self.shared.begin_behind(reached.segment).map(Some)
    }

    /// Removes the segments that nobody needs any more: those before `applied` and before the oldest hold that is still open. How many.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget_before(&self, applied: Position, oldest_hold: Option<Position>) -> Result<usize, JournalError> {
        let keep = oldest_hold.map_or(applied, |oldest| oldest.min(applied));
        self.shared.forget(keep.segment)
    }

    /// How the journal is.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            written: self.written(),
            bytes: self.shared.bytes(),
            segments: self.shared.segments(),
            failing: self.shared.failing(),
        }
    }

    /// The begin of the first segment that is kept.
    fn first(&self) -> Result<Position, JournalError> {
        let first = segments(&self.shared.dir)?.first().map_or(0, |segment| segment.number);
        Ok(Position {
            segment: first,
            offset: HEADER_BYTES as u32,
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(syncing) = self.syncing.take() {
            // A panic of the thread has been reported; there is nothing left to do about it.
            let _ = syncing.join();
        }
        // At once, also where a child process that was just forked has the file open.
        let _ = self.lock.unlock();
    }
}

/// Behind what stands in a buffer; text by text, where postcard's own for any collection goes byte by byte.
struct Behind<'a>(&'a mut Vec<u8>);

impl Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Makes this process the only one.
fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let failed = |error| JournalError::io(&path, "lock the journal", error);
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let holder = holder.trim().parse().map_or(String::new(), |pid: u32| format!(" (process {pid})"));
            return Err(JournalError::Locked { path, holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

/// Opens the last segment for writing; makes the first one when there is none.
fn last_segment(disk: &dyn Disk, dir: &Path) -> Result<(Header, Writer, Option<Cut>), JournalError> {
    let mut found = segments(dir)?;
    if let Some(last) = found.last() {
        let path = path_of(dir, last.number);
        if is_unbegun(&path, last.bytes).map_err(|error| JournalError::io(&path, "read the segment", error))? {
            fs::remove_file(&path).map_err(|error| JournalError::io(&path, "remove the segment", error))?;
            found.pop();
        }
    }
    let Some(last) = found.last() else {
        let header = Header {
            journal: rand::random(),
            segment: 1,
            before_bytes: 0,
            before_sha256: [0; 32],
        };
        let writer = writer::begin(disk, dir, &header)?;
        return Ok((header, writer, None));
    };
    let mut cursor = Cursor::open(dir, last.number, 0)?;
    while let Step::Entry(_) = cursor.step(last.bytes)? {}
    let (header, position) = (cursor.header, cursor.position());
    let path = path_of(dir, last.number);
    let failed = |error| JournalError::io(&path, "open the segment", error);
    let medium = disk.open(&path).map_err(failed)?;
    let bytes = last.bytes - u64::from(position.offset);
    let cut = (0 < bytes).then_some(Cut { at: position, bytes });
    if cut.is_some() {
        medium.truncate(u64::from(position.offset)).map_err(failed)?;
    }
    let Some((sum, link)) = cursor.into_chain() else {
        return Err(JournalError::TooLong);
    };
    let writer = Writer {
        medium,
        position,
        link,
        sum,
        spoiled: false,
    };
    Ok((header, writer, cut))
}

/// Whether the process or the power ended while the segment was begun: then nothing can stand in it.
fn is_unbegun(path: &Path, bytes: u64) -> std::io::Result<bool> {
    if bytes < HEADER_BYTES as u64 {
        return Ok(true);
    }
    let mut header = [0; HEADER_BYTES];
    File::open(path)?.read_exact(&mut header)?;
    Ok(header == [0; HEADER_BYTES] && fs::read(path)?.iter().all(|&byte| byte == 0))
}
