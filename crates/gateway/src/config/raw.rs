//! What may be typed into `tollgate.yaml`: the serde structs, whose doc comments are the manual and whose derived JSON Schema is the one
//! source of structural rules. It holds no checks of meaning (`check.rs`), and secrets only as references.
//!
//! `x-not-yet` lists the keys and values of the contract that this version refuses by name; an entry that ends with `*` is a prefix.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::units::{
    Address, Auth, BaseUrl, Database, Decimal, Dimension, HedgeAfter, HookUrl, IpRange, LabelName, Moment, Money, Period, Rate, SecretRef,
    Share, Size, Window, Zone,
};

mod callers;
mod labels;
mod overload;
mod providers;
pub(super) mod release;
mod resilience;
mod resorts;
mod router;
mod routes;
mod routing;
mod rules;

pub use callers::{Claims, Issuer, Scope, User};
pub use labels::{Clearance, ClearanceMap, Feature, Label, LabelMap, Level};
pub use overload::Overload;
pub use providers::{BillingOnCancel, Dialect, Model, Provider};
pub use release::{Compare, LoopAction, OnLoop, Reviewers, Risk, Shadow, Stage, Status};
pub use resilience::{Breaker, FallbackOn, Hedge, Retry, Timeouts};
pub use resorts::{LastResort, LastResorts, Reduce, Review};
pub use router::{Router, Tiers};
pub use routes::{OnLoss, Route, Strategy, Target};
pub use routing::{Rule, Sticky};
pub use rules::{Alerts, Budget, Durability, Ledger, Limit, OnExceed, OnExceedMap, OnExceedWord, Price, Spending, Webhook, Weekday};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-not-yet" = ["guardrails", "observability"]))]
pub struct Raw {
    /// Where callers reach the model APIs: an IP address and a port. Without any key, here or in the database, a public address is refused.
    pub listen: Address,
    /// The admin plane: dashboard, admin API and `/metrics`.
    pub admin: Admin,
    /// The folder of the embedded database, the journal and the last good config; made when it is absent.
    pub data_dir: PathBuf,
    /// Where durable state lives: `embedded` in `data_dir`, or a PostgreSQL as `postgres://user@host/name`, or a reference to such an address
    /// where it holds a password.
    pub database: Database,
    /// How what is spent is written down.
    pub ledger: Ledger,
    /// Where limits, budgets and caches are counted.
    pub shared_state: SharedState,
    /// Bounds of the process itself.
    pub server: Server,
    /// Whose days and months budgets are counted in, where they name no zone of their own.
    pub time_zone: Zone,
    /// The vendors and endpoints that answer, by name. A name of the catalog needs only its credentials; any other name says its
    /// `base_url` and `dialect`. `mock` is the built-in simulated provider.
    #[schemars(example = serde_json::json!({"openai": {"credentials": ["env:OPENAI_API_KEY"]}}))]
    pub providers: BTreeMap<String, Provider>,
    /// Models of ours, by name: a short name for one model at one provider.
    #[schemars(example = serde_json::json!({"fast": {"provider": "openai", "upstream_model": "gpt-4o-mini"}}))]
    pub models: BTreeMap<String, Model>,
    /// What applications ask for, by name: which models serve it, and what happens when one fails.
    #[schemars(example = serde_json::json!({"support-chat": {"targets": [{"model": "openai/gpt-4o"}]}}))]
    pub routes: BTreeMap<String, Route>,
    /// How requests are judged where a route's strategy is `complexity`.
    pub router: Router,
    /// How much may be asked for, in calls, tokens and calls at the same time.
    #[schemars(example = serde_json::json!([{"name": "fair use", "per": ["user"], "requests": "1000/hour"}]))]
    pub limits: Vec<Limit>,
    /// How much may be spent.
    #[schemars(example = serde_json::json!([{"name": "team month", "per": ["team"], "amount": "2000 USD", "window": "month"}]))]
    pub budgets: Vec<Budget>,
    /// How spending is treated where no budget says otherwise.
    pub spending: Spending,
    /// Who is told when a budget's threshold is passed.
    pub alerts: Alerts,
    /// Who may call what, by team name.
    #[schemars(example = serde_json::json!({"support": {"routes": ["support-chat"]}}))]
    pub teams: BTreeMap<String, Team>,
    /// Applications and use cases whose data is more sensitive than their callers', by name. A feature need not stand here.
    #[schemars(example = serde_json::json!({"payroll": {"label": "restricted"}}))]
    pub features: BTreeMap<String, Feature>,
    /// The users, by name. A user that a key names need not stand here.
    #[schemars(example = serde_json::json!({"ada": {"team": "support"}}))]
    pub users: BTreeMap<String, User>,
    /// Identity providers whose tokens are taken in place of keys, by name.
    #[schemars(example = serde_json::json!({"company": {
        "issuer": "https://login.example.com", "audiences": ["tollgate"], "jwks_url": "https://login.example.com/keys", "claims": {"team": "department"}
    }}))]
    pub issuers: BTreeMap<String, Issuer>,
    /// The callers' keys.
    #[schemars(example = serde_json::json!([{"name": "support-backend", "team": "support", "secret": "env:SUPPORT_KEY"}]))]
    pub keys: Vec<Key>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            listen: Address::loopback(8080),
            admin: Admin::default(),
            data_dir: PathBuf::from("./tollgate-data"),
            database: Database::default(),
            ledger: Ledger::default(),
            shared_state: SharedState::default(),
            server: Server::default(),
            time_zone: Zone::default(),
            providers: BTreeMap::new(),
            models: BTreeMap::new(),
            routes: BTreeMap::new(),
            router: Router::default(),
            limits: Vec::new(),
            budgets: Vec::new(),
            spending: Spending::default(),
            alerts: Alerts::default(),
            teams: BTreeMap::new(),
            features: BTreeMap::new(),
            users: BTreeMap::new(),
            issuers: BTreeMap::new(),
            keys: Vec::new(),
        }
    }
}

