//! What may be typed about limits, budgets, alerts and prices.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::{Decimal, Dimension, HookUrl, Money, Period, Rate, SecretRef, Share, Size, Window, Zone};

/// A limit: who is counted together, over what, how much, and what then. All windows slide: in none of that length do more than so many
/// pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "fair use", "per": ["user"], "requests": "1000/hour"}))]
pub struct Limit {
    /// What the limit is called in answers and records; each name once, budgets included. Usage belongs to the name: another name begins
    /// at zero.
    #[schemars(length(min = 1), example = &"fair use")]
    pub name: String,
    /// Who is counted together: each team, user, key, feature, route, model, provider or `tag:NAME` by itself. Several: each combination.
    /// None: everybody together.
    #[serde(default)]
    pub per: Vec<Dimension>,
    /// A CEL condition on the call; the limit holds only where it is true.
    #[schemars(length(min = 1), example = &"team == \"support\"")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Calls, as in `1000/hour`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Tokens, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Rate>,
    /// Input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<Rate>,
    /// Output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<Rate>,
    /// Calls at the same time.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// What happens to a call beyond the limit: `reject`, `queue: 20s`, or `downgrade` to other models.
    #[serde(default)]
    pub on_exceed: OnExceed,
}

/// A budget: who spends together, how much, in which window, and what then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"name": "team month", "per": ["team"], "amount": "2000 USD", "window": "month"}))]
pub struct Budget {
    /// What the budget is called in answers and records; each name once, limits included. Spend belongs to the name: another name begins
    /// at zero.
    #[schemars(length(min = 1), example = &"team month")]
    pub name: String,
    /// Who spends together: each team, user, key, feature, route, model, provider or `tag:NAME` by itself. Several: each combination.
    /// None: everybody together.
    #[serde(default)]
    pub per: Vec<Dimension>,
    /// A CEL condition on the call; the budget holds only where it is true.
    #[schemars(length(min = 1), example = &"feature == \"chat\"")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// How much, as in `2000 USD`.
    pub amount: Money,
    /// When it begins anew: `day`, `week`, `month`, `quarter`, `never`; `rolling 30d`; or `request`, for each call by itself.
    pub window: Window,
    /// Whose days, weeks and months: a zone such as `Europe/Berlin`; `time_zone` of the file when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// The day on which a `week` begins.
    #[serde(default)]
    pub week_starts: Weekday,
    /// Shares of the amount that are told to `alerts.webhook`, once per window.
    #[serde(default = "alerts_at")]
    pub alerts: Vec<Share>,
    /// From this share on, the models of `downgrade` are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downgrade_at: Option<Share>,
    /// Which model stands in for which, where it can do what the call needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(example = serde_json::json!({"openai/gpt-4o": "openai/gpt-4o-mini"}))]
    pub downgrade: BTreeMap<String, String>,
    /// What happens to a call that would go beyond it: `block`, or `downgrade` to other models.
    #[serde(default = "OnExceed::block")]
    pub on_exceed: OnExceed,
    /// Lowers a call's output cap to what is left instead of refusing it, down to 64 tokens.
    #[serde(default)]
    pub clamp_to_budget: bool,
}

/// The shares that are told of a budget that names none.
fn alerts_at() -> Vec<Share> {
    [50, 80, 100].map(Share::percent).to_vec()
}

/// The day on which a week begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// As ISO 8601 has it.
    #[default]
    Monday,
    /// As in North America.
    Sunday,
    /// As in much of the Middle East.
    Saturday,
}

/// What happens beyond a limit or budget: a word, or a map with one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OnExceed {
    /// A word.
    Word(OnExceedWord),
    /// A map.
    Map(OnExceedMap),
}

impl OnExceed {
    fn block() -> Self {
        Self::Word(OnExceedWord::Block)
    }
}

impl Default for OnExceed {
    fn default() -> Self {
        Self::Word(OnExceedWord::Reject)
    }
}

