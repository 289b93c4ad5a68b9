//! Each fault row does what it says, in both dialects where they differ.

use std::{io::Read as _, time::Duration};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tollgate_mock::{Mock, MockSettings, OnAccept, refusing_address};

use crate::support::{ANTHROPIC, BOTH, Got, OPENAI, PATIENCE, ask, ask_with, get, mock, post, question, raw, scripted, send_h2};

const LOREM_9: &str = "lorem-9";

async fn fault(mock: &Mock, path: &str, name: &str, stream: bool) -> Got {
    ask(mock, path, &format!("{LOREM_9}+{name}"), stream).await
}

fn contents(got: &Got) -> usize {
    got.said().split_whitespace().count()
}

fn is_finished(got: &Got) -> bool {
    got.text().contains("[DONE]") || got.text().contains("message_stop")
}

#[tokio::test]
async fn f01_refused_closed_reset_and_stalled_connections() {
    assert!(TcpStream::connect(refusing_address().await.unwrap()).await.is_err());
    for (on_accept, expected) in [
        (OnAccept::Close, "closed"),
        (OnAccept::Reset, "reset"),
        (OnAccept::Stall, "stalled"),
        (OnAccept::Serve, "stalled"),
    ] {
        let mock = Mock::start(MockSettings {
            on_accept,
            ..MockSettings::default()
        })
        .await
        .unwrap();
        let socket = TcpStream::connect(mock.addr()).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, async {
            socket.readable().await.unwrap();
            match socket.try_read(&mut [0; 8]) {
                Ok(0) => "closed",
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => "reset",
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(ended.await.unwrap_or("stalled"), expected, "{on_accept:?}");
    }
}

#[tokio::test]
async fn f05_nothing_before_the_head() {
    let mock = mock().await;
    for path in BOTH {
        let reset = raw(&mock, path, &question(path, "reset-before-headers", true, &json!({}))).await;
        assert_eq!(reset, (Vec::new(), true), "{path}");
        let closed = raw(&mock, path, &question(path, "fault-close-before-headers", false, &json!({}))).await;
        assert_eq!(closed, (Vec::new(), false), "{path}");
    }
    let body = question(OPENAI, "reset-before-headers", true, &json!({}));
    assert!(send_h2(&mock, OPENAI, &body).await.is_err());
}

#[tokio::test]
async fn f06_half_a_body() {
    let mock = mock().await;
    for path in BOTH {
        for (name, reset) in [("reset-mid-body", true), ("close-mid-body", false)] {
            let (got, was_reset) = raw(&mock, path, &question(path, &format!("{LOREM_9}+{name}"), false, &json!({}))).await;
            let text = String::from_utf8(got).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!((was_reset, body.len()), (reset, length / 2), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn f07_f08_f19_streams_that_end_early() {
    let mock = mock().await;
    let rows = [
        ("reset-mid-stream", 4, true),
        ("reset-after-3-chunks", 3, true),
        ("reset-after-500-chunks", 9, true),
        ("reset-before-content", 0, true),
        ("cut-after-5-chunks", 5, true),
        ("end-after-2-chunks", 2, false),
        ("no-terminator", 9, false),
        ("no-finish", 9, false),
    ];
    for path in BOTH {
        for (name, seen, broken) in rows {
            let got = fault(&mock, path, name, true).await;
            assert_eq!(
                (contents(&got), got.broken, is_finished(&got)),
                (seen, broken, false),
                "{path} {name}: {}",
                got.text()
            );
            let stop = got.text().contains("\"finish_reason\":\"stop\"") || got.text().contains("\"end_turn\"");
            assert_eq!(stop, name == "no-terminator", "{path} {name}");
        }
        let (_, reset) = raw(&mock, path, &question(path, "lorem-9+reset-after-3-chunks", true, &json!({}))).await;
        assert!(reset, "{path}");
        let (_, reset) = raw(&mock, path, &question(path, "lorem-9+cut-after-3-chunks", true, &json!({}))).await;
        assert!(!reset, "{path}");
    }
}

#[tokio::test]
async fn f09_f10_stalls() {
    let mock = mock().await;
    let body = question(OPENAI, "stall-before-first-byte", true, &json!({}));
    let waiting = tokio::time::timeout(PATIENCE, post(&mock, OPENAI, &body));
    assert!(waiting.await.is_err());
    for path in BOTH {
        for (name, seen) in [("stall-after-head", 0), ("stall-mid-stream", 4), ("stall-after-2-chunks", 2)] {
            let got = fault(&mock, path, name, true).await;
            assert_eq!((contents(&got), got.stalled), (seen, true), "{path} {name}");
        }
        for stream in [false, true] {
            let got = fault(&mock, path, "slow-first-byte-150ms", stream).await;
            assert!(
                Duration::from_millis(150) <= got.head_after && contents(&got) == 9,
                "{path} {stream}"
            );
        }
        let got = fault(&mock, path, "pause-after-2-chunks-100ms", true).await;
        assert!(is_finished(&got) && contents(&got) == 9);
    }
}

#[tokio::test]
async fn f11_trickles() {
    let mock = mock().await;
    assert!(fault(&mock, OPENAI, "trickle", false).await.body.len() <= 1);
    let started = std::time::Instant::now();
    let got = ask(&mock, OPENAI, "empty+trickle-1ms", false).await;
    assert!(Duration::from_millis(got.body.len() as u64) <= started.elapsed() && got.json()["object"] == "chat.completion");
}

#[tokio::test]
async fn f12_malformed_events() {
    let mock = mock().await;
    for path in BOTH {
        let text = |name: &'static str| async { fault(&mock, path, name, true).await.text() };
        assert!(text("malformed-sse").await.contains("this is no field\n\ndata: {not json}\n\n"));
        assert!(!text("sse-no-blank-line").await.contains("\n\n"));
        assert!(text("sse-glued").await.contains("}data: {") || text("sse-glued").await.contains("}event: "));
        let cr = text("sse-cr-only").await;
        assert!(!cr.contains('\n') && cr.contains("\r\r"));
        let crlf = text("sse-crlf").await;
        assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
        assert!(text("sse-no-space").await.contains("data:{"));
        assert!(text("sse-comments").await.starts_with(": TOLLGATE MOCK PROCESSING\n\n"));
        let split = fault(&mock, path, "sse-split-1", true).await;
        assert_eq!((contents(&split), is_finished(&split)), (9, true));
    }
}

#[tokio::test]
async fn f13_truncated_json() {
    let mock = mock().await;
    for path in BOTH {
        let got = fault(&mock, path, "truncated-json", true).await;
        assert!(is_finished(&got) && contents(&got) == 8 && !got.broken);
        let got = fault(&mock, path, "truncated-json", false).await;
        assert!(!got.broken && serde_json::from_slice::<Value>(&got.body).is_err());
    }
}

#[tokio::test]
async fn f14_wrong_types() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            let got = fault(&mock, path, "html-200", stream).await;
            assert!(got.status == 200 && got.header("content-type").starts_with("text/html") && got.text().contains("<html>"));
            assert_eq!(
                fault(&mock, path, "wrong-content-type", stream).await.header("content-type"),
                "text/plain"
            );
        }
        let got = fault(&mock, path, "json-for-stream", true).await;
        assert_eq!((got.header("content-type"), contents(&got)), ("application/json", 9));
        let got = fault(&mock, path, "stream-for-json", false).await;
        assert!(got.header("content-type").starts_with("text/event-stream") && is_finished(&got));
    }
}

#[tokio::test]
async fn f15_f16_errors_and_emptiness_with_200() {
    let mock = mock().await;
    for path in BOTH {
        let got = fault(&mock, path, "error-in-200", true).await;
        assert!(got.status == 200 && got.json()["error"]["message"].is_string());
        for stream in [false, true] {
            for name in ["empty-choices", "null-content"] {
                let got = fault(&mock, path, name, stream).await;
                assert_eq!((got.status, got.said().as_str()), (200, ""), "{path} {name} {stream}");
            }
        }
    }
    assert_eq!(fault(&mock, OPENAI, "empty-choices", false).await.json()["choices"], json!([]));
    let null = fault(&mock, OPENAI, "null-content", false).await.json();
    assert_eq!(null["choices"][0]["message"]["content"], Value::Null);
}

#[tokio::test]
async fn f17_long_lines() {
    let mock = mock().await;
    for stream in [false, true] {
        let got = fault(&mock, OPENAI, "long-line-2", stream).await;
        let longest = got.body.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
        assert!(
            2 * 1024 * 1024 <= longest && got.said().contains("lorem ipsum"),
            "{stream} {longest}"
        );
    }
}

#[tokio::test]
async fn f18_invalid_utf8() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            let got = fault(&mock, path, "invalid-utf8", stream).await;
            assert!(got.body.windows(3).any(|bytes| bytes == [0xc3, 0x28, 0xff]), "{path} {stream}");
            assert!(std::str::from_utf8(&got.body).is_err());
        }
    }
}

