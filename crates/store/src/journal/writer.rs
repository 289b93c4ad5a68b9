//! The end of the journal that is written to: one writer behind a short lock, and the thread that asks the disk to keep what was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::Notify;

use super::disk::{Disk, Medium};
use super::error::JournalError;
use super::format::{self, HEADER_BYTES, Header};
use super::position::Position;
use super::reader::path_of;
use super::{Durability, Settings};

/// How often the disk is asked where nobody waits for it: what a power cut may cost with [`Durability::Process`].
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the callers, the readers and the syncing thread share.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) journal: u128,
    pub(super) settings: Settings,
    disk: Arc<dyn Disk>,
    writer: Mutex<Writer>,
    /// The lengths of the segments, the live one's as it is written.
    sizes: Mutex<BTreeMap<u32, u64>>,
    written: AtomicU64,
    bytes: AtomicU64,
    failing: AtomicBool,
    sync: Mutex<Sync>,
    sync_wanted: Condvar,
    pub(super) written_changed: Notify,
    pub(super) synced_changed: Notify,
}

/// Where the next record goes.
pub(super) struct Writer {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) position: Position,
    /// What the next record names as its predecessor.
    pub(super) link: u32,
    /// The digest of the segment so far.
    pub(super) sum: Context,
    /// A part of a record may stand behind `position`, or the disk lost what it was given: nothing more is written here.
    pub(super) spoiled: bool,
}

/// What the disk was asked to keep, and what it kept.
#[derive(Default)]
struct Sync {
    wanted: bool,
    stop: bool,
    /// Segments that are complete but not synced.
    unsynced: Vec<Arc<dyn Medium>>,
    new_segment: bool,
    synced: Position,
    /// What the disk refused to keep: behind the first, up to the second.
    lost: Option<(Position, Position)>,
}

impl Shared {
    pub(super) fn new(
        dir: PathBuf,
        journal: u128,
        settings: Settings,
        (disk, writer): (Arc<dyn Disk>, Writer),
        sizes: BTreeMap<u32, u64>,
    ) -> Self {
        Self {
            dir,
            journal,
            settings,
            disk,
            written: AtomicU64::new(writer.position.packed()),
            bytes: AtomicU64::new(sizes.values().sum()),
            writer: Mutex::new(writer),
            sizes: Mutex::new(sizes),
            failing: AtomicBool::new(false),
            sync: Mutex::new(Sync {
                new_segment: true,
                ..Sync::default()
            }),
            sync_wanted: Condvar::new(),
            written_changed: Notify::new(),
            synced_changed: Notify::new(),
        }
    }

    /// Behind the last complete write.
    pub(super) fn written(&self) -> Position {
        Position::unpacked(self.written.load(Ordering::Acquire))
    }

    /// Whether the last write or sync failed.
    pub(super) fn failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many segments there are.
    pub(super) fn segments(&self) -> usize {
        lock(&self.sizes).len()
    }

    /// Whether there is room for more holds. What ends a hold is written in any case: there are no more of those than there were holds.
    pub(super) fn room(&self) -> Result<(), JournalError> {
        let bytes = self.bytes();
        if self.settings.total_bytes_max <= bytes {
            return Err(JournalError::Full { bytes });
        }
        Ok(())
    }

    /// Writes closed records behind the others.
    pub(super) fn write(&self, records: &mut [u8]) -> Result<Position, JournalError> {
        let mut writer = lock(&self.writer);
        let written = self.write_locked(&mut writer, records);
        drop(writer);
        self.failing.store(written.is_err(), Ordering::Relaxed);
        self.written_changed.notify_waiters();
        written
    }

    fn write_locked(&self, writer: &mut Writer, records: &mut [u8]) -> Result<Position, JournalError> {
        let behind = u64::from(writer.position.offset) + records.len() as u64;
        let is_empty = writer.position.offset as usize == HEADER_BYTES;
        if writer.spoiled || (u64::from(self.settings.segment_bytes) < behind && !is_empty) {
            self.begin_segment(writer)?;
        }
        let at = writer.position;
        let failed = |error| JournalError::io(&path_of(&self.dir, at.segment), "write to the journal", error);
        let Ok(bytes) = u32::try_from(records.len()) else {
            return Err(JournalError::TooLong);
        };
        let offset = at.offset.checked_add(bytes).ok_or(JournalError::TooLong)?;
        let link = format::link(records, writer.link);
        if let Err(error) = writer.medium.write_at(records, u64::from(at.offset)) {
            // Part of it may stand there. Where it cannot be cut off, the next segment says how much of this one counts.
            writer.spoiled = writer.medium.truncate(u64::from(at.offset)).is_err();
            return Err(failed(error));
        }
        writer.sum.update(records);
        writer.link = link;
        writer.position.offset = offset;
        self.bytes.fetch_add(u64::from(bytes), Ordering::Relaxed);
        self.written.store(writer.position.packed(), Ordering::Release);
        Ok(writer.position)
    }

    /// Begins segments until the live one is of a higher number than that.
    pub(super) fn begin_behind(&self, segment: u32) -> Result<Position, JournalError> {
        let mut writer = lock(&self.writer);
        while writer.position.segment <= segment {
            self.begin_segment(&mut writer)?;
        }
        Ok(writer.position)
    }

