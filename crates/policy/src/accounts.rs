//! The truth for admission: what is posted and what is held, for each rule and each set of values. No I/O and no clock: one lock in the
//! process guards it, and nothing that it does waits. A call enters (requests, concurrency), reserves (tokens, money) and ends once; in
//! each step all its accounts move or none.

mod account;
mod denied;
mod holds;
mod look;
mod meters;
mod recovery;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Add, Sub};

use smallvec::SmallVec;

use crate::ledger::{AccountId, Charge, Opened};
use crate::money::NanoUsd;
use crate::scopes::Family;

use account::Account;
pub use denied::{Denied, Refusal};
pub use holds::{Expired, Moved, Settled};
use holds::{Held, Open, Role};
use meters::Line;
pub use meters::{Measure, Met, Part, RuleAt, RuleSet, Scoped};
pub use recovery::Recovery;
pub use standing::{BudgetStanding, Headroom, Room, Standing};

/// Of one rule's measure so many values are told apart; what comes then is counted together in one further account, so that made-up values
/// fill no memory and raise no ceiling.
pub const ACCOUNTS_PER_METER_MAX: u32 = 100_000;
/// A full meter looks for accounts to forget at most so often.
const SWEEP_EVERY_MS: i64 = 60_000;

/// What a call needs, or used: estimates before, facts after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Money.
    pub money: NanoUsd,
}

/// All accounts and the holds on them.
#[derive(Debug)]
pub struct Accounts {
    accounts: HashMap<AccountId, Account, Fixed>,
    /// Posted before the start, by window in seconds, of accounts that nobody has asked for yet.
    dormant: HashMap<AccountId, SmallVec<[(i64, i64); 2]>, Fixed>,
    population: BTreeMap<Family, u32>,
    capacity: u32,
    holds: HashMap<u64, Open, Fixed>,
    last_hold: u64,
    /// The latest time that was seen: the clock never goes back here.
    now_ms: i64,
    swept_ms: i64,
}

/// A call that is in: it counts as a request, and as open until [`Accounts::leave`].
#[derive(Debug, Default)]
#[must_use = "it counts as open until it leaves"]
pub struct Entered {
    held: SmallVec<[Held; 4]>,
}

/// Money and tokens held for a call, until it is settled or void: once, because it is taken by value.
#[derive(Debug)]
#[must_use = "what it holds is held until it is settled or void"]
pub struct Reserved {
    id: u64,
    /// What the journal's hold lists: requests, tokens and money, on the accounts that outlive the process.
    pub charges: Vec<Charge>,
    /// Accounts that the journal names before that hold.
    pub opened: Vec<Opened>,
}

/// Ids are parts of SHA-256, or small numbers: they need no further mixing, and the order is the same in every run.
#[derive(Debug, Clone, Default)]
struct FixedHasher(u64);
type Fixed = BuildHasherDefault<FixedHasher>;

