//! The usual rig: simulated providers in this process, and a gateway in front of them with one provider per dialect (`openai` speaks
//! `openai_chat`, `anthropic` speaks `anthropic`) and one caller who may call everything.

use std::fmt::Write;

use serde_json::Value;
use tollgate_mock::{Mock, MockSettings, Script};

use crate::caller::Caller;
use crate::gateway::{Gateway, Settings};
use crate::read::Dialect;

/// The caller's key.
pub const CALLER_KEY: &str = "test-caller-key-0001";
/// The key at `openai`.
pub const OPENAI_KEY: &str = "provider-key-of-openai";
/// The key at `anthropic`.
pub const ANTHROPIC_KEY: &str = "provider-key-of-anthropic";

/// What a rig has beside the usual. Entries are lines of YAML, indented by two.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Top-level lines: `server: { … }`.
    pub head: String,
    /// Entries of `providers`; `MOCK` stands for the simulated providers' address.
    pub providers: String,
    /// Entries of `models`.
    pub models: String,
    /// Entries of `routes`.
    pub routes: String,
    /// Entries of `teams`.
    pub teams: String,
    /// Entries of `keys`.
    pub keys: String,
    /// The simulated providers' script, in TOML.
    pub script: String,
    /// How the process is started; its config is made here.
    pub settings: Settings,
}

/// A gateway in front of simulated providers.
pub struct Rig {
    /// The process.
    pub gateway: Gateway,
    /// The simulated providers.
    pub mock: Mock,
    /// Who calls.
    pub caller: Caller,
}

impl Plan {
    /// A plan with these routes.
    #[must_use]
    pub fn routes(routes: &str) -> Self {
        Self {
            routes: routes.to_owned(),
            ..Self::default()
        }
    }

    /// The config file's text, for simulated providers at that address.
    #[must_use]
    pub fn config(&self, mock: std::net::SocketAddr) -> String {
        // Nobody knows what the simulated models cost at these addresses.
        let spending = if self.head.contains("spending:") {
            ""
        } else {
            "spending: { allow_unpriced: true }\n"
        };
        // A test on a busy machine is about something else than its load.
        let overload = if self.head.contains("server:") {
            ""
        } else {
            "server: { overload: { shed: false } }\n"
        };
        let mut text = format!("{}\n{overload}{spending}providers:\n", self.head);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  openai: {{ base_url: \"http://{mock}/openai/v1\", dialect: openai_chat, credentials: [env:OPENAI_KEY] }}\n  \
           anthropic: {{ base_url: \"http://{mock}/anthropic\", dialect: anthropic, credentials: [env:ANTHROPIC_KEY] }}\n{}",
            self.providers.replace("MOCK", &mock.to_string())
        );
        for (name, entries) in [("models", &self.models), ("routes", &self.routes)] {
            if !entries.is_empty() {
                let _ = writeln!(text, "{name}:\n{entries}");
            }
        }
        let _ = writeln!(text, "teams:\n  all: {{ routes: [\"*\"], models: [\"*\"] }}\n{}", self.teams);
        let _ = writeln!(
            text,
            "keys:\n  - {{ name: tester, team: all, secret: env:CALLER_KEY }}\n{}",
            self.keys
        );
        text
    }

    /// Starts it.
    pub async fn start(&self) -> Rig {
        let mock = Mock::start(MockSettings {
            script: Script::parse(&self.script).unwrap(),
            ..MockSettings::default()
        })
        .await
        .unwrap();
        let mut settings = self.settings.clone();
        settings.config = Some(self.config(mock.addr()));
        for (name, value) in [
            ("CALLER_KEY", CALLER_KEY),
            ("OPENAI_KEY", OPENAI_KEY),
            ("ANTHROPIC_KEY", ANTHROPIC_KEY),
        ] {
            settings.env.push((name.to_owned(), value.to_owned()));
        }
        let gateway = tokio::task::spawn_blocking(move || Gateway::start(&settings)).await.unwrap();
        let caller = Caller::new(gateway.address, CALLER_KEY);
        Rig { gateway, mock, caller }
    }
}

impl Rig {
    /// The usual rig.
    pub async fn start() -> Self {
        Plan::default().start().await
    }

    /// The usual rig with these routes.
    pub async fn with_routes(routes: &str) -> Self {
        Plan::routes(routes).start().await
    }

    /// The last request that the simulated providers received.
    #[must_use]
    pub fn last_request(&self) -> Value {
        let page: Value = serde_json::from_str(&self.mock.requests_json(1)).unwrap();
        page["requests"][0].clone()
    }

    /// What the simulated providers received for this model, one line each.
    #[must_use]
    pub fn bill(&self, model: &str) -> Vec<Value> {
        let page: Value = serde_json::from_str(&self.mock.bill_json(false)).unwrap();
        let lines = page["requests"].as_array().unwrap().iter();
        lines.filter(|line| line["model"] == model).cloned().collect()
    }
}

/// The name of the usual provider of a dialect.
#[must_use]
pub fn provider_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "openai",
        Dialect::Anthropic => "anthropic",
    }
}
