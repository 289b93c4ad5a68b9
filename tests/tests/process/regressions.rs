//! Bugs that were found by trying the process, each with the test that found it.

use std::time::Duration;

use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f08_a_break_before_content_is_tried_again_without_the_callers_notice() {
    for provider in ["openai", "anthropic"] {
        let plan = Plan {
            script: "[[rule]]\nmodel = \"lorem-*\"\nfirst = 1\nfault = \"reset-before-content\"\n".into(),
            ..Plan::default()
        };
        for dialect in Dialect::ALL {
            let rig = plan.start().await;
            let answer = rig.caller.ask(dialect, &format!("{provider}/lorem-5"), true).await;
            let seen = dialect.stream(&answer.body);
            assert!(
                answer.status == 200 && seen.terminated && seen.error.is_none(),
                "{dialect:?} {provider} {:?}",
                answer.body
            );
            assert_eq!(answer.header("x-tollgate-attempts"), "2");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_d6_json_lines_hold_no_control_character_of_either_set() {
    let rig = Rig::start().await;
    rig.caller.ask(Dialect::OpenAi, "e\u{9b}31mforged\u{7f}", false).await;
    let line = rig.gateway.line_with("forged").await;
    assert!(!line.chars().any(char::is_control), "{line:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b5_a_version_of_another_dialect_stays_here() {
    let rig = Rig::start().await;
    let caller = rig.caller.clone().with("anthropic-version", "2023-06-01");
    assert_eq!(caller.ask(Dialect::OpenAi, "openai/echo", false).await.status, 200);
    assert!(
        !rig.last_request()["headers"].to_string().contains("anthropic"),
        "{}",
        rig.last_request()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_d5_made_up_model_names_take_nothing_from_others() {
    let rig = Rig::start().await;
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let caller = rig.caller.clone();
        running.spawn(async move {
            for number in 0..1_300 {
                caller
                    .ask(Dialect::OpenAi, &format!("openai/bench-10+made-up-{worker}-{number}"), false)
                    .await;
            }
        });
    }
    running.join_all().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "openai/lorem-3", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_whoever_leaves_before_the_answer_leaves_a_record() {
    let rig = Rig::start().await;
    let body = Dialect::OpenAi.ask("openai/echo+slow-first-byte-10s", "hi", false).to_string();
    let left = tokio::time::timeout(
        Duration::from_millis(500),
        rig.caller.open("POST", "/v1/chat/completions", body.into()),
    )
    .await;
    assert!(left.is_err(), "the answer came too soon");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rig.gateway.lines_with("slow-first-byte").len(), 1);
    assert_eq!(rig.gateway.metric("tollgate_requests_total", "outcome=\"aborted\"").await, 1.0);
}
