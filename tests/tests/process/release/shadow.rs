//! Shadows: compared behind the caller's back, and paid for by themselves.

use std::time::{Duration, Instant};

use tollgate_tests::Dialect;
use tollgate_tests::rig::Plan;

use super::{admin, until};

/// How slow the shadow is: more than any caller here waits.
const SLOW: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_is_compared_delays_nobody_and_its_spend_is_its_own() {
    let shadow = "lorem-20+slow-first-byte-1500ms";
    let plan = Plan {
        head: "budgets: [{ name: b, amount: 1 USD, window: month }]".into(),
        models: format!(
            "  cheap: {{ provider: openai, upstream_model: echo, price: {{ input: 1, output: 2 }} }}\n  \
             tried: {{ provider: openai, upstream_model: {shadow}, price: {{ input: 3, output: 5 }} }}"
        ),
        ..Plan::routes(
            "  chat: { targets: [{ model: cheap }], shadow: [{ model: tried, sample: 100% }] }\n  \
             poor: { targets: [{ model: cheap }], shadow: [{ model: tried, sample: 100%, budget: 0.00000001 USD }] }\n",
        )
    };
    let rig = plan.start().await;
    let data = rig.gateway.folder.path().join("data");
    let calls = 6;
    let mut slowest = Duration::ZERO;
    for number in 0..calls {
        let began = Instant::now();
        let answer = rig.caller.ask(Dialect::ALL[number % 2], "chat", number % 3 == 0).await;
        slowest = slowest.max(began.elapsed());
        assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/echo"));
    }
    assert!(slowest < SLOW, "a caller waited {slowest:?}");
    let admin = admin(&rig, &data);
    let all = |body: &serde_json::Value| body["data"][0]["compared"] == calls;
    let report = until(&admin, "/admin/v1/routes/chat/shadow", all).await;
    let line = &report["data"][0];
    assert_eq!(line["model"], format!("openai/{shadow}"), "{report}");
    let figures = &line["figures"];
    assert_eq!(
        (&figures["json.neither"], &figures["latency.shadow_slower"]),
        (&calls.into(), &calls.into()),
        "{report}"
    );
    assert!(line["similarity_mean"].as_f64().unwrap() < 0.3, "{report}");
    assert_eq!(line["differing"].as_array().unwrap().len(), calls, "{report}");

    let bill = rig.bill(shadow);
    assert_eq!(bill.len(), calls);
    let by_hand: i64 = bill
        .iter()
        .map(|line| line["input_tokens"].as_i64().unwrap() * 3_000 + line["output_tokens"].as_i64().unwrap() * 5_000)
        .sum();
    let began = Instant::now();
    let rows = loop {
        let rows = tollgate_tests::ledger::rows(&data).await;
        if rows.len() == 2 * calls || Duration::from_secs(10) < began.elapsed() {
            break rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let of_shadow: Vec<_> = rows.iter().filter(|row| row.key == "shadow:tried").collect();
    assert_eq!((rows.len(), of_shadow.len()), (2 * calls, calls), "{rows:?}");
    assert_eq!(
        of_shadow.iter().map(|row| row.totals.cost).sum::<i64>(),
        by_hand,
        "the ledger is the bill"
    );
    for row in &of_shadow {
        assert_eq!(
            (row.team.as_str(), row.feature.as_str(), row.route.as_str()),
            ("shadow", "shadow", "chat")
        );
        assert!(row.request.ends_with("-shadow"), "{row:?}");
    }
    assert_eq!(line["shadow_cost_nano_usd"], by_hand, "{report}");

    // What it may not spend is not sent.
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "poor", false).await.status, 200);
    let skipped = |body: &serde_json::Value| body["data"][0]["figures"]["sent"] == 1;
    let report = until(&admin, "/admin/v1/routes/poor/shadow", skipped).await;
    assert!(report.to_string().contains("failed."), "{report}");
    assert_eq!(rig.bill(shadow).len(), calls);
}
