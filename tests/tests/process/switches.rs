//! Kill switches (GOVERNANCE section 6): written into the file of the data folder, with no admin plane and no database involved. New calls
//! are refused; those under way end within a second where the switch says so, also where their provider, or their caller, is silent.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tollgate_tests::gateway::Folder;
use tollgate_tests::http2::{Frames, INITIAL_WINDOW, kind};
use tollgate_tests::provider::Endless;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Answer, Caller, Dialect, Rig, Settings};

/// The requirement is a second; the rest is a busy machine's.
const WITHIN: Duration = Duration::from_millis(2_500);
/// The key of whom the switches are for.
const MARKED_KEY: &str = "marked-key-00000001";
/// Ways to be under way: a stream that flows, one whose provider has fallen silent, and an answer that does not begin.
const ROUTES: [(&str, &str, bool); 3] = [
    ("flow", "stream-2000-10ms", true),
    ("quiet", "lorem-50+stall-after-3-chunks", true),
    ("slow", "lorem-1+slow-first-byte-20s", false),
];

struct Stage {
    rig: Rig,
    marked: Caller,
    file: PathBuf,
    /// Outlives a restart.
    data: Folder,
}

async fn stage(providers: String, more: &str) -> Stage {
    let data = Folder::new();
    let folder = data.path().to_owned();
    let mut routes: String = ROUTES
        .iter()
        .map(|(route, model, _)| format!("  {route}: {{ targets: [{{ model: openai/{model} }}] }}\n"))
        .collect();
    routes += "  echo: { targets: [{ model: openai/echo }] }\n  other: { targets: [{ model: anthropic/stream-1999-10ms }] }\n";
    let plan = Plan {
        providers,
        routes: routes + more,
        teams: "  t: { routes: [\"*\"], models: [\"*\"] }".into(),
        keys: "  - { name: k, team: t, user: u, feature: f, secret: env:MARKED_KEY }".into(),
        settings: Settings {
            env: vec![("MARKED_KEY".into(), MARKED_KEY.into())],
            data: Some(folder.clone()),
            ..Settings::default()
        },
        ..Plan::default()
    };
    let rig = plan.start().await;
    let marked = Caller::new(rig.gateway.address, MARKED_KEY);
    Stage {
        rig,
        marked,
        file: folder.join("switches.json"),
        data,
    }
}

impl Stage {
    /// Turns on exactly those.
    fn switch(&self, switches: &[(&str, String)], mode: &str) {
        let list: Vec<Value> = switches
            .iter()
            .map(|(scope, value)| match value.as_str() {
                "" => json!({"scope": scope, "mode": mode, "reason": "runaway", "actor": "ops", "at": 1}),
                value => json!({"scope": scope, "value": value, "mode": mode, "reason": "runaway", "actor": "ops", "at": 1}),
            })
            .collect();
        self.write(&json!(list).to_string());
    }

