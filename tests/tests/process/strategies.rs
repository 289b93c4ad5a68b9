//! How routes choose, seen from outside: rules by what a call says, stickiness, and the quicker of two.

use std::collections::BTreeMap;

use serde_json::json;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_rule_that_holds_chooses_the_model() {
    let rig = Rig::with_routes(
        "  by-rule:
    strategy: rules
    rules:
      - { when: 'task == \"classification\"', use: [openai/lorem-1] }
      - { when: 'metadata.tier == \"gold\" && session != \"\"', use: [openai/lorem-2] }
      - { when: has_images, use: [openai/lorem-3] }
      - { when: wants_json, use: [openai/lorem-4+status-500, openai/lorem-4] }
      - { when: priority >= 5, use: [openai/lorem-5] }
      - { use: [openai/lorem-6] }
  gaps:
    strategy: rules
    rules: [{ when: has_tools, use: [openai/lorem-7] }]",
    )
    .await;
    let text = || json!([{"role": "user", "content": "Is an image_url a picture? Say it in json."}]);
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]}]);
    let plain = rig.caller.clone();
    let rows = [
        (
            "lorem-1",
            plain.clone().with("x-tollgate-task", "classification"),
            json!({"messages": text()}),
        ),
        (
            "lorem-2",
            plain.clone().with("x-tollgate-session", "s"),
            json!({"messages": text(), "metadata": {"tier": "gold"}}),
        ),
        (
            "lorem-2",
            plain
                .clone()
                .with("x-tollgate-session", "s")
                .with("x-tollgate-metadata", r#"{"tier":"gold"}"#),
            json!({"messages": text()}),
        ),
        ("lorem-3", plain.clone(), json!({"messages": image})),
        (
            "lorem-4",
            plain.clone(),
            json!({"messages": text(), "response_format": {"type": "json_object"}}),
        ),
        (
            "lorem-5",
            plain.clone().with("x-tollgate-priority", "7"),
            json!({"messages": text()}),
        ),
        ("lorem-6", plain.clone(), json!({"messages": text()})),
    ];
    for (model, caller, mut body) in rows {
        body["model"] = json!("by-rule");
        let answer = caller.post("/v1/chat/completions", &body).await;
        let answered = answer.header("x-tollgate-model");
        assert_eq!(
            (answer.status, answered),
            (200, format!("openai/{model}").as_str()),
            "{:?}",
            answer.body
        );
    }
    let none = rig.caller.ask(Dialect::OpenAi, "gaps", false).await;
    assert_eq!(
        (none.status, Dialect::OpenAi.error_code(&none.json())),
        (503, "no_target".to_owned())
    );
    assert!(String::from_utf8_lossy(&none.body).contains("no rule holds"), "{:?}", none.body);
    let bad = rig.caller.clone().with("x-tollgate-metadata", "tier=gold");
    let refused = bad.ask(Dialect::OpenAi, "by-rule", false).await;
    assert_eq!(
        (refused.status, Dialect::OpenAi.error_code(&refused.json())),
        (400, "invalid_attribution".to_owned())
    );
}

