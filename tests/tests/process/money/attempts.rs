//! One call, several attempts or none: what each account is charged when a call moves on, leaves early, or asks for a dearer service.

use serde_json::json;
use tollgate_tests::provider::{Canned, json_reply};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{code, ledger_of, nano, standing};

const MODELS: &str = "  broken: { provider: openai, upstream_model: lorem-9+status-503, price: { input: 0, output: 0, requests: 10000 } }\n  \
                      good: { provider: anthropic, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }\n  \
                      dear: { provider: anthropic, upstream_model: lorem-5, price: { input: 0, output: 0, requests: 50000 } }\n  \
                      slow: { provider: openai, upstream_model: lorem-4+slow-first-byte-20s, price: { input: 1, output: 1 } }\n  \
                      probe: { provider: openai, upstream_model: echo, price: { input: 1, output: 1 } }\n  \
                      probe2: { provider: anthropic, upstream_model: echo, price: { input: 1, output: 1 } }";

async fn rig(rules: &str) -> Rig {
    Plan {
        head: rules.into(),
        models: MODELS.into(),
        routes:
            "  falls: { targets: [{ model: broken }], fallbacks: [good] }\n  climbs: { targets: [{ model: broken }], fallbacks: [dear] }"
                .into(),
        ..Plan::default()
    }
    .start()
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_is_charged_to_its_own_provider_and_where_that_has_no_money_it_is_not_sent() {
    let rig = rig("budgets: [{ name: b, per: [provider], amount: 0.02 USD, window: never }]").await;
    for number in 1..=2 {
        let answer = rig.caller.ask(Dialect::OpenAi, "falls", number == 1).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-model")),
            (200, "anthropic/echo"),
            "{:?}",
            answer.body
        );
        assert_eq!(standing(&rig.caller, "probe").await, (0, 0), "the provider that failed");
        assert_eq!(
            standing(&rig.caller, "probe2").await,
            (number * nano("0.01"), 0),
            "the one that answered"
        );
    }
    for caller in Dialect::ALL {
        let answer = rig.caller.ask(caller, "falls", false).await;
        assert!(answer.status >= 400, "{:?}", answer.headers);
    }
    assert_eq!(rig.bill("echo").len(), 2, "a third was sent");
    assert_eq!(
        (standing(&rig.caller, "probe").await, standing(&rig.caller, "probe2").await),
        ((0, 0), (nano("0.02"), 0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c2_what_the_dearest_attempt_may_cost_is_held_before_the_first() {
    let rig = rig("budgets: [{ name: b, amount: 0.04 USD, window: never }]").await;
    let answer = rig.caller.ask(Dialect::OpenAi, "climbs", false).await;
    assert_eq!(
        (answer.status, code(Dialect::OpenAi, &answer).as_str()),
        (402, "request_exceeds_budget"),
        "five cents may be needed"
    );
    assert!(rig.bill("lorem-9+status-503").is_empty(), "and nothing is sent");
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "falls", false).await.status, 200);
    assert_eq!(standing(&rig.caller, "probe").await, (nano("0.01"), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c3_who_leaves_before_a_whole_answer_pays_for_the_question() {
    let rig = rig("budgets: [{ name: b, amount: 1 USD, window: never }]").await;
    for caller in Dialect::ALL {
        let before = rig.bill("lorem-4+slow-first-byte-20s").len();
        let (asker, body) = (
            rig.caller.clone(),
            caller.ask("slow", "a question of some length", false).to_string(),
        );
        let asking = tokio::spawn(async move { asker.try_open("POST", caller.path(), body.into()).await.is_ok() });
        while rig.bill("lorem-4+slow-first-byte-20s").len() == before {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        asking.abort();
    }
    let rows = ledger_of(&rig, 2).await;
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(
            (row.ended.as_str(), row.source.as_str(), row.totals.output),
            ("posted", "estimate", 0),
            "{row:?}"
        );
        assert!(row.totals.input > 5 && row.totals.cost == row.totals.input * 1_000, "{row:?}");
    }
    assert_eq!(
        standing(&rig.caller, "probe").await,
        (rows.iter().map(|row| row.totals.cost).sum(), 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c2_the_tier_that_was_asked_for_is_billed_where_the_answer_names_none() {
    // gpt-4.1: 2 and 8 USD a million; as priority 3.50 and 14.
    let rows = [
        (json!(null), None),
        (json!("priority"), None),
        (json!("priority"), Some("default")),
        (json!("flex"), Some("priority")),
    ];
    let mut costs = Vec::new();
    for (asked, served) in rows {
        let mut body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}});
        if let Some(served) = served {
            body["service_tier"] = json!(served);
        }
        let provider = Canned::start(json_reply("200 OK", &body.to_string())).await;
        let plan = Plan {
            head: format!(
                "budgets: [{{ name: b, amount: 10 USD, window: never }}]\nspending: {{ allow_unpriced: false }}\n# {}",
                provider.address
            ),
            ..Plan::default()
        };
        let mock = tollgate_mock::Mock::start(tollgate_mock::MockSettings::default()).await.unwrap();
        let text = plan.config(mock.addr()).replace(
            &format!("http://{}/openai/v1", mock.addr()),
            &format!("http://{}/v1", provider.address),
        );
        let settings = tollgate_tests::Settings {
            config: Some(text),
            env: [
                ("CALLER_KEY", tollgate_tests::rig::CALLER_KEY),
                ("OPENAI_KEY", "k-000000"),
                ("ANTHROPIC_KEY", "k-000000"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            ..Default::default()
        };
        let gateway = tokio::task::spawn_blocking(move || tollgate_tests::Gateway::start(&settings))
            .await
            .unwrap();
        let caller = tollgate_tests::Caller::new(gateway.address, tollgate_tests::rig::CALLER_KEY);
        let mut ask = Dialect::OpenAi.ask("openai/gpt-4.1", "x", false);
        if !asked.is_null() {
            ask["service_tier"] = asked;
        }
        let answer = caller.post("/v1/chat/completions", &ask).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        costs.push(nano(answer.header("x-tollgate-cost-usd")));
    }
    // 1,000 × 2 + 100 × 8 µUSD; 1,000 × 3.5 + 100 × 14; as served; as served.
    assert_eq!(costs, [nano("0.0028"), nano("0.0049"), nano("0.0028"), nano("0.0049")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_durability_counts_alike_and_none_forgets() {
    for durability in ["process", "power", "none"] {
        let rig = rig(&format!(
            "budgets: [{{ name: b, amount: 0.05 USD, window: never }}]\nledger: {{ durability: {durability} }}"
        ))
        .await;
        let mut running = tokio::task::JoinSet::new();
        for number in 0..20 {
            let caller = rig.caller.clone();
            running.spawn(async move { caller.ask(Dialect::ALL[number % 2], "good", number % 3 == 0).await.status });
        }
        let answered = running.join_all().await.into_iter().filter(|status| *status == 200).count();
        // Of those who came while five were open, some were told to try again.
        let mut answered = answered;
        while rig.caller.ask(Dialect::OpenAi, "good", true).await.status == 200 {
            answered += 1;
        }
        assert_eq!(answered, 5, "{durability}");
        assert_eq!(standing(&rig.caller, "probe").await, (nano("0.05"), 0), "{durability}");
        if durability != "none" {
            assert_eq!(ledger_of(&rig, 5).await.len(), 5, "{durability}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c2_estimates_learn_from_what_providers_report() {
    for caller in Dialect::ALL {
        let rig = Plan {
            head: "budgets: [{ name: b, amount: 1 USD, window: never }]".into(),
            // A tenth of a cent for each token in: 500 of them, from 400 letters.
            models: "  m: { provider: openai, upstream_model: usage-500-1, price: { input: 1000, output: 0 } }".into(),
            ..Plan::default()
        }
        .start()
        .await;
        let ask = caller.ask("m", &"x".repeat(400), false);
        let first = rig.caller.post(caller.path(), &ask).await;
        assert_eq!((first.status, nano(first.header("x-tollgate-cost-usd"))), (200, nano("0.5")));
        assert_eq!(rig.gateway.record(first.id()).await["overrun"], true, "usual text is less dense");
        // Half of the budget is left, which the second takes too, and a little more: that is known now.
        let second = rig.caller.post(caller.path(), &ask).await;
        assert_eq!(
            (second.status, code(caller, &second).as_str()),
            (402, "request_exceeds_budget"),
            "{:?}",
            second.headers
        );
        assert_eq!(rig.bill("usage-500-1").len(), 1);
    }
}
