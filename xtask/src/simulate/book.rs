//! The second book: every posting as a row, every sum by adding up. Slow and plain, so that it is plainly right.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_policy::accounts::{Demand, Measure, Part};
use tollgate_policy::budgets::Budget;
use tollgate_policy::ledger::AccountId;
use tollgate_policy::limits::Limit;
use tollgate_policy::scopes::{Dimension, Family, Subject};
use tollgate_policy::windows::{Calendar, Period, Ring, Window, Zone};

/// What is counted for one rule, one measure and one set of values.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) account: AccountId,
    pub(crate) measure: Measure,
    pub(crate) span: Span,
    pub(crate) limit: i64,
    /// The most that one call may hold.
    pub(crate) cap: i64,
    /// When it was admitted, in milliseconds.
    pub(crate) at: i64,
    pub(crate) amount: i64,
    pub(crate) role: Role,
}

/// As a call holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Call,
    Attempt,
    /// Of an attempt that is over.
    Spent,
}

/// How long it counts.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    Level,
    Sliding(i64),
    Calendar(Calendar, Zone),
    Never,
}

/// A row.
#[derive(Debug)]
struct Post {
    at: i64,
    amount: i64,
    request: u64,
    is_request: bool,
    lasting: bool,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// The rows of sliding windows, as long as they may count.
    posts: BTreeMap<AccountId, Vec<Post>>,
    /// The sums of periods, by account and first second.
    periods: BTreeMap<(AccountId, i64), i64>,
    /// The requests that reached a hold: a restart remembers those.
    pub(crate) held: BTreeSet<u64>,
    /// What the ledger must show, by account and window.
    pub(crate) ledger: BTreeMap<(AccountId, i64), i64>,
}

impl Span {
    /// True when a restart remembers it.
    pub(crate) fn lasting(&self) -> bool {
        !matches!(self, Self::Level | Self::Sliding(..96_000))
    }

    fn period(&self, at: i64) -> Period {
        match self {
            Self::Calendar(calendar, zone) => calendar.period(zone, at.div_euclid(1000)),
            _ => Period::ALWAYS,
        }
    }

    /// The ledger's name of the window of an instant.
    pub(crate) fn window(&self, at: i64) -> i64 {
        match self {
            Self::Sliding(length) => Ring::new(length.unsigned_abs()).bucket(at).div_euclid(1000),
            _ => self.period(at).start,
        }
    }
}

impl Line {
    pub(crate) fn of(&self, demand: Demand) -> i64 {
        let tokens = match self.measure {
            Measure::Requests | Measure::Concurrent => 1,
            Measure::Tokens => demand.input_tokens + demand.output_tokens,
            Measure::InputTokens => demand.input_tokens,
            Measure::OutputTokens => demand.output_tokens,
            Measure::Money => return demand.money.0,
        };
        i64::try_from(tokens).unwrap_or(i64::MAX)
    }

    /// True for what is counted in full when it is admitted, or open until it ends: no estimate.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.measure, Measure::Requests | Measure::Concurrent)
    }

    /// True when another line counts in the same window.
    pub(crate) fn shares(&self, other: &Self, at: i64) -> bool {
        let same_window = !matches!(self.span, Span::Calendar(..)) || self.span.period(at) == other.span.period(other.at);
        self.account == other.account && same_window
    }
}

/// The lines of a call under some rules.
pub(crate) fn lines(limits: &[Limit], budgets: &[Budget], subject: &Subject<'_>, part: Part, now: i64) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |name: &str, per: &[Dimension], measure: Measure, span: Span, (limit, cap): (i64, i64)| {
        let of_attempt = per
            .iter()
            .any(|dimension| matches!(dimension, Dimension::Model | Dimension::Provider));
        let Some(values) = subject.values(per) else { return };
        if of_attempt == (part == Part::Attempt) {
            lines.push(Line {
                account: Family::new(name, measure.name(), per).account(&values),
                measure,
                span,
                limit,
                cap,
                at: now,
                amount: 0,
                role: if of_attempt { Role::Attempt } else { Role::Call },
            });
        }
    };
    for limit in limits {
        let rates = [
            (Measure::Requests, limit.requests),
            (Measure::Tokens, limit.tokens),
            (Measure::InputTokens, limit.input_tokens),
            (Measure::OutputTokens, limit.output_tokens),
        ];
        for (measure, rate) in rates {
            if let Some(rate) = rate {
                let length = i64::try_from(rate.per.length_ms()).unwrap_or(0);
                add(
                    &limit.name,
                    &limit.per,
                    measure,
                    Span::Sliding(length),
                    (i64::try_from(rate.amount).unwrap_or(0), i64::MAX),
                );
            }
        }
        if let Some(calls) = limit.concurrent {
            add(
                &limit.name,
                &limit.per,
                Measure::Concurrent,
                Span::Level,
                (i64::try_from(calls).unwrap_or(0), i64::MAX),
            );
        }
    }
    for budget in budgets {
        let span = match budget.window {
            Window::Calendar(calendar) => Span::Calendar(calendar, budget.zone.clone()),
            Window::Rolling(seconds) => Span::Sliding(i64::try_from(seconds).unwrap_or(0) * 1000),
            Window::Never => Span::Never,
        };
        let cap = budget.per_request.map_or(i64::MAX, |cap| cap.0);
        let mut amount = budget.amount.0;
        for increase in &budget.increases {
            if (increase.from * 1000..increase.until * 1000).contains(&now) {
                amount += increase.amount.0;
            }
        }
        add(&budget.name, &budget.per, Measure::Money, span, (amount, cap));
    }
    lines
}

impl Book {
    pub(crate) fn post(&mut self, line: &Line, amount: i64, request: u64) {
        let length = match &line.span {
            Span::Level => return,
            Span::Sliding(length) => *length,
            span => {
                *self.periods.entry((line.account, span.window(line.at))).or_default() += amount;
                return;
            }
        };
        let rows = self.posts.entry(line.account).or_default();
        let newest = rows.last().map_or(line.at, |row| row.at);
        rows.retain(|row| newest - row.at < 2 * length);
        rows.push(Post {
            at: line.at,
            amount,
            request,
            is_request: line.measure == Measure::Requests,
            lasting: line.span.lasting(),
        });
    }

    /// What the ledger is told when a call ends.
    pub(crate) fn charge(&mut self, line: &Line, amount: i64) {
        if line.span.lasting() && amount != 0 {
            *self.ledger.entry((line.account, line.span.window(line.at))).or_default() += amount;
        }
    }

    /// What is posted in the window of an instant, seen from now: exactly, and with the oldest bucket counted whole.
    pub(crate) fn posted(&self, line: &Line, at: i64, now: i64) -> (i64, i64) {
        let length = match &line.span {
            Span::Level => return (0, 0),
            Span::Sliding(length) => length,
            span => {
                let sum = self.periods.get(&(line.account, span.window(at))).copied().unwrap_or(0);
                return (sum, sum);
            }
        };
        let (mut exact, mut most) = (0, 0);
        for row in self.posts.get(&line.account).into_iter().flatten() {
            let age = now - row.at;
            exact += if age < *length { row.amount } else { 0 };
            most += if age < length + length / 96 + 1 { row.amount } else { 0 };
        }
        (exact, most)
    }

    /// What a restart does not remember.
    pub(crate) fn crash(&mut self) {
        let held = &self.held;
        for rows in self.posts.values_mut() {
            rows.retain(|post| post.lasting && (!post.is_request || held.contains(&post.request)));
        }
    }
}
