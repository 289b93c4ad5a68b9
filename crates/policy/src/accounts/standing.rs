//! How full the accounts are that a call meets: for the headers of an answer, for downgrades, and for how carefully tokens are estimated.

use smallvec::SmallVec;

use super::meters::Scoped;
use super::{Accounts, Measure, RuleAt};
use crate::money::NanoUsd;

/// Below so many percent of a limit, token estimates are upper bounds.
const STRICT_BELOW_PERCENT: i64 = 5;

/// What the tightest limits still let pass: `x-ratelimit-*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Of requests.
    pub requests: Option<Room>,
    /// Of tokens, of any kind.
    pub tokens: Option<Room>,
}

/// What one limit still lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In a window.
    pub limit: i64,
    /// Now.
    pub remaining: i64,
    /// Until the limit is whole again, if nothing more comes.
    pub reset_ms: u64,
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetStanding {
    /// Which.
    pub rule: RuleAt,
    /// Its amount, with increases.
    pub limit: NanoUsd,
    /// What is spent.
    pub posted: NanoUsd,
    /// What open calls hold.
    pub pending: NanoUsd,
    /// When it starts anew, in milliseconds since 1970; `None`: never.
    pub resets_at_ms: Option<u64>,
}

impl Accounts {
    /// What the tightest of the limits that a call meets still lets pass.
    pub fn headroom(&mut self, now_ms: u64, parts: &[&Scoped<'_>]) -> Headroom {
        let mut headroom = Headroom::default();
        let shown = |measure| !matches!(measure, Measure::Concurrent | Measure::Money);
        self.each(now_ms, parts, shown, |measure, _, room| {
            let place = match measure {
                Measure::Requests => &mut headroom.requests,
                Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => &mut headroom.tokens,
                Measure::Concurrent | Measure::Money => return,
            };
            if place.is_none_or(|other| (room.0.remaining, room.0.limit) < (other.remaining, other.limit)) {
                *place = Some(room.0);
            }
        });
        headroom
    }

    /// How the budgets stand that a call meets.
    pub fn budgets(&mut self, now_ms: u64, parts: &[&Scoped<'_>]) -> SmallVec<[BudgetStanding; 4]> {
        let mut standings = SmallVec::new();
        let is_money = |measure| measure == Measure::Money;
        self.each(now_ms, parts, is_money, |_, rule, (room, posted, pending)| {
            standings.push(BudgetStanding {
                rule,
                limit: NanoUsd(room.limit),
                posted: NanoUsd(posted),
                pending: NanoUsd(pending),
                resets_at_ms: (room.reset_ms > 0).then(|| now_ms.saturating_add(room.reset_ms)),
            });
        });
        standings
    }

    /// True when some limit of tokens or money is so full that estimates have to be upper bounds.
    pub fn is_strict(&mut self, now_ms: u64, parts: &[&Scoped<'_>]) -> bool {
        let mut strict = false;
        self.each(now_ms, parts, Measure::is_of_size, |_, _, (room, _, _)| {
            strict |= i128::from(room.remaining) * 100 < i128::from(room.limit) * i128::from(STRICT_BELOW_PERCENT);
        });
        strict
    }

    /// The most that one call can hold now under the budgets that clamp rather than refuse; `None`: none of them does.
    pub fn affordable(&mut self, now_ms: u64, parts: &[&Scoped<'_>]) -> Option<NanoUsd> {
        let rules = parts.first()?.rules;
        if rules.budgets().iter().all(|budget| !budget.clamp_to_budget) {
            return None;
        }
        let standings = self.budgets(now_ms, parts);
        let left = standings.iter().filter_map(|standing| {
            let budget = rules.budget(standing.rule).filter(|budget| budget.clamp_to_budget)?;
            let left = standing.remaining();
            Some(budget.per_request.map_or(left, |cap| cap.min(left)))
        });
        left.min()
    }

    fn each(
        &mut self,
        now_ms: u64,
        parts: &[&Scoped<'_>],
        wanted: impl Fn(Measure) -> bool,
        mut with: impl FnMut(Measure, RuleAt, (Room, i64, i64)),
    ) {
        let now = self.clock(now_ms);
        for scoped in parts {
            for line in &scoped.lines {
                let Some(meter) = scoped.rules.meter(line.meter).filter(|meter| wanted(meter.measure)) else {
                    continue;
                };
                // What nothing is counted on yet is not opened for a look.
                let mut copy;
                let open = if self.accounts.contains_key(&line.account) {
                    self.account(now, scoped, *line).map(|(_, account)| account)
                } else {
                    copy = self.copied(now, scoped, *line).map(|(_, account)| account);
                    copy.as_mut()
                };
                let Some(account) = open else { continue };
                let balance = account.balance(now);
                let limit = scoped.rules.amount(meter, now.div_euclid(1000), &account.scope);
                let used = balance.posted.saturating_add(balance.pending);
                let room = Room {
                    limit,
                    remaining: limit.saturating_sub(used).max(0),
                    reset_ms: account
                        .resets_at()
                        .map_or(0, |at| u64::try_from(at.saturating_sub(now)).unwrap_or(0)),
                };
                with(meter.measure, meter.rule, (room, balance.posted, balance.pending));
            }
        }
    }
}

/// How one account of a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The rule's dimensions with their values.
    pub scope: Vec<(String, String)>,
    /// What it counts.
    pub measure: Measure,
    /// How much the rule lets pass.
    pub limit: i64,
    /// What is posted in the present window.
    pub posted: i64,
    /// What open calls hold.
    pub pending: i64,
    /// When the window starts anew, in milliseconds since 1970.
    pub resets_at_ms: Option<u64>,
}

impl Accounts {
    /// The accounts of a rule that something was counted on since the start, at most `most`, in the order of their values.
    pub fn standings(&mut self, now_ms: u64, rules: &super::RuleSet, rule: RuleAt, most: usize) -> Vec<Standing> {
        let now = self.clock(now_ms);
        let mut standings = Vec::new();
        for meter in rules.meters_of(rule) {
            for account in self.accounts.values_mut().filter(|account| account.family == meter.family) {
                account.refresh(now, rules.version(), &meter.gauge);
                let balance = account.balance(now);
                let limit = rules.amount(meter, now.div_euclid(1000), &account.scope);
                standings.push(Standing {
                    scope: account.scope.clone(),
                    measure: meter.measure,
                    limit,
                    posted: balance.posted,
                    pending: balance.pending,
                    resets_at_ms: account.resets_at().and_then(|at| u64::try_from(at).ok()),
                });
            }
        }
        standings.sort_by(|one, other| (&one.scope, one.measure).cmp(&(&other.scope, other.measure)));
        standings.truncate(most);
        standings
    }
}

impl BudgetStanding {
    /// What is left of it.
    #[must_use]
    pub fn remaining(&self) -> NanoUsd {
        (self.limit - self.posted - self.pending).or_zero()
    }

    /// How much is spent, in whole percent, rounded down. A budget of nothing is spent.
    #[must_use]
    pub fn percent(&self) -> u32 {
        if self.limit <= NanoUsd::ZERO {
            return 100;
        }
        let percent = i128::from(self.posted.or_zero().0) * 100 / i128::from(self.limit.0);
        u32::try_from(percent).unwrap_or(u32::MAX)
    }
}
