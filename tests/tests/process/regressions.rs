//! Bugs that were found by trying the process, each with the test that found it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
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
    let mut running = JoinSet::new();
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

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Answers streams over kept connections: the terminator first, the end of the body a moment later.
async fn answer_streams(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(1..) = stream.read(&mut buffer).await {
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let answer = format!("{STREAM}{}{}", chunk(CONTENT), chunk(DONE));
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        if stream.write_all(b"0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

/// Once the provider's connection was dropped with the terminator, and every stream paid for a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_give_their_connections_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = Plan {
        providers: format!(
            "  keeper: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}",
            listener.local_addr().unwrap()
        ),
        head: "server: { workers: 1 }".into(),
        ..Plan::default()
    };
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            open.spawn(answer_streams(stream));
        }
    });
    let rig = plan.start().await;
    for dialect in Dialect::ALL {
        for _ in 0..10 {
            let answer = rig.caller.ask(dialect, "keeper/m", true).await;
            assert!(dialect.stream(&answer.body).terminated, "{:?}", answer.body);
        }
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// Once five callers in a hurry opened the breaker for everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_hurry_says_nothing_about_the_provider() {
    let rig = Rig::start().await;
    let hurried = rig.caller.clone().with("x-tollgate-timeout-ms", "30");
    for _ in 0..8 {
        let answer = hurried.ask(Dialect::OpenAi, "openai/echo+slow-first-byte-1s", false).await;
        assert_eq!(answer.status, 504);
    }
    assert_eq!(
        rig.caller
            .ask(Dialect::OpenAi, "openai/echo+slow-first-byte-1s", false)
            .await
            .status,
        200
    );
}

/// Once a probe whose caller left kept everybody out for a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_whose_caller_leaves_is_given_to_the_next() {
    let plan = Plan {
        script: "[[rule]]\nmodel = \"lorem-4\"\nfirst = 5\nfault = \"status-500\"\n\n\
                 [[rule]]\nmodel = \"lorem-4\"\nnth = 6\nfault = \"slow-first-byte-10s\"\n"
            .into(),
        routes: "  ill: { targets: [{ model: openai/lorem-4 }], retry: { attempts: 1 } }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for _ in 0..5 {
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "ill", false).await.status, 500);
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let body = Dialect::OpenAi.ask("ill", "hi", false).to_string();
    let left = tokio::time::timeout(
        Duration::from_millis(300),
        rig.caller.open("POST", "/v1/chat/completions", body.into()),
    )
    .await;
    assert!(left.is_err(), "the probe was to be slow");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.caller.ask(Dialect::OpenAi, "ill", false).await.status, 200);
}

/// Once nobody counted streams that broke off, and the attempt was recorded as good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_off_open_the_breaker() {
    let rig = Rig::start().await;
    for _ in 0..5 {
        let answer = rig.caller.ask(Dialect::OpenAi, "openai/lorem-9+cut-after-2-chunks", true).await;
        assert!(!Dialect::OpenAi.stream(&answer.body).terminated);
    }
    let answer = rig.caller.ask(Dialect::OpenAi, "openai/lorem-9+cut-after-2-chunks", true).await;
    assert_eq!(answer.status, 503);
}

/// Once the bodies of strangers were held before anybody asked them for a key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_without_a_key_makes_us_hold_a_body() {
    let rig = Rig::start().await;
    let stranger = tollgate_tests::Caller::new(rig.gateway.address, "sk-somebody-else-entirely");
    let mut body = Dialect::OpenAi.ask("openai/echo", "", false);
    body["messages"][0]["content"] = "y".repeat(8 << 20).into();
    let answer = stranger.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 401);
    let record = rig.gateway.record(answer.id()).await;
    assert_eq!(record["request_bytes"], 0, "the body was read before the key");
}
