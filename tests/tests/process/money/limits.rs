//! Limits: what each counts and whose, what a refused caller is told, and what every other caller is told of the room that is left.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tollgate_tests::gate::Gate;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Caller, Dialect, Rig, Settings};

use super::code;

/// Two keys of two teams and two users; with a simulated model of each dialect.
async fn rig(rules: &str) -> Rig {
    Plan {
        head: rules.into(),
        models: "  one: { provider: openai, upstream_model: usage-300-200, price: { input: 1, output: 1 } }\n  \
                 two: { provider: anthropic, upstream_model: echo, price: { input: 1, output: 1 } }"
            .into(),
        teams: "  other: { routes: [\"*\"], models: [\"*\"] }".into(),
        keys:
            "  - { name: ada, team: all, user: ada, feature: chat, features: [chat, search], tags: { tier: free }, secret: env:KEY_A }\n  \
               - { name: bob, team: other, user: bob, feature: search, tags: { tier: gold }, secret: env:KEY_B }"
                .into(),
        settings: Settings {
            env: vec![("KEY_A".into(), "key-of-ada-000".into()), ("KEY_B".into(), "key-of-bob-000".into())],
            ..Default::default()
        },
        ..Plan::default()
    }
    .start()
    .await
}

fn of(rig: &Rig, key: &str) -> Caller {
    Caller::new(rig.gateway.address, key)
}

