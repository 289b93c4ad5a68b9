//! The way back after a crash: balances that the database kept, and the journal's entries behind them. The same input gives the same
//! accounts. Money that was held when the process died is posted: it may have been spent.

use std::collections::{BTreeMap, BTreeSet};

use super::Accounts;
use crate::ledger::{AccountId, Charge, Ended, Entry, Extension, Hold, Posting, Settlement, UsageSource};
use tollgate_wire::usage::Usage;

/// What is known while the journal is read.
#[derive(Debug, Default)]
pub struct Recovery {
    posted: BTreeMap<(AccountId, i64), i64>,
    open: BTreeMap<String, Hold>,
    ended: BTreeSet<String>,
    repeated: u64,
}

impl Recovery {
    /// From the balances of the database: an account, a window and what is posted in it; and from the holds that were open there.
    pub fn new(balances: impl IntoIterator<Item = Charge>, open: impl IntoIterator<Item = Hold>) -> Self {
        let mut recovery = Self::default();
        recovery.post(&balances.into_iter().collect::<Vec<_>>());
        recovery.open = open.into_iter().map(|hold| (hold.request.clone(), hold)).collect();
        recovery
    }

    /// Takes an entry of the journal, in order.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Opened(_) => {}
            Entry::Hold(hold) if self.ended.contains(&hold.request) || self.open.contains_key(&hold.request) => self.repeated += 1,
            Entry::Hold(hold) => {
                self.open.insert(hold.request.clone(), hold.clone());
            }
            Entry::Extension(extension) => self.extend(extension),
            // A late settlement corrects one that stands before it.
            Entry::Settlement(settlement) if settlement.late => self.post(&settlement.charges),
            Entry::Settlement(settlement) => {
                self.open.remove(&settlement.request);
                if self.ended.insert(settlement.request.clone()) {
                    self.post(&settlement.charges);
                } else {
                    self.repeated += 1;
                }
            }
        }
    }

    /// How many entries said again what had been said, and were passed over.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The settlements of the holds that the crash left open, to be written to the journal and then applied like all others.
    #[must_use]
    pub fn crashed(&self, at_ms: u64) -> Vec<Settlement> {
        self.open.values().map(|hold| crashed(hold, at_ms)).collect()
    }

    /// The accounts as they were, with nothing held.
    #[must_use]
    pub fn accounts(self) -> Accounts {
        let mut accounts = Accounts::new();
        for ((account, window), amount) in self.posted {
            accounts.dormant.entry(account).or_default().push((window, amount));
        }
        accounts
    }

    fn extend(&mut self, extension: &Extension) {
        let Some(hold) = self.open.get_mut(&extension.request) else {
            return;
        };
        hold.amount = hold.amount + extension.amount;
        for more in &extension.charges {
            let same = hold
                .charges
                .iter_mut()
                .find(|charge| (charge.account, charge.window) == (more.account, more.window));
            match same {
                Some(charge) => charge.amount = charge.amount.saturating_add(more.amount),
                None => hold.charges.push(*more),
            }
        }
    }

    fn post(&mut self, charges: &[Charge]) {
        for charge in charges {
            let posted = self.posted.entry((charge.account, charge.window)).or_default();
            *posted = posted.saturating_add(charge.amount);
        }
    }
}

/// All that was held counts as used, by the attempt that the hold names.
fn crashed(hold: &Hold, at_ms: u64) -> Settlement {
    let posting = Posting {
        attempt: 1,
        provider: hold.model.split('/').next().unwrap_or_default().to_owned(),
        model: hold.model.clone(),
        usage: Usage {
            input: hold.input_tokens,
            ..Usage::default()
        },
        source: UsageSource::Reservation,
        cost: hold.amount,
        price_version: String::new(),
    };
    Settlement {
        request: hold.request.clone(),
        at_ms,
        party: hold.party.clone(),
        ended: Ended::Crashed,
        postings: vec![posting],
        charges: hold.charges.iter().copied().filter(|charge| charge.amount != 0).collect(),
        overrun: false,
        late: false,
    }
}
