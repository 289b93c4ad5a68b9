//! What limits, budgets and prices mean: the rule set that calls are counted by, its conditions, and how spending is treated. Built from what
//! was typed in the file and from what the admin API keeps, which have one shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_policy::accounts::{RuleAt, RuleSet};
use tollgate_policy::budgets::{Budget, Increase, OnBudget};
use tollgate_policy::limits::{Limit, OnExceed, Rate, RateWindow};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::prices::{Kind, Price, PriceList, Stated, Unit};
use tollgate_policy::rules::{Condition, Facts};
use tollgate_policy::scopes::{Dimension, Subject};
use tollgate_policy::windows::{Calendar, Window, Zone};

use super::providers::BuildError;
use super::{raw, release};

/// A budget without an amount in a window of its own never refuses by it: only by the cap of one call.
const NO_CEILING: NanoUsd = NanoUsd(i64::MAX);

/// All rules in force.
#[derive(Debug, Default)]
pub struct Spending {
    /// Limits and budgets.
    pub rules: RuleSet,
    limits: Vec<Terms>,
    budgets: Vec<Terms>,
    /// The most output tokens of a call that names no cap.
    pub output_cap: u64,
    /// How a spent budget is told.
    pub status: BudgetStatus,
}

/// What a rule says beside its amounts.
#[derive(Debug, Default)]
struct Terms {
    when: Option<Condition>,
    /// Models that answer instead of the planned one, by its name; under `*` those of any.
    substitutes: BTreeMap<String, Vec<String>>,
    /// The one key and the one route that it is for, where it is the budget of a shadow.
    only: Option<(String, String)>,
}

/// The status of a call that a budget refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BudgetStatus {
    /// 402: official SDKs do not try again.
    #[default]
    PaymentRequired,
    /// 429, as some tools expect.
    TooManyRequests,
}

/// Limits and budgets as they were typed or stored.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Limits.
    pub limits: Vec<raw::Limit>,
    /// Budgets.
    pub budgets: Vec<raw::Budget>,
    /// Temporary increases of budgets, by the budget's name.
    pub increases: Vec<(String, Increase)>,
}

impl Spending {
    /// Builds the rules of a config. `version` grows with each build: the newer of two sets decides how accounts count.
    ///
    /// # Errors
    /// When a condition turns out to be wrong after all.
    pub fn build(raw: &raw::Raw, typed: &Typed, version: u64) -> Result<Self, BuildError> {
        let mut spending = Self {
            output_cap: raw.spending.output_cap.into(),
            status: match raw.spending.over_budget_status {
                429 => BudgetStatus::TooManyRequests,
                _ => BudgetStatus::PaymentRequired,
            },
            ..Self::default()
        };
        let (mut limits, mut budgets) = (Vec::new(), Vec::new());
        for limit in &typed.limits {
            let terms = Terms::new(&limit.name, limit.when.as_deref(), substitutes(&limit.on_exceed))?;
            limits.push(self::limit(limit, &terms));
            spending.limits.push(terms);
        }
        for budget in &typed.budgets {
            let mut instead = substitutes(&budget.on_exceed);
            for (from, to) in &budget.downgrade {
                instead.entry(deployment_name(raw, from)).or_default().push(to.clone());
            }
            let terms = Terms::new(&budget.name, budget.when.as_deref(), instead)?;
            budgets.push(self::budget(budget, &terms, &raw.time_zone, &typed.increases)?);
            spending.budgets.push(terms);
        }
        for shadow in release::budgets(raw) {
            let terms = Terms {
                only: Some((shadow.key, shadow.route)),
                ..Terms::default()
            };
            budgets.push(budget(&shadow.budget, &terms, &raw.time_zone, &[])?);
            spending.budgets.push(terms);
        }
        spending.rules = RuleSet::new(version, limits, budgets);
        Ok(spending)
    }

    /// Whether a rule can concern a caller at all: the budget of a shadow concerns that shadow alone.
    #[must_use]
    pub fn concerns(&self, rule: RuleAt, subject: &Subject<'_>) -> bool {
        let only = self.terms(rule).and_then(|terms| terms.only.as_ref());
        only.is_none_or(|(key, route)| subject.key == Some(key) && subject.route == Some(route))
    }

