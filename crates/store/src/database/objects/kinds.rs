//! The kinds of objects, one type each. Unknown members are refused: what an API's caller writes is read back equal, or not taken at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Object};

/// A team: owns keys and users, and bounds what they may call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Patterns of routes that it may call; none: all.
    pub routes: Option<Vec<String>>,
    /// Patterns of models that it may call without a route; none: as config says.
    pub models: Option<Vec<String>>,
    /// The lowest label of what its callers send.
    pub label: Option<String>,
    /// Says what it is for.
    pub description: String,
}

/// A person who owns keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// The name.
    pub name: String,
    /// The team's name.
    pub team: String,
    /// For people to read.
    pub email: Option<String>,
    /// Switched off, with all keys.
    pub disabled: bool,
}

/// An application or use case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// The team that it belongs to; none: any.
    pub team: Option<String>,
    /// The lowest label of what is sent for it.
    pub label: Option<String>,
    /// Says what it is for.
    pub description: String,
}

/// A live secret of a key: only its digest is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// HMAC-SHA-256 under the pepper, in hexadecimal.
    pub digest: String,
    /// Which pepper.
    pub pepper_version: u32,
    /// Until when it opens, in seconds since 1970; none: no rotation is under way.
    pub valid_until_s: Option<u64>,
}

/// A virtual key. Its object's id is its public id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// The team's name.
    pub team: String,
    /// The user's name; none: a service key.
    pub user: Option<String>,
    /// Features that a caller may name; with one alone, that one.
    pub features: Vec<String>,
    /// Live secrets, at most two.
    pub secrets: Vec<Secret>,
    /// Not valid before, in seconds since 1970.
    pub not_before_s: Option<u64>,
    /// Not valid from, in seconds since 1970.
    pub expires_s: Option<u64>,
    /// Switched off.
    pub disabled: bool,
    /// Networks that may use it; empty: any.
    pub networks: Vec<String>,
    /// Narrows the team's routes.
    pub routes: Option<Vec<String>>,
    /// Narrows the team's models.
    pub models: Option<Vec<String>>,
    /// What it may do; none: as a key without a list.
    pub scopes: Option<Vec<String>>,
    /// Requests at once.
    pub max_concurrency: Option<u32>,
    /// The highest priority that its calls have over those of others.
    #[serde(default)]
    pub priority_max: u8,
    /// The lowest label of what is sent with it.
    pub label: Option<String>,
    /// The highest label of what is sent with it.
    pub max_label: Option<String>,
}

/// A limit: the same members as an entry of `limits:` in the config file, whose reader alone knows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name: what its usage is remembered by.
    pub name: String,
    /// The rule.
    pub rule: Value,
}

/// A budget: the same members as an entry of `budgets:` in the config file, whose reader alone knows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Its name: what its spend is remembered by.
    pub name: String,
    /// The rule.
    pub rule: Value,
}

/// More money for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increase {
    /// The budget's name.
    pub budget: String,
    /// For which values of its `per`; a dimension that is not in here: for all of its values.
    pub scope: BTreeMap<String, String>,
    /// How much more, in nano-USD.
    pub amount: i64,
    /// From when, in seconds since 1970.
    pub from_s: i64,
    /// Until when, in seconds since 1970.
    pub until_s: i64,
    /// Why.
    pub reason: String,
}

/// What a kill switch stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it says")]
pub enum SwitchScope {
    Everything,
    Team,
    User,
    Key,
    Feature,
    Route,
    Model,
    Provider,
}

/// How hard it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchMode {
    /// New requests alone.
    BlockNew,
    /// Those in flight too.
    AbortInflight,
}

/// A kill switch that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// What kind of thing.
    pub scope: SwitchScope,
    /// Which one; empty for everything.
    pub value: String,
    /// How hard.
    pub mode: SwitchMode,
    /// Why.
    pub reason: String,
}

/// A canary that was switched off because its `rollback_if` held. Deleting it is switching it on again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The route and the model: one of each is off at a time.
    pub name: String,
    /// The route.
    pub route: String,
    /// The canary, `provider/upstream-model`.
    pub model: String,
    /// The condition that held.
    pub condition: String,
    /// What the canary, and the stable targets beside it, had shown then.
    pub figures: Value,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What an admin may do (GOVERNANCE section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "GOVERNANCE section 9 says what each may do")]
pub enum Role {
    Owner,
    SecurityAdmin,
    BillingAdmin,
    Operator,
    Approver,
    Auditor,
    TeamAdmin,
    Viewer,
}

/// A person who may use the admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The name to log in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The team of a team admin.
    pub team: Option<String>,
    /// An argon2id string; none: logs in some other way.
    pub password_hash: Option<String>,
    /// Switched off.
    pub disabled: bool,
}

/// A program that may use the admin API, by an `ak-…` token. Its object's id is the token's public part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The team of a team admin.
    pub team: Option<String>,
    /// The digest of the token, in hexadecimal.
    pub digest: String,
    /// Not valid from, in seconds since 1970.
    pub expires_s: Option<u64>,
}

/// The password of the first login; deleting it (with its version) is using it, and only one can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneTimePassword {
    /// An argon2id string.
    pub password_hash: String,
    /// Not valid from, in seconds since 1970.
    pub expires_s: Option<u64>,
}

/// Gives each type its kind, and says whether it has a name.
macro_rules! kinds {
    ($($kind:ident $word:literal $name:expr, $secrets:expr;)*) => {
        $(impl Object for $kind {
            const KIND: Kind = Kind::$kind;
            fn name(&self) -> Option<&str> {
                let name: fn(&Self) -> Option<&str> = $name;
                name(self)
            }
        })*

        impl Kind {
            /// Its word in tables and in the audit log.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// Members that no audit record may have.
            pub(super) const fn secrets(self) -> &'static [&'static str] {
                match self { $(Self::$kind => $secrets,)* }
            }
        }
    };
}

kinds! {
    Team "team" |object| Some(&object.name), &[];
    User "user" |object| Some(&object.name), &[];
    Feature "feature" |object| Some(&object.name), &[];
    Key "key" |object| Some(&object.name), &["secrets"];
    Limit "limit" |object| Some(&object.name), &[];
    Budget "budget" |object| Some(&object.name), &[];
    Increase "increase" |_| None, &[];
    Switch "switch" |_| None, &[];
    Rollback "rollback" |object| Some(&object.name), &[];
    Admin "admin" |object| Some(&object.name), &["password_hash"];
    ApiToken "api_token" |object| Some(&object.name), &["digest"];
    OneTimePassword "one_time_password" |_| None, &["password_hash"];
}
