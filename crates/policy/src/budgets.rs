//! Budgets: how much money in a window. Definitions only; `accounts.rs` counts.

use std::collections::BTreeMap;

use crate::money::NanoUsd;
use crate::scopes::Dimension;
use crate::windows::{Window, Zone};

/// A budget, as config or the admin API defines it. Its name is its identity: what is spent survives an edit of the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// Who is counted together; empty: everybody.
    pub per: Vec<Dimension>,
    /// It applies only where a condition holds that speaks of the attempt (model or provider), though `per` does not.
    pub when_of_attempt: bool,
    /// How much in a window.
    pub amount: NanoUsd,
    /// The window.
    pub window: Window,
    /// In which a calendar window's days begin and end.
    pub zone: Zone,
    /// In percent of the amount, ascending: what is posted is announced when it reaches one.
    pub alerts: Vec<u32>,
    /// In percent of the amount: from here on the substitutes answer.
    pub downgrade_at: Option<u32>,
    /// From the planned model to its substitute.
    pub downgrade: BTreeMap<String, String>,
    /// What happens to a call that does not fit.
    pub on_exceed: OnBudget,
    /// The most that one call may hold.
    pub per_request: Option<NanoUsd>,
    /// A call's output is capped to what is left, rather than refused.
    pub clamp_to_budget: bool,
    /// Temporary increases.
    pub increases: Vec<Increase>,
}

/// What happens to a call that a budget does not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBudget {
    /// It is refused.
    #[default]
    Block,
    /// It passes: the budget counts and announces only.
    Announce,
}

/// More, from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Increase {
    /// For whom: values of the budget's dimensions; what is not named here may be any. Empty: for all that the budget counts.
    pub scope: Vec<(String, String)>,
    /// How much more.
    pub amount: NanoUsd,
    /// From when, in seconds since 1970.
    pub from: i64,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

impl Budget {
    /// A budget that blocks, for everybody, in UTC.
    #[must_use]
    pub fn new(name: &str, amount: NanoUsd, window: Window) -> Self {
        Self {
            name: name.to_owned(),
            per: Vec::new(),
            when_of_attempt: false,
            amount,
            window,
            zone: Zone::UTC,
            alerts: Vec::new(),
            downgrade_at: None,
            downgrade: BTreeMap::new(),
            on_exceed: OnBudget::Block,
            per_request: None,
            clamp_to_budget: false,
            increases: Vec::new(),
        }
    }

    /// The amount with the increases that are in force for those values of its dimensions.
    #[must_use]
    pub fn amount_at(&self, now_s: i64, scope: &[(String, String)]) -> NanoUsd {
        let live = |increase: &&Increase| increase.from <= now_s && now_s < increase.until;
        let ours = |increase: &&Increase| increase.scope.iter().all(|pair| scope.contains(pair));
        let increases = self.increases.iter().filter(live).filter(ours);
        increases.fold(self.amount, |sum, increase| sum + increase.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_increase_counts_while_it_is_in_force() {
        let mut budget = Budget::new("b", NanoUsd::usd(10), Window::Never);
        let grant = |amount, from, until| Increase {
            amount: NanoUsd::usd(amount),
            from,
            until,
            scope: Vec::new(),
        };
        budget.increases = vec![grant(5, 100, 200), grant(1, 150, 300)];
        for (now, expected) in [(99, 10), (100, 15), (150, 16), (199, 16), (200, 11), (300, 10)] {
            assert_eq!(budget.amount_at(now, &[]), NanoUsd::usd(expected), "{now}");
        }
        let pair = |value: &str| vec![("team".to_owned(), value.to_owned())];
        budget.increases[0].scope = pair("a");
        for (scope, expected) in [(pair("a"), 16), (pair("b"), 11), (Vec::new(), 11)] {
            assert_eq!(budget.amount_at(150, &scope), NanoUsd::usd(expected), "{scope:?}");
        }
    }
}