    /// Whether a rule applies to some calls only: then it has to be told what the call is like.
    #[must_use]
    pub fn is_conditional(&self, rule: RuleAt) -> bool {
        self.terms(rule).is_some_and(|terms| terms.when.is_some())
    }

    /// The condition of a rule that applies to some calls only.
    #[must_use]
    pub fn condition(&self, rule: RuleAt) -> Option<&str> {
        self.terms(rule)?.when.as_ref().map(Condition::text)
    }

    /// Whether a rule applies to a call. Where its condition cannot be computed it does not.
    #[must_use]
    pub fn applies(&self, rule: RuleAt, facts: &Facts<'_>) -> bool {
        let when = self.terms(rule).and_then(|terms| terms.when.as_ref());
        when.is_none_or(|when| when.holds(facts).unwrap_or(false))
    }

    /// The models that a rule lets answer instead of one, in order.
    #[must_use]
    pub fn substitutes(&self, rule: RuleAt, model: &str) -> &[String] {
        let Some(terms) = self.terms(rule) else { return &[] };
        let found = terms.substitutes.get(model).or_else(|| terms.substitutes.get("*"));
        found.map_or(&[], Vec::as_slice)
    }

    /// How long a call may wait in a limit's queue; `None`: it does not.
    #[must_use]
    pub fn queue(&self, rule: RuleAt) -> Option<std::time::Duration> {
        let RuleAt::Limit(at) = rule else { return None };
        match &self.rules.limits().get(at)?.on_exceed {
            OnExceed::Queue(longest) => Some(*longest),
            OnExceed::Reject | OnExceed::Downgrade(_) => None,
        }
    }

    /// A limit that says no more than that it refuses: then the route may say what that means.
    #[must_use]
    pub fn only_refuses(&self, rule: RuleAt) -> bool {
        matches!(rule, RuleAt::Limit(_)) && self.queue(rule).is_none() && self.terms(rule).is_none_or(|terms| terms.substitutes.is_empty())
    }

    fn terms(&self, rule: RuleAt) -> Option<&Terms> {
        match rule {
            RuleAt::Limit(at) => self.limits.get(at),
            RuleAt::Budget(at) => self.budgets.get(at),
        }
    }
}

impl Terms {
    fn new(name: &str, when: Option<&str>, substitutes: BTreeMap<String, Vec<String>>) -> Result<Self, BuildError> {
        let when = when.map(Condition::compile).transpose();
        let when = when.map_err(|error| {
            BuildError::new(format!(
                "the condition of \"{name}\", line {}, column {}: {}",
                error.position.line, error.position.column, error.message
            ))
        })?;
        Ok(Self {
            when,
            substitutes,
            only: None,
        })
    }

    /// A condition that speaks of the attempt can be asked only when there is one.
    fn of_attempt(&self) -> bool {
        let text = self.when.as_ref().map_or("", Condition::text);
        let words = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
        words.into_iter().any(|word| matches!(word, "model" | "provider"))
    }
}

/// `provider/upstream-model` of a model, whichever of its names was written.
fn deployment_name(raw: &raw::Raw, name: &str) -> String {
    raw.models.get(name).map_or_else(
        || name.to_owned(),
        |model| format!("{}/{}", model.provider, model.upstream_model.as_deref().unwrap_or(name)),
    )
}

fn substitutes(on_exceed: &raw::OnExceed) -> BTreeMap<String, Vec<String>> {
    let raw::OnExceed::Map(map) = on_exceed else {
        return BTreeMap::new();
    };
    let models = map.downgrade.clone().unwrap_or_default();
    if models.is_empty() {
        BTreeMap::new()
    } else {
        BTreeMap::from([("*".to_owned(), models)])
    }
}

fn limit(raw: &raw::Limit, terms: &Terms) -> Limit {
    let rate = |rate: &raw::Rate| Rate {
        amount: rate.count(),
        per: rate_window(rate.window().as_secs()),
    };
    Limit {
        name: raw.name.clone(),
        per: raw.per.iter().map(dimension).collect(),
        when_of_attempt: terms.of_attempt(),
        requests: raw.requests.as_ref().map(rate),
        tokens: raw.tokens.as_ref().map(rate),
        input_tokens: raw.input_tokens.as_ref().map(rate),
        output_tokens: raw.output_tokens.as_ref().map(rate),
        concurrent: raw.concurrent.map(u64::from),
        on_exceed: match &raw.on_exceed {
            raw::OnExceed::Map(map) => map
                .queue
                .as_ref()
                .map_or(OnExceed::Reject, |longest| OnExceed::Queue(longest.get())),
            raw::OnExceed::Word(_) => OnExceed::Reject,
        },
    }
}

