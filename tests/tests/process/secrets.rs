//! R-H1: keys and prompts in no log, no metric and no error, in either form of the log.

use tollgate_tests::provider::{Canned, json_reply};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Caller, Dialect, Settings};

const CALLER: &str = "sk-caller-canary-Zq81hHs7Kd02MmPx";
const PROVIDER: &str = "sk-provider-canary-Wv63nNb5Tt94RrLc";
const PROMPT: &str = "prompt-canary-5e0b2f77";
const ANSWER: &str = "answer-canary-c41d90aa";
const CANARIES: [&str; 6] = [
    "caller-canary",
    "Zq81hHs7Kd02MmPx",
    "provider-canary",
    "Wv63nNb5Tt94RrLc",
    PROMPT,
    ANSWER,
];

/// Errors in which a provider quotes what it was sent.
fn quoting() -> Vec<(u16, String)> {
    let message = |text: &str| serde_json::json!({"error": {"message": text, "type": "invalid_request_error", "code": "x"}}).to_string();
    vec![
        (
            401,
            message(&format!("Incorrect API key provided: {PROVIDER}. You can find yours at …")),
        ),
        (400, message(&format!("header authorization: Bearer {PROVIDER} is odd"))),
        (500, message(&format!("upstream said key={PROVIDER}"))),
        (403, format!("<html>denied for {PROVIDER}</html>")),
        (429, format!("{{\"detail\":\"slow down, {PROVIDER}\"}}")),
        (200, message(&format!("error in a success, {PROVIDER}"))),
        (200, format!("no json {PROVIDER}")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_h1_no_key_and_no_prompt_in_logs_metrics_or_errors() {
    for text_log in [false, true] {
        let mut canned = Vec::new();
        let mut plan = Plan {
            keys: "  - { name: canary, team: all, secret: env:CANARY }".into(),
            settings: Settings {
                text_log,
                env: vec![("CANARY".into(), CALLER.into()), ("PROVIDER".into(), PROVIDER.into())],
                ..Settings::default()
            },
            ..Plan::default()
        };
        for (number, (status, body)) in quoting().iter().enumerate() {
            let server = Canned::start(json_reply(&format!("{status} X"), body)).await;
            for (letter, dialect, path) in [("o", "openai_chat", "/v1"), ("a", "anthropic", "")] {
                plan.providers += &format!(
                    "  q{number}{letter}: {{ base_url: \"http://{}{path}\", dialect: {dialect}, credentials: [env:PROVIDER] }}\n",
                    server.address
                );
            }
            canned.push(server);
        }
        let rig = plan.start().await;
        let caller = Caller::new(rig.gateway.address, CALLER);
        let mut told = String::new();
        for number in 0..canned.len() {
            for dialect in Dialect::ALL {
                for letter in ["o", "a"] {
                    for stream in [false, true] {
                        let body = dialect.ask(&format!("q{number}{letter}/m"), PROMPT, stream);
                        let answer = caller.post(dialect.path(), &body).await;
                        assert!(400 <= answer.status, "{number} {:?}", answer.body);
                        told += &format!("{:?} {}\n", answer.headers, String::from_utf8_lossy(&answer.body));
                    }
                }
            }
        }
        // Prompts and answers that went through; and everything wrong with a request that holds a canary.
        for dialect in Dialect::ALL {
            let answer = caller
                .post(dialect.path(), &dialect.ask("openai/echo", &format!("{PROMPT} {ANSWER}"), true))
                .await;
            assert_eq!(answer.status, 200);
            for body in [
                format!("{{\"{PROMPT}"),
                format!("{{\"model\":\"openai/echo\",\"messages\":\"{PROMPT}\"}}"),
            ] {
                let answer = caller.send("POST", dialect.path(), body).await;
                assert_eq!(answer.status, 400);
                rig.gateway.metrics().await;
            }
            let wrong = Caller::new(rig.gateway.address, &CALLER.replace("sk-", "sk+"));
            assert_eq!(wrong.ask(dialect, "openai/echo", false).await.status, 401);
            let answer = caller
                .clone()
                .with("x-tollgate-timeout-ms", CALLER)
                .ask(dialect, "openai/echo", false)
                .await;
            assert_eq!(answer.status, 400);
            told += &String::from_utf8_lossy(&answer.body);
        }
        assert!(rig.gateway.metric_reaches("tollgate_requests_total", 64.0).await);
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        let output = rig.gateway.output();
        assert!(60 < output.lines().count(), "the log was not seen");
        let metrics = rig.gateway.metrics().await;
        for canary in CANARIES {
            for (sink, text) in [("the log", &output), ("metrics", &metrics), ("answers", &told)] {
                let found: Vec<_> = text.lines().filter(|line| line.contains(canary)).take(3).collect();
                assert!(found.is_empty(), "{canary} in {sink} (text log: {text_log}): {found:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_d6_nothing_of_a_caller_can_forge_a_line_of_the_log() {
    for text_log in [false, true] {
        let plan = Plan {
            settings: Settings {
                text_log,
                ..Settings::default()
            },
            ..Plan::default()
        };
        let rig = plan.start().await;
        for dialect in Dialect::ALL {
            for name in [
                "a\n{\"forged\":1}",
                "b\r\nforged",
                "c\u{1b}[31mforged",
                "d\u{0}forged",
                "e\u{9b}31mforged",
                "f\u{2028}forged",
            ] {
                let answer = rig.caller.ask(dialect, name, false).await;
                assert_eq!(answer.status, 404, "{name:?}");
            }
        }
        assert!(rig.gateway.metric_reaches("tollgate_requests_total", 12.0).await);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let lines = rig.gateway.lines_with("forged");
        assert_eq!(lines.len(), 12, "{lines:#?}");
        for line in lines {
            assert!(!line.bytes().any(|byte| byte < 0x20), "{line:?}");
            assert!(text_log || serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
        }
    }
}
