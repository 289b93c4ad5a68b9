//! Money and the end of the process (FAULTS 3.4): killed at any moment, started again on the same data folder. Beside it stand providers that
//! keep their bill, so that what the ledger says can be held against it to the nano-dollar.

mod damage;
mod database;
mod kills;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tollgate_mock::{Mock, MockSettings};
use tollgate_store::database::ledger::{Ledger, Page, Row};
use tollgate_store::database::{Database, Source};
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::CALLER_KEY;
use tollgate_tests::{Caller, Dialect, Gateway, Settings};

/// Callers at one time.
const CALLERS: u64 = 6;
/// Nano-dollars of a token, in and out: the catalog's price of `mock`.
const PRICE: (i64, i64) = (1_000, 2_000);

/// A data folder, the providers, and what callers have seen so far.
struct Site {
    mock: Arc<Mock>,
    data: Folder,
    /// More of the config file.
    head: String,
    seen: Arc<Seen>,
}

/// What callers have seen.
#[derive(Default)]
struct Seen {
    /// Every request has a model of its own, so that the bill tells them apart.
    asked: AtomicU64,
    /// Answers of which the last byte came: request id and model.
    complete: Mutex<Vec<(String, String)>>,
}

/// Callers that go on until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    running: JoinSet<()>,
}

impl Site {
    async fn new(head: &str) -> Self {
        Self {
            mock: Arc::new(Mock::start(MockSettings::default()).await.unwrap()),
            data: Folder::new(),
            head: head.to_owned(),
            seen: Arc::default(),
        }
    }

    /// The same on a copy of the data folder.
    fn copied(&self) -> Self {
        let data = Folder::new();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.data.path().join("."))
            .arg(data.path())
            .status();
        assert!(copied.unwrap().success());
        Self {
            mock: Arc::clone(&self.mock),
            data,
            head: self.head.clone(),
            seen: Arc::clone(&self.seen),
        }
    }

    fn settings(&self) -> Settings {
        let config = format!(
            "{}\nproviders:\n  mock: {{ base_url: \"http://{}/openai/v1\", dialect: openai_chat, credentials: [env:MOCK_KEY] }}\n\
             budgets:\n  - {{ name: purse, per: [team], amount: 1000000 USD, window: never }}\n\
             teams:\n  all: {{ routes: [\"*\"], models: [\"*\"] }}\n\
             keys:\n  - {{ name: tester, team: all, secret: env:CALLER_KEY }}\n",
            self.head,
            self.mock.addr()
        );
        Settings {
            config: Some(config),
            env: vec![
                ("CALLER_KEY".into(), CALLER_KEY.into()),
                ("MOCK_KEY".into(), "key-of-the-mock".into()),
            ],
            data: Some(self.data.path().to_owned()),
            ..Settings::default()
        }
    }

    async fn start(&self) -> Gateway {
        self.try_start()
            .await
            .unwrap_or_else(|said| unreachable!("it does not start:\n{said}"))
    }

    async fn try_start(&self) -> Result<Gateway, String> {
        let settings = self.settings();
        tokio::task::spawn_blocking(move || Gateway::try_start(&settings)).await.unwrap()
    }

    /// Callers who ask for whole answers and, three times of ten, for streams.
    fn load(&self, gateway: &Gateway) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for _ in 0..CALLERS {
            let (caller, seen, stop) = (Caller::new(gateway.address, CALLER_KEY), Arc::clone(&self.seen), Arc::clone(&stop));
            running.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if !seen.ask(&caller).await {
                        // The process is gone, or about to be.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        }
        Load { stop, running }
    }

    /// Asks until that many more answers have come.
    async fn answers(&self, gateway: &Gateway, count: usize) {
        let caller = Caller::new(gateway.address, CALLER_KEY);
        for _ in 0..count {
            assert!(self.seen.ask(&caller).await, "a call fails: {}", gateway.output());
        }
    }

    /// What the providers have received: by model, with input and output tokens and the outcome.
    fn bill(&self) -> BTreeMap<String, Value> {
        let page: Value = serde_json::from_str(&self.mock.bill_json(false)).unwrap();
        let lines = page["requests"].as_array().unwrap();
        lines
            .iter()
            .map(|line| (line["model"].as_str().unwrap().to_owned(), line.clone()))
            .collect()
    }

    /// The rows of the ledger: of a process that has ended, or by a second connection.
    async fn rows(&self, source: &Source) -> Vec<Row> {
        let database = Database::open(source).await.unwrap();
        let rows = rows(&database).await;
        database.close().await;
        rows
    }

    fn source(&self) -> Source {
        Source::Folder(self.data.path().to_owned())
    }

    /// Everything that must hold once all of the journal is in the database: FAULTS 3.4, I1 to I5 and I7.
    async fn check(&self, source: &Source) -> Vec<Row> {
        let database = Database::open(source).await.unwrap();
        let verified = database.verify().await.unwrap();
        assert_eq!(verified.flaw, None, "the ledger does not verify");
        let rows = rows(&database).await;
        let mut by_request: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        let mut by_model: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &rows {
            by_request.entry(&row.request).or_default().push(row);
            by_model
                .entry(row.model.strip_prefix("mock/").unwrap_or(&row.model))
                .or_default()
                .push(row);
        }
        let bill = self.bill();
        let complete = self.seen.complete.lock().unwrap().clone();
        for (request, model) in &complete {
            let row = match by_request.get(request.as_str()).map(Vec::as_slice) {
                Some([row]) => *row,
                found => unreachable!("i1: {request} ({model}) was answered, and the ledger has {found:?}"),
            };
            let line = &bill[model];
            let tokens = |name: &str| line[name].as_i64().unwrap();
            assert_eq!(row.ended, "posted", "i1: {row:?} {line}");
            let cost = tokens("input_tokens") * PRICE.0 + tokens("output_tokens") * PRICE.1;
            assert_eq!(row.totals.cost, cost, "the ledger is not the bill: {row:?} {line}");
        }
        let unnamed: Vec<&Row> = rows.iter().filter(|row| row.model.is_empty()).collect();
        for (model, line) in &bill {
            let holds = by_model.get(model.as_str()).map(Vec::len);
            assert_eq!(holds, Some(1), "i2: holds of {line}; without a model: {unnamed:?}");
        }
        for (request, rows) in &by_request {
            assert_eq!(rows.len(), 1, "i3: {request} has ended more than once: {rows:?}");
        }
        let journals: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.journal.as_str()).collect();
        for journal in journals {
            assert_eq!(database.open_holds(journal).await.unwrap(), [], "i4: holds are open");
        }
        let posted: i64 = database.balances(0).await.unwrap().iter().map(|balance| balance.posted).sum();
        let spent: i64 = rows.iter().map(|row| row.totals.cost).sum();
        assert_eq!(posted, spent, "i5: the balance of the budget is not the sum of the rows");
        database.close().await;
        rows
    }
}

