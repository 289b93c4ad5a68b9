//! Loops: who asks nearly the same again and again is told so, and others are not.

use serde_json::json;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Caller, Dialect};

use super::{admin, until};

async fn say(caller: &Caller, route: &str, text: &str) -> Answer {
    let body = json!({ "model": route, "messages": [{ "role": "user", "content": text }] });
    caller.post("/v1/chat/completions", &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_is_refused_with_its_reason_and_told_once_and_work_that_goes_on_is_not_one() {
    let rig = Plan::routes(
        "  strict: { targets: [{ model: openai/echo }], on_loop: { repeats: 5, within: 60s, action: reject } }\n  \
         told: { targets: [{ model: openai/echo }], on_loop: { repeats: 5 } }\n  free: { targets: [{ model: openai/echo }] }\n",
    )
    .start()
    .await;
    let near = |number: usize| format!("Is the job ready{} It is 16:12:{:02} now", ["?", " ?"][number % 2], number);
    for number in 0..5 {
        assert_eq!(say(&rig.caller, "strict", &near(number)).await.status, 200, "{number}");
    }
    for number in 5..8 {
        let refused = say(&rig.caller, "strict", &near(number)).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert_eq!(Dialect::OpenAi.error_code(&refused.json()), "loop_detected");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!(
            (1..=60).contains(&wait) && refused.header("x-should-retry") == "false",
            "{refused:?}"
        );
        assert!(
            refused.json()["error"]["message"].as_str().unwrap().contains("5 times"),
            "{refused:?}"
        );
    }
    // Work that goes on, another session, another route.
    for page in 0..20 {
        assert_eq!(
            say(&rig.caller, "strict", &format!("Summarize page {page} of the report"))
                .await
                .status,
            200
        );
    }
    let session = rig.caller.clone().with("x-tollgate-session", "another");
    assert_eq!(say(&session, "strict", &near(1)).await.status, 200);
    for _ in 0..12 {
        assert_eq!(say(&rig.caller, "told", "again").await.status, 200);
        assert_eq!(say(&rig.caller, "free", "again").await.status, 200);
    }
    let admin = admin(&rig, &rig.gateway.folder.path().join("data"));
    let both = |body: &serde_json::Value| body["data"].as_array().is_some_and(|list| list.len() == 2);
    let alerts = until(&admin, "/admin/v1/alerts", both).await;
    let mut routes: Vec<&str> = Vec::new();
    for alert in alerts["data"].as_array().unwrap() {
        assert_eq!(alert["kind"], "loop_detected", "{alerts}");
        routes.push(alert["scope"]["route"].as_str().unwrap());
    }
    routes.sort_unstable();
    assert_eq!(routes, ["strict", "told"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_tool_says_something_else_each_time_is_no_loop() {
    let rig = Plan::routes("  chat: { targets: [{ model: openai/echo }], on_loop: { repeats: 3, action: reject } }\n")
        .start()
        .await;
    let step = |result: String| {
        json!({ "model": "chat", "messages": [
            { "role": "user", "content": "Fix the tests" },
            { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "run", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "c", "content": result },
        ] })
    };
    for left in (1..10).rev() {
        let answer = rig.caller.post("/v1/chat/completions", &step(format!("{left} of 40 failed"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let mut last = 0;
    for _ in 0..4 {
        last = rig
            .caller
            .post("/v1/chat/completions", &step("cannot find cargo".into()))
            .await
            .status;
    }
    assert_eq!(last, 429, "the same step and the same result");
}
