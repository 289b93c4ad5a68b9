//! What a gateway does around the accounts: it asks them, writes the journal, ships it to a database, and comes back after a crash. Here
//! sits the planted bug, if there is one: it spoils a call or its effect, and says nothing.

use std::collections::BTreeMap;

use tollgate_policy::accounts::{Accounts, Demand, Denied, Entered, Part, Recovery, Reserved, RuleSet};
use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Extension, Hold, Party, Settlement};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::scopes::Subject;

use super::planted::Planted;

/// Accounts, journal and database.
pub(crate) struct Desk {
    pub(crate) accounts: Accounts,
    pub(crate) journal: Vec<Entry>,
    planted: Option<Planted>,
    /// The entries that the database has.
    shipped: usize,
    balances: BTreeMap<(AccountId, i64), i64>,
    open: BTreeMap<String, Hold>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Aborted,
    Void,
}

impl Desk {
    pub(crate) fn new(planted: Option<Planted>) -> Self {
        Self {
            accounts: Accounts::new(),
            journal: Vec::new(),
            planted,
            shipped: 0,
            balances: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    fn has(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }

    pub(crate) fn enter(&mut self, now: u64, rules: &RuleSet, subject: &Subject<'_>) -> Result<Entered, Denied> {
        let scoped = rules.scoped(subject, Part::Call, |_| true);
        if self.has(Planted::EntersTwice) {
            drop(self.accounts.enter(now, &scoped)?);
        }
        self.accounts.enter(now, &scoped)
    }

    pub(crate) fn reserve(
        &mut self,
        now: u64,
        rules: &RuleSet,
        (subject, entered): (&Subject<'_>, &Entered),
        demand: Demand,
        (request, expires): (&str, u64),
    ) -> Result<Reserved, Denied> {
        let mut seen = *subject;
        if self.has(Planted::UserIgnored) {
            seen.user = None;
        }
        let call = rules.scoped(&seen, Part::Call, |_| true);
        let attempt = rules.scoped(&seen, Part::Attempt, |_| !self.has(Planted::AttemptNotReserved));
        let demand = if self.has(Planted::ReserveNothing) {
            Demand::default()
        } else {
            demand
        };
        let now = if self.has(Planted::ClockRunsAhead) { now + 86_400_000 } else { now };
        let mut reserved = self.accounts.reserve(now, entered, &[&call, &attempt], demand, expires)?;
        if !self.has(Planted::NamesNotJournaled) {
            self.journal
                .extend(std::mem::take(&mut reserved.opened).into_iter().map(Entry::Opened));
        }
        if !self.has(Planted::HoldNotJournaled) {
            self.journal.push(Entry::Hold(Hold {
                request: request.to_owned(),
                at_ms: now,
                expires_ms: expires,
                party: Party::default(),
                model: seen.model.unwrap_or_default().to_owned(),
                amount: demand.money,
                input_tokens: demand.input_tokens,
                charges: reserved.charges.clone(),
            }));
        }
        Ok(reserved)
    }

    pub(crate) fn refused(&mut self, entered: Entered) {
        if !self.has(Planted::RefusalStaysOpen) {
            self.accounts.leave(entered);
        }
    }

    pub(crate) fn extend(&mut self, now: u64, rules: &RuleSet, call: (&str, &Reserved), more: Demand) -> Result<(), Denied> {
        let asked = if self.has(Planted::ExtensionNotHeld) {
            Demand::default()
        } else {
            more
        };
        let charges = self.accounts.extend(now, call.1, rules, asked)?;
        if !self.has(Planted::ExtensionNotJournaled) {
            self.grown(now, call.0, more.money, charges);
        }
        Ok(())
    }

    pub(crate) fn switch(
        &mut self,
        now: u64,
        rules: &RuleSet,
        call: (&str, &Reserved),
        subject: &Subject<'_>,
        (spent, next): (Demand, Demand),
    ) -> Result<(), Denied> {
        if self.has(Planted::SwitchStaysPut) {
            return Ok(());
        }
        let spent = if self.has(Planted::SpentForgotten) {
            Demand::default()
        } else {
            spent
        };
        let next = if self.has(Planted::SwitchNotRepriced) {
            Demand::default()
        } else {
            next
        };
        let scoped = rules.scoped(subject, Part::Attempt, |_| true);
        let moved = self.accounts.switch(now, call.1, &scoped, (spent, next))?;
        self.journal.extend(moved.opened.into_iter().map(Entry::Opened));
        self.grown(now, call.0, moved.amount, moved.charges);
        Ok(())
    }

    fn grown(&mut self, now: u64, request: &str, amount: NanoUsd, charges: Vec<Charge>) {
        self.journal.push(Entry::Extension(Extension {
            request: request.to_owned(),
            at_ms: now,
            amount,
            charges,
        }));
    }

    pub(crate) fn end(&mut self, now: u64, (request, entered): (&str, Entered), reserved: Reserved, end: End, used: (Demand, Demand)) {
        let (mut actual, held) = used;
        if self.has(Planted::AbortIsForgotten) && end == End::Aborted {
            return;
        }
        if !self.has(Planted::LeaveForgotten) {
            self.accounts.leave(entered);
        }
        match self.planted {
            Some(Planted::OverrunForgiven) => actual.money = actual.money.min(held.money),
            Some(Planted::RoundsDown) => actual.money = NanoUsd(actual.money.0 / 10_000 * 10_000),
            Some(Planted::SettlesTheHold) => actual = held,
            Some(Planted::TokensSwapped) => std::mem::swap(&mut actual.input_tokens, &mut actual.output_tokens),
            _ => {}
        }
        let free = end == End::Void || (self.has(Planted::AbortIsFree) && end == End::Aborted);
        let settled = if free {
            self.accounts.void(now, reserved)
        } else {
            self.accounts.settle(now, reserved, actual)
        };
        let Some(settled) = settled else { return };
        let ended = if free { Ended::Voided } else { Ended::Posted };
        let mut charges = settled.charges;
        match self.planted {
            Some(Planted::LateSettleDropped) if settled.late => return,
            Some(Planted::LateSettleDoubled) if settled.late => charges.iter_mut().for_each(|charge| charge.amount += settled.held.0),
            Some(Planted::SettleInTodaysWindow) => {
                let today = i64::try_from(now / 86_400_000 * 86_400).unwrap_or(0);
                charges.iter_mut().for_each(|charge| charge.window = charge.window.max(today));
            }
            _ => {}
        }
        self.settled(now, request, (ended, settled.late), &charges);
    }

    fn settled(&mut self, now: u64, request: &str, (ended, late): (Ended, bool), charges: &[Charge]) {
        let times = match self.planted {
            Some(Planted::SettleNotJournaled) => 0,
            Some(Planted::SettleJournaledTwice) => 2,
            _ => 1,
        };
        for _ in 0..times {
            self.journal.push(Entry::Settlement(Settlement {
                request: request.to_owned(),
                at_ms: now,
                party: Party::default(),
                ended,
                postings: Vec::new(),
                charges: charges.to_vec(),
                overrun: false,
                late,
            }));
        }
    }

    /// Gives up what has run out; `name` knows the request of a charge list's hold.
    pub(crate) fn expire(&mut self, now: u64, name: impl Fn(u64) -> Option<String>) {
        if self.has(Planted::ExpiryNever) {
            return;
        }
        for expired in self.accounts.expire(now) {
            if let Some(request) = name(expired.id) {
                self.settled(now, &request, (Ended::Expired, false), &expired.charges);
            }
        }
    }

    pub(crate) fn edited(&mut self, old: RuleSet, new: RuleSet) -> RuleSet {
        if self.has(Planted::EditForgetsUsage) {
            self.accounts = Accounts::new();
        }
        if self.has(Planted::EditReachesNobody) { old } else { new }
    }

    /// Applies some of the journal to the database, as one transaction.
    pub(crate) fn ship(&mut self, to: usize) {
        let to = to.clamp(self.shipped, self.journal.len());
        let mut database = Recovery::new(self.charges(), self.open.values().cloned());
        for entry in self.journal.get(self.shipped..to).unwrap_or_default() {
            database.apply(entry);
            if let Entry::Settlement(settlement) = entry {
                for charge in &settlement.charges {
                    *self.balances.entry((charge.account, charge.window)).or_default() += charge.amount;
                }
            }
        }
        let open = database
            .crashed(0)
            .into_iter()
            .map(|settlement| (settlement.request, settlement.charges));
        self.open = open.map(|(request, charges)| (request.clone(), hold(request, charges))).collect();
        self.shipped = to;
    }

    /// The process dies and starts again. Twice, to see that both starts come to the same.
    pub(crate) fn crash(&mut self, now: u64) -> Result<(), String> {
        let from = match self.planted {
            Some(Planted::ReplayFromTheStart) => 0,
            Some(Planted::ReplaySkipsOne) => self.shipped + 1,
            _ => self.shipped,
        };
        let recover = || {
            let mut recovery = Recovery::new(self.charges(), self.open.values().cloned());
            self.journal
                .get(from..)
                .unwrap_or_default()
                .iter()
                .for_each(|entry| recovery.apply(entry));
            recovery
        };
        let (mut first, second) = (recover(), recover());
        let crashed = first.crashed(now);
        if crashed != second.crashed(now) {
            return Err("two recoveries differ".to_owned());
        }
        if first.repeated() > 0 {
            return Err(format!("{} entries of the journal say again what was said", first.repeated()));
        }
        if !self.has(Planted::CrashForgetsHolds) {
            for settlement in crashed {
                let mut entry = Entry::Settlement(settlement.clone());
                first.apply(&entry);
                self.journal.push(entry.clone());
                if self.has(Planted::CrashPostsTwice) {
                    entry = Entry::Settlement(Settlement { late: true, ..settlement });
                    first.apply(&entry);
                    self.journal.push(entry);
                }
            }
        }
        self.accounts = first.accounts();
        Ok(())
    }

    fn charges(&self) -> Vec<Charge> {
        let charge = |((account, window), amount): (&(AccountId, i64), &i64)| Charge {
            account: *account,
            window: *window,
            amount: *amount,
        };
        self.balances.iter().map(charge).collect()
    }
}

/// An open hold as the database has it.
fn hold(request: String, charges: Vec<Charge>) -> Hold {
    Hold {
        request,
        at_ms: 0,
        expires_ms: 0,
        party: Party::default(),
        model: String::new(),
        amount: NanoUsd::ZERO,
        input_tokens: 0,
        charges,
    }
}
