//! What must be true in the simulated world: of every answer that the accounts give, and of the books after every step.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_policy::ledger::{AccountId, Entry};

use super::book::Line;
use super::world::World;

/// A line, how much more is wanted on it, and how much the call holds there in all.
pub(crate) type Wanted = (Line, i64, i64);

impl World {
    /// What is held on a line's account, in the window of an instant.
    fn pending(&self, line: &Line, at: i64) -> i64 {
        let live = self
            .calls
            .iter()
            .flat_map(|call| call.lines.iter().filter(|other| call.holds(other)));
        live.filter(|other| line.shares(other, at)).map(|other| other.amount).sum()
    }

    /// Whether amounts fit: surely (the oldest bucket counted whole), and perhaps (exactly the window).
    fn fit(&self, wanted: &[Wanted]) -> (bool, bool) {
        let (mut surely, mut perhaps) = (true, true);
        for (line, more, whole) in wanted {
            let (exact, most) = self.book.posted(line, line.at, self.signed());
            let held = self.pending(line, line.at) + more;
            surely &= most + held <= line.limit && *whole <= line.cap;
            perhaps &= exact + held <= line.limit && *whole <= line.cap;
        }
        (surely, perhaps)
    }

    /// An answer of the accounts against the second book.
    pub(crate) fn judge(&self, what: &str, wanted: &[Wanted], passed: bool) -> Result<(), String> {
        match (passed, self.fit(wanted)) {
            (true, (_, false)) => Err(format!("{what} passed a limit that was full")),
            (false, (true, _)) => Err(format!("{what} was refused though there was room")),
            _ => Ok(()),
        }
    }

    /// The ledger, added up from the journal, is that of the book, and every account in it has a name.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let (mut posted, mut named) = (BTreeMap::<(AccountId, i64), i64>::new(), BTreeSet::new());
        for entry in &self.desk.journal {
            match entry {
                Entry::Opened(opened) => {
                    named.insert(opened.account);
                }
                Entry::Hold(hold) if hold.charges.iter().any(|charge| !named.contains(&charge.account)) => {
                    return Err(format!("the hold of {} charges an account without a name", hold.request));
                }
                Entry::Settlement(settlement) => {
                    for charge in &settlement.charges {
                        *posted.entry((charge.account, charge.window)).or_default() += charge.amount;
                    }
                }
                _ => {}
            }
        }
        posted.retain(|_, amount| *amount != 0);
        let mut expected = self.book.ledger.clone();
        expected.retain(|_, amount| *amount != 0);
        if posted == expected {
            return Ok(());
        }
        let differs = |key: &&(AccountId, i64)| posted.get(*key) != expected.get(*key);
        let Some(key) = posted.keys().chain(expected.keys()).find(differs) else {
            return Ok(());
        };
        let measure = self
            .all
            .iter()
            .find(|line| line.account == key.0)
            .map(|line| (line.measure, line.span.lasting()));
        let (ledger, book) = (posted.get(key).copied().unwrap_or(0), expected.get(key).copied().unwrap_or(0));
        Err(format!(
            "the ledger has {ledger} of {measure:?} in the window {}, the book {book}",
            key.1
        ))
    }

    /// The accounts are those of the book.
    pub(crate) fn compare(&mut self) -> Result<(), String> {
        let now = self.signed();
        for line in &self.all {
            let Some((posted, pending)) = self.desk.accounts.balance(self.wall, line.account) else {
                continue;
            };
            let live = self
                .calls
                .iter()
                .flat_map(|call| call.lines.iter().filter(|other| call.holds(other)));
            let held: i64 = live.filter(|other| other.account == line.account).map(|other| other.amount).sum();
            if pending != held {
                return Err(format!("{:?}: {pending} held, the book says {held}", line.measure));
            }
            let (low, high) = self.book.posted(line, now, now);
            if !(low..=high).contains(&posted) {
                return Err(format!("{:?}: {posted} posted, the book says {low} to {high}", line.measure));
            }
        }
        Ok(())
    }
}
