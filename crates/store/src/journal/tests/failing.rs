//! A disk that is full or broken: the caller is told, and what comes later can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use super::super::disk::{Disk, LocalDisk, Medium};
use super::*;

/// A disk that fails when it is told to, and remembers what it synced.
#[derive(Default)]
pub(super) struct Faulty {
    faults: Arc<Mutex<Faults>>,
    synced: Arc<AtomicU64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Faults {
    /// Bytes that are still written; then the disk is full.
    room: Option<usize>,
    truncate: bool,
    create: bool,
    sync: bool,
}

impl Faulty {
    fn set(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    /// What is surely on the disk.
    pub(super) fn synced(&self) -> Position {
        Position::unpacked(self.synced.load(Ordering::SeqCst))
    }

    fn medium(&self, path: &Path, file: File) -> Arc<dyn Medium> {
        Arc::new(FaultyFile {
            segment: path.file_stem().unwrap().to_str().unwrap().parse().unwrap(),
            file,
            faults: Arc::clone(&self.faults),
            synced: Arc::clone(&self.synced),
        })
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        if self.faults.lock().unwrap().create {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(self.medium(path, File::create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        Ok(self.medium(path, File::options().write(true).open(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }
}

struct FaultyFile {
    segment: u32,
    file: File,
    faults: Arc<Mutex<Faults>>,
    synced: Arc<AtomicU64>,
}

impl Medium for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        let room = faults.room.unwrap_or(usize::MAX);
        let written = &bytes[..bytes.len().min(room)];
        self.file.write_all_at(written, offset)?;
        faults.room = faults.room.map(|room| room - written.len());
        if written.len() < bytes.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().truncate {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.file.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if self.faults.lock().unwrap().sync {
            return Err(io::Error::other("the disk is gone"));
        }
        let position = Position {
            segment: self.segment,
            offset: u32::try_from(length).unwrap(),
        };
        self.synced.fetch_max(position.packed(), Ordering::SeqCst);
        Ok(())
    }
}

fn open_faulty(folder: &Folder, durability: Durability) -> (Journal, Arc<Faulty>) {
    let disk = Arc::new(Faulty::default());
    let settings = Settings { durability, ..SMALL };
    (Journal::open_on(disk.clone(), &folder.0, settings).unwrap().0, disk)
}

#[test]
fn a_full_disk_is_told_and_what_follows_is_read() {
    for room in 0..400 {
        for truncate in [false, true] {
            let folder = Folder::new();
            let (journal, disk) = open_faulty(&folder, Durability::Process);
            let mut written = vec![opened(1)];
            append_all(&journal, &written);
            disk.set(Faults {
                room: Some(room),
                truncate,
                ..Faults::default()
            });
            let position = journal.written();
            match journal.append(&[hold(1), opened(2)]) {
                Ok(_) => written.extend([hold(1), opened(2)]),
                Err(error) => {
                    assert!(error.to_string().contains("see that the disk has room"), "{error}");
                    assert!(journal.state().failing);
                    assert_eq!(journal.written(), position);
                }
            }
            if room % 40 != 0 && room < 250 {
                // Most rows end here. Where the disk does not even cut, a record that was written whole before it was full may stand.
                drop(journal);
                let found = read_offline(&folder.0).unwrap();
                assert!(
                    found == written || (truncate && found[..] == [opened(1), hold(1)]),
                    "{room}: {found:?}"
                );
                continue;
            }
            disk.set(Faults {
                truncate,
                ..Faults::default()
            });
            append_all(&journal, &[settlement(1)]);
            written.push(settlement(1));
            assert!(!journal.state().failing);
            assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap(), written);
            drop(journal);
            append_all(&open(&folder), &[opened(3)]);
            written.push(opened(3));
            assert_eq!(read_offline(&folder.0).unwrap(), written, "{room} {truncate}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_begun_is_begun_later() {
    let folder = Folder::new();
    let (journal, disk) = open_faulty(&folder, Durability::Process);
    let mut written = exchanges(1);
    append_all(&journal, &written);
    for faults in [
        Faults {
            create: true,
            ..Faults::default()
        },
        Faults {
            room: Some(20),
            ..Faults::default()
        },
    ] {
        disk.set(faults);
        assert!(journal.append(&exchanges(1)).is_err());
    }
    disk.set(Faults::default());
    append_all(&journal, &exchanges(2));
    written.extend(exchanges(2));
    assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap(), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_is_never_believed_afterwards() {
    let folder = Folder::new();
    let (journal, disk) = open_faulty(&folder, Durability::Power);
    let good = journal.append(&[hold(1)]).unwrap();
    journal.durable(good).await.unwrap();
    disk.set(Faults {
        sync: true,
        ..Faults::default()
    });
    let lost = journal.append(&[hold(2)]).unwrap();
    let error = journal.durable(lost).await.unwrap_err();
    assert!(matches!(error, JournalError::NotDurable), "{error}");
    assert!(journal.state().failing);
    // The disk is back. A file of which something was lost is not written to any more, and what was lost stays lost.
    disk.set(Faults::default());
    let next = journal.append(&[hold(3)]).unwrap();
    assert_eq!(next.segment, lost.segment + 1);
    journal.durable(next).await.unwrap();
    assert!(journal.durable(lost).await.is_err());
    journal.durable(good).await.unwrap();
    assert!(!journal.state().failing);
}
