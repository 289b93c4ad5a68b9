//! The books: what every call holds and what it cost, as this process knows it. One lock guards the accounts; what happens to them is
//! written to the journal before anybody is told. Nothing here waits for a database: the shipper (`ledger/`) carries the journal there.

mod grant;
mod keys;
mod rooms;
mod tally;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tollgate_policy::accounts::{Accounts, BudgetStanding, Demand, Denied, Entered, Headroom, Reserved, RuleSet, Scoped};
use tollgate_policy::ledger::{Entry, Extension, Hold, Opened, Party, Settlement};
use tollgate_policy::money::NanoUsd;
use tollgate_store::journal::{Journal, JournalError, Position};
use tollgate_wire::fault::Fault;
use tollgate_wire::usage::ServiceTier;

use grant::Carried;
pub use grant::{Grant, Paid};
use keys::{KeyPlace, OpenByKey};
pub use rooms::{Room, Rooms, Stage, Ticket};

use crate::clock::{Now, millis};
use crate::config::spending::Spending;

/// The accounts and the journal of this process.
pub struct Books {
    accounts: Mutex<Accounts>,
    /// None: what is spent is counted, and forgotten with the process (`ledger.durability: none`).
    journal: Option<Arc<Journal>>,
    /// A settlement counts only when the disk has it.
    waits_for_disk: bool,
    keys: Arc<OpenByKey>,
    /// Where calls wait for room.
    pub rooms: Rooms,
}

/// Waits until something that was written survives a power cut.
pub type Durable = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that is counted as open, until this is dropped.
pub struct Entrance {
    books: Arc<Books>,
    entered: Entered,
    _key: Option<KeyPlace>,
}

/// What a call is about to need.
pub struct Order {
    /// The request id.
    pub request: String,
    /// Who spends.
    pub party: Party,
    /// The first attempt's `provider/upstream-model`.
    pub model: String,
    /// Tokens and money, at the dearest attempt.
    pub demand: Demand,
    /// The service tier that is asked for: what an answer costs that does not say which it got.
    pub tier: ServiceTier,
    /// Bytes of text that the input was estimated from, where there is nothing but text.
    pub text_bytes: Option<u64>,
    /// When it is given up if nothing is heard of it, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The rules that it is held under.
    pub spending: Arc<Spending>,
}

/// Why nothing is reserved.
#[derive(Debug)]
pub enum NotReserved {
    /// It does not fit.
    Denied(Box<Denied>),
    /// It did not fit in all the time that it waited in a queue.
    Waited(Box<Denied>),
    /// A kill switch ended the call while it waited.
    Ended(Box<Fault>),
    /// The hold could not be written down, and nothing is sent that is not.
    Journal(JournalError),
    /// There is nothing to be held for.
    Nothing,
}