impl Seen {
    /// One request; false: no whole answer came of it.
    async fn ask(&self, caller: &Caller) -> bool {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = number % 10 < 3;
        // The fault splits only what is longer than a number of a million bytes: it is there for its number.
        let base = if stream { "stream-20-2ms" } else { "lorem-20" };
        let model = format!("{base}+sse-split-{}", 1_000_000 + number);
        let body = Dialect::OpenAi.ask(&format!("mock/{model}"), "Say something.", stream);
        let Ok(mut live) = caller.try_open("POST", Dialect::OpenAi.path(), body.to_string().into()).await else {
            return false;
        };
        let id = live
            .headers
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let (bytes, broke) = live.rest().await;
        let ended = if stream {
            bytes.windows(6).any(|word| word == b"[DONE]")
        } else {
            broke.is_none()
        };
        let complete = live.status == 200 && ended;
        if complete {
            self.complete.lock().unwrap().push((id, model));
        }
        complete
    }
}

impl Load {
    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.running.join_next().await.is_some() {}
    }
}

async fn rows(database: &Database) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = Page {
            before: rows.last().map(|row| row.seq),
            limit: 1_000,
            ..Page::default()
        };
        let more = database.rows(&page).await.unwrap();
        if more.is_empty() {
            return rows;
        }
        rows.extend(more);
    }
}

/// Lets it end as an orchestrator does: everything is in the database then.
async fn stop(mut gateway: Gateway) {
    gateway.terminate();
    let began = Instant::now();
    while gateway.is_alive() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not stop: {}", gateway.output());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // However soon it was told: an end that nobody heard of would leave the last of the journal to the next start.
    gateway.line_with("SIGTERM: not ready any more").await;
}

/// The last segment of the journal.
fn last_segment(data: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(data.join("journal")).unwrap();
    let segments = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "seg"));
    segments.max().unwrap()
}
