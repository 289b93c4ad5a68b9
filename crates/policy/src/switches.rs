//! Kill switches: everything, a team, a user, a key, a feature, a route, a model or a provider is blocked, now, for a reason
//! (GOVERNANCE section 6). Who keeps them is the `store` crate; who asks is the walk, before each attempt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a switch blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    All,
    /// A team.
    Team,
    /// A user.
    User,
    /// A key, by its id.
    Key,
    /// A feature.
    Feature,
    /// A route.
    Route,
    /// A model: as it is asked for, or `provider/upstream-model`.
    Model,
    /// A provider.
    Provider,
}

impl Scope {
    /// Its name, towards people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "everything",
            Self::Team => "team",
            Self::User => "user",
            Self::Key => "key",
            Self::Feature => "feature",
            Self::Route => "route",
            Self::Model => "model",
            Self::Provider => "provider",
        }
    }
}

/// What happens to requests under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They end as they would have; new ones are refused.
    BlockNew,
    /// They are ended too.
    AbortInflight,
}

/// One switch that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// What kind of thing it blocks.
    pub scope: Scope,
    /// Which one; empty for [`Scope::All`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What happens to requests under way.
    pub mode: Mode,
    /// Why, in a person's words.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// A switch that cannot be turned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchError {
    /// It does not say which team, key, ….
    NoValue,
    /// It says which, and blocks everything.
    NeedlessValue,
    /// Nobody will know why.
    NoReason,
}

impl std::fmt::Display for SwitchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoValue => "a switch needs the name of what it blocks; for everything, its scope is \"all\"",
            Self::NeedlessValue => "a switch for everything has no value; leave it out, or choose another scope",
            Self::NoReason => "a switch needs a reason; whoever finds it on will want to know",
        })
    }
}

impl std::error::Error for SwitchError {}

impl Switch {
    /// Whether it can be turned on.
    ///
    /// # Errors
    /// What is missing or too much.
    pub fn check(&self) -> Result<(), SwitchError> {
        match (self.scope, self.value.is_empty()) {
            (Scope::All, false) => Err(SwitchError::NeedlessValue),
            (Scope::All, true) => Ok(()),
            (_, true) => Err(SwitchError::NoValue),
            (_, false) => Ok(()),
        }?;
        if self.reason.trim().is_empty() {
            return Err(SwitchError::NoReason);
        }
        Ok(())
    }
}

/// What is known of a request so far, or of one attempt of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// Who: the team.
    pub team: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// The key's id.
    pub key: Option<&'a str>,
    /// The feature.
    pub feature: Option<&'a str>,
    /// The route.
    pub route: Option<&'a str>,
    /// The model as it was asked for.
    pub model: Option<&'a str>,
    /// The model of the attempt: `provider/upstream-model`.
    pub upstream_model: Option<&'a str>,
    /// The provider of the attempt.
    pub provider: Option<&'a str>,
}

/// The switches that are on: at most one for each thing. Changed by making another and swapping it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches(BTreeMap<Scope, BTreeMap<String, Switch>>);

impl Switches {
    /// The switch that blocks a new request, or its next attempt; the widest one first.
    #[must_use]
    pub fn blocking(&self, subject: &Subject<'_>) -> Option<&Switch> {
        self.find(subject, |_| true)
    }

    /// The switch that ends a request under way.
    #[must_use]
    pub fn aborting(&self, subject: &Subject<'_>) -> Option<&Switch> {
        self.find(subject, |switch| switch.mode == Mode::AbortInflight)
    }

    fn find(&self, subject: &Subject<'_>, counts: impl Fn(&Switch) -> bool) -> Option<&Switch> {
        // Nearly always.
        if self.0.is_empty() {
            return None;
        }
        let asked = [
            (Scope::All, Some("")),
            (Scope::Team, subject.team),
            (Scope::User, subject.user),
            (Scope::Key, subject.key),
            (Scope::Feature, subject.feature),
            (Scope::Route, subject.route),
            (Scope::Model, subject.model),
            (Scope::Model, subject.upstream_model),
            (Scope::Provider, subject.provider),
        ];
        let on = asked.into_iter().filter_map(|(scope, value)| self.0.get(&scope)?.get(value?));
        on.into_iter().find(|switch| counts(switch))
    }

    /// Whether any switch ends requests under way: otherwise nobody under way needs to ask.
    #[must_use]
    pub fn any_aborting(&self) -> bool {
        self.iter().any(|switch| switch.mode == Mode::AbortInflight)
    }

