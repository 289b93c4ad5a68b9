//! Last resorts: what a route does when every attempt has failed. A weaker answer is never silent, and never pretends to be the model's.

use std::time::Duration;

use serde_json::json;
use tollgate_tests::gate::Gate;
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

const DOWN: &str = "targets: [{ model: openai/lorem-9+status-503 }], retry: { attempts: 1 }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_message_is_an_answer_in_every_dialect_and_says_what_it_is() {
    let rig = Rig::with_routes(&format!(
        "  r: {{ {DOWN}, last_resort: {{ message: \"Please try again soon.\" }} }}"
    ))
    .await;
    for caller in Dialect::ALL {
        for stream in [false, true] {
            let answer = rig.caller.ask(caller, "r", stream).await;
            let at = format!("{caller:?} {stream} {:?} {:?}", answer.headers, answer.body);
            assert_eq!(answer.status, 200, "{at}");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                text.contains("Please try again soon.") && text.contains("tollgate/last-resort"),
                "{at}"
            );
            let end = match caller {
                Dialect::OpenAi => "\"stop\"",
                Dialect::Anthropic => "end_turn",
            };
            assert!(text.contains(end), "{at}");
            assert_eq!(
                answer.header("x-tollgate-fallback"),
                "from=openai/lorem-9+status-503; reason=last_resort_message",
                "{at}"
            );
            assert_eq!(answer.header("x-tollgate-model"), "tollgate/last-resort", "{at}");
            let record = rig.gateway.record(answer.id()).await;
            assert_eq!(record["outcome"], "completed", "{record}");
            assert_eq!(
                record["fallback"], "from=openai/lorem-9+status-503; reason=last_resort_message",
                "{record}"
            );
            assert_eq!(record["model"], "tollgate/last-resort", "{record}");
            assert!(record["usage"].is_null() && record["attempts"].is_array(), "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_wrong_gets_no_last_resort() {
    let rig = Rig::with_routes(
        "  r: { targets: [{ model: openai/lorem-9+status-400 }], last_resort: { message: m } }\n  \
         s: { targets: [{ model: openai/lorem-9 }], last_resort: { message: m } }",
    )
    .await;
    let answer = rig.caller.ask(Dialect::OpenAi, "r", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-fallback")),
        (400, ""),
        "{:?}",
        answer.body
    );
    let answer = rig.caller.ask(Dialect::OpenAi, "s", false).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/lorem-9"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_route_answers_by_the_permission_for_the_first_and_says_so() {
    let mut plan = Plan::routes(&format!(
        "  r: {{ {DOWN}, last_resort: [{{ route: s }}, {{ message: never }}] }}\n  \
         s: {{ targets: [{{ model: anthropic/lorem-9+status-503 }}], fallbacks: [anthropic/echo] }}"
    ));
    plan.keys = "  - { name: n, team: all, routes: [r], models: [], secret: env:KEY_N }".into();
    plan.settings.env.push(("KEY_N".into(), "key-of-one-route".into()));
    let rig = plan.start().await;
    let caller = tollgate_tests::Caller::new(rig.gateway.address, "key-of-one-route");
    for dialect in Dialect::ALL {
        let answer = caller.ask(dialect, "r", true).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(answer.header("x-tollgate-model"), "anthropic/echo");
        let told = "from=openai/lorem-9+status-503; reason=last_resort_route";
        assert_eq!(answer.header("x-tollgate-fallback"), told);
        assert_eq!(caller.ask(dialect, "s", false).await.status, 403, "by that permission alone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smaller_answer_is_asked_for_once_more_and_the_head_says_how_small() {
    let rig = Plan {
        routes: "  r: { targets: [{ model: openai/lorem-900 }], retry: { attempts: 1 }, last_resort: { reduce: { max_tokens: 7 } } }"
            .into(),
        script: "[[rule]]\nmodel = \"lorem-900\"\nfirst = 1\nfault = \"status-503\"\n".into(),
        ..Plan::default()
    };
    let rig = rig.start().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "r", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("x-tollgate-max-tokens"), "7; reason=last_resort");
    assert_eq!(
        answer.header("x-tollgate-fallback"),
        "from=openai/lorem-900; reason=last_resort_reduce"
    );
    assert_eq!(answer.json()["usage"]["completion_tokens"], 7, "{:?}", answer.body);
    assert_eq!(answer.header("x-tollgate-attempts"), "2");
}

/// A provider that is away for a while: nothing listens at its address until the gate opens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_a_model_to_recover_and_is_answered_by_it() {
    let gate = Gate::start().await;
    let mut plan = Plan::routes(
        "  r: { targets: [{ model: away/m }], retry: { attempts: 1 }, timeouts: { first_byte: 300ms }, last_resort: { queue: 20s } }",
    );
    plan.providers = format!(
        "  away: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
        gate.address
    );
    let rig = plan.start().await;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..8 {
        let caller = rig.caller.clone();
        running.spawn(async move { caller.ask(Dialect::ALL[number % 2], "r", number % 3 == 0).await });
    }
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let seen = gate.seen();
    // Eight calls and one go a second after that; the breaker holds back some of it.
    assert!((5..=12).contains(&seen), "{seen} requests while it was away");
    gate.open();
    for answer in running.join_all().await {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(answer.header("x-tollgate-model"), "away/m");
        assert!(
            answer.header("x-tollgate-queued-ms").parse::<f64>().unwrap() > 500.0,
            "{:?}",
            answer.headers
        );
    }
    println!("{seen} requests while it was away, {} in all", gate.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_over_gives_way_to_the_next_step_and_a_kill_switch_ends_it() {
    let data = Folder::new();
    let mut plan = Plan::routes(&format!(
        "  r: {{ {DOWN}, last_resort: [{{ queue: 400ms }}, {{ message: later }}] }}\n  q: {{ {DOWN}, last_resort: {{ queue: 30s }} }}"
    ));
    plan.settings.data = Some(data.path().to_owned());
    let rig = plan.start().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "r", false).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "tollgate/last-resort"));
    let waiting = rig.caller.clone();
    let waiting = tokio::spawn(async move { waiting.ask(Dialect::OpenAi, "q", false).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let switch = json!([{"scope": "route", "value": "q", "mode": "abort_inflight", "reason": "runaway", "actor": "ops", "at": 1}]);
    std::fs::write(data.path().join("switches.json"), switch.to_string()).unwrap();
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, 403, "{:?}", answer.body);
    assert!(answer.took < Duration::from_secs(5), "{:?}", answer.took);
}