    /// Ends the live segment and begins the next. When it fails, the live one stays.
    fn begin_segment(&self, writer: &mut Writer) -> Result<(), JournalError> {
        let before = writer.position;
        let number = before.segment.checked_add(1).ok_or(JournalError::TooLong)?;
        let mut before_sha256 = [0; 32];
        before_sha256.copy_from_slice(writer.sum.clone().finish().as_ref());
        let header = Header {
            journal: self.journal,
            segment: number,
            before_bytes: before.offset,
            before_sha256,
        };
        let fresh = begin(&*self.disk, &self.dir, &header)?;
        let complete = std::mem::replace(writer, fresh);
        let mut sizes = lock(&self.sizes);
        sizes.insert(before.segment, u64::from(before.offset));
        sizes.insert(number, HEADER_BYTES as u64);
        drop(sizes);
        self.bytes.fetch_add(HEADER_BYTES as u64, Ordering::Relaxed);
        self.written.store(writer.position.packed(), Ordering::Release);
        let mut sync = lock(&self.sync);
        sync.unsynced.push(complete.medium);
        sync.new_segment = true;
        Ok(())
    }

    /// Forgets the segments before `keep`, never the live one. How many went.
    pub(super) fn forget(&self, keep: u32) -> Result<usize, JournalError> {
        let keep = keep.min(self.written().segment);
        let mut gone = 0;
        let mut sizes = lock(&self.sizes);
        // The oldest first: a stop in between leaves no gap.
        while let Some((&number, &bytes)) = sizes.first_key_value()
            && number < keep
        {
            let path = path_of(&self.dir, number);
            std::fs::remove_file(&path).map_err(|error| JournalError::io(&path, "remove the segment", error))?;
            sizes.remove(&number);
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            gone += 1;
        }
        Ok(gone)
    }

    /// Whether the disk keeps everything before `position`; `None`: not yet, and it is asked.
    pub(super) fn kept(&self, position: Position) -> Option<Result<(), JournalError>> {
        let mut sync = lock(&self.sync);
        if sync.lost.is_some_and(|(behind, until)| behind < position && position <= until) {
            return Some(Err(JournalError::NotDurable));
        }
        if position <= sync.synced {
            return Some(Ok(()));
        }
        sync.wanted = true;
        drop(sync);
        self.sync_wanted.notify_one();
        None
    }

    /// The syncing thread: until [`Self::stop`]. What gathers while the disk works is one group.
    pub(super) fn sync_until_stopped(&self) {
        loop {
            let mut sync = lock(&self.sync);
            while !sync.wanted && !sync.stop {
                if self.settings.durability == Durability::Process {
                    sync = self
                        .sync_wanted
                        .wait_timeout(sync, SYNC_EVERY)
                        .map_or_else(|poisoned| poisoned.into_inner().0, |(sync, _)| sync);
                    break;
                }
                sync = self.sync_wanted.wait(sync).unwrap_or_else(PoisonError::into_inner);
            }
            sync.wanted = false;
            let stop = sync.stop;
            drop(sync);
            self.sync_once();
            if stop {
                return;
            }
        }
    }

    fn sync_once(&self) {
        // The position first: what is written later may be synced as well, but is not promised.
        let writer = lock(&self.writer);
        let (live, until) = (Arc::clone(&writer.medium), writer.position);
        let mut sync = lock(&self.sync);
        drop(writer);
        let behind = sync.synced;
        if behind == until {
            return;
        }
        let complete = std::mem::take(&mut sync.unsynced);
        let new_segment = std::mem::take(&mut sync.new_segment);
        drop(sync);
        let kept = complete.iter().chain([&live]).try_for_each(|medium| medium.sync());
        let kept = kept.and_then(|()| if new_segment { self.disk.sync_dir(&self.dir) } else { Ok(()) });
        if kept.is_err() {
            // A second sync of the same file may say that all is well and be wrong: the kernel has dropped what it could not write.
            let mut writer = lock(&self.writer);
            writer.spoiled |= writer.position.segment == until.segment;
            drop(writer);
            self.failing.store(true, Ordering::Relaxed);
        }
        let mut sync = lock(&self.sync);
        match kept {
            Ok(()) => sync.synced = until,
            Err(_) => {
                sync.lost = Some((behind, until));
                sync.new_segment = true;
            }
        }
        drop(sync);
        self.synced_changed.notify_waiters();
    }

    /// Ends the syncing thread after a last sync.
    pub(super) fn stop(&self) {
        lock(&self.sync).stop = true;
        self.sync_wanted.notify_all();
    }
}

/// Makes a segment with nothing but its header.
pub(super) fn begin(disk: &dyn Disk, dir: &Path, header: &Header) -> Result<Writer, JournalError> {
    let path = path_of(dir, header.segment);
    let bytes = header.encode();
    let failed = |error| JournalError::io(&path, "begin the segment", error);
    let medium = disk.create(&path).map_err(failed)?;
    medium.write_at(&bytes, 0).map_err(failed)?;
    let mut sum = Context::new(&SHA256);
    sum.update(&bytes);
    Ok(Writer {
        medium,
        position: Position {
            segment: header.segment,
            offset: HEADER_BYTES as u32,
        },
        link: Header::link_of(&bytes),
        sum,
        spoiled: false,
    })
}

/// What a panic left behind is whole: every change is made after what can fail.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