    /// Turns one on; it takes the place of another for the same thing.
    ///
    /// # Errors
    /// When it is incomplete.
    pub fn turn_on(&mut self, switch: Switch) -> Result<(), SwitchError> {
        switch.check()?;
        self.0.entry(switch.scope).or_default().insert(switch.value.clone(), switch);
        Ok(())
    }

    /// Turns one off; gives it back if it was on.
    pub fn turn_off(&mut self, scope: Scope, value: &str) -> Option<Switch> {
        let switches = self.0.get_mut(&scope)?;
        let off = switches.remove(value);
        if switches.is_empty() {
            self.0.remove(&scope);
        }
        off
    }

    /// All that are on.
    pub fn iter(&self) -> impl Iterator<Item = &Switch> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// None is on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// As a list: that is how a person reads and edits the file.
impl Serialize for Switches {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Switches {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut switches = Self::default();
        for switch in Vec::<Switch>::deserialize(deserializer)? {
            switches.turn_on(switch).map_err(serde::de::Error::custom)?;
        }
        Ok(switches)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn switch(scope: Scope, value: &str, mode: Mode) -> Switch {
        Switch {
            scope,
            value: value.into(),
            mode,
            reason: "runaway".into(),
            actor: "ops".into(),
            at: 7,
        }
    }

    const SUBJECT: Subject<'static> = Subject {
        team: Some("t"),
        user: Some("u"),
        key: Some("k"),
        feature: Some("f"),
        route: Some("r"),
        model: Some("m"),
        upstream_model: Some("p/um"),
        provider: Some("p"),
    };

    #[test]
    fn each_scope_blocks_its_own_and_nothing_else() {
        let rows = [
            (Scope::All, "", true),
            (Scope::Team, "t", true),
            (Scope::User, "u", true),
            (Scope::Key, "k", true),
            (Scope::Feature, "f", true),
            (Scope::Route, "r", true),
            (Scope::Model, "m", true),
            (Scope::Model, "p/um", true),
            (Scope::Provider, "p", true),
            (Scope::Team, "u", false),
            (Scope::Team, "T", false),
            (Scope::Provider, "p/um", false),
        ];
        for (scope, value, blocks) in rows {
            for mode in [Mode::BlockNew, Mode::AbortInflight] {
                let mut switches = Switches::default();
                assert_eq!(switches.blocking(&SUBJECT), None);
                switches.turn_on(switch(scope, value, mode)).unwrap();
                assert_eq!(switches.blocking(&SUBJECT).is_some(), blocks, "{scope:?} {value}");
                assert_eq!(
                    switches.aborting(&SUBJECT).is_some(),
                    blocks && mode == Mode::AbortInflight,
                    "{scope:?} {value}"
                );
                assert_eq!(switches.any_aborting(), mode == Mode::AbortInflight);
                assert_eq!(
                    switches.blocking(&Subject::default()).is_some(),
                    scope == Scope::All,
                    "nothing known, {scope:?}"
                );
                assert!(switches.turn_off(scope, value).is_some() && switches.is_empty());
                assert!(switches.turn_off(scope, value).is_none());
            }
        }
    }

    #[test]
    fn an_aborting_switch_counts_behind_a_softer_one() {
        let mut switches = Switches::default();
        switches.turn_on(switch(Scope::All, "", Mode::BlockNew)).unwrap();
        switches.turn_on(switch(Scope::Key, "k", Mode::AbortInflight)).unwrap();
        assert_eq!(switches.blocking(&SUBJECT).unwrap().scope, Scope::All);
        assert_eq!(switches.aborting(&SUBJECT).unwrap().scope, Scope::Key);
        // The same thing once: the later one counts.
        switches.turn_on(switch(Scope::Key, "k", Mode::BlockNew)).unwrap();
        assert_eq!((switches.iter().count(), switches.aborting(&SUBJECT)), (2, None));
    }

    #[test]
    fn incomplete_switches_are_refused() {
        let mut switches = Switches::default();
        let silent = Switch {
            reason: " ".into(),
            ..switch(Scope::All, "", Mode::BlockNew)
        };
        let rows = [
            (switch(Scope::Team, "", Mode::BlockNew), SwitchError::NoValue),
            (switch(Scope::All, "t", Mode::BlockNew), SwitchError::NeedlessValue),
            (silent, SwitchError::NoReason),
        ];
        for (switch, expected) in rows {
            assert_eq!(switches.turn_on(switch), Err(expected));
        }
        assert!(switches.is_empty());
    }
}