#[tokio::test]
async fn f20_things_too_many() {
    let mock = mock().await;
    for (path, end) in [(OPENAI, "data: [DONE]"), (ANTHROPIC, "event: message_stop")] {
        let got = fault(&mock, path, "bytes-after-terminator", true).await.text();
        assert!(got.split(end).nth(1).unwrap().contains("lorem"), "{path}");
        assert_eq!(
            fault(&mock, path, "double-terminator", true).await.text().matches(end).count(),
            2,
            "{path}"
        );
        let states = |got: &Got| got.events().iter().filter(|event| event["usage"].is_object()).count();
        assert_eq!(states(&fault(&mock, path, "double-usage", true).await), 2, "{path}");
    }
}

#[tokio::test]
async fn f21_usage_that_is_not_true() {
    let mock = mock().await;
    for (path, name) in [(OPENAI, "completion_tokens"), (ANTHROPIC, "output_tokens")] {
        for stream in [false, true] {
            let stated = |fault: &'static str| {
                let mock = &mock;
                async move {
                    let got = ask(mock, path, &format!("usage-100-50+{fault}"), stream).await;
                    let values = if stream { got.events() } else { vec![got.json()] };
                    values
                        .iter()
                        .rev()
                        .find(|value| value["usage"].is_object())
                        .map(|value| value["usage"][name].clone())
                }
            };
            assert_eq!(stated("usage-missing").await, None, "{path} {stream}");
            assert_eq!(stated("usage-zero").await, Some(json!(0)), "{path} {stream}");
            assert_eq!(stated("usage-negative").await, Some(json!(-50)), "{path} {stream}");
            assert_eq!(stated("usage-times-10").await, Some(json!(500)), "{path} {stream}");
        }
    }
    let bill: Value = serde_json::from_str(&mock.bill_json(true)).unwrap();
    assert_eq!(
        (&bill["total"]["input_tokens"], &bill["total"]["output_tokens"]),
        (&json!(1600), &json!(800))
    );
}

