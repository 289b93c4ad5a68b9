//! The running gateway as the admin plane sees it, and what keeps it in step with the database: keys, rules and kill switches are read
//! again after each change, and whenever another gateway changed them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tollgate_policy::accounts::Measure;
use tollgate_policy::health::Override;
use tollgate_policy::switches::{Mode, Switch, Switches};
use tollgate_store::database::decisions::Decision;
use tollgate_store::database::objects::{self, Kind, Listing, Objects, SwitchMode};
use tollgate_store::database::{BoxFuture, Database, Error};
use tollgate_store::files::DataDir;
use tollgate_store::journal::Position;
use tollgate_upstream::client::Client;
use tollgate_wire::fault::Fault;

use crate::admin::switches;
use crate::alerts::{self, Hook};
use crate::clock;
use crate::config::current::Current;
use crate::config::stored::Stored;
use crate::config::{labels, raw};
use crate::control::{ConfigView, Control, Flaw, Refresh, Usage};
use crate::explain::{Asked, Explanation, Question};
use crate::ledger::lock;
use crate::release;
use crate::reliability::{self, Standing};

/// How often the database is asked whether another gateway changed something.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Accounts of one rule that are listed.
const STANDINGS_MAX: usize = 1_000;
/// Switches that are read.
const SWITCHES_MAX: u32 = 1_000;

/// The running gateway.
pub struct Live {
    current: Arc<Current>,
    database: Database,
    data: DataDir,
    client: Client,
    hook: watch::Sender<Option<Arc<Hook>>>,
    applied: Arc<AtomicI64>,
    turn: tokio::sync::Mutex<()>,
    /// The config that the webhook was taken from.
    hook_of: Mutex<Option<Arc<str>>>,
}

impl Live {
    /// The gateway that has that config and that database. `applied` is how far the journal was carried.
    #[must_use]
    pub fn new(current: Arc<Current>, database: Database, data: DataDir, client: Client, applied: Arc<AtomicI64>) -> Arc<Self> {
        let live = Self {
            current,
            database,
            data,
            client,
            hook: watch::Sender::new(None),
            applied,
            turn: tokio::sync::Mutex::default(),
            hook_of: Mutex::default(),
        };
        live.renew_hook();
        Arc::new(live)
    }

    /// The webhook of the config, as it changes.
    #[must_use]
    pub fn hook(&self) -> watch::Receiver<Option<Arc<Hook>>> {
        self.hook.subscribe()
    }

    /// What the config file has of the things that the admin API has too.
    #[must_use]
    pub fn view(&self) -> ConfigView {
        view(&self.current.raw())
    }

    /// Looks for changes by others until it is told to stop.
    pub async fn follow(self: Arc<Self>, control: Arc<Control>, stop: CancellationToken) {
        let mut is_well = true;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            self.measure();
            if self.renew_hook() {
                control.config.store(Arc::new(self.view()));
            }
            let looked = match self.database.revision().await {
                Ok(revision) if revision == self.current.stored_revision() => Ok(()),
                Ok(_) => self.renew().await,
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = &looked
                && is_well
            {
                self.say("warn", &format!("keys, rules and switches stay as they are: {reason}"));
            }
            is_well = looked.is_ok();
        }
    }

    /// Says in the metrics how the ledger and the breakers stand.
    fn measure(&self) {
        let shared = self.current.shared();
        let metrics = &shared.telemetry.metrics;
        reliability::measure(&shared.config.load(), metrics);
        metrics.open_holds.set(i64::try_from(shared.books.open_holds()).unwrap_or(i64::MAX));
        if let Some(journal) = shared.books.journal() {
            let state = journal.state();
            let applied = Position::from_i64(self.applied.load(Ordering::Relaxed));
            metrics.journal_bytes.set(i64::try_from(state.bytes).unwrap_or(i64::MAX));
            metrics.ledger_behind.set(i64::from(applied < state.written));
        }
    }

