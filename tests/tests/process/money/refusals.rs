//! What callers are told whom money refuses: before any byte goes to a provider (R-C6), in their own dialect, and so that SDKs do the right
//! thing (GOVERNANCE section 7). And what callers say of themselves raises no ceiling (R-C8).

use http::HeaderMap;
use serde_json::{Value, json};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Dialect, Rig};

use super::{code, ledger_of, nano, standing};

/// A cent for each call, and nothing for what is said.
const CENT: &str = "  cent: { provider: openai, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }\n  \
                    cent2: { provider: anthropic, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }";

async fn rig(rules: &str) -> Rig {
    Plan {
        head: rules.into(),
        models: CENT.into(),
        routes: "  r: { targets: [{ model: cent }], fallbacks: [cent2] }".into(),
        teams: "  other: { routes: [\"*\"], models: [\"*\"] }".into(),
        ..Plan::default()
    }
    .start()
    .await
}

fn upstream_requests(rig: &Rig) -> u64 {
    let page: Value = serde_json::from_str(&rig.mock.bill_json(true)).unwrap();
    page["total"]["requests"].as_u64().unwrap()
}

/// An error in the caller's dialect, of that status and code.
fn assert_refused(caller: Dialect, answer: &Answer, status: u16, expected: &str, retry: &str) {
    let at = format!("{caller:?} {:?} {:?}", answer.headers, answer.body);
    assert_eq!((answer.status, code(caller, answer).as_str()), (status, expected), "{at}");
    assert_eq!(answer.header("x-should-retry"), retry, "{at}");
    assert_eq!(answer.header("content-type"), "application/json", "{at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c6_a_spent_budget_refuses_every_route_before_any_byte_goes_up() {
    let rig = rig("budgets: [{ name: b, amount: 0.02 USD, window: day }]").await;
    for caller in Dialect::ALL {
        assert_eq!(rig.caller.ask(caller, "r", caller == Dialect::OpenAi).await.status, 200);
    }
    let before = upstream_requests(&rig);
    for model in ["r", "cent", "cent2"] {
        for caller in Dialect::ALL {
            for stream in [false, true] {
                let answer = rig.caller.ask(caller, model, stream).await;
                assert_refused(caller, &answer, 402, "budget_exceeded", "false");
                let error = answer.json()["error"].clone();
                let kind = if caller == Dialect::OpenAi {
                    "insufficient_quota"
                } else {
                    "billing_error"
                };
                assert_eq!(error["type"], kind, "{error}");
                let details = &error["details"];
                for (name, expected) in [
                    ("rule", json!("b")),
                    ("unit", json!("usd")),
                    ("limit", json!(0.02)),
                    ("used", json!(0.02)),
                    ("retryable", json!(false)),
                ] {
                    assert_eq!(details[name], expected, "{name}: {error}");
                }
                let id = if caller == Dialect::OpenAi {
                    details["request_id"].clone()
                } else {
                    answer.json()["request_id"].clone()
                };
                assert_eq!(id, answer.id());
                assert!(details["reserved"].as_f64() == Some(0.0), "{error}");
                // Midnight is when it starts anew: in a day at most.
                let seconds: u64 = answer.header("retry-after").parse().unwrap();
                assert!((1..=86_400).contains(&seconds), "{seconds}");
                assert!(details["resets_at"].as_str().unwrap().ends_with("T00:00:00Z"), "{error}");
                assert_eq!(answer.header("x-tollgate-attempts"), "0");
            }
        }
    }
    assert_eq!(upstream_requests(&rig), before, "a provider was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_dearer_than_what_is_left_is_told_so() {
    let plan = Plan {
        head: "budgets: [{ name: all, amount: 1 USD, window: never }, { name: each, amount: 0.001 USD, window: request, when: 'route == \"capped\"' }]".into(),
        models: "  m: { provider: openai, upstream_model: echo, price: { input: 1, output: 100 } }".into(),
        routes: "  capped: { targets: [{ model: m }] }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for caller in Dialect::ALL {
        // 4,000 tokens may cost 0.40 of one dollar: it fits; 20,000 do not.
        assert_eq!(rig.caller.ask(caller, "m", false).await.status, 200);
        let mut ask = caller.ask("m", "x", false);
        ask["max_tokens"] = json!(20_000);
        let answer = rig.caller.post(caller.path(), &ask).await;
        assert_refused(caller, &answer, 402, "request_exceeds_budget", "false");
        assert_eq!(answer.json()["error"]["details"]["rule"], "all");
        // The cap of one call: 0.001 USD are 10 tokens.
        let answer = rig.caller.ask(caller, "capped", true).await;
        assert_refused(caller, &answer, 402, "request_exceeds_budget", "false");
        assert_eq!(answer.json()["error"]["details"]["rule"], "each");
        ask["max_tokens"] = json!(5);
        ask["model"] = json!("capped");
        assert_eq!(rig.caller.post(caller.path(), &ask).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_budget_status_makes_it_a_429_that_no_sdk_tries_again() {
    let rig =
        rig("budgets: [{ name: b, amount: 0.01 USD, window: never }]\nspending: { over_budget_status: 429, allow_unpriced: true }").await;
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "cent", false).await.status, 200);
    for caller in Dialect::ALL {
        let answer = rig.caller.ask(caller, "cent", false).await;
        assert_refused(caller, &answer, 429, "budget_exceeded", "false");
        assert_eq!(answer.header("retry-after"), "", "it never starts anew");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c2_a_model_without_a_price_is_refused_unless_somebody_allows_it() {
    let rules = |level: &str| Plan {
        head: format!("spending: {{ allow_unpriced: {} }}", level == "spending"),
        providers: format!(
            "  lab: {{ base_url: \"http://127.0.0.1:1/v1\", dialect: openai_chat, auth: none{} }}",
            if level == "provider" { ", allow_unpriced: true" } else { "" }
        ),
        models: format!(
            "  m: {{ provider: lab, upstream_model: x{} }}\n  p: {{ provider: openai, upstream_model: echo, price: {{ input: 1, output: 1 }} }}",
            if level == "model" { ", allow_unpriced: true" } else { "" }
        ),
        routes: "  first: { targets: [{ model: m }], fallbacks: [p] }\n  second: { targets: [{ model: p }], fallbacks: [m] }".into(),
        ..Plan::default()
    };
    let rig = rules("").start().await;
    for caller in Dialect::ALL {
        for model in ["m", "lab/anything", "openai/echo"] {
            let answer = rig.caller.ask(caller, model, false).await;
            assert_refused(caller, &answer, 403, "model_unpriced", "false");
        }
        // What has a price goes on: never the other.
        for route in ["first", "second"] {
            let answer = rig.caller.ask(caller, route, false).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-model")),
                (200, "openai/echo"),
                "{:?}",
                answer.body
            );
        }
    }
    assert!(rig.bill("x").is_empty());
    drop(rig);
    for level in ["model", "provider", "spending"] {
        let rig = rules(level).start().await;
        // Nobody listens there: it was called.
        let answer = rig.caller.ask(Dialect::OpenAi, "m", false).await;
        assert_refused(Dialect::OpenAi, &answer, 503, "upstream_unavailable", "false");
        let other = rig.caller.ask(Dialect::OpenAi, "lab/other", false).await.status;
        assert_eq!(other, if level == "model" { 403 } else { 503 }, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_a_model_without_a_price_names_none() {
    let rig = rig("budgets: [{ name: b, amount: 1 USD, window: never }]").await;
    let answer = rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-cost-usd")),
        (200, ""),
        "an unknown price is not a price of nothing"
    );
    let record = rig.gateway.record(answer.id()).await;
    assert!(record["price"].is_null(), "{record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c8_nothing_that_a_caller_says_raises_its_ceiling() {
    let rig = rig("budgets: [{ name: b, per: [team, key], amount: 0.05 USD, window: never }]").await;
    let mut answered = 0;
    for number in 0..30 {
        let caller = Dialect::ALL[number % 2];
        let mut ask = caller.ask("cent", "x", false);
        let name = format!("somebody-{number}");
        if caller == Dialect::OpenAi {
            ask["user"] = json!(name);
            ask["metadata"] = json!({"team": name, "budget": "1000000", "user_id": name});
        } else {
            ask["metadata"] = json!({"user_id": name});
        }
        let mut speaker = rig.caller.clone();
        for header in [
            "x-tollgate-team",
            "x-tollgate-user",
            "x-tollgate-key",
            "x-tollgate-end-user",
            "x-tollgate-budget",
            "openai-organization",
            "openai-project",
            "x-litellm-key",
        ] {
            speaker = speaker.with(header, &name);
        }
        let answer = speaker.post(caller.path(), &ask).await;
        answered += usize::from(answer.status == 200);
        if answer.status != 200 {
            assert_refused(caller, &answer, 402, "budget_exceeded", "false");
        }
    }
    assert_eq!(answered, 5, "five cents pay for five");
    let rows = ledger_of(&rig, 5).await;
    assert!(
        rows.iter()
            .all(|row| (row.team.as_str(), row.user.as_str(), row.key.as_str()) == ("all", "", "tester")),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c8_an_end_user_is_written_down_and_is_no_identity() {
    let rig = rig("budgets: [{ name: b, per: [user], amount: 1 USD, window: never }]").await;
    let mut ask = Dialect::OpenAi.ask("cent", "x", false);
    ask["user"] = json!("ada");
    let answer = rig.caller.post("/v1/chat/completions", &ask).await;
    let record = rig.gateway.record(answer.id()).await;
    assert_eq!(
        (&record["user"], record["cost_usd"].as_str().map(nano)),
        (&Value::Null, Some(nano("0.01"))),
        "{record}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c8_many_keys_of_one_team_share_its_ceiling() {
    let mut plan = Plan {
        head: "budgets: [{ name: b, per: [team], amount: 0.10 USD, window: never }]".into(),
        models: CENT.into(),
        ..Plan::default()
    };
    for number in 0..50 {
        plan.keys += &format!("  - {{ name: k{number}, team: all, user: u{number}, secret: env:KEY_{number} }}\n");
        plan.settings
            .env
            .push((format!("KEY_{number}"), format!("many-keys-secret-{number}")));
    }
    let rig = plan.start().await;
    let mut answered = 0;
    for number in 0..50 {
        let caller = tollgate_tests::Caller::new(rig.gateway.address, &format!("many-keys-secret-{number}"));
        answered += usize::from(caller.ask(Dialect::OpenAi, "cent", false).await.status == 200);
    }
    assert_eq!(answered, 10);
    let nobody = tollgate_tests::Caller {
        to: rig.gateway.address,
        headers: HeaderMap::new(),
    };
    assert_eq!(
        nobody.ask(Dialect::OpenAi, "cent", false).await.status,
        401,
        "who is not known is not told of money"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_have_accounts_of_their_own_and_the_tightest_answers() {
    let plan = Plan {
        head: "budgets:\n  - { name: wide, amount: 0.10 USD, window: month }\n  - { name: teams, per: [team], amount: 0.02 USD, window: week }\n  \
               - { name: pair, per: [team, model], amount: 0.01 USD, window: rolling 1h, when: 'route == \"r\"' }"
            .into(),
        models: CENT.into(),
        routes: "  r: { targets: [{ model: cent }] }\n  s: { targets: [{ model: cent2 }] }".into(),
        teams: "  other: { routes: [\"*\"], models: [\"*\"] }".into(),
        keys: "  - { name: o, team: other, secret: env:KEY_O }".into(),
        settings: tollgate_tests::Settings {
            env: vec![("KEY_O".into(), "key-of-the-other-team".into())],
            ..Default::default()
        },
        ..Plan::default()
    };
    let rig = plan.start().await;
    let other = tollgate_tests::Caller::new(rig.gateway.address, "key-of-the-other-team");
    let rows = [
        (&rig.caller, "r", ""),
        (&rig.caller, "r", "pair"),
        (&rig.caller, "s", ""),
        (&rig.caller, "s", "teams"),
        (&rig.caller, "r", "teams"),
        (&other, "r", ""),
        (&other, "r", "pair"),
        (&other, "s", ""),
        (&other, "s", "teams"),
    ];
    for (number, (caller, route, rule)) in rows.into_iter().enumerate() {
        let answer = caller.ask(Dialect::OpenAi, route, false).await;
        if rule.is_empty() {
            assert_eq!(answer.status, 200, "{number}: {:?}", answer.body);
            continue;
        }
        assert_refused(Dialect::OpenAi, &answer, 402, "budget_exceeded", "false");
        let details = answer.json()["error"]["details"].clone();
        assert_eq!(details["rule"], rule, "{number}: {details}");
        let scope = if rule == "pair" { "team,model" } else { "team" };
        assert_eq!(details["scope"], scope, "{number}: {details}");
        let team = if number < 5 { "all" } else { "other" };
        assert!(details["scope_id"].as_str().unwrap().starts_with(team), "{number}: {details}");
    }
    assert_eq!(ledger_of(&rig, 4).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spend_survives_a_clean_restart_and_an_edit_of_the_config() {
    let folder = tollgate_tests::gateway::Folder::new();
    let mut plan = Plan {
        head: "budgets: [{ name: b, amount: 0.03 USD, window: month }]\nlimits: [{ name: l, per: [key], requests: 3/day }]".into(),
        models: CENT.into(),
        ..Plan::default()
    };
    plan.settings.data = Some(folder.path().to_owned());
    let mut rig = plan.start().await;
    for _ in 0..2 {
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "cent", false).await.status, 200);
    }
    rig.gateway.terminate();
    while rig.gateway.is_alive() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    drop(rig);
    let rig = plan.start().await;
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "cent", false).await.status, 200, "one is left");
    let answer = rig.caller.ask(Dialect::OpenAi, "cent", false).await;
    assert_eq!(
        (answer.status, code(Dialect::OpenAi, &answer).as_str()),
        (429, "rate_limit_exceeded"),
        "three of the day are over"
    );
    // The edit takes the limit away and gives the budget two cents more: what was spent stays spent.
    let edited = plan
        .config(rig.mock.addr())
        .replace("0.03 USD", "0.05 USD")
        .replace("limits: [{ name: l, per: [key], requests: 3/day }]", "");
    let before = answer.header("x-tollgate-config").to_owned();
    rig.gateway.edit(&edited);
    let mut answered = 0;
    for _ in 0..200 {
        let answer = rig.caller.ask(Dialect::OpenAi, "cent", false).await;
        answered += usize::from(answer.status == 200);
        if answer.header("x-tollgate-config") != before && answer.status == 402 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(answered, 2);
    assert_eq!(standing(&rig.caller, "cent").await, (nano("0.05"), 0));
}
