//! Hedging: the next model is asked when the first does not begin in time, the first to begin answers, the other is broken off, and both are
//! paid for.

use std::time::{Duration, Instant};

use serde_json::Value;
use tollgate_tests::gate::Gate;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig, ledger};

/// A dollar for a million tokens either way.
const PRICE: &str = "price: { input: 1, output: 1 }";

fn plan(slow: &str, hedge: &str) -> Plan {
    Plan {
        head: "budgets: [{ name: b, amount: 100 USD, window: never }]".into(),
        models: format!(
            "  slow: {{ provider: openai, upstream_model: \"{slow}\", {PRICE} }}\n  \
             quick: {{ provider: anthropic, upstream_model: lorem-21, {PRICE} }}"
        ),
        routes: format!("  raced: {{ targets: [{{ model: slow }}], fallbacks: [quick], hedge: {hedge} }}"),
        ..Plan::default()
    }
}

/// The outcomes of a record's attempts, by model.
fn outcomes(record: &Value) -> Vec<(String, String)> {
    let attempts = record["attempts"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    attempts
        .map(|attempt| (text(&attempt["deployment"]), text(&attempt["outcome"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_model_is_outrun_by_the_next_and_both_are_paid_for() {
    let slow = "lorem-20+slow-first-byte-3s";
    let rig = plan(slow, "{ after: 150ms, extra_cost: 100% }").start().await;
    for (count, (caller, stream)) in [(Dialect::OpenAi, true), (Dialect::Anthropic, true), (Dialect::OpenAi, false)]
        .into_iter()
        .enumerate()
    {
        let answer = rig.caller.ask(caller, "raced", stream).await;
        let at = format!("{caller:?} {stream} {:?} {:?}", answer.headers, answer.body);
        assert_eq!(
            (answer.status, answer.header("x-tollgate-model")),
            (200, "anthropic/lorem-21"),
            "{at}"
        );
        assert_eq!(answer.header("x-tollgate-attempts"), "2", "{at}");
        assert_eq!(
            answer.header("x-tollgate-fallback"),
            format!("from=openai/{slow}; reason=hedge"),
            "{at}"
        );
        assert!((150..1_500).contains(&answer.took.as_millis()), "{at} {:?}", answer.took);
        let record = rig.gateway.record(answer.id()).await;
        let expected = [
            (format!("openai/{slow}"), "outrun".to_owned()),
            ("anthropic/lorem-21".to_owned(), "ok".to_owned()),
        ];
        assert_eq!(outcomes(&record), expected, "{record}");
        assert_eq!(rig.bill("lorem-21").len(), count + 1, "{at}");
    }
    let rows = rows_of(&rig, 6).await;
    assert_eq!(rows.len(), 6, "each of three calls has two holds, and each was settled");
    let of = |hedge: bool| rows.iter().filter(move |row| row.request.ends_with("-hedge") == hedge);
    assert!(
        of(true).all(|row| row.model == "lorem-21" || row.model == "anthropic/lorem-21"),
        "{rows:?}"
    );
    assert_eq!((of(true).count(), of(false).count()), (3, 3));
    // Whoever answered is posted as it says; of the other its input was posted, because it may bill for it.
    assert!(rows.iter().all(|row| row.ended == "posted" && 0 < row.totals.cost), "{rows:?}");
}

async fn rows_of(rig: &Rig, count: usize) -> Vec<tollgate_store::database::ledger::Row> {
    let began = Instant::now();
    loop {
        let rows = ledger::rows(&rig.gateway.folder.path().join("data")).await;
        if count <= rows.len() || Duration::from_secs(5) < began.elapsed() {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_is_what_the_providers_bill_and_the_answer_tells_it() {
    // The loser says how much it took before it stalls: what it bills to one who leaves is what was posted.
    let rig = plan("lorem-20+slow-first-byte-400ms", "{ after: 100ms, extra_cost: 100% }")
        .start()
        .await;
    let mut told = 0;
    for _ in 0..10 {
        let answer = rig.caller.ask(Dialect::OpenAi, "raced", false).await;
        assert_eq!(answer.header("x-tollgate-model"), "anthropic/lorem-21");
        let cost = answer.header("x-tollgate-cost-usd").to_owned();
        told += (cost.parse::<f64>().unwrap() * 1e9).round() as i64;
    }
    let rows = rows_of(&rig, 20).await;
    assert_eq!(rows.iter().map(|row| row.totals.cost).sum::<i64>(), told, "{rows:?}");
    let winners: i64 = rows
        .iter()
        .filter(|row| row.request.ends_with("-hedge"))
        .map(|row| row.totals.cost)
        .sum();
    let bill = rig.bill("lorem-21");
    let tokens = |line: &Value| {
        let of = |name: &str| line[name].as_i64().unwrap();
        of("input_tokens") + of("output_tokens")
    };
    assert_eq!(
        winners,
        bill.iter().map(tokens).sum::<i64>() * 1_000,
        "at a dollar for a million tokens; {bill:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_is_broken_off_at_once() {
    let gate = Gate::start().await;
    let plan = Plan {
        providers: format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        ),
        routes: "  raced: { targets: [{ model: gate/m }], fallbacks: [anthropic/echo], hedge: { after: 100ms, extra_cost: 100% } }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    // A connection of each caller's own is gone when its answer is there.
    rig.caller.ask(Dialect::OpenAi, "anthropic/echo", true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = rig.gateway.sockets();
    let answer = rig.caller.ask(Dialect::OpenAi, "raced", true).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "anthropic/echo"));
    let ended = Instant::now();
    while before < rig.gateway.sockets() && ended.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(ended.elapsed() < Duration::from_millis(300), "{:?}", ended.elapsed());
    assert_eq!(gate.seen(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_that_begins_in_the_end_still_wins() {
    let slow = "lorem-20+slow-first-byte-400ms";
    let mut plan = plan(slow, "{ after: 100ms, extra_cost: 100% }");
    plan.models = plan.models.replace("lorem-21", "lorem-21+slow-first-byte-4s");
    let rig = plan.start().await;
    let answer = rig.caller.ask(Dialect::Anthropic, "raced", true).await;
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (200, "2"));
    assert_eq!(answer.header("x-tollgate-model"), format!("openai/{slow}"));
    assert_eq!(answer.header("x-tollgate-fallback"), "");
    let record = rig.gateway.record(answer.id()).await;
    let told: Vec<String> = outcomes(&record).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told, ["ok", "outrun"], "{record}");
    assert_eq!(rows_of(&rig, 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_that_fails_while_it_is_raced_leaves_the_answer_to_the_other() {
    // The first stalls until its first-byte timer, the hedge needs a little longer than that.
    let mut plan = plan("lorem-20+stall-before-first-byte", "{ after: 100ms, extra_cost: 100% }");
    plan.models = plan.models.replace("lorem-21", "lorem-21+slow-first-byte-300ms");
    plan.routes = plan.routes.replace("hedge:", "timeouts: { first_byte: 350ms }, hedge:");
    let rig = plan.start().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "raced", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-model")),
        (200, "anthropic/lorem-21+slow-first-byte-300ms"),
        "{:?}",
        answer.body
    );
    let record = rig.gateway.record(answer.id()).await;
    let told: Vec<String> = outcomes(&record).into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told, ["timeout", "ok"], "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_leaves_in_mid_race_leaves_nothing_held() {
    let mut plan = plan("lorem-20+stall-before-first-byte", "{ after: 50ms, extra_cost: 100% }");
    plan.models = plan.models.replace("lorem-21", "lorem-21+stall-before-first-byte");
    let rig = plan.start().await;
    let body = Dialect::OpenAi.ask("raced", "Say something.", true).to_string();
    let asking = tokio::time::timeout(
        Duration::from_millis(600),
        rig.caller.try_open("POST", "/v1/chat/completions", body.into()),
    );
    assert!(asking.await.is_err(), "nothing can have come");
    let rows = rows_of(&rig, 2).await;
    assert_eq!(rows.iter().filter(|row| row.ended == "posted").count(), 2, "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hedges_cost_no_more_than_their_share_and_wait_for_a_percentile_that_is_known() {
    let mut plan = plan("lorem-20", "{ after: p95, extra_cost: 10% }");
    plan.script = "[[rule]]\nmodel = \"lorem-20\"\nafter = 60\nfault = \"slow-first-byte-800ms\"\n".into();
    let rig = plan.start().await;
    for _ in 0..60 {
        let answer = rig.caller.ask(Dialect::OpenAi, "raced", true).await;
        assert_eq!(answer.status, 200);
    }
    let healthy = rig.bill("lorem-21").len();
    // Sixty calls, a twentieth of which are slower than most: hedges of those are what a percentile means.
    assert!(healthy <= 6, "{healthy} hedges of 60 quick calls");
    for _ in 0..20 {
        rig.caller.ask(Dialect::OpenAi, "raced", true).await;
    }
    let hedged = rig.bill("lorem-21").len();
    assert!(
        (4..=8).contains(&hedged),
        "{hedged} hedges of 80 calls at a tenth of what they cost"
    );
    println!("hedges: {healthy} of 60 quick calls, {hedged} of 80");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hedge_that_a_limit_refuses_is_not_sent() {
    let mut plan = plan("lorem-20+slow-first-byte-500ms", "{ after: 100ms, extra_cost: 100% }");
    plan.head += "\nlimits: [{ name: one, per: [model], when: 'model == \"anthropic/lorem-21\"', requests: 1/minute }]";
    let rig = plan.start().await;
    // The second model's limit is full: the first is waited for.
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "quick", false).await.status, 200);
    let answer = rig.caller.ask(Dialect::OpenAi, "raced", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-attempts")),
        (200, "1"),
        "{:?}",
        answer.body
    );
    assert_eq!(rig.bill("lorem-21").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_hedge_answers_stays_among_the_open_ones_until_its_end() {
    let mut plan = plan("lorem-20+slow-first-byte-9s", "{ after: 150ms, extra_cost: 100% }");
    plan.head = "limits: [{ name: one, concurrent: 1 }]".into();
    plan.models = plan.models.replace("lorem-21", "stream-60-50ms");
    let rig = plan.start().await;
    let ask = Dialect::OpenAi.ask("raced", "hello", true).to_string();
    let mut live = rig.caller.open("POST", Dialect::OpenAi.path(), ask.into()).await;
    live.next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = rig.caller.ask(Dialect::OpenAi, "quick", false).await;
    assert_eq!(second.status, 429, "the first one still streams: {:?}", second.headers);
    live.rest().await;
    let third = rig.caller.ask(Dialect::OpenAi, "quick", true).await;
    assert_eq!(third.status, 200, "{:?}", third.body);
}
