//! What runs beside the requests, on the control runtime: the journal's way to the database, alerts, what other gateways change, and what the
//! admin plane works with.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tollgate_store::database::audit::{Audit, Signer};
use tollgate_store::database::decisions::Decisions as _;
use tollgate_store::database::ledger::Ledger as _;
use tollgate_store::database::reviews::Reviews as _;
use tollgate_store::database::{BoxFuture, Database, Error};
use tollgate_store::files::DataDir;
use tollgate_upstream::client::{Client, ClientSettings};
use tollgate_upstream::tls::Tls;

use crate::admin::{Prepared, prepare};
use crate::alerts::{self, Courier};
use crate::clock;
use crate::config::current::Current;
use crate::control::{Control, Refresh, audit_signer};
use crate::exchange::Shared;
use crate::explain::keep::Decisions;
use crate::ledger::{self, Shipper};
use crate::live::Live;
use crate::overload::memory::{self, Bound};
use crate::release::Keeper;
use crate::shadow::Runner;
use crate::telemetry::Telemetry;

/// How long the last of the journal may take to reach the database; what is left is taken up by the next start.
const SHIP_GRACE: Duration = Duration::from_secs(5);
/// How often old rows of the ledger are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(3_600);
/// Between two parts of what is dropped.
const RETAIN_PAUSE: Duration = Duration::from_millis(200);
/// How often the audit log is asked whether a checkpoint is due.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// What runs beside the requests.
pub(super) struct Background {
    /// What the admin plane works with.
    pub(super) control: Arc<Control>,
    /// What is shown at the start.
    pub(super) prepared: Prepared,
    tasks: TaskTracker,
    ending: CancellationToken,
    client: Client,
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// When a file of the data folder cannot be read or written.
    pub(super) fn start(runtime: &Runtime, current: &Arc<Current>, database: &Database, data: &DataDir) -> Result<Self, String> {
        let shared = current.shared();
        let (tasks, ending) = (TaskTracker::new(), CancellationToken::new());
        let tls = Tls::new(None).map_err(|error| error.to_string())?;
        let client = Client::new(ClientSettings::new(Arc::new(tls)));
        let applied = ledger::progress();
        let nudge = Arc::new(Notify::new());
        if let Some(journal) = shared.books.journal() {
            let shipper = Shipper::new(database.clone(), Arc::clone(journal), Arc::clone(shared), Arc::clone(&applied));
            tasks.spawn_on(shipper.run(ending.clone()), runtime.handle());
        }
        tasks.spawn_on(Decisions::run(Arc::clone(shared), ending.clone()), runtime.handle());
        let following = shared
            .switches
            .clone()
            .follow(data.clone(), Arc::clone(&shared.telemetry), ending.clone());
        tasks.spawn_on(following, runtime.handle());
        let live = Live::new(Arc::clone(current), database.clone(), data.clone(), client.clone(), applied);
        let courier = Courier {
            outbox: Arc::new(database.clone()),
            hook: live.hook(),
            client: client.clone(),
            windows: windows(current),
            nudge,
            telemetry: Arc::clone(&shared.telemetry),
            clock: Arc::new(clock::now),
        };
        tasks.spawn_on(alerts::run(courier, ending.clone()), runtime.handle());
        let signer = audit_signer(data.path())?;
        let public_key = signer.public_key();
        let checkpoints = checkpoints(database.clone(), signer, Arc::clone(&shared.telemetry));
        let stopped = ending.clone();
        tasks.spawn_on(
            async move {
                stopped.run_until_cancelled(checkpoints).await;
            },
            runtime.handle(),
        );
        let retention = retention(database.clone(), Arc::clone(current));
        let stopped = ending.clone();
        tasks.spawn_on(
            async move {
                stopped.run_until_cancelled(retention).await;
            },
            runtime.handle(),
        );
        let keeper = Keeper {
            memory: Arc::clone(&shared.config.load().memory),
            database: database.clone(),
            telemetry: Arc::clone(&shared.telemetry),
        };
        tasks.spawn_on(keeper.run(ending.clone()), runtime.handle());
        let shadows = Runner {
            shared: Arc::clone(shared),
            client: client.clone(),
        };
        tasks.spawn_on(shadows.run(ending.clone()), runtime.handle());
        let peppers = data.peppers().map_err(|error| error.to_string())?;
        let refresh: Arc<dyn Refresh> = Arc::clone(&live) as Arc<dyn Refresh>;
        let mut control = Control::new(database.clone(), refresh, peppers, data.path().to_owned());
        control.audit_key = Some(public_key);
        control.config.store(Arc::new(live.view()));
        let control = Arc::new(control);
        let prepared = runtime.block_on(async {
            live.refresh().await?;
            prepare(&control).await
        })?;
        tasks.spawn_on(live.follow(Arc::clone(&control), ending.clone()), runtime.handle());
        Ok(Self {
            control,
            prepared,
            tasks,
            ending,
            client,
        })
    }