    /// Replaces the file in one step.
    fn write(&self, text: &str) {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    /// Asks until that is the status.
    async fn answers(&self, caller: &Caller, route: &str, status: u16) -> Answer {
        let began = Instant::now();
        loop {
            let answer = tokio::time::timeout(WITHIN, caller.ask(Dialect::OpenAi, route, false))
                .await
                .unwrap();
            if answer.status == status {
                return answer;
            }
            assert!(began.elapsed() < WITHIN, "{route}: still {}", answer.status);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn is_refusal(answer: &Answer) {
    assert_eq!((answer.status, answer.header("x-should-retry")), (403, "false"), "{answer:?}");
    assert_eq!(Dialect::OpenAi.error_code(&answer.json()), "disabled_by_admin");
}

/// What each scope's switch is called, for those of the marked key on that route.
fn value(scope: &str, named: &str, (route, model, _): (&str, &str, bool)) -> String {
    match named {
        "ROUTE" => route.to_owned(),
        "MODEL" => format!("openai/{model}"),
        _ if scope == "all" => String::new(),
        named => named.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_refuses_new_calls_and_ends_those_under_way_where_it_says_so() {
    let stage = stage(String::new(), "").await;
    let rows = [
        ("all", ""),
        ("team", "t"),
        ("user", "u"),
        ("key", "k"),
        ("feature", "f"),
        ("route", "ROUTE"),
        ("model", "ROUTE"),
        ("model", "MODEL"),
        ("provider", "openai"),
    ];
    let mut slowest = Duration::ZERO;
    for (scope, named) in rows {
        let switches: Vec<(&str, String)> = ROUTES.iter().map(|row| (scope, value(scope, named, *row))).collect();
        let before = stage.rig.gateway.lines_with("disabled_by_admin").len();
        // Somebody else, on a route and at a provider that no switch but the one for everything names.
        let mut bystander = stage
            .rig
            .caller
            .open(
                "POST",
                Dialect::OpenAi.path(),
                Dialect::OpenAi.ask("other", "hi", true).to_string().into(),
            )
            .await;
        bystander.read_until("data:").await;
        let mut running = JoinSet::new();
        for (route, _, stream) in ROUTES {
            let caller = stage.marked.clone();
            running.spawn(async move {
                let answer = caller.ask(Dialect::OpenAi, route, stream).await;
                (route, stream, answer, Instant::now())
            });
        }
        for (_, model, _) in ROUTES {
            let began = Instant::now();
            while stage.rig.bill(model).iter().all(|line| line["outcome"] != "open") {
                assert!(began.elapsed() < Duration::from_secs(10), "{scope} {named}: {model} is not asked");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // New calls alone: those under way go on.
        stage.switch(&switches, "block_new");
        let refused = match named {
            "ROUTE" | "MODEL" => stage.answers(&stage.marked, "flow", 403).await,
            _ => stage.answers(&stage.marked, "echo", 403).await,
        };
        is_refusal(&refused);
        assert!(
            running.try_join_next().is_none(),
            "{scope} {named}: an exchange under way has ended"
        );
        bystander.read_until("data:").await;

        let switched = Instant::now();
        stage.switch(&switches, "abort_inflight");
        for _ in ROUTES {
            let ended = tokio::time::timeout(WITHIN, running.join_next()).await;
            assert!(ended.is_ok(), "{scope} {named}: {} exchanges go on", running.len());
            let (route, stream, answer, at) = ended.unwrap().unwrap().unwrap();
            slowest = slowest.max(at.saturating_duration_since(switched));
            if stream {
                let text = String::from_utf8_lossy(&answer.body);
                assert!(text.contains("disabled_by_admin") && !text.contains("[DONE]"), "{route}: {text}");
            } else {
                is_refusal(&answer);
            }
        }
        for (route, model, _) in ROUTES {
            let line = stage.rig.bill(model).pop().unwrap();
            let began = Instant::now();
            while stage.rig.bill(model).iter().any(|line| line["outcome"] == "open") {
                assert!(began.elapsed() < WITHIN, "{scope} {named} {route}: the provider goes on: {line}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let began = Instant::now();
        while stage.rig.gateway.lines_with("disabled_by_admin").len() <= before + 3 {
            assert!(began.elapsed() < WITHIN, "{scope} {named}: a record does not say why");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if scope == "all" {
            let (rest, _) = bystander.rest().await;
            assert!(String::from_utf8_lossy(&rest).contains("disabled_by_admin"));
        } else {
            assert!(
                !bystander.read_until("data:").await.is_empty(),
                "{scope} {named}: a bystander was ended"
            );
        }
        drop(bystander);
        let cleared = || stage.rig.gateway.lines_with(": 0 kill switches are on").len();
        let before = cleared();
        stage.switch(&[], "block_new");
        let began = Instant::now();
        while cleared() == before {
            assert!(began.elapsed() < WITHIN, "{scope} {named}: the switches stay on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.answers(&stage.marked, "echo", 200).await;
    }
    assert_eq!(stage.rig.gateway.metric("tollgate_panics", "").await, 0.0);
    println!("kill switches: under way for {slowest:?} at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_ends_an_answer_that_nobody_takes() {
    let endless = Endless::start().await;
    let provider = format!(
        "  endless: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}",
        endless.address
    );
    let stage = stage(provider, "  pour: { targets: [{ model: endless/m }] }\n").await;
    let body = Dialect::OpenAi.ask("pour", "go", true).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {CALLER_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut socket = socket.connect(stage.rig.gateway.address).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket.read_exact(&mut [0; 16]).await.unwrap();
    // And over HTTP/2 with a window that is shut.
    let mut frames = Frames::connect(stage.rig.gateway.address, &[(INITIAL_WINDOW, 0)]).await;
    assert!(frames.ask(1, "/v1/chat/completions", CALLER_KEY, &body).await);
    frames.wait_for(kind::HEADERS, Duration::from_secs(5)).await.expect("a head");
    assert_eq!(endless.open(), 2);
    // Until nobody looks at the bodies any more.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.switch(&[("provider", "endless".into())], "abort_inflight");
    let began = Instant::now();
    while endless.open() > 0 {
        assert!(began.elapsed() < WITHIN, "{} streams of the provider go on", endless.open());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("kill switches: untaken answers end after {:?}", began.elapsed());
    while stage.rig.gateway.lines_with("disabled_by_admin").len() < 2 {
        assert!(began.elapsed() < WITHIN, "the records do not say why");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_survive_a_restart_and_a_broken_file_changes_nothing() {
    let stage = stage(String::new(), "").await;
    stage.switch(&[("team", "t".into())], "block_new");
    is_refusal(&stage.answers(&stage.marked, "echo", 403).await);
    for broken in ["", "[{}]", "[{\"scope\":\"team\"", "{}"] {
        let before = stage.rig.gateway.lines_with("is not a list of kill switches").len();
        stage.write(broken);
        let began = Instant::now();
        while stage.rig.gateway.lines_with("is not a list of kill switches").len() == before {
            assert!(began.elapsed() < Duration::from_secs(10), "nothing is said of {broken}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        is_refusal(&stage.answers(&stage.marked, "echo", 403).await);
    }
    stage.switch(&[("team", "t".into())], "abort_inflight");
    let Stage { rig, file, data, .. } = stage;
    let Rig { gateway, mock, .. } = rig;
    let settings = Settings {
        config: Some(std::fs::read_to_string(gateway.config()).unwrap()),
        env: [
            ("MARKED_KEY", MARKED_KEY),
            ("CALLER_KEY", CALLER_KEY),
            ("OPENAI_KEY", "x-openai"),
            ("ANTHROPIC_KEY", "x-anthropic"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        data: Some(data.path().to_owned()),
        ..Settings::default()
    };
    drop(gateway);
    let again = tollgate_tests::Gateway::start(&settings);
    let marked = Caller::new(again.address, MARKED_KEY);
    is_refusal(&marked.ask(Dialect::OpenAi, "echo", false).await);
    let other = Caller::new(again.address, CALLER_KEY);
    assert_eq!(other.ask(Dialect::OpenAi, "echo", false).await.status, 200);
    // A start with a broken file would turn a switch off that somebody turned on.
    drop(again);
    std::fs::write(&file, "[{").unwrap();
    let said = tollgate_tests::Gateway::try_start(&settings).err().unwrap();
    assert!(
        said.contains("switches.json") && said.contains("correct it, or delete it"),
        "{said}"
    );
    std::fs::remove_file(&file).unwrap();
    let again = tollgate_tests::Gateway::start(&settings);
    let marked = Caller::new(again.address, MARKED_KEY);
    assert_eq!(marked.ask(Dialect::OpenAi, "echo", false).await.status, 200);
    drop(mock);
}
