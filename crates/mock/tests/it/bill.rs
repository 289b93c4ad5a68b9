//! The bill has every request, once, with what was true; the last requests are shown as they came.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tollgate_mock::Mock;

use crate::support::{ANTHROPIC, BOTH, OPENAI, ask, ask_with, get, mock, question, send};

async fn lines(mock: &Mock) -> Vec<Value> {
    get(mock, "/bill").await.json()["requests"].as_array().unwrap().clone()
}

fn total(mock: &Mock, name: &str) -> u64 {
    let bill: Value = serde_json::from_str(&mock.bill_json(true)).unwrap();
    bill["total"][name].as_u64().unwrap()
}

/// Waits until no request is open any more: the client is told of the end before the line is closed.
async fn settled(mock: &Mock) {
    for _ in 0..200 {
        if total(mock, "open") == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("requests stay open: {}", mock.bill_json(false));
}

#[tokio::test]
async fn every_request_is_a_line() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            ask(&mock, path, "usage-100-50-30", stream).await;
        }
    }
    ask(&mock, OPENAI, "status-503", false).await;
    ask_with(&mock, ANTHROPIC, "echo", false, &json!({ "nonsense": 1 })).await;
    settled(&mock).await;
    let lines = lines(&mock).await;
    let of = |line: &Value| {
        let word = |name: &str| line[name].as_str().unwrap().to_owned();
        let number = |name: &str| line[name].as_u64().unwrap();
        format!(
            "{} {} {} {} {}/{}/{} {}",
            word("dialect"),
            word("model"),
            line["stream"],
            number("status"),
            number("input_tokens"),
            number("cached_tokens"),
            number("output_tokens"),
            word("outcome")
        )
    };
    let expected = [
        "openai_chat usage-100-50-30 false 200 100/30/50 complete",
        "openai_chat usage-100-50-30 true 200 100/30/50 complete",
        "anthropic usage-100-50-30 false 200 100/30/50 complete",
        "anthropic usage-100-50-30 true 200 100/30/50 complete",
        "openai_chat status-503 false 503 0/0/0 complete",
        "anthropic echo false 400 0/0/0 complete",
    ];
    assert_eq!(lines.iter().map(of).collect::<Vec<_>>(), expected);
    assert!(lines.iter().take(4).all(|line| line["content_bytes"] == "Charged as asked.".len()));
    let summary = get(&mock, "/bill?summary=1").await.json();
    assert_eq!(
        (&summary["total"]["requests"], &summary["total"]["refused"]),
        (&json!(6), &json!(2))
    );
    assert_eq!(
        (
            &summary["total"]["input_tokens"],
            &summary["by_dialect"]["anthropic"]["output_tokens"]
        ),
        (&json!(400), &json!(100))
    );
    assert!(summary.get("requests").is_none());
}

#[tokio::test]
async fn a_caller_who_leaves_is_charged_for_what_was_sent() {
    let mock = mock().await;
    let rows = [
        ("stream-1000-20ms", true, 1..100, 1),
        ("lorem-300+slow-first-byte-30s", false, 0..1, 0),
        ("stall-before-first-byte", true, 0..1, 0),
        ("lorem-300+slow-first-byte-30s+bill-in-full", false, 300..301, 1),
    ];
    for (model, stream, output, input_min) in rows {
        send(&mock, "DELETE", "/bill", &[], String::new()).await.unwrap();
        let body = question(OPENAI, model, stream, &json!({})).to_string();
        let length = body.len();
        let mut socket = TcpStream::connect(mock.addr()).await.unwrap();
        let head = format!("POST {OPENAI} HTTP/1.1\r\nhost: m\r\nauthorization: Bearer k\r\ncontent-length: {length}\r\n\r\n");
        socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(total(&mock, "open"), 1, "{model}");
        drop(socket);
        settled(&mock).await;
        let line = lines(&mock).await.remove(0);
        assert_eq!(
            (&line["cancelled"], &line["outcome"]),
            (&json!(true), &json!("cancelled")),
            "{model}"
        );
        assert!(output.contains(&line["output_tokens"].as_u64().unwrap()), "{model} {line}");
        assert!(input_min <= line["input_tokens"].as_u64().unwrap(), "{model} {line}");
        assert_eq!(
            line["content_bytes"].as_u64().unwrap() == 0,
            input_min == 0 || !stream,
            "{model} {line}"
        );
    }
}

#[tokio::test]
async fn a_broken_stream_is_charged_for_what_was_sent() {
    let mock = mock().await;
    ask(&mock, ANTHROPIC, "lorem-50+reset-after-7-chunks", true).await;
    settled(&mock).await;
    let line = lines(&mock).await.remove(0);
    assert_eq!(
        (&line["outcome"], &line["output_tokens"], &line["cancelled"]),
        (&json!("broken"), &json!(7), &json!(false))
    );
    assert!(0 < line["input_tokens"].as_u64().unwrap());
}

#[tokio::test]
async fn the_last_requests_are_shown_as_they_came() {
    let mock = mock().await;
    for n in 0..70 {
        let headers = [
            ("authorization", "Bearer sk-secret"),
            ("x-number", &n.to_string()),
            ("content-type", "application/json"),
        ];
        send(
            &mock,
            "POST",
            "/openai/v1/chat/completions?a=b",
            &headers,
            format!("{{\"model\": \"echo\",  \"n\":{n}}}"),
        )
        .await
        .unwrap();
    }
    let shown = get(&mock, "/requests/last?n=2").await.json();
    let requests = shown["requests"].as_array().unwrap();
    assert_eq!(
        (requests.len(), &requests[0]["body"]),
        (2, &json!("{\"model\": \"echo\",  \"n\":69}"))
    );
    assert_eq!(
        (&requests[0]["method"], &requests[0]["target"]),
        (&json!("POST"), &json!("/openai/v1/chat/completions?a=b"))
    );
    assert!(requests[1]["headers"].as_array().unwrap().contains(&json!(["x-number", "68"])));
    assert!(
        requests[1]["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["authorization", "Bearer sk-secret"]))
    );
    let all: Value = serde_json::from_str(&mock.requests_json(1000)).unwrap();
    assert_eq!(all["requests"].as_array().unwrap().len(), 64);
}

#[tokio::test]
async fn stopping_cuts_connections_and_frees_the_address() {
    let mock = mock().await;
    let addr = mock.addr();
    let open = TcpStream::connect(addr).await.unwrap();
    assert_eq!(get(&mock, "/healthz").await.status, 200);
    tokio::time::timeout(Duration::from_secs(2), mock.stop()).await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
    open.readable().await.unwrap();
    assert!(matches!(open.try_read(&mut [0; 1]), Ok(0) | Err(_)));
}
