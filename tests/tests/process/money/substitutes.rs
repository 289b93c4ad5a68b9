//! Other models in place of the planned one, and smaller answers in place of none: never in silence, and never for whom or what they do
//! not fit (GOVERNANCE sections 4 and 6).

use serde_json::json;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Caller, Dialect, Rig};

use super::{code, nano, standing};

/// A cent a call; a tenth of a cent; and one that costs a hundredth of a cent for each token that it says.
const MODELS: &str = "  dear: { provider: openai, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }\n  \
                      cheap: { provider: openai, upstream_model: lorem-3, price: { input: 0, output: 0, requests: 1000 } }\n  \
                      talks: { provider: openai, upstream_model: lorem-9000, price: { input: 0, output: 100 } }\n  \
                      writes: { provider: anthropic, upstream_model: lorem-9000, price: { input: 0, output: 100 } }\n  \
                      deaf: { provider: openai, upstream_model: lorem-900+ignore-max-tokens, price: { input: 0, output: 100 } }\n  \
                      blind: { provider: anthropic, upstream_model: lorem-900+ignore-max-tokens, price: { input: 0, output: 100 } }\n  \
                      exact: { provider: anthropic, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }";

async fn rig(rules: &str) -> Rig {
    let mut plan = Plan {
        head: rules.into(),
        models: MODELS.into(),
        keys: "  - { name: narrow, team: all, models: [dear], secret: env:KEY_N }".into(),
        ..Plan::default()
    };
    plan.settings.env.push(("KEY_N".into(), "key-of-dear-alone".into()));
    plan.start().await
}

