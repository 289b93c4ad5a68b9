//! The rule set: limits and budgets taken apart into meters (one rule, one thing that is counted), and which of them a call meets.
//! Immutable: the config snapshot holds one, and an edit makes another.

use smallvec::SmallVec;

use crate::budgets::Budget;
use crate::ledger::AccountId;
use crate::limits::{Limit, Rate};
use crate::scopes::{Dimension, Family, Subject};
use crate::windows::{Window, Zone};

/// All limits and budgets.
#[derive(Debug, Default)]
pub struct RuleSet {
    version: u64,
    limits: Vec<Limit>,
    budgets: Vec<Budget>,
    meters: Vec<Meter>,
}

/// Which rule: its place in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleAt {
    /// In [`RuleSet::limits`].
    Limit(usize),
    /// In [`RuleSet::budgets`].
    Budget(usize),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Requests.
    Requests,
    /// Calls at a time.
    Concurrent,
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Nano-USD.
    Money,
}

/// Which rules are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those that stay the same for the whole call.
    Call,
    /// Those that depend on the model or the provider of the attempt under way.
    Attempt,
}

/// One rule's count of one thing.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) rule: RuleAt,
    pub(super) measure: Measure,
    pub(super) family: Family,
    pub(super) gauge: Gauge,
    of_attempt: bool,
    /// The one account of a rule without dimensions.
    only: Option<AccountId>,
}

/// How a meter's accounts count.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Gauge {
    /// What is open now.
    Level,
    /// In a sliding window of so many milliseconds.
    Sliding(u64),
    /// In a window of the calendar, or for ever.
    Periods(Window, Zone),
}

/// A meter and the account of a call's values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) meter: usize,
    pub(super) account: AccountId,
}

/// The accounts that a call meets, found outside of the lock that guards [`super::Accounts`].
#[derive(Debug)]
pub struct Scoped<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) subject: &'a Subject<'a>,
    pub(super) lines: SmallVec<[Line; 8]>,
}

/// The accounts that a call met, without the call: it meets the same ones again, and their ids are not computed a second time.
#[derive(Debug, Clone, Default)]
pub struct Met(SmallVec<[Line; 8]>);

impl RuleSet {
    /// Takes the rules apart. Of two sets the one with the higher version is the newer: it decides how accounts count from then on.
    #[must_use]
    pub fn new(version: u64, limits: Vec<Limit>, budgets: Vec<Budget>) -> Self {
        let mut meters = Vec::new();
        for (at, limit) in limits.iter().enumerate() {
            let mut add = |measure: Measure, gauge: Gauge| {
                meters.push(Meter::new(
                    RuleAt::Limit(at),
                    (&limit.name, &limit.per, limit.when_of_attempt),
                    measure,
                    gauge,
                ));
            };
            let sliding = |rate: Rate| Gauge::Sliding(rate.per.length_ms());
            for (measure, rate) in [
                (Measure::Requests, limit.requests),
                (Measure::Tokens, limit.tokens),
                (Measure::InputTokens, limit.input_tokens),
                (Measure::OutputTokens, limit.output_tokens),
            ] {
                if let Some(rate) = rate {
                    add(measure, sliding(rate));
                }
            }
            if limit.concurrent.is_some() {
                add(Measure::Concurrent, Gauge::Level);
            }
        }
        for (at, budget) in budgets.iter().enumerate() {
            let gauge = match budget.window {
                Window::Rolling(seconds) => Gauge::Sliding(seconds.saturating_mul(1000)),
                window => Gauge::Periods(window, budget.zone.clone()),
            };
            let identity = (budget.name.as_str(), budget.per.as_slice(), budget.when_of_attempt);
            meters.push(Meter::new(RuleAt::Budget(at), identity, Measure::Money, gauge));
        }
        Self {
            version,
            limits,
            budgets,
            meters,
        }
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The limits, in the order of [`RuleAt::Limit`].
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The budgets, in the order of [`RuleAt::Budget`].
    #[must_use]
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// True when some rule depends on the attempt: only then is [`Part::Attempt`] worth asking for.
    #[must_use]
    pub fn has_attempt_rules(&self) -> bool {
        self.meters.iter().any(|meter| meter.of_attempt)
    }

    /// The accounts that a call meets. `holds` says whether a rule's `when` holds for it; it is asked once per rule at most, and not for
    /// rules of the other part or with a value that the call lacks.
    pub fn scoped<'a>(&'a self, subject: &'a Subject<'a>, part: Part, mut holds: impl FnMut(RuleAt) -> bool) -> Scoped<'a> {
        let mut lines = SmallVec::new();
        let mut asked: Option<(RuleAt, bool)> = None;
        let wanted = self
            .meters
            .iter()
            .enumerate()
            .filter(|(_, meter)| meter.of_attempt == (part == Part::Attempt));
        for (at, meter) in wanted {
            let Some(values) = subject.values(self.per(meter.rule)) else {
                continue;
            };
            let applies = match asked {
                Some((rule, answer)) if rule == meter.rule => answer,
                _ => holds(meter.rule),
            };
            asked = Some((meter.rule, applies));
            if applies {
                lines.push(Line {
                    meter: at,
                    account: meter.only.unwrap_or_else(|| meter.family.account(&values)),
                });
            }
        }
        Scoped {
            rules: self,
            subject,
            lines,
        }
    }

    /// The accounts that a call met before, under these same rules and with the same values.
    #[must_use]
    pub fn again<'a>(&'a self, subject: &'a Subject<'a>, met: &Met) -> Scoped<'a> {
        Scoped {
            rules: self,
            subject,
            lines: met.0.clone(),
        }
    }

    /// A rule's name.
    #[must_use]
    pub fn name(&self, rule: RuleAt) -> &str {
        match rule {
            RuleAt::Limit(at) => self.limits.get(at).map_or("", |limit| &limit.name),
            RuleAt::Budget(at) => self.budgets.get(at).map_or("", |budget| &budget.name),
        }
    }

    /// A rule's dimensions.
    #[must_use]
    pub fn per(&self, rule: RuleAt) -> &[Dimension] {
        match rule {
            RuleAt::Limit(at) => self.limits.get(at).map_or(&[], |limit| &limit.per),
            RuleAt::Budget(at) => self.budgets.get(at).map_or(&[], |budget| &budget.per),
        }
    }

    /// The budget, if the rule is one.
    #[must_use]
    pub fn budget(&self, rule: RuleAt) -> Option<&Budget> {
        match rule {
            RuleAt::Limit(_) => None,
            RuleAt::Budget(at) => self.budgets.get(at),
        }
    }

    /// How much a meter lets pass at a time, on the account of those values.
    pub(super) fn amount(&self, meter: &Meter, now_s: i64, scope: &[(String, String)]) -> i64 {
        let limit = match meter.rule {
            RuleAt::Budget(at) => return self.budgets.get(at).map_or(0, |budget| budget.amount_at(now_s, scope).0),
            RuleAt::Limit(at) => self.limits.get(at),
        };
        let amount = limit.and_then(|limit| match meter.measure {
            Measure::Requests => limit.requests.map(|rate| rate.amount),
            Measure::Concurrent => limit.concurrent,
            Measure::Tokens => limit.tokens.map(|rate| rate.amount),
            Measure::InputTokens => limit.input_tokens.map(|rate| rate.amount),
            Measure::OutputTokens => limit.output_tokens.map(|rate| rate.amount),
            Measure::Money => None,
        });
        amount.map_or(0, |amount| i64::try_from(amount).unwrap_or(i64::MAX))
    }

    /// The place of the rule of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<RuleAt> {
        let limit = self.limits.iter().position(|limit| limit.name == name).map(RuleAt::Limit);
        limit.or_else(|| self.budgets.iter().position(|budget| budget.name == name).map(RuleAt::Budget))
    }

    pub(super) fn meters_of(&self, rule: RuleAt) -> impl Iterator<Item = &Meter> {
        self.meters.iter().filter(move |meter| meter.rule == rule)
    }

    pub(super) fn meter(&self, at: usize) -> Option<&Meter> {
        self.meters.get(at)
    }
}