#[tokio::test]
async fn f22_max_tokens_ignored() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            let got = ask_with(&mock, path, "echo+ignore-max-tokens", stream, &json!({ "max_tokens": 10 })).await;
            assert_eq!(contents(&got), 40, "{path} {stream}");
        }
    }
}

#[tokio::test]
async fn f15_f23_f24_f28_statuses() {
    let mock = mock().await;
    let rows = [
        ("status-429", 429, "", "rate_limit"),
        ("status-429-retry-3", 429, "3", "rate_limit"),
        ("fault-status-429-retry-3", 429, "3", "rate_limit"),
        ("status-503-retry-7", 503, "7", "overloaded"),
        ("retry-after-absurd", 429, "1000000000", "rate_limit"),
        ("quota-exceeded", 429, "", "quota"),
        ("status-500", 500, "", "error"),
        ("status-529", 529, "", "verloaded"),
        ("status-402", 402, "", "billing"),
        ("context-length", 400, "", "maximum"),
        ("html-502", 502, "", "<html>"),
        ("empty-500", 500, "", ""),
        ("redirect-metadata", 307, "", ""),
        ("redirect-302", 302, "", ""),
    ];
    for path in BOTH {
        for (name, status, retry_after, said) in rows {
            let got = ask(&mock, path, name, true).await;
            let found = (
                got.status,
                got.header("retry-after"),
                got.text().contains(said) || got.text().contains("long"),
            );
            assert_eq!(found, (status, retry_after, true), "{path} {name}: {}", got.text());
            assert_eq!(name.starts_with("redirect"), got.header("location").contains("169.254.169.254"));
        }
        let date = ask(&mock, path, "retry-after-date", false).await;
        assert!(date.header("retry-after").ends_with(" GMT"), "{}", date.header("retry-after"));
    }
    assert_eq!(
        ask(&mock, OPENAI, "quota-exceeded", false).await.json()["error"]["type"],
        "insufficient_quota"
    );
    assert_eq!(
        ask(&mock, OPENAI, "context-length", false).await.json()["error"]["code"],
        "context_length_exceeded"
    );
    assert_eq!(
        ask(&mock, ANTHROPIC, "status-529", false).await.json()["error"]["type"],
        "overloaded_error"
    );
    assert_eq!(ask(&mock, ANTHROPIC, "status-529", false).await.header("x-should-retry"), "true");
}

