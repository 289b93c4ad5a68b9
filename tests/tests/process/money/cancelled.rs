//! Callers who leave, at vendors that bill more or less than what was said until then (GOVERNANCE 4, `billing_on_cancel`).

use std::time::Duration;

use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{ledger_of, standing};

/// Every way to bill, with the models of these tests.
async fn rig() -> Rig {
    let mut plan = Plan {
        head: "budgets: [{ name: b, amount: 100 USD, window: never }]".into(),
        models: "  probe: { provider: openai, upstream_model: echo, price: { input: 1, output: 1 } }\n".into(),
        ..Plan::default()
    };
    for bills in ["full", "partial", "none"] {
        plan.providers += &format!(
            "  {bills}: {{ base_url: \"http://MOCK/openai/v1\", dialect: openai_chat, credentials: [env:OPENAI_KEY], billing_on_cancel: {bills} }}\n"
        );
        for (name, upstream) in [("long", "stream-100-10ms"), ("late", "lorem-9+slow-first-byte-20s")] {
            plan.models +=
                &format!("  {bills}-{name}: {{ provider: {bills}, upstream_model: {upstream}, price: {{ input: 1, output: 1 }} }}\n");
        }
    }
    plan.start().await
}

/// Leaves behind the first bytes of a stream; or, where there are none, after a moment.
async fn leave(rig: &Rig, model: &str) {
    let mut ask = Dialect::OpenAi.ask(model, "Tell me a long story.", true);
    ask["max_tokens"] = 1000.into();
    let left = rig.caller.open("POST", Dialect::OpenAi.path(), ask.to_string().into());
    if let Ok(mut live) = tokio::time::timeout(Duration::from_secs(1), left).await {
        live.next().await.unwrap().unwrap();
    }
}

/// What was posted of the only call so far: how it ended, its output tokens, its cost.
async fn posted(rig: &Rig) -> (String, i64, i64) {
    let rows = ledger_of(rig, 1).await;
    assert_eq!(rows.len(), 1);
    (rows[0].ended.clone(), rows[0].totals.output, rows[0].totals.cost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_bills_all_of_an_answer_is_listened_to_until_its_end_although_the_caller_left() {
    let rig = rig().await;
    leave(&rig, "full-long").await;
    let (ended, output, cost) = posted(&rig).await;
    let line = &rig.bill("stream-100-10ms")[0];
    assert_eq!(line["outcome"], "complete", "{line}");
    let tokens = |name: &str| line[name].as_i64().unwrap();
    assert_eq!((ended.as_str(), output), ("posted", tokens("output_tokens")), "{line}");
    assert_eq!(cost, (tokens("input_tokens") + tokens("output_tokens")) * 1_000);
    assert_eq!(standing(&rig.caller, "probe").await, (cost, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_read_of_such_an_answer_is_posted_as_it_was_held() {
    let rig = rig().await;
    leave(&rig, "full-late").await;
    let (ended, output, _) = posted(&rig).await;
    assert_eq!((ended.as_str(), output), ("posted", 1000), "all the output that it was allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_bills_what_it_said_is_cancelled() {
    let rig = rig().await;
    leave(&rig, "partial-long").await;
    let (ended, output, _) = posted(&rig).await;
    assert_eq!(ended, "posted");
    assert!((1..90).contains(&output), "{output}");
    assert_eq!(rig.bill("stream-100-10ms")[0]["outcome"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_bills_nothing_for_a_cancelled_call_is_owed_nothing_before_its_first_word() {
    let rig = rig().await;
    leave(&rig, "none-late").await;
    let (ended, _, cost) = posted(&rig).await;
    assert_eq!((ended.as_str(), cost), ("voided", 0));
}