impl Meter {
    fn new(rule: RuleAt, identity: (&str, &[Dimension], bool), measure: Measure, gauge: Gauge) -> Self {
        let (name, per, when_of_attempt) = identity;
        let family = Family::new(name, measure.name(), per);
        Self {
            rule,
            measure,
            only: per.is_empty().then(|| family.account(&[])),
            family,
            gauge,
            of_attempt: when_of_attempt || per.iter().any(Dimension::of_attempt),
        }
    }
}

impl Measure {
    /// Tokens or money: what depends on how large a call is.
    pub(super) const fn is_of_size(self) -> bool {
        !matches!(self, Self::Requests | Self::Concurrent)
    }

    /// Its name, which is part of an account's identity.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Concurrent => "concurrent",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Money => "money",
        }
    }
}

impl Scoped<'_> {
    /// What it met, for [`RuleSet::again`].
    #[must_use]
    pub fn met(self) -> Met {
        Met(self.lines)
    }

    /// True when it meets no rule at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// True when one of its rules counts tokens or money: only then does it matter how large a call is.
    #[must_use]
    pub fn counts_size(&self) -> bool {
        let meters = self.lines.iter().filter_map(|line| self.rules.meter(line.meter));
        meters.into_iter().any(|meter| meter.measure.is_of_size())
    }

    /// The values that it is counted by under a rule, as [`super::Denied::scope`] has them.
    #[must_use]
    pub fn scope_of(&self, rule: RuleAt) -> Vec<(String, String)> {
        let per = self.rules.per(rule);
        let values = self.subject.values(per).unwrap_or_default();
        let values = values.iter().map(|value| (*value).to_owned());
        per.iter().map(ToString::to_string).zip(values).collect()
    }

    /// The rules that it meets; one with several measures comes several times.
    pub fn rules(&self) -> impl Iterator<Item = RuleAt> + '_ {
        self.lines
            .iter()
            .filter_map(|line| self.rules.meter(line.meter))
            .map(|meter| meter.rule)
    }

    /// A rule's dimensions with this call's values.
    pub(super) fn scope(&self, rule: RuleAt) -> Vec<(String, String)> {
        let per = self.rules.per(rule).iter();
        per.map(|dimension| (dimension.to_string(), self.subject.value(dimension).unwrap_or_default().to_owned()))
            .collect()
    }

    /// The scope of the account that all values share for which there is no room.
    pub(super) fn others(&self, rule: RuleAt) -> Vec<(String, String)> {
        let per = self.rules.per(rule).iter();
        per.map(|dimension| (dimension.to_string(), "(others)".to_owned())).collect()
    }
}
