//! What the admin plane works with: the database, the running gateway behind a trait, and what stands in the config file. Every change goes
//! through [`Control::mutate`]: it is in the database with its audit record, and in force here, before anybody is told that it was made.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::Value;
use tollgate_policy::health::Override;
use tollgate_policy::key::Peppers;
use tollgate_policy::switches;
use tollgate_store::database::audit::{Act, Signer};
use tollgate_store::database::decisions::Decision;
use tollgate_store::database::objects::{Change, Kind, Objects, Receipt};
use tollgate_store::database::{BoxFuture, Database, Error};
use tollgate_wire::fault::Fault;
use utoipa::ToSchema;

use crate::admin::state::State;
use crate::clock;
use crate::explain::{Explanation, Question};
use crate::reliability::Standing;

/// The file with the key of the audit log's checkpoints, in the data folder.
pub(crate) const AUDIT_KEY_FILE: &str = "audit.key";

/// All that the admin plane needs.
pub struct Control {
    /// The database.
    pub database: Database,
    /// The running gateway.
    pub live: Arc<dyn Refresh>,
    /// Digests of new secrets are made with these.
    pub peppers: Peppers,
    /// What stands in the config file: listed, and not to be changed here.
    pub config: ArcSwap<ConfigView>,
    /// The data folder, for `admin-token`.
    pub data: PathBuf,
    /// What the audit log's checkpoints are verified with; none: they are not.
    pub audit_key: Option<Vec<u8>>,
    /// Sessions, rates and replays: what the admin plane keeps in memory.
    pub(crate) state: State,
}

/// What the config file has of the things that the API has too. Each value has the members that a body of the API has.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "each is the resource of the same name")]
pub struct ConfigView {
    pub teams: Vec<Value>,
    pub users: Vec<Value>,
    pub keys: Vec<Value>,
    pub limits: Vec<Value>,
    pub budgets: Vec<Value>,
}

/// Something wrong with a value: where, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Flaw {
    /// The member, as in `amount`.
    pub path: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// How full a limit or budget is, for one combination of the values of its `per`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    /// Whose: `team=support`.
    pub scope: String,
    /// What is counted: `requests`, `tokens`, `nano_usd`, ….
    pub unit: String,
    /// How much is allowed now, increases included.
    pub limit: i64,
    /// How much is used.
    pub posted: i64,
    /// How much is held by requests under way.
    pub pending: i64,
    /// When it begins anew, in seconds since 1970; none: it slides, or never.
    pub resets_s: Option<i64>,
}

/// The running gateway, as the admin plane sees it.
pub trait Refresh: Send + Sync {
    /// Builds what is in memory (keys, rules, switches) anew from the database; when it is done, the change is in force.
    ///
    /// # Errors
    /// Why it is not in force: what was in force before still is.
    fn refresh(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Checks a limit or budget as the config file's check does.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn check_rule(&self, kind: Kind, rule: &Value) -> Result<(), Vec<Flaw>>;

    /// How full the limit or budget of that name is now.
    fn usage(&self, kind: Kind, name: &str) -> Vec<Usage>;

    /// Turns a kill switch on (or off, when told) without the database, which does not answer: in the local file and in memory. It is
    /// the gateway's to bring both together when the database is back.
    ///
    /// # Errors
    /// When not even that could be done.
    fn emergency<'a>(&'a self, switch: &'a switches::Switch, on: bool) -> BoxFuture<'a, Result<(), String>>;

    /// What would become of a request. Nothing is counted, held or sent.
    ///
    /// # Errors
    /// What is wrong with the question.
    fn explain(&self, question: &Question) -> Result<Explanation, Fault>;

    /// What was decided for a request, where it is kept.
    ///
    /// # Errors
    /// When the database does not answer.
    fn decision<'a>(&'a self, request: &'a str) -> BoxFuture<'a, Result<Option<Decision>, String>>;

    /// Sends a test alert to the webhook of the config; says where it went.
    ///
    /// # Errors
    /// Why it did not arrive.
    fn test_alert(&self) -> BoxFuture<'_, Result<String, String>>;

    /// How the canaries of a route do; `None`: there is no such route.
    fn release(&self, route: &str) -> Option<Value>;

    /// How the breakers of the deployments stand.
    fn reliability(&self) -> Vec<Standing>;

    /// Holds the breaker of a deployment open or closed, or lets it decide again; how it stands then. `None`: no such deployment.
    fn hold(&self, deployment: &str, held: Override) -> Option<Standing>;

    /// For `health`: the journal's position and lag, open holds, the config's revision.
    fn health(&self) -> Value;
}

impl Control {
    /// What the admin plane needs, from what the process has.
    #[must_use]
    pub fn new(database: Database, live: Arc<dyn Refresh>, peppers: Peppers, data: PathBuf) -> Self {
        Self {
            database,
            live,
            peppers,
            config: ArcSwap::default(),
            data,
            audit_key: None,
            state: State::new(now_ms()),
        }
    }

    /// Makes all changes or none, each with its audit record; when it returns they are in force here.
    ///
    /// # Errors
    /// The database's.
    pub async fn mutate(&self, changes: &[Change], act: &Act) -> Result<Receipt, Error> {
        let receipt = self.database.mutate(changes, act, now_ms()).await?;
        self.changed().await?;
        Ok(receipt)
    }

    /// To be called after each change.
    ///
    /// # Errors
    /// Unavailable: the change is stored, and not in force here.
    pub async fn changed(&self) -> Result<(), Error> {
        let refreshed = self.live.refresh().await;
        refreshed.map_err(|reason| Error::Unavailable(format!("the change is stored, and not in force here yet: {reason}")))
    }

    /// What the config file has of a kind.
    pub(crate) fn configured(&self, kind: Kind) -> Vec<Value> {
        let config = self.config.load();
        match kind {
            Kind::Team => config.teams.clone(),
            Kind::User => config.users.clone(),
            Kind::Key => config.keys.clone(),
            Kind::Limit => config.limits.clone(),
            Kind::Budget => config.budgets.clone(),
            _ => Vec::new(),
        }
    }
}

/// The time, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(clock::now().unix.as_millis()).unwrap_or(i64::MAX)
}

/// The key with which the audit log's checkpoints are signed: `audit.key` in the data folder, made when it is not there.
///
/// # Errors
/// It cannot be read or written, or is damaged.
pub fn audit_signer(folder: &Path) -> Result<Signer, String> {
    let path = folder.join(AUDIT_KEY_FILE);
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let seed = match std::fs::read(&path) {
        Ok(seed) => seed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed: [u8; 32] = rand::random();
            write_private(&path, &seed).map_err(|error| said(&error))?;
            seed.to_vec()
        }
        Err(error) => return Err(said(&error)),
    };
    Signer::new(&seed).map_err(|error| said(&error))
}

/// Writes a file whole, readable by its owner alone.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_extension(format!("new.{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}