impl Books {
    /// Books with those accounts.
    #[must_use]
    pub fn new(accounts: Accounts, journal: Option<Arc<Journal>>, waits_for_disk: bool) -> Arc<Self> {
        Arc::new(Self {
            accounts: Mutex::new(accounts),
            journal,
            waits_for_disk,
            keys: Arc::default(),
            rooms: Rooms::default(),
        })
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// Counts a request and an open call on every account that it meets, and for a key with a bound of its own.
    ///
    /// # Errors
    /// When one of them is full; nothing is counted then.
    pub fn enter(self: &Arc<Self>, now: Now, scoped: &Scoped<'_>, key: Option<(&str, u32)>) -> Result<Entrance, Box<Denied>> {
        let key = key.map(|(id, most)| KeyPlace::take(&self.keys, id, most)).transpose()?;
        let entered = self.accounts().enter(millis(now), scoped).map_err(Box::new)?;
        Ok(Entrance {
            books: Arc::clone(self),
            entered,
            _key: key,
        })
    }

    /// Whether [`Books::enter`] would count a call in now.
    ///
    /// # Errors
    /// What would be full.
    pub fn would_enter(&self, now: Now, scoped: &Scoped<'_>, key: Option<(&str, u32)>) -> Result<(), Box<Denied>> {
        key.map_or(Ok(()), |(id, most)| KeyPlace::is_free(&self.keys, id, most))?;
        self.accounts().would_enter(millis(now), scoped).map_err(Box::new)
    }

    /// The entrance of a second attempt beside the first of a call that is in: it counts as no further call.
    #[must_use]
    pub fn enter_again(self: &Arc<Self>) -> Entrance {
        Entrance {
            books: Arc::clone(self),
            entered: Entered::default(),
            _key: None,
        }
    }

    /// Holds tokens and money on every account that the call meets, and writes that down.
    ///
    /// # Errors
    /// When it does not fit, or cannot be written; nothing is held then, and the call is as much inside as before.
    pub fn reserve(
        self: &Arc<Self>,
        now: Now,
        entrance: Entrance,
        parts: &[&Scoped<'_>],
        order: Order,
    ) -> Result<Grant, Box<(Entrance, NotReserved)>> {
        let at_ms = millis(now);
        let reserved = self
            .accounts()
            .reserve(at_ms, &entrance.entered, parts, order.demand, order.expires_ms);
        let mut reserved = match reserved {
            Ok(reserved) => reserved,
            Err(denied) => return Err(Box::new((entrance, NotReserved::Denied(Box::new(denied))))),
        };
        let Order {
            request,
            party,
            model,
            demand,
            tier,
            text_bytes,
            expires_ms,
            spending,
        } = order;
        let hold = Hold {
            request,
            at_ms,
            expires_ms,
            party,
            model,
            amount: demand.money,
            input_tokens: demand.input_tokens,
            charges: std::mem::take(&mut reserved.charges),
        };
        match self.write_hold(hold, &reserved.opened) {
            Ok((hold, position)) => {
                let carried = Carried {
                    held: demand,
                    tier,
                    text_bytes,
                    spending,
                };
                Ok(Grant::new(entrance, reserved, (hold, carried), position))
            }
            Err(error) => {
                let mut accounts = self.accounts();
                accounts.unname(&reserved.opened);
                accounts.void(at_ms, reserved);
                drop(accounts);
                Err(Box::new((entrance, NotReserved::Journal(error))))
            }
        }
    }

    /// What the tightest limits of a call still let pass.
    pub fn headroom(&self, now: Now, parts: &[&Scoped<'_>]) -> Headroom {
        self.accounts().headroom(millis(now), parts)
    }

    /// How the budgets stand that a call meets.
    pub fn budgets(&self, now: Now, parts: &[&Scoped<'_>]) -> Vec<BudgetStanding> {
        self.accounts().budgets(millis(now), parts).into_vec()
    }

    /// Some limit is so full that estimates have to be upper bounds; and the most that a call can hold where budgets clamp.
    pub fn tightness(&self, now: Now, parts: &[&Scoped<'_>]) -> (bool, Option<NanoUsd>) {
        let mut accounts = self.accounts();
        (accounts.is_strict(millis(now), parts), accounts.affordable(millis(now), parts))
    }

    /// How many holds are open.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        self.accounts().open_holds()
    }

    /// The accounts, under their lock.
    pub fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Every step moves all of its accounts or none before it can panic.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_hold(&self, hold: Hold, opened: &[Opened]) -> Result<(Hold, Position), JournalError> {
        let Some(journal) = &self.journal else {
            return Ok((hold, Position::START));
        };
        let named = opened.iter().cloned().map(Entry::Opened);
        let mut entries: Vec<Entry> = named.chain([Entry::Hold(hold)]).collect();
        let position = journal.append(&entries)?;
        match entries.pop() {
            Some(Entry::Hold(hold)) => Ok((hold, position)),
            _ => Err(JournalError::TooLong), // never: it is the one that was put there last
        }
    }

    fn write_extension(&self, extension: Extension, opened: &[Opened]) -> Result<Position, JournalError> {
        let Some(journal) = &self.journal else { return Ok(Position::START) };
        let mut entries: Vec<Entry> = opened.iter().cloned().map(Entry::Opened).collect();
        entries.push(Entry::Extension(extension));
        journal.append(&entries)
    }

    fn write_settlement(&self, settlement: Settlement) -> Result<Position, JournalError> {
        let Some(journal) = &self.journal else { return Ok(Position::START) };
        journal.append(&[Entry::Settlement(settlement)])
    }

    /// More is held for a stream that outgrew its hold, on all its accounts or on none.
    fn extend(
        &self,
        now: Now,
        reserved: &Reserved,
        rules: &RuleSet,
        more: Demand,
    ) -> Result<Vec<tollgate_policy::ledger::Charge>, Box<Denied>> {
        self.accounts().extend(millis(now), reserved, rules, more).map_err(Box::new)
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let entered = std::mem::take(&mut self.entered);
        self.books.accounts().leave(entered);
        self.books.rooms.somebody_left();
    }
}
