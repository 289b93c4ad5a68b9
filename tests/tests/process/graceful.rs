//! The end of the process, and changes of its config, while streams are open (F38, F39, L7): nobody who was let in is cut off without a
//! word, and what they used is settled.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

const STREAMS: usize = 200;

/// That many streams, each with its first content; what is left of each is read by a task of its own.
async fn streams(rig: &Rig, model: &str, count: usize) -> JoinSet<(Dialect, String, Option<String>)> {
    let mut opening = JoinSet::new();
    for number in 0..count {
        let (caller, dialect) = (rig.caller.clone(), Dialect::ALL[number % 2]);
        let ask = dialect.ask(model, "go", true).to_string();
        opening.spawn(async move {
            let mut live = caller.open("POST", dialect.path(), ask.into()).await;
            assert_eq!(live.status, 200);
            live.read_until("data:").await;
            (dialect, live)
        });
    }
    let mut reading = JoinSet::new();
    for (dialect, mut live) in opening.join_all().await {
        reading.spawn(async move {
            let (rest, broke) = live.rest().await;
            (dialect, String::from_utf8_lossy(&rest).into_owned(), broke)
        });
    }
    reading
}

fn is_whole(dialect: Dialect, text: &str) -> bool {
    match dialect {
        Dialect::OpenAi => text.contains("[DONE]"),
        Dialect::Anthropic => text.contains("message_stop"),
    }
}

async fn ends_within(rig: &mut Rig, told: Instant, longest: Duration) {
    while rig.gateway.is_alive() {
        assert!(told.elapsed() < longest, "it has not ended after {:?}", told.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f38_two_hundred_open_streams_all_finish() {
    let plan = Plan {
        head: "server: { drain: 60s }".into(),
        ..Plan::default()
    };
    let mut rig = plan.start().await;
    let reading = streams(&rig, "openai/stream-300-10ms", STREAMS).await;
    let told = Instant::now();
    rig.gateway.terminate();
    for (dialect, text, broke) in reading.join_all().await {
        assert!(broke.is_none() && is_whole(dialect, &text), "{dialect:?} {broke:?} {text}");
    }
    println!("{STREAMS} streams finished {:?} after the signal", told.elapsed());
    ends_within(&mut rig, Instant::now(), Duration::from_secs(5)).await;
}

/// Every stream that is broken off ends with an error event, and its record says what broke it off and what it cost.
async fn are_told(rig: &Rig, reading: JoinSet<(Dialect, String, Option<String>)>, count: usize) {
    for (dialect, text, broke) in reading.join_all().await {
        assert!(broke.is_none(), "{dialect:?}: cut off without a word: {broke:?}");
        assert!(text.contains("shutting_down") && !is_whole(dialect, &text), "{dialect:?} {text}");
    }
    let records = rig.gateway.lines_with("\"shutting_down\"");
    assert_eq!(records.len(), count);
    for record in records {
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["outcome"], "broken", "{record}");
        assert!(record["cost_usd"].as_str().is_some() || record["cost_usd"].is_number(), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_a_second_signal_ends_open_streams_with_an_error_event_within_two_seconds() {
    let plan = Plan {
        head: "server: { drain: 60s }\nspending: { allow_unpriced: false }".into(),
        models: "  m: { provider: openai, upstream_model: stream-6000-10ms, price: { input: 1, output: 1 } }".into(),
        ..Plan::default()
    };
    let mut rig = plan.start().await;
    let reading = streams(&rig, "m", 40).await;
    rig.gateway.terminate();
    rig.gateway.line_with("SIGTERM").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(rig.gateway.is_alive());
    let told = Instant::now();
    rig.gateway.terminate();
    ends_within(&mut rig, told, Duration::from_secs(2)).await;
    println!("ended {:?} after the second signal", told.elapsed());
    are_told(&rig, reading, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_at_the_end_of_the_drain_streams_end_with_an_error_event() {
    let plan = Plan {
        head: "server: { drain: 1s }\nspending: { allow_unpriced: false }".into(),
        models: "  m: { provider: anthropic, upstream_model: stream-6000-10ms, price: { input: 1, output: 1 } }".into(),
        ..Plan::default()
    };
    let mut rig = plan.start().await;
    let reading = streams(&rig, "m", 20).await;
    let told = Instant::now();
    rig.gateway.terminate();
    ends_within(&mut rig, told, Duration::from_secs(4)).await;
    are_told(&rig, reading, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l7_a_hundred_reloads_in_a_row_cut_no_stream() {
    let plan = Plan::default();
    let rig = plan.start().await;
    let reading = streams(&rig, "openai/stream-1500-10ms", 50).await;
    let text = std::fs::read_to_string(rig.gateway.config()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..100 {
        rig.gateway.edit(&format!("{text}\n# {number}\n"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = rig.caller.ask(Dialect::ALL[number % 2], "openai/echo", number % 3 == 0).await;
        assert_eq!((answer.status, &answer.broke), (200, &None), "{number}: {:?}", answer.body);
        seen.insert(answer.header("x-tollgate-config").to_owned());
    }
    println!("{} revisions answered", seen.len());
    assert!(seen.len() >= 30, "reloads: {}", seen.len());
    for (dialect, text, broke) in reading.join_all().await {
        assert!(broke.is_none() && is_whole(dialect, &text), "{dialect:?} {broke:?}");
    }
}