/// Which model answered each of these callers.
async fn answered(rig: &Rig, route: &str, header: &str, values: &[String]) -> Vec<String> {
    let mut models = Vec::new();
    for value in values {
        let answer = rig.caller.clone().with(header, value).ask(Dialect::OpenAi, route, false).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        models.push(answer.header("x-tollgate-model").to_owned());
    }
    models
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sticky_route_keeps_users_sessions_and_conversations_together() {
    let rig = Rig::with_routes(
        "  by-user: { strategy: weighted, targets: [{ model: openai/lorem-1, weight: 3 }, { model: openai/lorem-2, weight: 1, sticky: user }] }
  by-session: { strategy: weighted, sticky: session, targets: [{ model: openai/lorem-1 }, { model: openai/lorem-2 }] }
  by-prefix: { strategy: weighted, sticky: prefix, targets: [{ model: openai/lorem-1 }, { model: openai/lorem-2 }] }",
    )
    .await;
    let names: Vec<String> = (0..60).map(|number| format!("name-{number}")).collect();
    for (route, header) in [("by-user", "x-tollgate-user"), ("by-session", "x-tollgate-session")] {
        let first = answered(&rig, route, header, &names).await;
        assert_eq!(answered(&rig, route, header, &names).await, first, "{route}: the same each time");
        let ones = first.iter().filter(|model| *model == "openai/lorem-1").count();
        assert!((15..58).contains(&ones), "{route}: {ones} of 60 at the first");
    }
    let mut seen = BTreeMap::new();
    for conversation in 0..20 {
        let system = json!({"role": "system", "content": "be brief"});
        let first = json!({"role": "user", "content": format!("question {conversation}")});
        let mut messages = vec![system, first];
        let mut models = Vec::new();
        for turn in 0..3 {
            let answer = rig
                .caller
                .post("/v1/chat/completions", &json!({"model": "by-prefix", "messages": messages}))
                .await;
            models.push(answer.header("x-tollgate-model").to_owned());
            messages.push(json!({"role": "assistant", "content": "well"}));
            messages.push(json!({"role": "user", "content": format!("and {turn}?")}));
        }
        assert!(
            models.iter().all(|model| *model == models[0]),
            "one conversation, one cache: {models:?}"
        );
        *seen.entry(models[0].clone()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "one system prompt does not put all of them in one place: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quicker_of_two_gets_nearly_all_and_failures_are_slow() {
    let plan = Plan {
        routes: "  quick: { strategy: fastest, targets: [{ model: openai/lorem-2+slow-first-byte-2s }, { model: openai/lorem-3 }] }
  failing: { strategy: fastest, targets: [{ model: openai/lorem-4+status-503 }, { model: openai/lorem-5 }], retry: { attempts: 2 } }
  idle: { strategy: least_busy, targets: [{ model: openai/lorem-6+slow-first-byte-2s }, { model: openai/lorem-7 }] }"
            .into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let caller = rig.caller.clone();
        running.spawn(async move { caller.ask(Dialect::OpenAi, "quick", false).await.status });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(running.join_all().await.iter().all(|status| *status == 200));
    let slow = rig.bill("lorem-2+slow-first-byte-2s").len();
    assert!(slow <= 2, "{slow} of 50 went to the slow one");

    for _ in 0..30 {
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "failing", false).await.status, 200);
    }
    let failed = rig.bill("lorem-4+status-503").len();
    assert!(failed <= 2, "{failed} of 30 went to the failing one");

    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let caller = rig.caller.clone();
        running.spawn(async move { caller.ask(Dialect::OpenAi, "idle", false).await.status });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(running.join_all().await.iter().all(|status| *status == 200));
    let busy = rig.bill("lorem-6+slow-first-byte-2s").len();
    assert!((1..=4).contains(&busy), "{busy} of 20 went to the one with an open call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cheapest_is_the_one_for_this_call_and_this_routes_answers() {
    // Answers of 200 tokens: what is cheap to read is dear to write.
    let plan = Plan {
        models: "  reader: { provider: openai, upstream_model: lorem-200, price: { input: 1, output: 100 } }
  writer: { provider: openai, upstream_model: lorem-201, price: { input: 40, output: 4 } }"
            .into(),
        routes: "  cheap: { strategy: cheapest, targets: [{ model: openai/lorem-9 }, { model: reader }, { model: writer }] }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let ask = async |words: usize, max_tokens: u64| {
        let prompt = "word ".repeat(words);
        let body = json!({"model": "cheap", "max_tokens": max_tokens, "messages": [{"role": "user", "content": prompt}]});
        let answer = rig.caller.post("/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.header("x-tollgate-model").to_owned()
    };
    assert_eq!(ask(4_000, 16).await, "openai/lorem-200", "much to read, little to write");
    assert_eq!(ask(4, 1_000).await, "openai/lorem-201", "little to read, much to write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_asks_how_full_the_fullest_budget_is() {
    // 200 tokens at 100 USD per million: 0.02 USD a call, of 0.05.
    let plan = Plan {
        head: "budgets: [{ name: day, per: [team], amount: 0.05 USD, window: day }, { name: wide, per: [], amount: 500 USD, window: day }]"
            .into(),
        models: "  dear: { provider: openai, upstream_model: lorem-200, price: { input: 0, output: 100 } }".into(),
        routes: "  saving: { strategy: rules, rules: [{ when: budget_used >= 40, use: [openai/lorem-3] }, { use: [dear] }] }".into(),
        ..Plan::default()
    };
    let plan = Plan {
        head: format!("{}\nspending: {{ allow_unpriced: true }}", plan.head),
        ..plan
    };
    let rig = plan.start().await;
    let body = json!({"model": "saving", "max_tokens": 200, "messages": [{"role": "user", "content": "Say something."}]});
    for expected in ["openai/lorem-200", "openai/lorem-3"] {
        let answer = rig.caller.post("/v1/chat/completions", &body).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-model")),
            (200, expected),
            "{:?}",
            answer.body
        );
    }
}