/// The admin plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"listen": "127.0.0.1:8081"}))]
pub struct Admin {
    /// Where the admin plane listens: an IP address and a port. It speaks no TLS: on another address than a loopback one, put something that
    /// does in front.
    pub listen: Address,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Address::loopback(8081),
        }
    }
}

/// Where limits, budgets and caches are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-not-yet" = ["redis://*", "rediss://*"]))]
pub enum SharedState {
    /// In this process.
    #[default]
    Embedded,
}

/// Bounds of the process itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"max_body": "32MiB", "drain": "10m"}))]
pub struct Server {
    /// The largest request body that is read; a larger one is refused with 413. From 1KiB to 1GiB.
    pub max_body: Size,
    /// How long new connections are still taken after SIGTERM, while `/readyz` already says 503: as long as a load balancer takes to
    /// notice. A few seconds in Kubernetes; nothing is lost by 0s where nobody asks `/readyz`. From 0s to 5m.
    pub drain_delay: Period,
    /// How long open exchanges may still run after that. From 0s to 24h.
    pub drain: Period,
    /// When new calls are turned away so that the others are served in time.
    pub overload: Overload,
    /// Worker threads; as many as there are cores when absent.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u16>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            max_body: Size::mebibytes(32),
            drain_delay: Period::seconds(0),
            drain: Period::seconds(600),
            overload: Overload::default(),
            workers: None,
        }
    }
}

/// What the keys of a team may call. `*` stands for any run of characters: `openai/*`, `support-*`, `"*"`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"routes": ["support-chat"], "models": ["openai/*"]}))]
pub struct Team {
    /// Names under `routes`, or patterns.
    pub routes: Vec<String>,
    /// Names under `models`, `provider/upstream-model`, or patterns.
    pub models: Vec<String>,
    /// The features that the team's callers may name; any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// Words of your own that limits and budgets can count by, as in `per: [tag:tier]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = serde_json::json!({"tier": "gold"}))]
    pub tags: BTreeMap<String, String>,
    /// Refuses all of the team's keys and tokens for now.
    pub disabled: bool,
    /// The lowest label of what its callers send; `public` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// A caller's key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "support-backend", "team": "support", "secret": "env:SUPPORT_KEY"}))]
pub struct Key {
    /// What the key is called in records and logs; each name once.
    #[schemars(example = &"support-backend")]
    pub name: String,
    /// A name under `teams`.
    #[schemars(example = &"support")]
    pub team: String,
    /// The user that calls are counted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The application or use case that calls are counted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The features that a call with this key may choose from, by the header `x-tollgate-feature`; `feature` alone when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// Words of your own, which stand above the team's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = serde_json::json!({"tier": "gold"}))]
    pub tags: BTreeMap<String, String>,
    /// Where the key itself is read from: any text of 8 or more printable characters.
    #[schemars(example = &"env:SUPPORT_KEY")]
    pub secret: SecretRef,
    /// The instant from which the key is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
    /// The instant before which the key is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Refuses the key for now.
    #[serde(default)]
    pub disabled: bool,
    /// Narrows the team's `routes`, written in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// Narrows the team's `models`, written in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// The networks that the key may be used from; any when absent.
    #[schemars(length(min = 1), example = serde_json::json!(["10.0.0.0/8"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_ips: Option<Vec<IpRange>>,
    /// What the key may be used for; everything when absent.
    #[schemars(length(min = 1), example = serde_json::json!(["chat"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// Calls at the same time.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// The lowest label of what is sent with it; the team's counts besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The highest label of what is sent with it; any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_label: Option<Label>,
    /// The highest `x-tollgate-priority`, 0 to 9, that counts over other callers when the process cannot serve all; from 8 on a call is
    /// critical: some room is kept for those, and only want of places or memory turns one away. Without it the header orders the calls of the key's own team only.
    #[serde(default)]
    #[schemars(range(max = 9))]
    pub priority_max: u8,
}