    async fn renew(&self) -> Result<(), String> {
        let said = |error: Error| error.to_string();
        // One at a time: what was read later is also set later.
        let _turn = self.turn.lock().await;
        // First, so that nothing that is wrong elsewhere keeps a switch from being thrown.
        let switches = stored_switches(&self.database).await.map_err(said)?;
        self.current.shared().switches.set_stored(switches);
        let off = release::stored(&self.database).await.map_err(said)?;
        self.current.shared().config.load().memory.set_off(off);
        let stored = Stored::load(&self.database).await.map_err(said)?;
        for reason in &stored.ill {
            self.say("error", &format!("an object of the database does not count: {reason}"));
        }
        self.current.take_stored(stored)
    }

    /// Takes the webhook from the config, where that is another one than before; whether it is.
    fn renew_hook(&self) -> bool {
        let revision = Arc::clone(&self.current.shared().config.load().revision);
        if lock(&self.hook_of).replace(Arc::clone(&revision)) == Some(revision) {
            return false;
        }
        let raw = self.current.raw();
        let Some(webhook) = &raw.alerts.webhook else {
            self.hook.send_if_modified(|hook| hook.take().is_some());
            return true;
        };
        match self.current.with_world(|world| Hook::of(webhook, world)) {
            Ok(hook) => {
                self.hook.send_replace(Some(Arc::new(hook)));
            }
            Err(complaint) => self.say("error", &format!("alerts.webhook: {complaint}")),
        }
        true
    }

    fn say(&self, level: &'static str, message: &str) {
        self.current.shared().telemetry.log.event(level, message);
    }
}

impl Refresh for Live {
    fn refresh(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let renewed = self.renew().await;
            if let Err(reason) = &renewed {
                self.say("error", &format!("a change is in the database, and not in force yet: {reason}"));
            }
            renewed
        })
    }

    fn check_rule(&self, kind: Kind, rule: &Value) -> Result<(), Vec<Flaw>> {
        let list = if kind == Kind::Budget { "budgets" } else { "limits" };
        let place = format!("{list}[0]");
        self.current.check_rule(list, rule).map_err(|problems| {
            let flaws = problems.into_iter().map(|problem| Flaw {
                path: problem
                    .path
                    .strip_prefix(&place)
                    .unwrap_or_default()
                    .trim_start_matches('.')
                    .to_owned(),
                reason: problem.reason,
                remedy: problem.remedy.unwrap_or_default(),
            });
            flaws.collect()
        })
    }

    fn usage(&self, _kind: Kind, name: &str) -> Vec<Usage> {
        let shared = self.current.shared();
        let config = shared.config.load_full();
        let rules = &config.spending.rules;
        let Some(rule) = rules.named(name) else { return Vec::new() };
        let now_ms = u64::try_from(clock::now().unix.as_millis()).unwrap_or(0);
        let standings = shared.books.accounts().standings(now_ms, rules, rule, STANDINGS_MAX);
        let usage = standings.into_iter().map(|standing| Usage {
            scope: standing
                .scope
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(","),
            unit: match standing.measure {
                Measure::Money => "nano_usd".into(),
                measure => measure.name().into(),
            },
            limit: standing.limit,
            posted: standing.posted,
            pending: standing.pending,
            resets_s: standing.resets_at_ms.and_then(|at| i64::try_from(at / 1000).ok()),
        });
        usage.collect()
    }

    fn emergency<'a>(&'a self, switch: &'a Switch, on: bool) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut local = self.data.switches().map_err(|error| error.to_string())?;
            if on {
                local.turn_on(switch.clone()).map_err(|error| error.to_string())?;
            } else {
                local.turn_off(switch.scope, &switch.value);
            }
            self.data.keep_switches(&local).map_err(|error| error.to_string())?;
            self.current.shared().switches.set_local(local);
            Ok(())
        })
    }

    fn explain(&self, question: &Question) -> Result<Explanation, Fault> {
        let shared = self.current.shared();
        let config = shared.config.load_full();
        question.answer(Asked {
            config: &config,
            books: &shared.books,
            switches: &shared.switches,
            now: clock::now(),
        })
    }

    fn decision<'a>(&'a self, request: &'a str) -> BoxFuture<'a, Result<Option<Decision>, String>> {
        Box::pin(self.current.shared().telemetry.decisions.find(request))
    }

    fn test_alert(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async {
            let Some(hook) = self.hook.borrow().clone() else {
                return Err("no webhook is configured; add alerts.webhook to the config file".to_owned());
            };
            let sent = alerts::test(&hook, &self.client, clock::now()).await;
            sent.map(|()| format!("{hook:?}")).map_err(|error| error.to_string())
        })
    }

    fn release(&self, route: &str) -> Option<Value> {
        let config = self.current.shared().config.load_full();
        let named = self.current.raw().routes.contains_key(route);
        let now_ms = u64::try_from(clock::now().unix.as_millis()).unwrap_or(0);
        named.then(|| config.memory.view(route, now_ms))
    }

    fn reliability(&self) -> Vec<Standing> {
        reliability::standings(&self.current.shared().config.load())
    }

    fn hold(&self, deployment: &str, held: Override) -> Option<Standing> {
        let (before, after) = reliability::hold(&self.current.shared().config.load(), deployment, held)?;
        self.say(
            "warn",
            &format!("the breaker of {deployment} is held {}, before that {}", after.held, before.held),
        );
        Some(after)
    }

    fn health(&self) -> Value {
        let shared = self.current.shared();
        let journal = shared.books.journal().map(|journal| journal.state());
        let applied = Position::from_i64(self.applied.load(Ordering::Relaxed));
        json!({
            "config": shared.config.load().revision.to_string(),
            "open_holds": shared.books.open_holds(),
            "journal": journal.map(|state| json!({
                "written": state.written.to_string(),
                "applied": applied.to_string(),
                "behind": applied < state.written,
                "bytes": state.bytes,
                "segments": state.segments,
                "failing": state.failing,
            })),
        })
    }
}