fn assert_limited(caller: Dialect, answer: &Answer, expected: &str) {
    let at = format!("{:?} {:?}", answer.headers, answer.body);
    assert_eq!((answer.status, code(caller, answer).as_str()), (429, expected), "{at}");
    assert_eq!(answer.header("x-should-retry"), "true", "{at}");
    let (seconds, ms): (u64, u64) = (
        answer.header("retry-after").parse().unwrap(),
        answer.header("retry-after-ms").parse().unwrap(),
    );
    assert!(ms >= 1 && seconds == ms.div_ceil(1_000), "{at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_dimension_counts_for_itself() {
    // The rule; then calls: key, model, and whether it is the one that is refused.
    let (ada, bob) = ("key-of-ada-000", "key-of-bob-000");
    let rows = [
        ("per: [], ", "", vec![(ada, "one", false), (bob, "two", false), (bob, "one", true)]),
        (
            "per: [team], ",
            "all",
            vec![(ada, "one", false), (ada, "two", false), (bob, "one", false), (ada, "one", true)],
        ),
        (
            "per: [user], ",
            "ada",
            vec![(ada, "one", false), (ada, "two", false), (bob, "one", false), (ada, "one", true)],
        ),
        (
            "per: [key], ",
            "bob",
            vec![(bob, "one", false), (bob, "two", false), (ada, "one", false), (bob, "one", true)],
        ),
        (
            "per: [feature], ",
            "search",
            vec![(bob, "one", false), (bob, "two", false), (ada, "one", false), (bob, "one", true)],
        ),
        (
            "per: [route], ",
            "one",
            vec![(bob, "one", false), (ada, "one", false), (ada, "two", false), (bob, "one", true)],
        ),
        (
            "per: [model], ",
            "openai/usage-300-200",
            vec![(bob, "one", false), (ada, "one", false), (ada, "two", false), (bob, "one", true)],
        ),
        (
            "per: [provider], ",
            "anthropic",
            vec![(bob, "two", false), (ada, "two", false), (ada, "one", false), (bob, "two", true)],
        ),
        (
            "per: [\"tag:tier\"], ",
            "free",
            vec![(ada, "one", false), (ada, "two", false), (bob, "one", false), (ada, "one", true)],
        ),
        (
            "per: [user, model], ",
            "ada,openai/usage-300-200",
            vec![
                (ada, "one", false),
                (ada, "one", false),
                (ada, "two", false),
                (bob, "one", false),
                (ada, "one", true),
            ],
        ),
        (
            "when: 'user == \"bob\" && caller.tags.tier == \"gold\"', ",
            "",
            vec![
                (bob, "one", false),
                (bob, "two", false),
                (ada, "one", false),
                (ada, "two", false),
                (bob, "one", true),
            ],
        ),
        (
            "when: 'provider == \"anthropic\"', ",
            "",
            vec![
                (bob, "two", false),
                (ada, "one", false),
                (ada, "two", false),
                (bob, "one", false),
                (bob, "two", true),
            ],
        ),
        (
            "per: [team], when: 'model.startsWith(\"openai/\") && operation == \"chat\"', ",
            "other",
            vec![
                (bob, "one", false),
                (bob, "two", false),
                (bob, "one", false),
                (ada, "one", false),
                (bob, "one", true),
            ],
        ),
    ];
    for (terms, whose, calls) in rows {
        let rig = rig(&format!("limits: [{{ name: l, {terms}requests: 2/hour }}]")).await;
        for (number, (key, model, refused)) in calls.into_iter().enumerate() {
            let caller = Dialect::ALL[number % 2];
            let answer = of(&rig, key).ask(caller, model, number % 3 == 0).await;
            let at = format!("{terms} call {number}: {:?}", answer.body);
            if !refused {
                assert_eq!(answer.status, 200, "{at}");
                continue;
            }
            assert_limited(caller, &answer, "rate_limit_exceeded");
            let details = answer.json()["error"]["details"].clone();
            assert_eq!(
                (&details["rule"], &details["scope_id"], &details["unit"]),
                (&json!("l"), &json!(whose), &json!("requests")),
                "{at}"
            );
            assert_eq!((&details["limit"], &details["used"]), (&json!(2), &json!(2)), "{at}");
            let ms: u64 = answer.header("retry-after-ms").parse().unwrap();
            assert!((3_500_000..=3_650_000).contains(&ms), "an hour: {at}");
            assert!(details["resets_at"].is_string(), "{at}");
            assert_eq!(answer.header("x-ratelimit-remaining-requests"), "0", "{:?}", answer.headers);
            assert_eq!(answer.header("x-ratelimit-limit-requests"), "2", "{:?}", answer.headers);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_long_enough_and_every_answer_says_what_is_left() {
    let rig = rig("limits: [{ name: wide, requests: 100/hour }, { name: tight, per: [key], requests: 3/second }]").await;
    for round in 0..3 {
        let mut left = Vec::new();
        let refused = loop {
            let answer = rig.caller.ask(Dialect::OpenAi, "one", false).await;
            if answer.status == 429 {
                break answer;
            }
            assert_eq!(answer.status, 200);
            // Three a second is the tighter one.
            assert_eq!(answer.header("x-ratelimit-limit-requests"), "3", "{:?}", answer.headers);
            assert!(!answer.header("x-ratelimit-reset-requests").is_empty());
            left.push(answer.header("x-ratelimit-remaining-requests").parse::<u32>().unwrap());
        };
        assert!(left.len() >= 3 || round > 0, "{left:?}");
        assert_limited(Dialect::OpenAi, &refused, "rate_limit_exceeded");
        let ms: u64 = refused.header("retry-after-ms").parse().unwrap();
        assert!(ms <= 1_100, "{ms}");
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let answer = rig.caller.ask(Dialect::OpenAi, "one", false).await;
        assert_eq!(answer.status, 200, "told to wait {ms} ms, and waited: {:?}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_reserved_by_estimate_and_settled_by_fact() {
    for measure in ["tokens: 1000/hour", "input_tokens: 600/hour", "output_tokens: 400/hour"] {
        let rig = rig(&format!("limits: [{{ name: l, per: [team], {measure} }}]")).await;
        let ask = |caller: Dialect, max: u64| {
            let mut ask = caller.ask("one", "x", false);
            ask["max_tokens"] = json!(max);
            ask
        };
        if measure != "input_tokens: 600/hour" {
            let answer = rig.caller.post("/v1/messages", &ask(Dialect::Anthropic, 5_000)).await;
            assert_eq!(
                (answer.status, code(Dialect::Anthropic, &answer).as_str()),
                (429, "request_exceeds_limit")
            );
            assert_eq!(answer.header("x-should-retry"), "false", "it never fits");
        }
        // 300 in and 200 out, whatever was asked for.
        for caller in Dialect::ALL {
            let answer = rig.caller.post(caller.path(), &ask(caller, 20)).await;
            assert_eq!(answer.status, 200, "{measure} {:?}", answer.body);
            assert!(!answer.header("x-ratelimit-remaining-tokens").is_empty(), "{:?}", answer.headers);
        }
        let answer = rig.caller.post("/v1/messages", &ask(Dialect::Anthropic, 20)).await;
        assert_limited(Dialect::Anthropic, &answer, "rate_limit_exceeded");
        let details = answer.json()["error"]["details"].clone();
        assert_eq!(
            (&details["used"], &details["unit"], &details["reserved"]),
            (&details["limit"], &json!("tokens"), &json!(0)),
            "{details}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_a_time_of_a_rule_and_of_a_key() {
    let gate = Gate::start().await;
    let mut plan = Plan {
        head: "limits: [{ name: l, concurrent: 3 }]\nspending: { allow_unpriced: true }".into(),
        providers: format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        ),
        keys: "  - { name: narrow, team: all, concurrent: 1, secret: env:KEY_N }".into(),
        ..Plan::default()
    };
    plan.settings.env.push(("KEY_N".into(), "key-of-one-call".into()));
    let rig = plan.start().await;
    let narrow = Caller::new(rig.gateway.address, "key-of-one-call");
    for round in 1..=2 {
        gate.close();
        let mut running = JoinSet::new();
        for caller in [&narrow, &rig.caller, &rig.caller] {
            let caller = caller.clone();
            running.spawn(async move { caller.ask(Dialect::OpenAi, "gate/m", true).await });
        }
        while gate.seen() < 3 * round {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for caller in [&rig.caller, &narrow] {
            let answer = caller.ask(Dialect::OpenAi, "gate/m", false).await;
            assert_limited(Dialect::OpenAi, &answer, "rate_limit_exceeded");
            assert_eq!(answer.json()["error"]["details"]["unit"], "calls");
        }
        gate.open();
        for answer in running.join_all().await {
            assert_eq!(answer.status, 200);
        }
    }
    assert_eq!(gate.seen(), 6, "who was refused was not sent");
    drop(Arc::new(rig));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_at_its_limit_is_passed_over_for_the_next_of_the_route() {
    let plan = Plan {
        head: "limits: [{ name: l, per: [model], requests: 2/hour }]\nspending: { allow_unpriced: true }".into(),
        routes: "  r: { targets: [{ model: openai/echo }], fallbacks: [anthropic/echo] }\n  \
                 twice: { targets: [{ model: openai/lorem-7+status-500 }], retry: { attempts: 2 } }"
            .into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let mut said = Vec::new();
    for number in 0..5 {
        let answer = rig.caller.ask(Dialect::ALL[number % 2], "r", number % 3 == 0).await;
        said.push((
            answer.status,
            answer.header("x-tollgate-model").to_owned(),
            answer.header("x-tollgate-fallback").to_owned(),
        ));
    }
    let first = (200, "openai/echo".to_owned(), String::new());
    let next = (200, "anthropic/echo".to_owned(), "from=openai/echo; reason=over_limit".to_owned());
    let none = (429, String::new(), String::new());
    assert_eq!(said, [first.clone(), first, next.clone(), next, none]);
    // Each try is a request to its model.
    assert_eq!(
        rig.caller.ask(Dialect::OpenAi, "twice", false).await.header("x-tollgate-attempts"),
        "2"
    );
    let answer = rig.caller.ask(Dialect::OpenAi, "twice", false).await;
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (429, "0"));
    assert_eq!(rig.bill("lorem-7+status-500").len(), 2);
}
