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
pub(super) mod release;
mod resilience;
mod resorts;
mod router;
mod routing;
mod rules;

pub use callers::{Claims, Issuer, Scope, User};
pub use labels::{Clearance, ClearanceMap, Feature, Label, LabelMap, Level};
pub use overload::Overload;
pub use release::{Compare, LoopAction, OnLoop, Reviewers, Risk, Shadow, Stage, Status};
pub use resilience::{Breaker, FallbackOn, Hedge, Retry, Timeouts};
pub use resorts::{LastResort, LastResorts, Reduce, Review};
pub use router::{Router, Tiers};
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

/// One vendor or endpoint that answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(
    extend("x-not-yet" = ["region"]),
    example = serde_json::json!({"credentials": ["env:OPENAI_API_KEY"]})
)]
pub struct Provider {
    /// The provider's keys: one, or a pool that calls are spread over.
    pub credentials: Vec<SecretRef>,
    /// What the official SDK of the dialect calls base URL: OpenAI with `/v1`, Anthropic the bare origin. A path prefix is kept.
    /// Replaces the catalog's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// The wire format that the endpoint speaks. Needed for a name that is not in the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// How a credential is sent: `bearer`, `header:NAME` or `none`. The catalog knows it; otherwise the dialect's own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What it bills for a call that is broken off because its caller left; the catalog knows it for some vendors, else `partial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_on_cancel: Option<BillingOnCancel>,
    /// Lets its models be called although nobody knows what they cost; they then count as free.
    pub allow_unpriced: bool,
    /// What the vendor takes off its prices for us, up to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Share>,
    /// What is put on top of the vendor's prices, behind the discount, up to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<Share>,
    /// What data may be sent there: a level, or a map that says where it stands and who works there. `confidential` when absent, and then
    /// nothing that is kept to compartments, regions or processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clearance: Option<Clearance>,
}

/// What a vendor bills for a call whose caller left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BillingOnCancel {
    /// All of it: a stream is then read to its end, for a minute at most, so that what is posted is what is billed.
    Full,
    /// The input, and what was generated until then.
    Partial,
    /// Nothing, as long as nothing of the answer has come.
    None,
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-not-yet" = ["openai_responses", "gemini", "bedrock", "cohere"]))]
pub enum Dialect {
    /// OpenAI Chat Completions, spoken by most vendors and local servers.
    OpenaiChat,
    /// Anthropic Messages.
    Anthropic,
}

