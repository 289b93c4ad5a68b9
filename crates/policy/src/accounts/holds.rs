//! Open holds: they grow, move to another attempt, and end once. What is posted is posted in the window that admitted the call, in full,
//! also when that window has ended, when it is more than was held, and when it comes after the hold was given up.

use smallvec::SmallVec;

use super::account::Place;
use super::denied::{self, Denied};
use super::meters::{Measure, RuleSet, Scoped};
use super::{Accounts, Demand, Reserved};
use crate::ledger::{AccountId, Charge, Opened};
use crate::money::NanoUsd;

/// What one account holds of a call.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) account: AccountId,
    pub(super) meter: usize,
    pub(super) measure: Measure,
    pub(super) place: Place,
    pub(super) amount: i64,
    pub(super) role: Role,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Not told yet.
    New,
    /// A request: posted when it was admitted.
    Counted,
    /// An open call: let go when it ends.
    Level,
    /// Held for the whole call: settled by what the whole call used.
    Kept,
    /// Held for the attempt under way: settled by what that attempt used.
    Attempt,
    /// What an earlier attempt used: posted as it is.
    Spent,
}

/// A hold.
#[derive(Debug)]
pub(super) struct Open {
    held: SmallVec<[Held; 8]>,
    money: NanoUsd,
    /// What earlier attempts used.
    spent: Demand,
    expires_ms: u64,
    /// It was given up and posted as it stood; its end corrects that.
    pub(super) expired: bool,
}

/// What the journal's extension says of a switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// How much more money is held in all.
    pub amount: NanoUsd,
    /// On which accounts; negative where an account is let go.
    pub charges: Vec<Charge>,
    /// Accounts that the journal names before it.
    pub opened: Vec<Opened>,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What is posted for good, per account; after an expiry the difference to what was posted then.
    pub charges: Vec<Charge>,
    /// The cost was above the hold.
    pub overrun: bool,
    /// It came after the hold had been given up.
    pub late: bool,
    /// What was held, in all.
    pub held: NanoUsd,
}

/// A hold that was given up: it is posted as it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// As [`Reserved::id`].
    pub id: u64,
    /// What was posted, per account.
    pub charges: Vec<Charge>,
    /// The money of it.
    pub held: NanoUsd,
}

impl Accounts {
    /// Holds more, on all accounts of the hold or on none. Says what the journal's extension lists.
    ///
    /// # Errors
    /// The tightest account that refuses it.
    pub fn extend(&mut self, now_ms: u64, reserved: &Reserved, rules: &RuleSet, more: Demand) -> Result<Vec<Charge>, Denied> {
        let now = self.clock(now_ms);
        let Some(mut open) = self.take_out(reserved) else {
            return Ok(Vec::new());
        };
        let grown: SmallVec<[(usize, i64); 8]> = open.grown(|one| more.of(one.measure));
        let fits = self.grow(now, rules, &mut open, &grown);
        if fits.is_ok() {
            open.money = open.money + more.money;
        }
        let charges = fits.map(|()| open.charges(&grown));
        self.holds.insert(reserved.id, open);
        charges
    }

    /// Moves a hold to another attempt: what the last one `spent` stays where it was, what the `next` may need is held on its accounts, and
    /// the call's own accounts grow to both together. Everything moves or nothing. Says what the journal's extension lists.
    ///
    /// # Errors
    /// The tightest account that refuses it; the hold is as it was.
    pub fn switch(
        &mut self,
        now_ms: u64,
        reserved: &Reserved,
        attempt: &Scoped<'_>,
        (spent, next): (Demand, Demand),
    ) -> Result<Moved, Denied> {
        let now = self.clock(now_ms);
        let Some(mut open) = self.take_out(reserved) else {
            return Ok(Moved::default());
        };
        let moved = self.shift(now, &mut open, attempt, (spent, next));
        self.holds.insert(reserved.id, open);
        moved
    }

    /// The call is over: posts what it used, all attempts together. `None`: it had ended before.
    #[expect(clippy::needless_pass_by_value, reason = "a hold ends once")]
    pub fn settle(&mut self, now_ms: u64, reserved: Reserved, actual: Demand) -> Option<Settled> {
        let now = self.clock(now_ms);
        let open = self.holds.remove(&reserved.id)?;
        let charges = self.close(now, &open, |one| open.used(one, actual));
        Some(Settled {
            charges,
            overrun: actual.money > open.money,
            late: open.expired,
            held: open.money,
        })
    }

