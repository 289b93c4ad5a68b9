//! The journal's tests, and what they share: entries of every kind, folders that go away, a disk that fails when it is told to.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Extension, Hold, Opened, Party, Posting, Settlement, UsageSource};
use tollgate_policy::money::NanoUsd;
use tollgate_wire::usage::Usage;

use super::{Durability, Journal, JournalError, Position, Reader, Settings};

mod concurrent;
mod damage;
mod failing;
mod figures;
mod format;
mod killed;
mod order;
mod recovery;

/// A folder of its own, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tollgate-journal-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:08}.seg"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it: the folder is for what may stay behind.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Segments of a few records.
const SMALL: Settings = Settings {
    durability: Durability::Process,
    segment_bytes: 1_000,
    total_bytes_max: 1 << 30,
};

fn open(folder: &Folder) -> Journal {
    Journal::open(&folder.0, SMALL).unwrap().0
}

fn party() -> Party {
    Party {
        team: "support".into(),
        user: Some("ada".into()),
        key: Some("k7Gf2mQ1xY0a".into()),
        feature: None,
        route: "support-chat".into(),
    }
}

fn charges(count: u64) -> Vec<Charge> {
    let charge = |number| Charge {
        account: AccountId(0x0123_4567_89ab_cdef_0011_2233_4455_6677 ^ u128::from(number)),
        window: 1_795_132_800,
        amount: 12_345 + i64::try_from(number).unwrap(),
    };
    (0..count).map(charge).collect()
}

fn hold(number: u64) -> Entry {
    Entry::Hold(Hold {
        request: format!("req_{number}"),
        at_ms: 1_795_132_800_000 + number,
        expires_ms: 1_795_133_160_000 + number,
        party: party(),
        model: "openai/gpt-4o-mini".into(),
        amount: NanoUsd(2_505_000),
        input_tokens: 412,
        charges: charges(5),
    })
}

fn extension(number: u64) -> Entry {
    Entry::Extension(Extension {
        request: format!("req_{number}"),
        at_ms: 1_795_132_801_000,
        amount: NanoUsd(626_250),
        charges: charges(2),
    })
}

fn settlement(number: u64) -> Entry {
    Entry::Settlement(Settlement {
        request: format!("req_{number}"),
        at_ms: 1_795_132_802_000,
        party: party(),
        ended: Ended::Posted,
        postings: vec![Posting {
            attempt: 1,
            provider: "openai".into(),
            model: "openai/gpt-4o-mini".into(),
            usage: Usage {
                input: 380,
                output: 120,
                ..Usage::default()
            },
            source: UsageSource::Provider,
            cost: NanoUsd(129_000),
            price_version: "2026-11-01".into(),
        }],
        charges: charges(5),
        overrun: false,
        late: false,
    })
}

fn opened(number: u64) -> Entry {
    Entry::Opened(Opened {
        account: AccountId(u128::from(number)),
        rule: "team month".into(),
        scope: vec![("team".into(), "support".into())],
    })
}

/// The entries of so many exchanges.
fn exchanges(count: u64) -> Vec<Entry> {
    (0..count)
        .flat_map(|number| [opened(number), hold(number), extension(number), settlement(number)])
        .collect()
}

/// Appends one by one.
fn append_all(journal: &Journal, entries: &[Entry]) -> Vec<Position> {
    entries
        .iter()
        .map(|entry| journal.append(std::slice::from_ref(entry)).unwrap())
        .collect()
}

/// All that is left of a reader.
fn rest(reader: &mut Reader) -> Result<Vec<Entry>, JournalError> {
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        entries.push(entry);
    }
    Ok(entries)
}

/// All entries of a journal that nobody has open.
fn read_offline(dir: &Path) -> Result<Vec<Entry>, JournalError> {
    rest(&mut Reader::offline(dir)?)
}