/// A model of ours: a short name for one model at one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"provider": "openai", "upstream_model": "gpt-4o"})
)]
pub struct Model {
    /// A name under `providers`.
    #[schemars(example = &"openai")]
    pub provider: String,
    /// What the provider calls the model; our own name for it when absent.
    #[schemars(length(min = 1), example = &"gpt-4o")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_model: Option<String>,
    /// The team that answers for the model; shown, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it costs, in USD per million tokens; the catalog's price when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Lets the model be called although nobody knows what it costs; it then counts as free.
    #[serde(default)]
    pub allow_unpriced: bool,
    /// What data may be sent to it, by whichever name it is asked for. Each part that is named stands in place of the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clearance: Option<Clearance>,
    /// How far it is approved. `deprecated` is told with each answer, `retired` is not called; routes of high risk take `approved` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// What applications ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    extend("x-not-yet" = [
        "guardrails", "cache"
    ]),
    example = serde_json::json!({"strategy": "pinned", "targets": [{"model": "openai/gpt-4o"}]})
)]
pub struct Route {
    /// What the route is for, in a few words. A route without one gets a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The team that answers for the route. A route without one gets a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The most sensitive data that the route may carry: every target and fallback must be cleared for it, and a call above it is refused.
    /// When absent, any that one of its models is cleared for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// How a target is chosen.
    #[serde(default)]
    pub strategy: Strategy,
    /// What keeps calls at one target, with `strategy: weighted`; a call that does not say is drawn by dice. Each target still gets its share,
    /// and one that comes or goes moves no others' calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// The rules of `strategy: rules`, in the place of targets: the first that holds says which models are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), example = serde_json::json!([{"when": "input_tokens < 400", "use": ["openai/gpt-4o-mini"]}, {"use": ["openai/gpt-4o"]}]))]
    pub rules: Vec<Rule>,
    /// The models that serve the route: one for `pinned`, none for `rules` and for `complexity`, whose models are in `tiers`, any number for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), example = serde_json::json!([{"model": "openai/gpt-4o"}]))]
    pub targets: Vec<Target>,
    /// Models by the strength that a request needs, for `complexity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Tiers>,
    /// Models to try in this order when the chosen target fails.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["anthropic/claude-sonnet-4-5"]))]
    pub fallbacks: Vec<String>,
    /// Which failures move on to the next model.
    #[serde(default = "fallback_on")]
    pub fallback_on: Vec<FallbackOn>,
    /// How often a call is tried.
    #[serde(default)]
    pub retry: Retry,
    /// How long each phase of a call may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When a model that fails, or answers too slowly, is given a rest.
    #[serde(default)]
    pub breaker: Breaker,
    /// Asks the next model as well when an answer does not begin in time; whichever begins first answers, and the other is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
    /// The most that one call may cost, by what is held for it: a model that may cost more is not asked. With `over_cost` among
    /// `fallback_on` the next model is, otherwise the call is refused.
    #[schemars(example = &"0.05 USD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Money>,
    /// What happens when a model's wire format cannot carry something that the caller sent.
    #[serde(default)]
    pub on_loss: OnLoss,
    /// What a limit's refusal means for calls of this route, where the limit itself says no more than `reject`: `reject`, `queue: 10s`, or
    /// `downgrade` to other models. What the limit says comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_limit: Option<OnExceed>,
    /// What is done when every attempt has failed and nothing has reached the caller: one step, or a list that is tried in its order. The
    /// answer says in `x-tollgate-fallback` that it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_resort: Option<LastResorts>,
    /// How much depends on its answers: `low`, `medium` or `high`. A caller may raise it with `x-tollgate-risk`, and not lower it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Who gets the targets of the stage `reviewers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Reviewers>,
    /// Models that are tried on copies of its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = serde_json::json!([{"model": "openai/gpt-4.1", "sample": "2%"}]))]
    pub shadow: Vec<Shadow>,
    /// What happens when a caller asks nearly the same again and again; nobody looks when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_loop: Option<OnLoop>,
}

/// The failures that a fallback can help with whatever the caller sent.
fn fallback_on() -> Vec<FallbackOn> {
    vec![FallbackOn::Unavailable, FallbackOn::Timeout, FallbackOn::RateLimited]
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Always the one target.
    #[default]
    Pinned,
    /// By dice, in proportion to the weights; or by what `sticky` names.
    Weighted,
    /// The one at which this call is expected to cost least, by its size and by how long answers on this route are.
    Cheapest,
    /// The quicker of two that dice choose, by how long their answers took to begin of late. Failures count as slow answers, and who was slow is
    /// tried again as time passes.
    Fastest,
    /// The one with the fewest open calls.
    LeastBusy,
    /// Those that the first rule under `rules` names whose condition holds.
    Rules,
    /// By how hard the request is, as a small classifier sees it: see `tiers`.
    Complexity,
}

/// One model that serves a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"model": "openai/gpt-4o", "weight": 95})
)]
pub struct Target {
    /// A name under `models`, or `provider/upstream-model`.
    #[schemars(example = &"openai/gpt-4o")]
    pub model: String,
    /// The target's share against the other targets' weights. A whole number; 0 switches the target off.
    #[serde(default = "weight")]
    #[schemars(range(max = 1_000_000))]
    pub weight: u32,
    /// The route's `sticky`, written at the target that needs it, such as a canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// How far it is released.
    #[serde(default)]
    pub stage: Stage,
    /// Switches a canary off by itself: a condition on its last ten minutes, over `error_rate`, `block_rate`, `feedback` (shares from 0 to 1),
    /// `p95_ms`, `requests`, and the same of the stable targets with `stable_` in front. It is asked from 20 requests on.
    #[schemars(length(min = 1), example = &"error_rate > 0.05 || p95_ms > 8000")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_if: Option<String>,
    /// Of the stage `shadow` alone: of how many calls it gets a copy; 1% when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
}

/// The weight of a target that names none.
fn weight() -> u32 {
    1
}

/// What happens when a model's wire format cannot carry something that the caller sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// Send it without, and say so in `x-tollgate-loss`.
    #[default]
    Warn,
    /// Refuse the call.
    Reject,
    /// Choose another model of the route that carries it.
    Avoid,
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
