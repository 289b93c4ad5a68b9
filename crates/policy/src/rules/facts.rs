//! What a condition may ask about a call, by name: one list.

use std::sync::Arc;

use crate::labels::Level;
use crate::plan::DeploymentId;

/// Names with values.
pub type Pairs<'a> = &'a [(Arc<str>, Arc<str>)];

/// What costs something to find out about a call: found out when a condition asks for it.
pub trait Costly {
    /// There are images in it.
    fn has_images(&self) -> bool;
    /// An answer in JSON is asked for.
    fn wants_json(&self) -> bool;
    /// What the caller says beside, in a header or in the body.
    fn metadata(&self) -> Pairs<'_>;
    /// How much of the fullest budget that the call meets is spent, in percent; of a budget that is overdrawn more than 100.
    fn budget_used_percent(&self) -> u64;
    /// What the call is expected to cost at a deployment of its route, in millionths of a USD, rounded up; 0: nobody knows.
    fn price_micro_usd(&self, of: DeploymentId) -> u64;
}

/// A way to find it out; without one it is empty, zero or false.
#[derive(Clone, Copy, Default)]
pub struct Finder<'a>(Option<&'a dyn Costly>);

impl<'a, T: Costly> From<&'a T> for Finder<'a> {
    fn from(costly: &'a T) -> Self {
        Self(Some(costly))
    }
}

impl std::fmt::Debug for Finder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Finder" } else { "None" })
    }
}

/// What is known of a call. What is not known is empty, zero or false.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The team.
    pub team: &'a str,
    /// The user; of a service key empty.
    pub user: &'a str,
    /// Whom a service says that it calls for.
    pub end_user: &'a str,
    /// The key's id.
    pub key: &'a str,
    /// The feature.
    pub feature: &'a str,
    /// The route, or the model that was asked for directly.
    pub route: &'a str,
    /// `provider/upstream-model`, once it is known.
    pub model: &'a str,
    /// The provider, once it is known.
    pub provider: &'a str,
    /// `chat`, ….
    pub operation: &'a str,
    /// What the call is for, as the caller says.
    pub task: &'a str,
    /// `low`, `medium` or `high`.
    pub risk: &'a str,
    /// The level of the call's label.
    pub label: &'a str,
    /// A stream was asked for.
    pub stream: bool,
    /// Tools are offered to the model.
    pub has_tools: bool,
    /// An upper estimate.
    pub input_tokens: u64,
    /// The most that may be answered; 0: not said.
    pub max_tokens: u64,
    /// The hour of the day, 0 to 23, in UTC.
    pub hour: u8,
    /// 0 to 9, as the caller says.
    pub priority: u8,
    /// What the caller calls a session.
    pub session: &'a str,
    /// The tags.
    pub tags: Pairs<'a>,
    /// The deployment whose price is asked for; a route's rule asks for that of its first model.
    pub candidate: Option<DeploymentId>,
    /// The rest.
    pub costly: Finder<'a>,
}

pub(super) type ReadText = for<'a> fn(&Facts<'a>) -> &'a str;
pub(super) type ReadInt = fn(&Facts<'_>) -> i64;
pub(super) type ReadFlag = fn(&Facts<'_>) -> bool;
pub(super) type ReadPairs = for<'a> fn(&Facts<'a>) -> Pairs<'a>;

/// How a fact is read, and of which type it is.
#[derive(Clone, Copy)]
pub(super) enum Fact {
    Text(ReadText),
    /// One of these words, which are in order.
    Word(ReadText, &'static [&'static str]),
    /// A number from 0 to this.
    Int(ReadInt, i64),
    Flag(ReadFlag),
    Pairs(ReadPairs),
}

const RISKS: &[&str] = &["low", "medium", "high"];
const LEVELS: &[&str] = Level::NAMES;

pub(super) static FACTS: &[(&str, Fact)] = &[
    ("team", Fact::Text(|facts| facts.team)),
    ("user", Fact::Text(|facts| facts.user)),
    ("end_user", Fact::Text(|facts| facts.end_user)),
    ("key", Fact::Text(|facts| facts.key)),
    ("feature", Fact::Text(|facts| facts.feature)),
    ("route", Fact::Text(|facts| facts.route)),
    ("model", Fact::Text(|facts| facts.model)),
    ("provider", Fact::Text(|facts| facts.provider)),
    ("operation", Fact::Text(|facts| facts.operation)),
    ("task", Fact::Text(|facts| facts.task)),
    ("risk", Fact::Word(|facts| facts.risk, RISKS)),
    ("label", Fact::Word(|facts| facts.label, LEVELS)),
    ("stream", Fact::Flag(|facts| facts.stream)),
    ("has_tools", Fact::Flag(|facts| facts.has_tools)),
    ("has_images", Fact::Flag(|facts| facts.costly.0.is_some_and(Costly::has_images))),
    ("wants_json", Fact::Flag(|facts| facts.costly.0.is_some_and(Costly::wants_json))),
    ("input_tokens", Fact::Int(|facts| int(facts.input_tokens), i64::MAX)),
    ("max_tokens", Fact::Int(|facts| int(facts.max_tokens), i64::MAX)),
    ("hour", Fact::Int(|facts| facts.hour.into(), 23)),
    ("priority", Fact::Int(|facts| facts.priority.into(), 9)),
    ("tags", Fact::Pairs(|facts| facts.tags)),
    (
        "metadata",
        Fact::Pairs(|facts| facts.costly.0.map_or(&[], |costly| costly.metadata())),
    ),
    ("session", Fact::Text(|facts| facts.session)),
    (
        "budget_used",
        Fact::Int(
            |facts| facts.costly.0.map_or(0, |costly| int(costly.budget_used_percent())),
            i64::MAX,
        ),
    ),
    ("price_micro_usd", Fact::Int(price, i64::MAX)),
];

/// What may also be written behind `caller.`.
pub(super) const OF_CALLER: &[&str] = &["team", "user", "end_user", "key", "feature", "tags"];

/// A fact as it can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A text or a word.
    Text(String),
    /// A number.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// Names with values.
    Pairs(Vec<(String, String)>),
}

/// What is known of a call, by name: all that is not empty, zero or false.
pub fn shown<'a>(facts: &'a Facts<'a>) -> impl Iterator<Item = (&'static str, Shown)> {
    FACTS.iter().filter_map(|(name, fact)| {
        let shown = match fact {
            Fact::Text(read) | Fact::Word(read, _) => Shown::Text(Some(read(facts)).filter(|text| !text.is_empty())?.to_owned()),
            Fact::Int(read, _) => Shown::Int(Some(read(facts)).filter(|number| *number != 0)?),
            Fact::Flag(read) => Shown::Flag(read(facts).then_some(true)?),
            Fact::Pairs(read) => {
                let pairs = read(facts).iter().map(|(name, value)| (name.to_string(), value.to_string()));
                Shown::Pairs(Some(pairs.collect::<Vec<_>>()).filter(|pairs| !pairs.is_empty())?)
            }
        };
        Some((*name, shown))
    })
}

/// Every name that a condition may use.
pub fn names() -> impl Iterator<Item = &'static str> {
    FACTS.iter().map(|(name, _)| *name)
}

/// What only the rules of a route may ask: elsewhere it is not known yet, or follows from what is asked.
pub const OF_ROUTES: &[&str] = &["budget_used", "price_micro_usd"];

fn price(facts: &Facts<'_>) -> i64 {
    let price = |costly: &dyn Costly| facts.candidate.map(|candidate| costly.price_micro_usd(candidate));
    facts.costly.0.and_then(price).map_or(0, int)
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