    /// Watches how much memory there is, where there is a bound.
    pub(super) fn watch_memory(&self, runtime: &Runtime, bound: Option<Bound>, shared: &Arc<Shared>) {
        if let Some(bound) = bound {
            let following = memory::follow(bound, Arc::clone(shared), self.ending.clone());
            self.tasks.spawn_on(following, runtime.handle());
        }
    }

    /// Ends it; what is in the journal reaches the database, if that answers.
    pub(super) async fn stop(self, database: &Database) {
        self.ending.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(SHIP_GRACE, self.tasks.wait()).await;
        self.client.close(Duration::from_secs(1)).await;
        database.close().await;
    }
}

/// The window of a budget by its name, as the config is at the time.
fn windows(current: &Arc<Current>) -> alerts::Windows {
    let shared = Arc::clone(current.shared());
    Arc::new(move |name| {
        let config = shared.config.load_full();
        let budget = config.spending.rules.budgets().iter().find(|budget| budget.name == name)?;
        Some((budget.window, budget.zone.clone()))
    })
}

/// Drops what is older than the config wants it kept, a part at a time.
async fn retention(database: Database, current: Arc<Current>) {
    loop {
        tokio::time::sleep(RETAIN_EVERY).await;
        let now = clock::now().unix;
        let ms = |kept| i64::try_from(now.saturating_sub(kept).as_millis()).unwrap_or(0);
        let before_ms = ms(current.raw().ledger.retention.get());
        let rows = in_parts(|| database.retain(before_ms)).await;
        let decisions_before_ms = ms(current.shared().config.load().decisions_kept);
        let decisions = in_parts(|| database.forget(decisions_before_ms)).await;
        let reviews = database.expire(ms(Duration::ZERO)).await;
        if let Err(error) = rows.and(decisions).and(reviews) {
            let log = &current.shared().telemetry.log;
            log.event(
                "warn",
                &format!("old rows of the ledger, decisions or reviews stay for now: {error}"),
            );
        }
    }
}

/// Does something again and again until there is no more of it.
async fn in_parts<'a>(part: impl Fn() -> BoxFuture<'a, Result<bool, Error>>) -> Result<(), Error> {
    while part().await? {
        tokio::time::sleep(RETAIN_PAUSE).await;
    }
    Ok(())
}

/// Signs the audit log's head from time to time.
async fn checkpoints(database: Database, signer: Signer, telemetry: Arc<Telemetry>) {
    let mut is_well = true;
    loop {
        tokio::time::sleep(CHECKPOINT_EVERY).await;
        let now_ms = i64::try_from(clock::now().unix.as_millis()).unwrap_or(0);
        let signed = database.checkpoint(&signer, now_ms).await;
        if let Err(error) = &signed
            && is_well
        {
            telemetry.log.event("warn", &format!("the audit log's checkpoint waits: {error}"));
        }
        is_well = signed.is_ok();
    }
}