impl JsonSchema for OnExceed {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OnExceed".into()
    }

    // Not `anyOf`: what is wrong is then said of the form that was written.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (map, word) = (generator.subschema_for::<OnExceedMap>(), generator.subschema_for::<OnExceedWord>());
        schemars::json_schema!({
            "description": "What happens beyond it: reject or block, { queue: 20s }, or { downgrade: [models] }.",
            "if": { "type": "object" }, "then": map, "else": word
        })
    }
}

/// The call is refused. The two words mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExceedWord {
    /// The call is refused.
    Reject,
    /// The call is refused.
    Block,
}

/// The call waits, or gets another model. One of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"queue": "20s"}))]
pub struct OnExceedMap {
    /// How long a call may wait for its turn; of limits alone. From 1ms to 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Period>,
    /// The models that stand in, in this order; the call is refused where none of them may.
    #[schemars(length(min = 1), example = serde_json::json!(["openai/gpt-4o-mini"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downgrade: Option<Vec<String>>,
}

/// Who is told when a budget's threshold is passed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"webhook": {"url": "https://hooks.example.com/tollgate", "secret": "env:ALERT_SECRET"}}))]
pub struct Alerts {
    /// An address that each alert is posted to, signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// Where alerts are posted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address.
    pub url: HookUrl,
    /// What signs the alerts: 32 or more characters.
    #[schemars(example = &"env:ALERT_SECRET")]
    pub secret: SecretRef,
    /// Lets the address be on this machine or a private network, also where a name stands for it.
    #[serde(default)]
    pub allow_private: bool,
}

/// How spending is treated where no budget says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"output_cap": 4096, "over_budget_status": 402}))]
pub struct Spending {
    /// The most output tokens of a call that names no cap of its own; sent to the provider.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub output_cap: u32,
    /// Lets models be called although nobody knows what they cost, wherever they are; they then count as free. Also to be had for one
    /// provider or one model.
    pub allow_unpriced: bool,
    /// The status of a call that a budget refuses: 402, which official SDKs do not try again; or 429, as some tools expect.
    #[schemars(range(min = 402, max = 429))]
    pub over_budget_status: u16,
}

impl Default for Spending {
    fn default() -> Self {
        Self {
            output_cap: 4_096,
            allow_unpriced: false,
            over_budget_status: 402,
        }
    }
}

/// How holds and settlements are written down before anybody is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"durability": "process", "journal_max": "16GiB"}))]
pub struct Ledger {
    /// What an acknowledged entry survives.
    pub durability: Durability,
    /// How long the ledger's rows are kept, in whole months of arrival; roll-ups and balances stay. From 30d.
    pub retention: Period,
    /// The journal's bound while the database is away; beyond it calls are refused. From 64MiB to 1024GiB.
    pub journal_max: Size,
    /// How long it is kept why each request went where it did, for `tollgate explain req_…`. 0s: it is not written down. Up to 400d.
    pub decisions: Period,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            retention: Period::seconds(400 * 86_400),
            journal_max: Size::mebibytes(16 * 1024),
            decisions: Period::seconds(30 * 86_400),
        }
    }
}

/// What an acknowledged entry of the ledger survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The end of the process, however it ends; a power cut may cost the last second.
    #[default]
    Process,
    /// A power cut, too; each call waits for the disk twice.
    Power,
    /// Nothing: spend is counted in memory, and forgotten with the process. For load tests.
    None,
}

/// A price of our own, in place of the catalog's: USD per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"input": 0.05, "output": 0.08}))]
pub struct Price {
    /// Input tokens.
    #[schemars(example = &0.05)]
    pub input: Decimal,
    /// Output tokens.
    #[schemars(example = &0.08)]
    pub output: Decimal,
    /// Input tokens read from the provider's prompt cache; as `input` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Decimal>,
    /// Input tokens written to the provider's prompt cache for five minutes; as `input` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<Decimal>,
    /// Input tokens written to the provider's prompt cache for an hour; as `cache_write_5m` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<Decimal>,
    /// What each call costs besides, in USD per million calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Decimal>,
}
