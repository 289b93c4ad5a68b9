//! How a call would fare: the same questions as at its entrance and at its hold, asked of copies of the accounts. Nothing is counted, held
//! or opened, and the clock of the accounts does not move.

use super::account::Account;
use super::meters::{Line, Meter, Scoped};
use super::{Accounts, Demand, Denied, Measure, RuleAt, Standing, denied, tighter};

impl Accounts {
    /// Whether a call would be let in now.
    ///
    /// # Errors
    /// The tightest account that would refuse it.
    pub fn would_enter(&self, now_ms: u64, scoped: &Scoped<'_>) -> Result<(), Denied> {
        self.would_take(now_ms, scoped, |measure| {
            matches!(measure, Measure::Requests | Measure::Concurrent).then_some(1)
        })
    }

    /// Whether tokens and money would be held for a call that is in.
    ///
    /// # Errors
    /// The tightest account that would refuse it.
    pub fn would_reserve(&self, now_ms: u64, parts: &[&Scoped<'_>], demand: Demand) -> Result<(), Denied> {
        let mut parts = parts.iter().enumerate();
        parts.try_for_each(|(at, scoped)| self.would_take(now_ms, scoped, |measure| demand.wanted(measure, at > 0)))
    }

    /// How the accounts stand that a call meets, in the order of their rules.
    #[must_use]
    pub fn met(&self, now_ms: u64, parts: &[&Scoped<'_>]) -> Vec<(RuleAt, Standing)> {
        let now = self.now_ms.max(i64::try_from(now_ms).unwrap_or(i64::MAX >> 1));
        let lines = parts.iter().flat_map(|scoped| scoped.lines.iter().map(move |line| (scoped, *line)));
        let mut met: Vec<(RuleAt, Standing)> = lines
            .filter_map(|(scoped, line)| {
                let (meter, mut account) = self.copied(now, scoped, line)?;
                let balance = account.balance(now);
                let standing = Standing {
                    limit: scoped.rules.amount(meter, now.div_euclid(1000), &account.scope),
                    measure: meter.measure,
                    posted: balance.posted,
                    pending: balance.pending,
                    resets_at_ms: account.resets_at().and_then(|at| u64::try_from(at).ok()),
                    scope: account.scope,
                };
                Some((meter.rule, standing))
            })
            .collect();
        met.sort_by_key(|(rule, standing)| (*rule, standing.measure));
        met
    }

    fn would_take(&self, now_ms: u64, scoped: &Scoped<'_>, wanted: impl Fn(Measure) -> Option<i64>) -> Result<(), Denied> {
        let now = self.now_ms.max(i64::try_from(now_ms).unwrap_or(i64::MAX >> 1));
        let refusals = scoped.lines.iter().filter_map(|line| {
            let (meter, mut account) = self.copied(now, scoped, *line)?;
            denied::refusal(now, scoped.rules, meter, wanted(meter.measure)?, &mut account)
        });
        let worst = refusals.fold(None, |worst, one| tighter(worst, Some(one)));
        worst.map_or(Ok(()), Err)
    }

    /// The account of a line as it would be at `now`; one that is not open as it would be opened.
    pub(super) fn copied<'s>(&self, now: i64, scoped: &Scoped<'s>, line: Line) -> Option<(&'s Meter, Account)> {
        let meter = scoped.rules.meter(line.meter)?;
        let full = self.capacity <= self.population.get(&meter.family).copied().unwrap_or(0);
        let is_open = self.accounts.contains_key(&line.account);
        let id = if full && !is_open { meter.family.others() } else { line.account };
        let version = scoped.rules.version();
        let mut account = match self.accounts.get(&id) {
            Some(account) => account.clone(),
            None => {
                let before = self.dormant.get(&id).map(|before| &before[..]).unwrap_or_default();
                let scope = if id == line.account {
                    scoped.scope(meter.rule)
                } else {
                    scoped.others(meter.rule)
                };
                Account::new(now, (meter.family, version), &meter.gauge, scope, before)
            }
        };
        account.refresh(now, version, &meter.gauge);
        Some((meter, account))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::accounts::{Part, RuleSet};
    use crate::budgets::Budget;
    use crate::limits::{Limit, Rate};
    use crate::money::NanoUsd;
    use crate::plan::Dice;
    use crate::scopes::{Dimension, Subject};
    use crate::windows::Window;

    fn rules() -> RuleSet {
        let limit = Limit {
            name: "few".into(),
            per: vec![Dimension::Team],
            requests: Rate::parse("20/minute"),
            tokens: Rate::parse("4000/hour"),
            concurrent: Some(5),
            ..Limit::default()
        };
        let of_model = Limit {
            name: "model".into(),
            per: vec![Dimension::Model],
            tokens: Rate::parse("3000/hour"),
            ..Limit::default()
        };
        let budget = Budget::new("day", NanoUsd::usd(2), Window::parse("day").unwrap());
        RuleSet::new(1, vec![limit, of_model], vec![budget])
    }

    #[test]
    fn a_look_at_budgets_and_headroom_opens_no_account() {
        let (rules, mut accounts) = (rules(), Accounts::new());
        let subject = Subject {
            team: Some("made up"),
            model: Some("x/1"),
            ..Subject::default()
        };
        let call = rules.scoped(&subject, Part::Call, |_| true);
        let attempt = rules.scoped(&subject, Part::Attempt, |_| true);
        let parts = [&call, &attempt];
        let now = 1_795_176_000_000;
        let room = accounts.headroom(now, &parts).tokens.unwrap();
        assert_eq!((room.limit, room.remaining, accounts.budgets(now, &parts).len()), (3_000, 3_000, 1));
        assert!(!accounts.is_strict(now, &parts) && accounts.is_empty());
    }

    /// What is said beforehand is what then happens; and saying it changes nothing.
    #[test]
    fn a_look_says_what_happens_and_moves_nothing() {
        let rules = rules();
        let mut accounts = Accounts::with_capacity(3);
        let mut dice = Dice::new(4);
        let (mut open, mut refused, mut now) = (Vec::new(), 0, 1_795_176_000_000_u64);
        for _ in 0..2_000 {
            now += dice.below(20_000);
            let team = ["a", "b", "c", "d", "e"][usize::try_from(dice.below(5)).unwrap()];
            let subject = Subject {
                team: Some(team),
                model: Some(["x/1", "x/2"][usize::try_from(dice.below(2)).unwrap()]),
                ..Subject::default()
            };
            let call = rules.scoped(&subject, Part::Call, |_| true);
            let attempt = rules.scoped(&subject, Part::Attempt, |_| true);
            let demand = Demand {
                input_tokens: dice.below(400),
                output_tokens: dice.below(200),
                money: NanoUsd(i64::try_from(dice.below(100_000_000)).unwrap()),
            };
            let before = format!("{accounts:?}");
            let said = accounts.would_enter(now, &call);
            assert_eq!(accounts.met(now, &[&call, &attempt]).len(), 5);
            assert_eq!(format!("{accounts:?}"), before);
            let entered = match accounts.enter(now, &call) {
                Ok(entered) => entered,
                Err(denied) => {
                    assert_eq!(said, Err(denied));
                    refused += 1;
                    continue;
                }
            };
            assert_eq!(said, Ok(()));
            let parts = [&call, &attempt];
            let before = format!("{accounts:?}");
            let said = accounts.would_reserve(now, &parts, demand);
            assert_eq!(format!("{accounts:?}"), before);
            match accounts.reserve(now, &entered, &parts, demand, now + 1_000_000) {
                Ok(reserved) => {
                    assert_eq!(said, Ok(()));
                    open.push((entered, reserved));
                }
                Err(denied) => {
                    assert_eq!(said, Err(denied));
                    accounts.leave(entered);
                    refused += 1;
                }
            }
            if open.len() > 12 {
                let (entered, reserved) = open.remove(0);
                accounts.void(now, reserved);
                accounts.leave(entered);
            }
        }
        assert!((100..1_900).contains(&refused), "{refused}");
    }
}