impl Accounts {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(ACCOUNTS_PER_METER_MAX)
    }

    /// With another bound on the accounts of one meter.
    #[must_use]
    pub fn with_capacity(accounts_per_meter_max: u32) -> Self {
        Self {
            accounts: HashMap::default(),
            dormant: HashMap::default(),
            population: BTreeMap::new(),
            capacity: accounts_per_meter_max,
            holds: HashMap::default(),
            last_hold: 0,
            now_ms: 0,
            swept_ms: 0,
        }
    }

    /// Counts a request and an open call on every account that it meets, or on none.
    ///
    /// # Errors
    /// The tightest account that refuses it.
    pub fn enter(&mut self, now_ms: u64, scoped: &Scoped<'_>) -> Result<Entered, Denied> {
        let now = self.clock(now_ms);
        let wanted = |measure| matches!(measure, Measure::Requests | Measure::Concurrent).then_some(1);
        let mut held = SmallVec::<[Held; 8]>::new();
        self.admit(now, scoped, wanted, &mut held)?;
        for one in &held {
            self.take(now, one);
        }
        Ok(Entered {
            held: held.into_iter().collect(),
        })
    }

    /// The call is over, or was refused behind the entrance: it is not open any more. Its request stays counted.
    #[expect(clippy::needless_pass_by_value, reason = "a call leaves once")]
    pub fn leave(&mut self, entered: Entered) {
        for one in entered.held.iter().filter(|one| one.role == Role::Level) {
            self.release(one);
        }
    }

    /// Holds tokens and money on every account of the call and of its first attempt, or on none.
    ///
    /// # Errors
    /// The tightest account that refuses it.
    pub fn reserve(
        &mut self,
        now_ms: u64,
        entered: &Entered,
        parts: &[&Scoped<'_>],
        demand: Demand,
        expires_ms: u64,
    ) -> Result<Reserved, Denied> {
        let now = self.clock(now_ms);
        let mut held = SmallVec::<[Held; 8]>::new();
        for (at, scoped) in parts.iter().enumerate() {
            self.admit(now, scoped, |measure| demand.wanted(measure, at > 0), &mut held)?;
            let role = if at > 0 { Role::Attempt } else { Role::Kept };
            held.iter_mut().filter(|one| one.role == Role::New).for_each(|one| one.role = role);
        }
        for one in &held {
            self.take(now, one);
        }
        // The request itself is in the hold too, so that a restart does not forget it.
        held.extend(entered.held.iter().filter(|one| one.role == Role::Counted).cloned());
        let charges = held.iter().filter_map(|one| one.charge(one.amount)).collect();
        let opened = self.name(&held, parts);
        self.last_hold += 1;
        let id = self.last_hold;
        self.holds.insert(id, Open::new(held, demand.money, expires_ms));
        Ok(Reserved { id, charges, opened })
    }

    /// Takes back that accounts were named, when the journal could not be written.
    pub fn unname(&mut self, opened: &[Opened]) {
        for one in opened {
            if let Some(account) = self.accounts.get_mut(&one.account) {
                account.named = false;
            }
        }
    }

    /// Forgets accounts that hold nothing and count for nothing; [`Accounts`] does so by itself when a meter is full.
    pub fn sweep(&mut self, now_ms: u64) {
        let now = self.clock(now_ms);
        self.swept_ms = now;
        let population = &mut self.population;
        self.accounts.retain(|_, account| {
            let idle = account.idle(now);
            if idle && let Some(count) = population.get_mut(&account.family) {
                *count = count.saturating_sub(1);
            }
            !idle
        });
        population.retain(|_, count| *count > 0);
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// How many holds are open.
    #[must_use]
    pub fn open_holds(&self) -> usize {
        self.holds.values().filter(|open| !open.expired).count()
    }

    /// What an account counts now: posted in its window, and held. `None`: nobody has asked for it yet.
    pub fn balance(&mut self, now_ms: u64, account: AccountId) -> Option<(i64, i64)> {
        let now = self.clock(now_ms);
        let found = self.accounts.get_mut(&account)?;
        found.turn(now);
        Some((found.balance(now).posted, found.pending()))
    }

    /// The time, never earlier than it was.
    fn clock(&mut self, now_ms: u64) -> i64 {
        self.now_ms = self.now_ms.max(i64::try_from(now_ms).unwrap_or(i64::MAX >> 1));
        self.now_ms
    }

    /// Looks whether all that is wanted fits, and appends what would be held where. Nothing has moved when it returns.
    fn admit(
        &mut self,
        now: i64,
        scoped: &Scoped<'_>,
        wanted: impl Fn(Measure) -> Option<i64>,
        held: &mut SmallVec<[Held; 8]>,
    ) -> Result<(), Denied> {
        let mut worst: Option<Denied> = None;
        for line in &scoped.lines {
            let Some(meter) = scoped.rules.meter(line.meter) else { continue };
            let Some(amount) = wanted(meter.measure) else { continue };
            let Some((id, account)) = self.account(now, scoped, *line) else {
                continue;
            };
            worst = tighter(worst, denied::refusal(now, scoped.rules, meter, amount, account));
            held.push(Held {
                account: id,
                meter: line.meter,
                measure: meter.measure,
                place: account.place(now),
                amount,
                role: Role::of(meter.measure),
            });
        }
        worst.map_or(Ok(()), Err)
    }

    /// The account of a line, opened if need be, and come to `now`.
    fn account(&mut self, now: i64, scoped: &Scoped<'_>, line: Line) -> Option<(AccountId, &mut Account)> {
        let meter = scoped.rules.meter(line.meter)?;
        let version = scoped.rules.version();
        let known = self.accounts.contains_key(&line.account);
        let id = if known {
            line.account
        } else {
            self.seat(now, line.account, meter.family)
        };
        if !known && !self.accounts.contains_key(&id) {
            let before = self.dormant.remove(&id).unwrap_or_default();
            let scope = if id == line.account {
                scoped.scope(meter.rule)
            } else {
                scoped.others(meter.rule)
            };
            let account = Account::new(now, (meter.family, version), &meter.gauge, scope, &before);
            self.accounts.insert(id, account);
            *self.population.entry(meter.family).or_default() += 1;
        }
        let account = self.accounts.get_mut(&id)?;
        account.refresh(now, version, &meter.gauge);
        Some((id, account))
    }

    /// Of an account that is not open: the id itself, while there is room for it; else that of all others.
    fn seat(&mut self, now: i64, id: AccountId, family: Family) -> AccountId {
        let full = |accounts: &Self| accounts.population.get(&family).copied().unwrap_or(0) >= accounts.capacity;
        if !full(self) {
            return id;
        }
        if now - self.swept_ms >= SWEEP_EVERY_MS {
            self.sweep(u64::try_from(now).unwrap_or(0));
        }
        if full(self) { family.others() } else { id }
    }

    /// Moves an account by what is held on it.
    fn take(&mut self, now: i64, one: &Held) {
        if let Some(account) = self.accounts.get_mut(&one.account) {
            match one.role {
                Role::Counted => account.post(now, one.place, one.amount),
                _ => account.hold(one.place, one.amount),
            }
        }
    }

    fn release(&mut self, one: &Held) {
        if let Some(account) = self.accounts.get_mut(&one.account) {
            account.hold(one.place, -one.amount);
        }
    }

    /// The accounts of a hold that the journal does not know yet.
    fn name(&mut self, held: &[Held], parts: &[&Scoped<'_>]) -> Vec<Opened> {
        let mut opened = Vec::new();
        let Some(scoped) = parts.first() else { return opened };
        for one in held.iter().filter(|one| one.place.lasting) {
            let Some(account) = self.accounts.get_mut(&one.account) else {
                continue;
            };
            if !std::mem::replace(&mut account.named, true)
                && let Some(meter) = scoped.rules.meter(one.meter)
            {
                opened.push(Opened {
                    account: one.account,
                    rule: scoped.rules.name(meter.rule).to_owned(),
                    scope: account.scope.clone(),
                });
            }
        }
        opened
    }
}

/// Of two refusals the one that stands longer in the way.
fn tighter(one: Option<Denied>, other: Option<Denied>) -> Option<Denied> {
    match (one, other) {
        (Some(one), Some(other)) if !other.is_tighter_than(&one) => Some(one),
        (one, other) => other.or(one),
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Demand {
    /// How much of it a meter counts.
    fn of(self, measure: Measure) -> i64 {
        let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        match measure {
            Measure::Requests | Measure::Concurrent => 1,
            Measure::Tokens => signed(self.input_tokens.saturating_add(self.output_tokens)),
            Measure::InputTokens => signed(self.input_tokens),
            Measure::OutputTokens => signed(self.output_tokens),
            Measure::Money => self.money.or_zero().0,
        }
    }

    /// What a reservation asks of a meter. Requests and open calls were counted at the entrance, but for those that an attempt decides.
    fn wanted(self, measure: Measure, of_attempt: bool) -> Option<i64> {
        let entered = matches!(measure, Measure::Requests | Measure::Concurrent);
        (of_attempt || !entered).then(|| self.of(measure))
    }
}

impl Add for Demand {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            money: self.money + other.money,
        }
    }
}

/// Nothing of it becomes negative.
impl Sub for Demand {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_sub(other.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(other.output_tokens),
            money: (self.money - other.money).or_zero(),
        }
    }
}

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Fibonacci hashing: the table takes its tag from the upper bits, which small numbers leave empty.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    }
}
