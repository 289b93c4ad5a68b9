//! Alerts from a real database to a receiver on a real socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod addresses;
mod delivery;
mod failures;
mod receiver;

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Opened, Party, Settlement};
use tollgate_policy::plan::Dice;
use tollgate_policy::windows::{Calendar, Window, Zone};
use tollgate_store::database::ledger::{Ledger, Position, Watch};
use tollgate_store::database::outbox::{Alert, Outbox};
use tollgate_store::database::{Database, Source};
use tollgate_upstream::client::{Client, ClientSettings};
use tollgate_upstream::tls::Tls;

use super::{Courier, Hook};
use crate::clock::{self, Now};
use crate::telemetry::Telemetry;
use crate::telemetry::logs::{Format, Log};
use crate::telemetry::metrics::Metrics;
use receiver::Receiver;

const SECRET: &str = "a-secret-that-signs-alerts-0123456789";
/// When the alerts' thresholds are passed: 2026-11-20T13:00:00.250Z.
const PASSED_MS: i64 = 1_795_179_600_250;
/// The first of November 2026, 00:00 UTC.
const NOVEMBER_S: i64 = 1_793_491_200;

/// An empty database, a clock that stands still, and what was logged.
struct Stage {
    folder: PathBuf,
    database: Database,
    /// What time it is.
    now_ms: Arc<AtomicI64>,
    /// How long ago the measuring clock says that it is: takes that much from the time of each attempt.
    behind_ms: Arc<AtomicU64>,
    logged: Logged,
}

#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Stage {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-alerts-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            database: Database::open(&Source::Folder(folder.clone())).await.unwrap(),
            folder,
            now_ms: Arc::new(AtomicI64::new(PASSED_MS)),
            behind_ms: Arc::default(),
            logged: Logged::default(),
        }
    }

    /// So many teams pass 80 % of their budget.
    async fn pass_thresholds(&self, teams: u64) {
        for team in 1..=teams {
            let account = AccountId(team.into());
            let opened = Opened {
                account,
                rule: "engineering".into(),
                scope: vec![("team".into(), format!("team-{team}"))],
            };
            let settlement = Settlement {
                request: format!("r{team}"),
                at_ms: u64::try_from(PASSED_MS).unwrap(),
                party: Party::default(),
                ended: Ended::Expired,
                postings: Vec::new(),
                charges: vec![Charge {
                    account,
                    window: NOVEMBER_S,
                    amount: 1_612_503_100_000,
                }],
                overrun: false,
                late: false,
            };
            let at = |number: u64| Position(0, i64::try_from(team * 2 + number).unwrap());
            let batch = [(at(0), Entry::Opened(opened)), (at(1), Entry::Settlement(settlement))];
            let watch = Watch {
                limit: 2_000_000_000_000,
                percents: vec![80, 100],
                rolling_s: None,
            };
            let applied = self.database.apply("j", &batch, &|_, _| Some(watch.clone())).await.unwrap();
            assert_eq!(applied.alerts, 1);
        }
    }

    fn courier(&self, hook: Option<&Arc<Hook>>, client: Client) -> Courier {
        let (now_ms, behind_ms) = (Arc::clone(&self.now_ms), Arc::clone(&self.behind_ms));
        Courier {
            outbox: Arc::new(self.database.clone()),
            hook: watch::channel(hook.cloned()).1,
            client,
            windows: Arc::new(|name| (name == "engineering").then_some((Window::Calendar(Calendar::Month), Zone::UTC))),
            nudge: Arc::new(Notify::new()),
            telemetry: Arc::new(Telemetry {
                log: Log::start(Format::Json, Box::new(self.logged.clone())),
                metrics: Metrics::default(),
                decisions: crate::explain::keep::Decisions::new(None),
            }),
            clock: Arc::new(move || Now {
                instant: clock::instant() - Duration::from_millis(behind_ms.load(Ordering::SeqCst)),
                unix: Duration::from_millis(u64::try_from(now_ms.load(Ordering::SeqCst)).unwrap()),
            }),
        }
    }

    /// One look into the outbox at a time of so many milliseconds after the thresholds were passed. How many were due.
    async fn look(&self, receiver: &Receiver, after_ms: i64) -> usize {
        let hook = receiver.hook();
        self.look_by(&self.courier(Some(&hook), client()), &hook, after_ms).await
    }

    async fn look_by(&self, courier: &Courier, hook: &Arc<Hook>, after_ms: i64) -> usize {
        self.now_ms.store(PASSED_MS + after_ms, Ordering::SeqCst);
        let stop = CancellationToken::new();
        courier.round(hook, &mut Dice::new(7), &stop).await.unwrap()
    }

    async fn alerts(&self) -> Vec<Alert> {
        self.database.alerts(1_000).await.unwrap()
    }

    /// Times of delivery, as milliseconds after the thresholds were passed.
    async fn delivered(&self) -> Vec<Option<i64>> {
        let after = |alert: Alert| alert.delivered_ms.map(|at| at - PASSED_MS);
        self.alerts().await.into_iter().map(after).collect()
    }

    /// What was logged, less the times. The log writes a moment later, and the last of it when it is dropped, as it was here.
    fn logged(&self) -> Vec<String> {
        let bytes = self.logged.0.lock().unwrap().clone();
        let line = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{}: {}", event["level"].as_str().unwrap(), event["message"].as_str().unwrap())
        };
        String::from_utf8(bytes).unwrap().lines().map(line).collect()
    }
}

fn settings() -> ClientSettings {
    ClientSettings::new(Arc::new(Tls::new(None).unwrap()))
}

fn client() -> Client {
    Client::new(settings())
}

/// Waits for what another task or thread is about to do.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
