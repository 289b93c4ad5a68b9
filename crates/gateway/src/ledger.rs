//! The ledger's way: opened at the start, with the accounts as they were before the last end; and from then on the journal carried to the
//! database, entry by entry, exactly once. Nothing on the path of a request waits for it: a dead database only makes the journal longer.

mod shipper;

use std::sync::Arc;

use tollgate_policy::accounts::{Accounts, Recovery};
use tollgate_policy::ledger::{Charge, Entry};
use tollgate_store::database::ledger::{self, Ledger};
use tollgate_store::database::{Database, Source};
use tollgate_store::files::DataDir;
use tollgate_store::journal::{self, Durability, Journal, Position};

pub use shipper::{Shipper, progress};

use crate::books::Books;
use crate::clock::Now;
use crate::config::stored::Stored;
use crate::config::{Raw, raw};

/// Balances of windows that began earlier than this are of no account any more: the longest window is a year.
const BALANCES_BACK_S: i64 = 400 * 86_400;

/// The ledger, open.
pub struct Opened {
    /// The database.
    pub database: Database,
    /// The accounts and the journal.
    pub books: Arc<Books>,
    /// What the admin API keeps.
    pub stored: Stored,
    /// What a person should know: a torn end that was cut, holds that a crash left.
    pub remarks: Vec<String>,
}

/// Opens database and journal, and brings the accounts back to where they were. Holds that the last process left open are settled as they
/// stand: the provider may have billed them.
///
/// # Errors
/// What cannot be opened, and the remedy.
pub async fn open(raw: &Raw, source: &Source, data: &DataDir, now: Now) -> Result<Opened, String> {
    let database = Database::open(source)
        .await
        .map_err(|error| format!("the database cannot be opened: {error}"))?;
    let stored = Stored::load(&database)
        .await
        .map_err(|error| format!("the database cannot be read: {error}"))?;
    let mut remarks: Vec<String> = stored
        .ill
        .iter()
        .map(|reason| format!("an object of the database does not count: {reason}"))
        .collect();
    let durability = match raw.ledger.durability {
        raw::Durability::None => {
            remarks.push("ledger.durability is none: what is spent is forgotten when this process ends".into());
            let books = Books::new(Accounts::new(), None, false);
            return Ok(Opened {
                database,
                books,
                stored,
                remarks,
            });
        }
        raw::Durability::Process => Durability::Process,
        raw::Durability::Power => Durability::Power,
    };
    let settings = journal::Settings {
        durability,
        total_bytes_max: raw.ledger.journal_max.bytes(),
        ..journal::Settings::default()
    };
    let folder = data.path().join("journal");
    let (journal, recovery) = Journal::open(&folder, settings).map_err(|error| error.to_string())?;
    if let Some(cut) = recovery.cut {
        remarks.push(format!(
            "the journal ended in {} torn bytes, which were cut off: nobody was told of them",
            cut.bytes
        ));
    }
    let accounts = recover(&database, &journal, now, &mut remarks).await?;
    let books = Books::new(accounts, Some(Arc::new(journal)), durability == Durability::Power);
    Ok(Opened {
        database,
        books,
        stored,
        remarks,
    })
}

async fn recover(database: &Database, journal: &Journal, now: Now, remarks: &mut Vec<String>) -> Result<Accounts, String> {
    let unread = |error: tollgate_store::database::Error| format!("the ledger cannot be read: {error}");
    let name = name_of(journal);
    let position = database.position(&name).await.map_err(unread)?;
    let applied = caught_up(journal, position.map(journal_position), remarks)?;
    let since = i64::try_from(now.unix.as_secs()).unwrap_or(0) - BALANCES_BACK_S;
    let balances = database.balances(since).await.map_err(unread)?;
    let holds = database.open_holds(&name).await.map_err(unread)?;
    let balances = balances.into_iter().map(|balance| Charge {
        account: balance.opened.account,
        window: balance.window,
        amount: balance.posted,
    });
    let mut recovery = Recovery::new(balances, holds);
    journal
        .recover(applied, |entry| recovery.apply(entry))
        .map_err(|error| error.to_string())?;
    let crashed = recovery.crashed(u64::try_from(now.unix.as_millis()).unwrap_or(0));
    if !crashed.is_empty() {
        remarks.push(format!(
            "{} calls were under way when the last process ended; what they held is posted",
            crashed.len()
        ));
    }
    for settlement in crashed {
        let entry = Entry::Settlement(settlement);
        journal.append(std::slice::from_ref(&entry)).map_err(|error| error.to_string())?;
        recovery.apply(&entry);
    }
    Ok(recovery.accounts())
}

/// How far the database has come in this journal, where one of them is not what it was when the last process ended.
fn caught_up(journal: &Journal, position: Option<Position>, remarks: &mut Vec<String>) -> Result<Position, String> {
    let Some(reached) = position else {
        let mut reader = journal.read(Position::START).map_err(|error| {
            format!(
                "the database knows nothing of the journal, of which a part was let go because the database had it; restore the database \
                 from a backup, or start with it as it is and an empty journal ({error})"
            )
        })?;
        if reader.next().map_err(|error| error.to_string())?.is_some() {
            remarks.push(
                "the database knows nothing of the journal: it was deleted, or is another one; the ledger is made anew from the whole \
                 journal, and keys, teams and rules that stood in the database alone are gone"
                    .to_owned(),
            );
        }
        return Ok(Position::START);
    };
    let behind = journal.go_on_behind(reached).map_err(|error| error.to_string())?;
    if behind.is_some() {
        remarks.push(
            "the database has more of the journal than the disk kept (a power cut, or an older copy of the data folder); nothing of it is \
             lost, and the journal goes on behind it"
                .to_owned(),
        );
    }
    Ok(behind.unwrap_or(reached))
}

/// The name that a journal has in the database.
fn name_of(journal: &Journal) -> String {
    format!("{:032x}", journal.id())
}

fn journal_position(position: ledger::Position) -> Position {
    Position {
        segment: u32::try_from(position.0).unwrap_or(u32::MAX),
        offset: u32::try_from(position.1).unwrap_or(u32::MAX),
    }
}

fn ledger_position(position: Position) -> ledger::Position {
    ledger::Position(position.segment.into(), position.offset.into())
}

/// Under its lock, whoever panicked with it: what these locks guard is never half-written.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
