//! The ledger: what every attempt cost, for good. The shipper feeds it from the journal; each batch is one transaction together with how far the
//! journal was read, so that an entry counts exactly once whatever dies when.

mod apply;
mod batch;
mod fresh;
mod insert;
mod retain;
mod row;
mod spend;
mod verify;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tollgate_policy::ledger::{AccountId, Charge, Entry, Hold, Opened};

use super::{BoxFuture, Database, Error};
pub use row::{Page, Row};
pub use spend::{Dimension, Interval, Spend, SpendQuery, Totals};
pub use verify::{Flaw, Verified};

/// Where an entry stands in its journal. Entries of one journal come in rising order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub i64, pub i64);

/// Asks whether an account is watched, in a window, and for what.
pub type Watching<'a> = &'a (dyn Fn(&Opened, i64) -> Option<Watch> + Send + Sync);

/// When somebody is told about an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// The limit in force in that window, in the account's unit.
    pub limit: i64,
    /// Percent of it that are told about.
    pub percents: Vec<u32>,
    /// How long a rolling window is, in seconds; none: the account's windows are apart from each other.
    pub rolling_s: Option<i64>,
}

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Entries that were new.
    pub entries: usize,
    /// Rows written.
    pub rows: usize,
    /// Alerts that became due.
    pub alerts: usize,
}

/// What is posted on an account in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Whose. The rule is empty where the account was charged without having been named.
    pub opened: Opened,
    /// The window's start in seconds since 1970, 0: never resets.
    pub window: i64,
    /// How much.
    pub posted: i64,
}

/// The durable end of the journal.
pub trait Ledger: Send + Sync {
    /// Adds a journal's entries, in one transaction. Those at or before the applied position are left out.
    fn apply<'a>(
        &'a self,
        journal: &'a str,
        batch: &'a [(Position, Entry)],
        watching: Watching<'a>,
    ) -> BoxFuture<'a, Result<Applied, Error>>;

    /// How far a journal was applied.
    fn position<'a>(&'a self, journal: &'a str) -> BoxFuture<'a, Result<Option<Position>, Error>>;

    /// Holds of a journal that were applied and have no end.
    fn open_holds<'a>(&'a self, journal: &'a str) -> BoxFuture<'a, Result<Vec<Hold>, Error>>;

    /// What is posted in all windows that begin at or after a time (in seconds since 1970), and in those that never reset.
    fn balances(&self, since_s: i64) -> BoxFuture<'_, Result<Vec<Balance>, Error>>;

    /// What was spent, from the hourly roll-ups alone.
    fn spend<'a>(&'a self, query: &'a SpendQuery) -> BoxFuture<'a, Result<Vec<Spend>, Error>>;

    /// Rows, the youngest first.
    fn rows<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Row>, Error>>;

    /// Computes everything anew: the chain, the roll-ups from the rows, the balances from the rows.
    fn verify(&self) -> BoxFuture<'_, Result<Verified, Error>>;

    /// Drops rows of whole months before a time, a part of them at each call. True: call again.
    fn retain(&self, before_ms: i64) -> BoxFuture<'_, Result<bool, Error>>;
}

impl Ledger for Database {
    fn apply<'a>(
        &'a self,
        journal: &'a str,
        batch: &'a [(Position, Entry)],
        watching: Watching<'a>,
    ) -> BoxFuture<'a, Result<Applied, Error>> {
        Box::pin(apply::apply(&self.engine, journal, batch, watching))
    }

    fn position<'a>(&'a self, journal: &'a str) -> BoxFuture<'a, Result<Option<Position>, Error>> {
        Box::pin(async move { apply::position(&mut self.engine.read().await?, journal).await })
    }

    fn open_holds<'a>(&'a self, journal: &'a str) -> BoxFuture<'a, Result<Vec<Hold>, Error>> {
        Box::pin(apply::open_holds(&self.engine, journal))
    }

    fn balances(&self, since_s: i64) -> BoxFuture<'_, Result<Vec<Balance>, Error>> {
        Box::pin(apply::balances(&self.engine, since_s))
    }

    fn spend<'a>(&'a self, query: &'a SpendQuery) -> BoxFuture<'a, Result<Vec<Spend>, Error>> {
        Box::pin(spend::spend(&self.engine, query))
    }

    fn rows<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Row>, Error>> {
        Box::pin(row::page(&self.engine, page))
    }

    fn verify(&self) -> BoxFuture<'_, Result<Verified, Error>> {
        Box::pin(verify::verify(&self.engine))
    }

    fn retain(&self, before_ms: i64) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(retain::retain(&self.engine, before_ms))
    }
}

/// An account as it stands in a table.
pub(super) fn account_text(account: AccountId) -> String {
    super::chain::hex(&account.0.to_be_bytes())
}

/// The account that a table names.
pub(super) fn account_of(text: &str) -> Result<AccountId, Error> {
    u128::from_str_radix(text, 16)
        .map(AccountId)
        .map_err(|_| Error::Damaged(["account ", text, " is not a number"].concat()))
}

/// Sums of charges by account and window.
type Posted = BTreeMap<(AccountId, i64), i64>;

fn add_charges(posted: &mut Posted, charges: &[Charge]) {
    for charge in charges {
        let sum = posted.entry((charge.account, charge.window)).or_default();
        *sum = sum.saturating_add(charge.amount);
    }
}
