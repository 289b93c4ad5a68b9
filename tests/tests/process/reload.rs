//! F41, R-G7: edits of the config while callers are served.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Answer, Caller, Dialect, Gateway, Rig, Settings};

/// Callers who ask without a pause until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    running: JoinSet<Vec<Answer>>,
}

impl Load {
    fn on(rig: &Rig, model: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = JoinSet::new();
        for number in 0..4 {
            let (stop, caller) = (Arc::clone(&stop), rig.caller.clone());
            running.spawn(async move {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    answers.push(caller.ask(Dialect::ALL[number % 2], model, number < 2).await);
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
                answers
            });
        }
        Self { stop, running }
    }

    /// All answers; none may have failed.
    async fn end(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        let answers: Vec<Answer> = self.running.join_all().await.into_iter().flatten().collect();
        assert!(20 < answers.len(), "too few requests to show anything");
        for answer in &answers {
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            assert_eq!(answer.broke, None);
        }
        answers
    }
}

fn plan(target: &str) -> Plan {
    Plan::routes(&format!("  r: {{ targets: [{{ model: {target}/echo }}] }}"))
}

async fn revision(rig: &Rig) -> String {
    let answer = rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.header("x-tollgate-config").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_a_bad_edit_changes_nothing_and_is_told() {
    let rig = plan("openai").start().await;
    let good = plan("openai").config(rig.mock.addr());
    let first = revision(&rig).await;
    let load = Load::on(&rig, "r");
    let hundred_mib = "# filler\n".repeat((100 << 20) / 9);
    let edits = [
        ("broken", "providers: [\n".to_owned()),
        ("not UTF-8 as text", "\u{0}\u{1}".to_owned()),
        ("empty", String::new()),
        ("an unknown key", format!("{good}\nbudget: 5\n")),
        (
            "a target that does not exist",
            good.replace("model: openai/echo", "model: nobody/echo"),
        ),
        ("a secret that is not there", good.replace("env:CALLER_KEY", "env:NOT_SET_ANYWHERE")),
        ("100 MiB", hundred_mib + &good),
        ("another language", "{\"listen\": 7}".to_owned()),
    ];
    for (number, (what, text)) in edits.iter().enumerate() {
        rig.gateway.edit(text);
        let refused = (number + 1) as f64;
        assert!(
            rig.gateway.metric_reaches("tollgate_config_refusals_total", refused).await,
            "{what} was not refused"
        );
        assert_eq!(rig.gateway.metric("tollgate_config_current", "").await, 0.0, "{what}");
        assert_eq!(revision(&rig).await, first, "{what}");
    }
    assert_eq!(rig.gateway.metric("tollgate_config_reloads_total", "").await, 0.0);
    assert!(rig.gateway.line_with("is not valid").await.contains("\"level\":\"error\""));
    load.end().await;
    // And the way back is open.
    rig.gateway.edit(&plan("anthropic").config(rig.mock.addr()));
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", 1.0).await);
    assert_ne!(revision(&rig).await, first);
    assert_eq!(rig.gateway.metric("tollgate_config_current", "").await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_a_half_written_edit_fails_nobody() {
    use std::io::Write;
    let rig = plan("openai").start().await;
    let first = revision(&rig).await;
    let load = Load::on(&rig, "r");
    let text = plan("anthropic").config(rig.mock.addr());
    let mut file = std::fs::File::create(rig.gateway.config()).unwrap();
    let pieces = text.as_bytes().chunks(text.len() / 6 + 1);
    for piece in pieces {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        tokio::time::sleep(Duration::from_millis(160)).await;
    }
    drop(file);
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", 1.0).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let models: Vec<_> = load
        .end()
        .await
        .iter()
        .map(|answer| answer.header("x-tollgate-model").to_owned())
        .collect();
    assert!(models.iter().all(|model| model == "openai/echo" || model == "anthropic/echo"));
    let answer = rig.caller.ask(Dialect::OpenAi, "r", false).await;
    assert_eq!(answer.header("x-tollgate-model"), "anthropic/echo");
    assert_ne!(answer.header("x-tollgate-config"), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_fifty_reloads_fail_nobody_and_mix_nothing() {
    let rig = plan("openai").start().await;
    let load = Load::on(&rig, "r");
    for number in 1..=50 {
        let target = if number % 2 == 0 { "openai" } else { "anthropic" };
        rig.gateway
            .edit(&format!("{}\n# edit {number}\n", plan(target).config(rig.mock.addr())));
        assert!(
            rig.gateway.metric_reaches("tollgate_config_reloads_total", f64::from(number)).await,
            "edit {number} was not taken"
        );
    }
    let mut models: HashMap<String, String> = HashMap::new();
    for answer in load.end().await {
        let model = answer.header("x-tollgate-model").to_owned();
        let first = models.entry(answer.header("x-tollgate-config").to_owned()).or_insert(model.clone());
        assert_eq!(*first, model, "one config gave two answers");
    }
    assert!(30 < models.len(), "callers saw {} of 51 configs", models.len());
    assert_eq!(rig.gateway.metric("tollgate_config_refusals_total", "").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_g7_what_a_reload_gives_and_takes_holds_at_once() {
    let rig = plan("openai").start().await;
    let other = Plan {
        routes: "  s: { targets: [{ model: anthropic/echo }] }".into(),
        ..Plan::default()
    };
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "s", false).await.status, 404);
    rig.gateway.edit(&other.config(rig.mock.addr()));
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", 1.0).await);
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "s", false).await.status, 200);
    assert_eq!(
        rig.caller.ask(Dialect::OpenAi, "r", false).await.status,
        404,
        "a route that was taken away"
    );
    let disabled = other
        .config(rig.mock.addr())
        .replace("name: tester", "disabled: true, name: tester");
    rig.gateway.edit(&disabled);
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", 2.0).await);
    assert_eq!(
        rig.caller.ask(Dialect::OpenAi, "s", false).await.status,
        401,
        "a key that was taken away"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_a_broken_config_at_the_start_is_served_by_the_last_good_one() {
    let rig = plan("openai").start().await;
    let good = plan("anthropic").config(rig.mock.addr());
    rig.gateway.edit(&good);
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", 1.0).await);
    let kept = rig.gateway.folder.path().join("data");
    assert_eq!(std::fs::read_to_string(kept.join("last-good.yaml")).unwrap(), good);
    let used = Folder::new();
    for entry in std::fs::read_dir(&kept).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue; // the journal, which the first process has open
        }
        std::fs::copy(entry.path(), used.path().join(entry.file_name())).unwrap();
    }
    let mut settings = Settings {
        config: Some("routes: [broken\n".into()),
        env: vec![
            ("CALLER_KEY".into(), CALLER_KEY.into()),
            ("OPENAI_KEY".into(), "k".repeat(12)),
            ("ANTHROPIC_KEY".into(), "k".repeat(12)),
        ],
        data: Some(used.path().to_owned()),
        ..Settings::default()
    };
    let second = Gateway::start(&settings);
    let answer = Caller::new(second.address, CALLER_KEY).ask(Dialect::OpenAi, "r", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-model")),
        (200, "anthropic/echo"),
        "{:?}",
        answer.body
    );
    assert_eq!(second.metric("tollgate_config_current", "").await, 0.0);
    second.line_with("the last good config").await;
    drop(second);
    // The broken file itself says where that one is kept.
    settings.data = None;
    settings.data_by_config = true;
    settings.config = Some(format!("data_dir: {}\nroutes: [broken\n", used.path().display()));
    let third = Gateway::start(&settings);
    let answer = Caller::new(third.address, CALLER_KEY).ask(Dialect::OpenAi, "r", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    settings.data_by_config = false;
    let refused = Gateway::try_start(&settings)
        .err()
        .expect("a broken config and no other one: it must not start");
    assert!(refused.contains("is not valid") && refused.contains("line"), "{refused}");
}