    /// Nothing reached a provider, or it is known not to bill: only what earlier attempts used is posted. `None`: it had ended before.
    pub fn void(&mut self, now_ms: u64, reserved: Reserved) -> Option<Settled> {
        let spent = self.holds.get(&reserved.id)?.spent;
        self.settle(now_ms, reserved, spent)
    }

    /// Gives up the holds whose time has run out: what they hold is posted. Their owners may still settle them.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Expired> {
        let now = self.clock(now_ms);
        let over = |open: &Open| !open.expired && i64::try_from(open.expires_ms).is_ok_and(|at| at <= now);
        let mut ids: Vec<u64> = self.holds.iter().filter(|(_, open)| over(open)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let mut expired = Vec::new();
        for id in ids {
            let Some(mut open) = self.holds.remove(&id) else { continue };
            let charges = self.close(now, &open, |one| one.amount);
            expired.push(Expired {
                id,
                charges,
                held: open.money,
            });
            open.expired = true;
            self.holds.insert(id, open);
        }
        expired
    }

    /// A hold that can still grow. What was given up is corrected when it is settled; nothing is held of it any more.
    fn take_out(&mut self, reserved: &Reserved) -> Option<Open> {
        self.holds.get(&reserved.id).filter(|open| !open.expired)?;
        self.holds.remove(&reserved.id)
    }

    /// Ends what is held, each by what `used` says of it.
    fn close(&mut self, now: i64, open: &Open, used: impl Fn(&Held) -> i64) -> Vec<Charge> {
        let mut charges = Vec::with_capacity(open.held.len());
        for one in &open.held {
            // After an expiry nothing is held any more, and the held amount was posted.
            let posted_before = if open.expired { one.amount } else { 0 };
            let amount = used(one).saturating_sub(posted_before);
            charges.extend(one.charge(amount).filter(|charge| charge.amount != 0));
            if one.role == Role::Counted {
                continue;
            }
            if let Some(account) = self.accounts.get_mut(&one.account) {
                if one.role != Role::Level {
                    account.post(now, one.place, amount);
                }
                if !open.expired {
                    account.hold(one.place, -one.amount);
                }
            }
        }
        charges
    }

    /// Holds more on some of a hold's accounts, by index, or on none.
    fn grow(&mut self, now: i64, rules: &RuleSet, open: &mut Open, grown: &[(usize, i64)]) -> Result<(), Denied> {
        let mut worst: Option<Denied> = None;
        for (at, more) in grown {
            let Some(one) = open.held.get(*at) else { continue };
            let (Some(meter), Some(account)) = (rules.meter(one.meter), self.accounts.get_mut(&one.account)) else {
                continue;
            };
            account.refresh(now, rules.version(), &meter.gauge);
            let balance = account.balance_at(now, one.place);
            // The cap of one call holds for all of it; what is held already is pending, and is not counted twice.
            let mut rest = balance;
            rest.pending = rest.pending.saturating_sub(one.amount);
            let asked = one.amount.saturating_add(*more);
            if let Some(refusal) = denied::judge(now, rules, meter, (asked, rest), &account.scope) {
                let denied = Denied::new(now, rules, meter, (asked, rest, refusal), account);
                worst = Some(match worst {
                    Some(other) if !denied.is_tighter_than(&other) => other,
                    _ => denied,
                });
            }
        }
        if let Some(denied) = worst {
            return Err(denied);
        }
        for (at, more) in grown {
            let Some(one) = open.held.get_mut(*at) else { continue };
            one.amount = one.amount.saturating_add(*more);
            if let Some(account) = self.accounts.get_mut(&one.account) {
                account.hold(one.place, *more);
            }
        }
        Ok(())
    }