fn rate_window(seconds: u64) -> RateWindow {
    match seconds {
        0..=1 => RateWindow::Second,
        2..=60 => RateWindow::Minute,
        61..=3_600 => RateWindow::Hour,
        3_601..=86_400 => RateWindow::Day,
        86_401..=604_800 => RateWindow::Week,
        _ => RateWindow::Month,
    }
}

fn budget(raw: &raw::Budget, terms: &Terms, zone: &raw::Zone, increases: &[(String, Increase)]) -> Result<Budget, BuildError> {
    let zone = raw.time_zone.as_ref().unwrap_or(zone).name();
    let missing = || BuildError::missing("time zone", zone);
    let amount = raw.amount.get();
    let per_call = raw.window == raw::Window::Request;
    Ok(Budget {
        per: raw.per.iter().map(dimension).collect(),
        when_of_attempt: terms.of_attempt(),
        zone: Zone::parse(zone).ok_or_else(missing)?,
        alerts: if per_call {
            Vec::new()
        } else {
            raw.alerts.iter().map(|share| share.per_ten_thousand() / 100).collect()
        },
        downgrade_at: raw.downgrade_at.as_ref().map(|share| share.per_ten_thousand() / 100),
        on_exceed: OnBudget::Block,
        per_request: per_call.then_some(amount),
        clamp_to_budget: raw.clamp_to_budget,
        increases: increases
            .iter()
            .filter(|(name, _)| *name == raw.name)
            .map(|(_, one)| one.clone())
            .collect(),
        ..Budget::new(&raw.name, if per_call { NO_CEILING } else { amount }, window(raw))
    })
}

fn window(raw: &raw::Budget) -> Window {
    use jiff::civil::Weekday as Day;
    let first = match raw.week_starts {
        raw::Weekday::Monday => Day::Monday,
        raw::Weekday::Sunday => Day::Sunday,
        raw::Weekday::Saturday => Day::Saturday,
    };
    match &raw.window {
        raw::Window::Day => Window::Calendar(Calendar::Day),
        raw::Window::Week => Window::Calendar(Calendar::Week(first)),
        raw::Window::Month => Window::Calendar(Calendar::Month),
        raw::Window::Quarter => Window::Calendar(Calendar::Quarter),
        raw::Window::Never | raw::Window::Request => Window::Never,
        raw::Window::Rolling(length) => Window::Rolling(length.get().as_secs().max(1)),
    }
}

fn dimension(raw: &raw::Dimension) -> Dimension {
    match raw {
        raw::Dimension::Team => Dimension::Team,
        raw::Dimension::User => Dimension::User,
        raw::Dimension::Key => Dimension::Key,
        raw::Dimension::Feature => Dimension::Feature,
        raw::Dimension::Route => Dimension::Route,
        raw::Dimension::Model => Dimension::Model,
        raw::Dimension::Provider => Dimension::Provider,
        raw::Dimension::Tag(name) => Dimension::Tag(name.clone()),
    }
}

/// The price that a model of the config has: its own, else the list's, with the provider's discount and margin in basis points. `None`: nobody
/// knows.
#[must_use]
pub fn price(own: Option<&raw::Price>, provider: &str, model: &str, (discount, margin): (u32, u32)) -> Option<Arc<Price>> {
    let listed = || PriceList::built_in().find(provider, model);
    let price = own.and_then(own_price).or_else(listed)?;
    Some(Arc::new(price.adjusted(discount, margin)))
}

fn own_price(raw: &raw::Price) -> Option<Price> {
    let mut stated = Stated::default();
    let rates = [
        (Kind::Input, Some(raw.input)),
        (Kind::Output, Some(raw.output)),
        (Kind::CacheRead, raw.cache_read),
        (Kind::CacheWrite5m, raw.cache_write_5m),
        (Kind::CacheWrite1h, raw.cache_write_1h),
    ];
    for (kind, rate) in rates {
        stated.set(kind, rate.map(raw::Decimal::each));
    }
    let calls: Vec<(Unit, _)> = raw.requests.iter().map(|rate| (Unit::Call, rate.each())).collect();
    Price::own(&stated, &calls)
}