#[tokio::test]
async fn f25_flapping_by_clock_and_by_count() {
    let mock = mock().await;
    let mut seen = [false, false];
    for _ in 0..60 {
        let got = ask(&mock, OPENAI, "echo+flap-20ms", false).await;
        seen[usize::from(got.status == 200)] = true;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(seen, [true, true]);

    let script = "[[rule]]\nmodel = \"gpt-*\"\npath = \"/openai/*\"\nevery = 3\nfault = \"status-503\"\n\
                  [[rule]]\nmodel = \"claude-*\"\nfirst = 1\nfault = \"status-529+slow-first-byte-1ms\"";
    let mock = scripted(script).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(ask(&mock, OPENAI, "gpt-4o", false).await.status);
    }
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503]);
    assert_eq!(ask(&mock, ANTHROPIC, "claude-x", false).await.status, 529);
    assert_eq!(ask(&mock, ANTHROPIC, "claude-x", false).await.status, 200);
    assert_eq!(ask(&mock, OPENAI, "echo", false).await.status, 200);
}

fn unpacked(got: &Got) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(got.body.as_slice()).read_to_end(&mut out).unwrap();
    out
}

#[tokio::test]
async fn f26_compression() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            let got = fault(&mock, path, "gzip", stream).await;
            assert_eq!(got.header("content-encoding"), "gzip");
            assert!(String::from_utf8(unpacked(&got)).unwrap().contains("lorem"), "{path} {stream}");
            let got = fault(&mock, path, "wrong-content-encoding", stream).await;
            assert!(
                got.header("content-encoding") == "gzip" && got.text().contains("lorem"),
                "{path} {stream}"
            );
        }
        let got = fault(&mock, path, "gzip-bomb-8", false).await;
        let out = unpacked(&got);
        assert!(100 * got.body.len() < out.len() && 8 * 1024 * 1024 < out.len());
        assert!(serde_json::from_slice::<Value>(&out).unwrap()["model"].is_string());
    }
}

#[tokio::test]
async fn f27_heads() {
    let mock = mock().await;
    for path in BOTH {
        assert_eq!(
            fault(&mock, path, "huge-header-16", false).await.header("x-mock-huge").len(),
            16 * 1024
        );
        assert_eq!(
            fault(&mock, path, "many-headers-50", false)
                .await
                .headers
                .keys()
                .filter(|name| name.as_str().starts_with("x-mock-"))
                .count(),
            50
        );
        assert_eq!(
            fault(&mock, path, "duplicate-headers", true)
                .await
                .headers
                .get_all("content-type")
                .iter()
                .count(),
            2
        );
        assert_eq!(
            fault(&mock, path, "leaky-headers", false).await.header("x-internal-secret"),
            "canary"
        );
        for (name, line) in [
            ("crlf-header", "x-request-id: req_one\rset-cookie: forged=1\n"),
            ("two-lengths", "content-length: 5\r\n"),
            ("not-http", "SSH-2.0-OpenSSH_9.6\r\n"),
        ] {
            let (got, _) = raw(&mock, path, &question(path, &format!("echo+{name}"), false, &json!({}))).await;
            assert!(String::from_utf8(got).unwrap().contains(line), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn errors_in_the_middle_of_a_stream() {
    let mock = mock().await;
    for path in BOTH {
        for (name, seen) in [("error-event", 4), ("error-event-after-2-chunks", 2), ("error-event-first", 0)] {
            let got = fault(&mock, path, name, true).await;
            let last = got.events().pop().unwrap();
            assert_eq!(
                (got.status, contents(&got), got.broken, is_finished(&got)),
                (200, seen, false, false),
                "{path} {name}"
            );
            assert_eq!(last["error"]["message"], "Overloaded", "{path} {name}");
        }
    }
    let text = fault(&mock, ANTHROPIC, "error-event", true).await.text();
    assert!(
        text.ends_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
    );
}

#[tokio::test]
async fn every_fault_row_leaves_the_simulator_serving() {
    let mock = mock().await;
    let manual = get(&mock, "/").await.text();
    let names: Vec<String> = manual
        .split("Faults (with")
        .nth(1)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("    F") || line.starts_with("    -"))
        .map(|line| line.split_whitespace().nth(1).unwrap().replace("{n}", "2").replace("{d}", "2ms"))
        .collect();
    assert!(60 < names.len(), "{}", names.len());
    for name in names {
        for path in BOTH {
            let body = question(path, &format!("lorem-3+{name}"), true, &json!({}));
            // Some never answer, some answer what a client must refuse: neither may hurt the next caller.
            let _ = tokio::time::timeout(Duration::from_millis(100), post(&mock, path, &body)).await;
            assert_eq!(ask(&mock, path, "echo", false).await.status, 200, "after {name}");
        }
    }
}