fn answered_by(answer: &Answer) -> (u16, &str, &str) {
    (
        answer.status,
        answer.header("x-tollgate-model"),
        answer.header("x-tollgate-downgraded"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_eighty_percent_another_model_answers_and_says_so() {
    for (from, to) in [("dear", "cheap"), ("openai/echo", "openai/lorem-3")] {
        let rules =
            format!("budgets: [{{ name: b, amount: 0.10 USD, window: month, downgrade_at: 80%, downgrade: {{ \"{from}\": \"{to}\" }} }}]");
        let rig = rig(&rules).await;
        for number in 0..8 {
            let answer = rig.caller.ask(Dialect::ALL[number % 2], "dear", false).await;
            assert_eq!(answered_by(&answer), (200, "openai/echo", ""), "{from} {number}");
        }
        for caller in Dialect::ALL {
            for stream in [false, true] {
                let answer = rig.caller.ask(caller, "dear", stream).await;
                let record = rig.gateway.record(answer.id()).await;
                assert_eq!(
                    answered_by(&answer),
                    (200, "openai/lorem-3", "from=openai/echo; reason=budget_80"),
                    "{from} {record}"
                );
                assert_eq!(record["downgraded"], "from=openai/echo; reason=budget_80");
                if !stream {
                    assert_eq!(answer.json()["model"], "lorem-3", "the real model");
                    let price = if from == "dear" { "0.001" } else { "" };
                    assert_eq!(answer.header("x-tollgate-cost-usd"), price, "as the model that answered costs");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_may_not_or_cannot_the_planned_model_goes_on() {
    let rig =
        rig("budgets: [{ name: b, amount: 0.10 USD, window: month, downgrade_at: 10%, downgrade: { dear: cheap, exact: cheap } }]").await;
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "dear", false).await.status, 200);
    // This key may not call the other one.
    let narrow = Caller::new(rig.gateway.address, "key-of-dear-alone");
    assert_eq!(
        answered_by(&narrow.ask(Dialect::OpenAi, "dear", false).await),
        (200, "openai/echo", "")
    );
    // And OpenAI's dialect has no top_k.
    let mut ask = Dialect::Anthropic.ask("exact", "x", false);
    assert_eq!(
        rig.caller.post("/v1/messages", &ask).await.header("x-tollgate-model"),
        "openai/lorem-3"
    );
    ask["top_k"] = json!(5);
    assert_eq!(
        answered_by(&rig.caller.post("/v1/messages", &ask).await),
        (200, "anthropic/echo", "")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_any_more_is_answered_by_what_does() {
    let rig = rig("budgets: [{ name: b, amount: 0.012 USD, window: never, on_exceed: { downgrade: [cheap] } }]").await;
    assert_eq!(
        answered_by(&rig.caller.ask(Dialect::OpenAi, "dear", false).await),
        (200, "openai/echo", "")
    );
    let narrow = Caller::new(rig.gateway.address, "key-of-dear-alone");
    for caller in Dialect::ALL {
        let refused = narrow.ask(caller, "dear", false).await;
        assert_eq!((refused.status, code(caller, &refused).as_str()), (402, "request_exceeds_budget"));
        let answer = rig.caller.ask(caller, "dear", caller == Dialect::OpenAi).await;
        assert_eq!(answered_by(&answer), (200, "openai/lorem-3", "from=openai/echo; reason=budget_100"));
    }
    for caller in Dialect::ALL {
        let refused = rig.caller.ask(caller, "dear", false).await;
        assert_eq!((refused.status, code(caller, &refused).as_str()), (402, "budget_exceeded"));
    }
    assert_eq!(standing(&rig.caller, "talks").await, (nano("0.012"), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_one_model_lets_another_answer() {
    let rig = rig("limits: [{ name: l, per: [model], requests: 2/hour, on_exceed: { downgrade: [cheap] } }]").await;
    let mut said = Vec::new();
    for _ in 0..5 {
        let answer = rig.caller.ask(Dialect::OpenAi, "dear", false).await;
        said.push((answer.status, answer.header("x-tollgate-downgraded").to_owned()));
    }
    let limited = "from=openai/echo; reason=limit".to_owned();
    let expected = [
        (200, String::new()),
        (200, String::new()),
        (200, limited.clone()),
        (200, limited),
        (429, String::new()),
    ];
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clamp_to_budget_makes_the_answer_smaller_and_it_is_whole() {
    for stream in [false, true] {
        for model in ["talks", "writes"] {
            for caller in Dialect::ALL {
                let rig = rig("budgets: [{ name: b, amount: 0.05 USD, window: never, clamp_to_budget: true }]").await;
                // Five cents are 500 tokens of the 4,000.
                let answer = rig.caller.ask(caller, model, stream).await;
                let at = format!(
                    "{caller:?} {model} {stream} {:?} {}",
                    answer.headers,
                    String::from_utf8_lossy(&answer.body)
                );
                assert_eq!(
                    (answer.status, answer.header("x-tollgate-max-tokens")),
                    (200, "500; reason=budget"),
                    "{at}"
                );
                // The body alone: a port may have these digits too.
                let sent = rig.last_request()["body"].to_string();
                assert!(sent.contains("500") && !sent.contains("4000"), "{sent}");
                let record = rig.gateway.record(answer.id()).await;
                assert_eq!(
                    (&record["outcome"], &record["finish"]),
                    (&json!("completed"), &json!("length")),
                    "{at} {record}"
                );
                assert_eq!(record["cost_usd"].as_str().map(nano), Some(nano("0.05")), "{record}");
                let refused = rig.caller.ask(caller, model, stream).await;
                assert_eq!((refused.status, code(caller, &refused).as_str()), (402, "budget_exceeded"));
            }
        }
    }
    // Fewer than 64 tokens are not worth an answer.
    let rig = rig("budgets: [{ name: b, amount: 0.0063 USD, window: never, clamp_to_budget: true }]").await;
    let refused = rig.caller.ask(Dialect::OpenAi, "talks", false).await;
    assert_eq!(
        (refused.status, code(Dialect::OpenAi, &refused).as_str()),
        (402, "request_exceeds_budget")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_a_provider_that_ignores_its_cap_is_stopped_where_no_more_may_be_spent() {
    for model in ["deaf", "blind"] {
        for caller in Dialect::ALL {
            // 100 tokens are held; 25 more would fit, and then none.
            let rig = rig("budgets: [{ name: b, amount: 0.0130 USD, window: never }]").await;
            let mut ask = caller.ask(model, "x", true);
            ask["max_tokens"] = json!(100);
            let answer = rig.caller.post(caller.path(), &ask).await;
            let seen = caller.stream(&answer.body);
            let at = format!("{caller:?} {model} {seen:?}");
            assert!(!seen.terminated && seen.finish.is_none() && seen.after_end == 0, "{at}");
            assert_eq!(caller.error_code(seen.error.as_ref().unwrap()), "budget_exceeded", "{at}");
            let record = rig.gateway.record(answer.id()).await;
            assert_eq!(
                (&record["outcome"], &record["fault"]["code"]),
                (&json!("broken"), &json!("budget_exceeded")),
                "{record}"
            );
            let (used, held) = standing(&rig.caller, "talks").await;
            assert!(nano("0.0125") <= used && used <= nano("0.03") && held == 0, "{used} {at}");
            assert_eq!(record["cost_usd"].as_str().map(nano), Some(used));
        }
        // Where there is money it may go on, and pays.
        let rig = rig("budgets: [{ name: b, amount: 10 USD, window: never }]").await;
        let mut ask = Dialect::OpenAi.ask(model, "x", true);
        ask["max_tokens"] = json!(100);
        let answer = rig.caller.post("/v1/chat/completions", &ask).await;
        assert!(Dialect::OpenAi.stream(&answer.body).terminated, "{:?}", answer.body);
        let record = rig.gateway.record(answer.id()).await;
        assert_eq!(record["cost_usd"].as_str().map(nano), Some(nano("0.09")), "900 tokens: {record}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_governed_call_has_a_cap_and_otherwise_its_own_bytes() {
    let sent = |rig: &Rig| {
        let last = rig.last_request();
        last["body"].as_str().map_or_else(|| last["body"].to_string(), str::to_owned)
    };
    let rows = [
        (
            Dialect::OpenAi,
            "dear",
            r#"{"model": "NAME",  "messages":[{"role":"user","content":"é\u00e9 x"}] , "seed":7}"#,
        ),
        (
            Dialect::Anthropic,
            "exact",
            r#"{"max_tokens": 77,"model": "NAME",  "messages":[{"role":"user","content":"é\u00e9 x"}]}"#,
        ),
        (
            Dialect::OpenAi,
            "dear",
            r#"{"model": "NAME",  "max_tokens":77, "messages":[{"role":"user","content":"x"}]}"#,
        ),
    ];
    let spending = "spending: { output_cap: 321, allow_unpriced: true }";
    let free = rig(spending).await;
    let governed = rig(&format!("{spending}\nbudgets: [{{ name: b, amount: 10 USD, window: never }}]")).await;
    for (number, (caller, model, body)) in rows.into_iter().enumerate() {
        let (ask, as_sent) = (body.replace("NAME", model), body.replace("NAME", "echo"));
        assert_eq!(free.caller.send("POST", caller.path(), ask.clone()).await.status, 200);
        assert_eq!(sent(&free), as_sent, "{number}");
        assert_eq!(governed.caller.send("POST", caller.path(), ask).await.status, 200);
        let governed = sent(&governed);
        if number == 0 {
            let with_cap: serde_json::Value = serde_json::from_str(&governed).unwrap();
            let cap = with_cap["max_tokens"].as_u64().or(with_cap["max_completion_tokens"].as_u64());
            assert_eq!(cap, Some(321), "{governed}");
            let rest = governed
                .replace("\"max_completion_tokens\":321", "")
                .replace("\"max_tokens\":321", "");
            assert!(rest.contains(r#"[{"role":"user","content":"é\u00e9 x"}] , "seed":7"#), "{governed}");
        } else {
            assert_eq!(governed, as_sent, "{number}");
        }
    }
}
