//! Whether an amount fits, and the refusal that says which rule, whose, how full and until when.

use super::RuleAt;
use super::account::{Account, Balance};
use super::meters::{Measure, Meter, RuleSet};
use crate::budgets::OnBudget;

/// What is said when open calls alone are in the way: nobody knows when they end.
const RETRY_SOON_MS: u64 = 1000;

/// Why a call does not fit (GOVERNANCE section 7), the more lasting the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Too many calls at a time.
    Concurrency,
    /// Only what open calls hold is in the way of the budget: it passes.
    BudgetReserved,
    /// Too many requests or tokens in the window.
    Rate,
    /// More tokens than the limit lets pass in a whole window: it never fits.
    RequestExceedsLimit,
    /// The window's money is spent.
    BudgetExceeded,
    /// More than what is left of the budget, or than one call may hold.
    RequestExceedsBudget,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub refusal: Refusal,
    /// The rule.
    pub rule: RuleAt,
    /// Its name.
    pub name: String,
    /// What it counts.
    pub measure: Measure,
    /// Its dimensions with their values here.
    pub scope: Vec<(String, String)>,
    /// How much it lets pass, in the measure's unit.
    pub limit: i64,
    /// What is posted.
    pub used: i64,
    /// What open calls hold.
    pub reserved: i64,
    /// What this call needs.
    pub asked: i64,
    /// When the window starts anew, or is empty if nothing more comes, in milliseconds since 1970.
    pub resets_at_ms: Option<u64>,
    /// After which time it is worth another try; `None`: never, as it is.
    pub retry_after_ms: Option<u64>,
}

/// Why an amount does not fit an account; `None`: it does.
pub(super) fn judge(
    now: i64,
    rules: &RuleSet,
    meter: &Meter,
    (asked, balance): (i64, Balance),
    scope: &[(String, String)],
) -> Option<Refusal> {
    let limit = rules.amount(meter, now.div_euclid(1000), scope);
    let budget = rules.budget(meter.rule);
    if budget.is_some_and(|budget| budget.per_request.is_some_and(|cap| asked > cap.0)) {
        return Some(Refusal::RequestExceedsBudget);
    }
    let posted = balance.posted.saturating_add(asked);
    if posted.saturating_add(balance.pending) <= limit || budget.is_some_and(|budget| budget.on_exceed == OnBudget::Announce) {
        return None;
    }
    Some(match meter.measure {
        Measure::Concurrent => Refusal::Concurrency,
        Measure::Money if limit <= balance.posted => Refusal::BudgetExceeded,
        Measure::Money if limit < posted => Refusal::RequestExceedsBudget,
        Measure::Money => Refusal::BudgetReserved,
        _ if limit < asked && meter.measure != Measure::Requests => Refusal::RequestExceedsLimit,
        _ => Refusal::Rate,
    })
}

/// The refusal of an amount by an account that has come to `now`; `None`: it fits.
pub(super) fn refusal(now: i64, rules: &RuleSet, meter: &Meter, asked: i64, account: &mut Account) -> Option<Denied> {
    let balance = account.balance(now);
    let refusal = judge(now, rules, meter, (asked, balance), &account.scope)?;
    Some(Denied::new(now, rules, meter, (asked, balance, refusal), account))
}

impl Denied {
    pub(super) fn new(
        now: i64,
        rules: &RuleSet,
        meter: &Meter,
        (asked, balance, refusal): (i64, Balance, Refusal),
        account: &Account,
    ) -> Self {
        let cap = rules
            .budget(meter.rule)
            .and_then(|budget| budget.per_request)
            .filter(|cap| asked > cap.0);
        let limit = cap.map_or_else(|| rules.amount(meter, now.div_euclid(1000), &account.scope), |cap| cap.0);
        let excess = balance
            .posted
            .saturating_add(balance.pending)
            .saturating_add(asked)
            .saturating_sub(limit);
        let wait = |at: i64| u64::try_from(at.saturating_sub(now)).unwrap_or(0).max(1);
        let retry_after_ms = match refusal {
            Refusal::Concurrency | Refusal::BudgetReserved => Some(RETRY_SOON_MS),
            Refusal::Rate => Some(account.free_at(excess).map_or(RETRY_SOON_MS, wait)),
            Refusal::BudgetExceeded => account.free_at(excess).or_else(|| account.resets_at()).map(wait),
            Refusal::RequestExceedsLimit | Refusal::RequestExceedsBudget => None,
        };
        Self {
            refusal,
            rule: meter.rule,
            name: rules.name(meter.rule).to_owned(),
            measure: meter.measure,
            scope: account.scope.clone(),
            limit,
            used: balance.posted,
            reserved: balance.pending,
            asked,
            resets_at_ms: account.resets_at().and_then(|at| u64::try_from(at).ok()),
            retry_after_ms,
        }
    }

    /// True when it stands longer in the way: whoever waits for the other is refused again.
    pub(super) fn is_tighter_than(&self, other: &Self) -> bool {
        let weight = |denied: &Self| (denied.refusal, denied.retry_after_ms.unwrap_or(u64::MAX));
        weight(self) > weight(other)
    }
}