/// The switches that the database has.
async fn stored_switches(database: &Database) -> Result<Switches, Error> {
    let listing = Listing {
        limit: SWITCHES_MAX,
        ..Listing::default()
    };
    let mut all = Switches::default();
    for object in database.list(Kind::Switch, &listing).await? {
        let switch: objects::Switch = object.read()?;
        // What the API has taken is complete.
        let _ = all.turn_on(Switch {
            scope: switches::scope(switch.scope),
            value: switch.value,
            mode: match switch.mode {
                SwitchMode::BlockNew => Mode::BlockNew,
                SwitchMode::AbortInflight => Mode::AbortInflight,
            },
            reason: switch.reason,
            actor: "admin API".to_owned(),
            at: u64::try_from(object.created_ms / 1000).unwrap_or(0),
        });
    }
    Ok(all)
}

/// A label may be typed as a map; the API has it as text.
fn labels_as_text(fields: &mut serde_json::Map<String, Value>) {
    for name in ["label", "max_label"] {
        let typed = fields
            .get(name)
            .and_then(|typed| serde_json::from_value::<raw::Label>(typed.clone()).ok());
        if let Some(typed) = typed {
            fields.insert(name.to_owned(), labels::label(&typed).to_string().into());
        }
    }
}

/// What the file has, in the shape of the API's bodies; secrets are not among it.
fn view(raw: &raw::Raw) -> ConfigView {
    let named = |name: &str, value: Value| {
        let mut value = value;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("name".into(), name.into());
            fields.remove("secret");
            labels_as_text(fields);
        }
        value
    };
    fn json<T: serde::Serialize>(value: &T) -> Value {
        serde_json::to_value(value).unwrap_or_default()
    }
    fn all<T: serde::Serialize>(entries: &BTreeMap<String, T>, named: impl Fn(&str, Value) -> Value) -> Vec<Value> {
        entries.iter().map(|(name, entry)| named(name, json(entry))).collect()
    }
    ConfigView {
        teams: all(&raw.teams, named),
        users: all(&raw.users, named),
        keys: raw.keys.iter().map(|key| named(&key.name, json(key))).collect(),
        limits: raw.limits.iter().map(json).collect(),
        budgets: raw.budgets.iter().map(json).collect(),
    }
}
