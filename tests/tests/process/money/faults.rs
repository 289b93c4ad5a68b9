//! R-C4, R-C5: whatever goes wrong, nothing stays held, and what is posted is what the provider may bill: nothing for what it refused,
//! something for what it had taken.

use serde_json::json;
use tollgate_tests::provider::{Canned, json_reply};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{ledger_of, nano, standing};

/// A fault of the provider's, whether a stream is asked for, and whether the provider may bill for it.
const ROWS: [(&str, bool, bool); 22] = [
    ("status-400", false, false),
    ("status-401", false, false),
    ("status-404", true, false),
    ("status-429-retry-0", false, false),
    ("quota-exceeded", true, false),
    ("status-500", false, false),
    ("status-503", true, false),
    ("html-502", false, false),
    ("error-in-200", false, false),
    ("redirect-metadata", false, false),
    ("html-200", false, true),
    ("reset-before-headers", false, false),
    ("stall-before-first-byte", false, true),
    ("stall-before-first-byte", true, true),
    ("wrong-content-encoding", false, true),
    ("empty-choices", false, true),
    ("cut-after-5-chunks", true, true),
    ("reset-after-5-chunks", true, true),
    ("stall-after-5-chunks", true, true),
    ("error-event-after-5-chunks", true, true),
    ("no-terminator", true, true),
    ("usage-missing", false, true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c4_r_c5_after_any_fault_nothing_is_held_and_only_what_may_be_billed_is_posted() {
    let mut plan = Plan {
        head: "budgets: [{ name: b, per: [route], amount: 1 USD, window: never }]".into(),
        ..Plan::default()
    };
    for (number, (fault, _, _)) in ROWS.iter().enumerate() {
        for provider in ["openai", "anthropic"] {
            plan.models += &format!(
                "  {provider}-{number}: {{ provider: {provider}, upstream_model: lorem-{}+{fault}, price: {{ input: 3, output: 15 }} }}\n",
                20 + number
            );
            plan.routes += &format!(
                "  {provider}-r{number}: {{ targets: [{{ model: {provider}-{number} }}], retry: {{ attempts: 1 }}, \
                 timeouts: {{ first_byte: 300ms, idle: 300ms }} }}\n"
            );
        }
    }
    let rig = plan.start().await;
    let mut wrong = Vec::new();
    let mut posted_in_all = 0;
    for (number, (fault, stream, billed)) in ROWS.iter().enumerate() {
        for (provider, caller) in [
            ("openai", Dialect::OpenAi),
            ("anthropic", Dialect::Anthropic),
            ("anthropic", Dialect::OpenAi),
        ] {
            let route = format!("{provider}-r{number}");
            let before = standing(&rig.caller, &route).await.0;
            let mut ask = caller.ask(&route, "one two three four five", *stream);
            ask["max_tokens"] = json!(500);
            let answer = rig.caller.post(caller.path(), &ask).await;
            let record = rig.gateway.record(answer.id()).await;
            let (used, reserved) = standing(&rig.caller, &route).await;
            let cost = record["cost_usd"].as_str().map_or(0, nano);
            let told = nano(
                Some(answer.header("x-tollgate-cost-usd"))
                    .filter(|text| !text.is_empty())
                    .unwrap_or("0"),
            );
            posted_in_all += cost;
            let right = reserved == 0 && used - before == cost && (cost > 0) == *billed && (told == cost || *stream);
            if !right {
                wrong.push(format!(
                    "{provider} {caller:?} {fault} stream={stream}: status {} posted {} recorded {cost} told {told} held {reserved}; {record}",
                    answer.status,
                    used - before
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The probes that were refused had nothing held, and are not in the ledger.
    let rows = ledger_of(&rig, ROWS.len() * 3).await;
    assert_eq!(rows.len(), ROWS.len() * 3);
    assert_eq!(rows.iter().map(|row| row.totals.cost).sum::<i64>(), posted_in_all);
    assert!(rows.iter().all(|row| (row.ended == "voided") == (row.totals.cost == 0)), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c5_a_provider_that_cannot_be_reached_costs_nothing() {
    let refusing = tollgate_mock::refusing_address().await.unwrap();
    let rig = Plan {
        head: "budgets: [{ name: b, amount: 1 USD, window: never }]".into(),
        providers: format!("  gone: {{ base_url: \"http://{refusing}/v1\", dialect: openai_chat, auth: none }}\n"),
        models: "  m: { provider: gone, upstream_model: m, price: { input: 1, output: 1 } }".into(),
        ..Plan::default()
    }
    .start()
    .await;
    let answer = rig.caller.ask(Dialect::OpenAi, "m", false).await;
    assert_eq!(answer.status, 503);
    assert_eq!(standing(&rig.caller, "m").await, (0, 0));
    assert_eq!(rig.gateway.record(answer.id()).await["cost_usd"].as_str().map(nano), Some(0));
}

/// A dollar for a million tokens in, two for as many out, and ten times that; each answer is of 7 tokens in and 11 out.
const PRICED: &str = "  cheap: { provider: openai, upstream_model: usage-7-11, price: { input: 1, output: 2 } }\n  \
                      dear: { provider: anthropic, upstream_model: usage-7-11, price: { input: 10, output: 20 } }\n  \
                      broken: { provider: openai, upstream_model: lorem-9+status-503, price: { input: 1, output: 2 } }\n  \
                      cut: { provider: openai, upstream_model: lorem-9+html-200, price: { input: 1, output: 2 } }";

async fn priced() -> Rig {
    Plan {
        head: "budgets: [{ name: b, amount: 1 USD, window: never }]".into(),
        models: PRICED.into(),
        routes: "  falls: { targets: [{ model: broken }], fallbacks: [dear] }\n  twice: { targets: [{ model: cut }], fallbacks: [dear] }"
            .into(),
        ..Plan::default()
    }
    .start()
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c4_a_fallback_is_billed_at_the_price_of_the_model_that_answered() {
    let rig = priced().await;
    // 7 × 1 + 11 × 2 = 29 µUSD; 7 × 10 + 11 × 20 = 290 µUSD.
    let rows = [("cheap", "0.000029"), ("dear", "0.00029"), ("falls", "0.00029")];
    let mut sum = 0;
    for caller in Dialect::ALL {
        for (model, by_hand) in rows {
            for stream in [false, true] {
                let answer = rig.caller.ask(caller, model, stream).await;
                assert_eq!(answer.status, 200, "{:?}", answer.body);
                let record = rig.gateway.record(answer.id()).await;
                let at = format!("{caller:?} {model} {stream} {record}");
                assert_eq!(record["cost_usd"].as_str().map(nano), Some(nano(by_hand)), "{at}");
                if stream && record["answer_bytes"].as_u64() > Some(0) {
                    let text = String::from_utf8_lossy(&answer.body);
                    let told = text.split(": x-tollgate-cost-usd: ").nth(1).and_then(|rest| rest.lines().next());
                    assert_eq!(told.map(nano), Some(nano(by_hand)), "{at} {text}");
                } else {
                    assert_eq!(nano(answer.header("x-tollgate-cost-usd")), nano(by_hand), "{at}");
                }
                sum += nano(by_hand);
                assert_eq!(standing(&rig.caller, "cheap").await, (sum, 0), "{at}");
            }
        }
    }
    let rows = ledger_of(&rig, 12).await;
    assert_eq!(rows.iter().map(|row| row.totals.cost).sum::<i64>(), sum);
    assert!(
        rows.iter()
            .all(|row| (row.totals.input, row.totals.output) == (7, 11) && row.price_version.starts_with("config"))
    );
    assert!(
        rows.iter().filter(|row| row.model == "anthropic/usage-7-11").count() == 8,
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c5_an_attempt_that_may_be_billed_is_posted_beside_the_one_that_answered() {
    let rig = priced().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "twice", false).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "anthropic/usage-7-11"));
    let rows = ledger_of(&rig, 2).await;
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["openai/lorem-9+html-200", "anthropic/usage-7-11"], "{rows:?}");
    assert_eq!(
        (rows[0].attempt, rows[1].attempt, rows[0].totals.requests, rows[1].totals.requests),
        (1, 2, 0, 1)
    );
    assert_eq!((rows[0].source.as_str(), rows[1].source.as_str()), ("estimate", "provider"));
    let sum: i64 = rows.iter().map(|row| row.totals.cost).sum();
    assert!(rows[0].totals.cost > 0 && rows[1].totals.cost == nano("0.00029"));
    assert_eq!(nano(answer.header("x-tollgate-cost-usd")), sum);
    assert_eq!(standing(&rig.caller, "cheap").await, (sum, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_usage_that_is_missing_or_nothing_is_estimated_and_never_free() {
    let mut plan = Plan {
        head: "budgets: [{ name: b, amount: 10 USD, window: never }]".into(),
        ..Plan::default()
    };
    for (number, fault) in ["usage-missing", "usage-zero", "usage-negative"].iter().enumerate() {
        for provider in ["openai", "anthropic"] {
            plan.models += &format!(
                "  {provider}{number}: {{ provider: {provider}, upstream_model: lorem-40+{fault}, price: {{ input: 1, output: 2 }} }}\n"
            );
        }
    }
    let rig = plan.start().await;
    for number in 0..3 {
        for provider in ["openai", "anthropic"] {
            for caller in Dialect::ALL {
                for stream in [false, true] {
                    let answer = rig.caller.ask(caller, &format!("{provider}{number}"), stream).await;
                    let record = rig.gateway.record(answer.id()).await;
                    // 40 tokens at two dollars a million.
                    let least = 40 * 2_000;
                    let cost = record["cost_usd"].as_str().map_or(0, nano);
                    assert!(
                        least <= cost && cost <= 10 * least,
                        "{caller:?} {stream} {cost}: {record} {:?}",
                        answer.body
                    );
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c2_more_than_was_held_is_posted_in_full_and_said_to_be_an_overrun() {
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 100_000, "total_tokens": 101_000}});
    let provider = Canned::start(json_reply("200 OK", &body.to_string())).await;
    let rig = Plan {
        head: "budgets: [{ name: b, amount: 1 USD, window: never }]".into(),
        providers: format!(
            "  wild: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            provider.address
        ),
        models: "  m: { provider: wild, upstream_model: m, price: { input: 1, output: 10 } }".into(),
        ..Plan::default()
    }
    .start()
    .await;
    let answer = rig.caller.ask(Dialect::OpenAi, "m", false).await;
    // 1,000 × 1 + 100,000 × 10 µUSD, a thousandth of a dollar more than the whole budget.
    assert_eq!(nano(answer.header("x-tollgate-cost-usd")), nano("1.001"));
    let record = rig.gateway.record(answer.id()).await;
    assert_eq!((&record["overrun"], &record["cost_usd"]), (&json!(true), &json!("1.001")));
    assert_eq!(standing(&rig.caller, "m").await, (nano("1.001"), 0));
    assert!(ledger_of(&rig, 1).await[0].overrun);
    assert_eq!(rig.gateway.metric("tollgate_overruns_total", "").await, 1.0);
}