    /// What [`Accounts::switch`] does, with the hold taken out.
    fn shift(&mut self, now: i64, open: &mut Open, attempt: &Scoped<'_>, (spent, next): (Demand, Demand)) -> Result<Moved, Denied> {
        let total = open.spent + spent + next;
        let grown = open.grown_kept(total);
        let mut new = SmallVec::<[Held; 8]>::new();
        // What the last attempt lets go makes room for the next where both count on one account.
        let freed: SmallVec<[Held; 8]> = open.freed(spent);
        freed.iter().for_each(|one| self.release(one));
        let wanted = |measure| Some(next.of(measure));
        let outcome = self
            .admit(now, attempt, wanted, &mut new)
            .and_then(|()| self.grow(now, attempt.rules, open, &grown));
        if let Err(denied) = outcome {
            freed.iter().for_each(|one| self.take(now, one));
            return Err(denied);
        }
        let mut charges = open.charges(&grown);
        charges.extend(freed.iter().filter_map(|one| one.charge(-one.amount)));
        charges.extend(new.iter().filter_map(|one| one.charge(one.amount)));
        new.iter().for_each(|one| self.take(now, one));
        let opened = self.name(&new, &[attempt]);
        open.leave_attempt(spent);
        open.held.extend(new.into_iter().map(Held::of_attempt));
        open.spent = open.spent + spent;
        let amount = (total.money - open.money).or_zero();
        open.money = open.money + amount;
        Ok(Moved { amount, charges, opened })
    }
}

impl Open {
    pub(super) fn new(held: SmallVec<[Held; 8]>, money: NanoUsd, expires_ms: u64) -> Self {
        Self {
            held,
            money,
            spent: Demand::default(),
            expires_ms,
            expired: false,
        }
    }

    /// What a line of the hold has used, of all that the call used.
    fn used(&self, one: &Held, actual: Demand) -> i64 {
        match one.role {
            Role::Kept | Role::New => actual.of(one.measure),
            Role::Attempt => (actual - self.spent).of(one.measure),
            Role::Spent | Role::Counted => one.amount,
            Role::Level => 0,
        }
    }

    fn grown(&self, more: impl Fn(&Held) -> i64) -> SmallVec<[(usize, i64); 8]> {
        let lines = self
            .held
            .iter()
            .enumerate()
            .filter(|(_, one)| matches!(one.role, Role::Kept | Role::Attempt));
        lines.map(|(at, one)| (at, more(one))).filter(|(_, more)| *more > 0).collect()
    }

    /// How much the call's own lines lack to a total.
    fn grown_kept(&self, total: Demand) -> SmallVec<[(usize, i64); 8]> {
        let lines = self.held.iter().enumerate().filter(|(_, one)| one.role == Role::Kept);
        lines
            .map(|(at, one)| (at, total.of(one.measure).saturating_sub(one.amount).max(0)))
            .filter(|(_, more)| *more > 0)
            .collect()
    }

    /// What the attempt under way lets go when it has used no more than `spent`.
    fn freed(&self, spent: Demand) -> SmallVec<[Held; 8]> {
        let mut freed = SmallVec::new();
        for one in &self.held {
            let amount = match one.role {
                Role::Attempt => one.amount.saturating_sub(spent.of(one.measure)),
                Role::Level => one.amount,
                _ => continue,
            };
            freed.push(Held { amount, ..one.clone() });
        }
        freed
    }

    fn leave_attempt(&mut self, spent: Demand) {
        self.held.retain(|one| one.role != Role::Level);
        for one in self.held.iter_mut().filter(|one| one.role == Role::Attempt) {
            one.amount = spent.of(one.measure);
            one.role = Role::Spent;
        }
    }

    fn charges(&self, grown: &[(usize, i64)]) -> Vec<Charge> {
        let held = |at: usize| self.held.get(at);
        grown.iter().filter_map(|(at, more)| held(*at)?.charge(*more)).collect()
    }
}

impl Reserved {
    /// Its number, by which [`Expired`] names it.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

impl Held {
    /// As the journal writes it; `None`: the account does not outlive the process.
    pub(super) fn charge(&self, amount: i64) -> Option<Charge> {
        self.place.lasting.then(|| Charge {
            account: self.account,
            window: self.place.window_ms.div_euclid(1000),
            amount,
        })
    }

    fn of_attempt(mut self) -> Self {
        if self.role == Role::New {
            self.role = Role::Attempt;
        }
        self
    }
}

impl Role {
    /// What becomes of a measure before it is told whether the call or the attempt holds it.
    pub(super) const fn of(measure: Measure) -> Self {
        match measure {
            Measure::Requests => Self::Counted,
            Measure::Concurrent => Self::Level,
            _ => Self::New,
        }
    }
}
