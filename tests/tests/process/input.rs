//! R-B6, R-B7, R-E3, R-E5: bodies and model names that must be refused, each in the caller's dialect.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Dialect, Rig};

fn refused(dialect: Dialect, answer: &Answer, status: u16, what: &str) -> String {
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{what}: {said}");
    assert!(dialect.is_error(&answer.json()), "{what}: {said}");
    assert_eq!(answer.header("x-tollgate-attempts"), "0", "{what} reached a provider");
    dialect.error_code(&answer.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b6_model_names_never_become_a_path_or_a_host() {
    let rig = Rig::start().await;
    let long = format!("openai/{}", "m".repeat(250));
    let names = [
        "openai/../admin",
        "openai/..",
        "../openai/echo",
        "openai/%2e%2e/x",
        "openai/a%2fb",
        "openai/a b",
        "openai/a\u{0}b",
        "openai/a\r\nhost: evil",
        "openai/a?x=1",
        "openai/a#x",
        "openai\\echo",
        "openai/eché",
        "openai/\u{202e}oche",
        "http://127.0.0.1:1/x",
        "//evil.test/x",
        "openai@evil.test/echo",
        "",
        "/",
        "openai",
        "\u{feff}openai/echo",
        &long,
    ];
    for dialect in Dialect::ALL {
        for name in names {
            let answer = rig.caller.ask(dialect, name, false).await;
            assert!(matches!(answer.status, 400 | 404), "{name:?} {} {:?}", answer.status, answer.body);
            assert!(dialect.is_error(&answer.json()), "{name:?} {:?}", answer.body);
            assert_eq!(answer.header("x-tollgate-attempts"), "0", "{name:?}");
        }
        // 256 bytes are allowed.
        let answer = rig.caller.ask(dialect, &format!("openai/{}", "m".repeat(249)), false).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    let page: Value = serde_json::from_str(&rig.mock.requests_json(64)).unwrap();
    for request in page["requests"].as_array().unwrap() {
        assert_eq!(request["target"], "/openai/v1/chat/completions");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b7_doubled_keys_are_refused_where_they_matter() {
    let rig = Rig::start().await;
    let messages = r#"[{"role":"user","content":"hi"}]"#;
    let base = format!(r#""model":"openai/echo","max_tokens":9,"messages":{messages}"#);
    let rows = [
        format!(r#"{{{base},"model":"openai/other"}}"#),
        format!(r#"{{{base},"messages":[]}}"#),
        format!(r#"{{{base},"stream":true,"stream":false}}"#),
        format!(r#"{{{base},"max_tokens":10}}"#),
        format!(r#"{{{base},"tools":[],"tools":[]}}"#),
        format!(r#"{{{base},"mod\u0065l":"openai/other"}}"#),
        format!(r#"{{{base},"\u006dessages":[]}}"#),
    ];
    for dialect in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            for row in &rows {
                let row = row.replace("openai/", &format!("{provider}/"));
                let answer = rig.caller.send("POST", dialect.path(), row.clone()).await;
                refused(dialect, &answer, 400, &row);
            }
        }
        // A key in other letters is another key: it is not read as the one that it resembles.
        let only = format!(r#"{{"Model":"openai/echo","max_tokens":9,"messages":{messages}}}"#);
        refused(dialect, &rig.caller.send("POST", dialect.path(), only).await, 400, "Model");
        let both = format!(r#"{{{base},"Model":"anthropic/echo","MODEL":"nobody/echo"}}"#);
        let answer = rig.caller.send("POST", dialect.path(), both).await;
        assert!(
            answer.status == 400 || answer.header("x-tollgate-model") == "openai/echo",
            "{:?}",
            answer.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e3_encoded_bodies_are_refused_but_for_gzip() {
    let rig = Rig::start().await;
    for dialect in Dialect::ALL {
        for coding in ["br", "zstd", "deflate", "x-gzip", "identity, gzip", "gzip, gzip", "unknown"] {
            let caller = rig.caller.clone().with("content-encoding", coding);
            let answer = caller.send("POST", dialect.path(), &b"\x1f\x8b\x08\x00"[..]).await;
            assert_eq!(refused(dialect, &answer, 415, coding), "unsupported_media_type");
        }
        let plain = rig.caller.clone().with("content-encoding", "identity");
        assert_eq!(plain.ask(dialect, "openai/echo", false).await.status, 200);
        for coding in ["gzip", "GZip"] {
            let caller = rig.caller.clone().with("content-encoding", coding);
            let ask = dialect.ask("openai/echo", "unpacked", false).to_string();
            let answer = caller.send("POST", dialect.path(), pack(ask.as_bytes(), 1)).await;
            assert_eq!(dialect.text(&answer.json()).as_deref(), Some("unpacked"), "{:?}", answer.body);
            let sent = rig.last_request()["headers"].to_string();
            assert!(!sent.contains("content-encoding"), "the provider gets plain JSON: {sent}");
            let answer = caller.send("POST", dialect.path(), ask).await;
            refused(dialect, &answer, 400, coding);
        }
    }
}

/// Those bytes again and again, as gzip.
fn pack(piece: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..times {
        encoder.write_all(piece).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e3_bombs_are_refused_and_cost_no_memory() {
    let plan = Plan {
        head: "server: { max_body: 32MiB, workers: 1 }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let zeros = vec![0; 1 << 20];
    let mixed: Vec<u8> = (0..6_000_u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 14).to_le_bytes())
        .collect();
    let mut bombs = Vec::new();
    for mib in [1, 2, 4, 8, 16, 32, 33, 64, 128, 256] {
        bombs.push(pack(&zeros, mib));
        // Of a modest ratio, and with a small end, which hides the size.
        bombs.push([pack(&[mixed.as_slice(), &zeros].concat(), mib + 32), pack(b" ", 1)].concat());
    }
    rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
    let at_first = rig.gateway.rss_bytes();
    let mut worst = 0;
    for (number, bomb) in bombs.clone().into_iter().chain(bombs).enumerate() {
        rig.gateway.forget_peak();
        let before = rig.gateway.rss_bytes();
        let dialect = Dialect::ALL[number % 2];
        let caller = rig.caller.clone().with("content-encoding", "gzip");
        let answer = caller.send("POST", dialect.path(), bomb).await;
        refused(dialect, &answer, 413, &format!("bomb {number}"));
        worst = worst.max(rig.gateway.rss_peak_bytes().saturating_sub(before));
    }
    // The allocator keeps some blocks for a while (about 130 MiB); forty times one bomb would be ten times that.
    let kept = rig.gateway.rss_bytes().saturating_sub(at_first);
    println!(
        "r_e3: a bomb costs {} KiB at most, and 40 leave {} KiB behind",
        worst / 1024,
        kept / 1024
    );
    let limit = 32 << 20;
    assert!(worst <= 2 * limit && kept <= 8 * limit, "{worst} bytes, {kept} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e5_depth_and_size_are_bounded() {
    let plan = Plan {
        head: "server: { max_body: 32MiB }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let nested = |depth: usize| {
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        format!(r#"{{"model":"openai/bench-10","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}],"x":{deep}}}"#)
    };
    for dialect in Dialect::ALL {
        refused(
            dialect,
            &rig.caller.send("POST", dialect.path(), nested(200)).await,
            400,
            "200 levels",
        );
        refused(
            dialect,
            &rig.caller.send("POST", dialect.path(), nested(5_000_000)).await,
            400,
            "5,000,000 levels",
        );
        let brackets = "[".repeat((32 << 20) - 1);
        let answer = rig.caller.send("POST", dialect.path(), brackets).await;
        refused(dialect, &answer, 400, "32 MiB of brackets");
        assert!(answer.took < Duration::from_secs(3), "{:?}", answer.took);
        let objects = r#"{"a":"#.repeat(100_000);
        refused(
            dialect,
            &rig.caller.send("POST", dialect.path(), objects).await,
            400,
            "100,000 objects",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_above_the_bound_are_refused_with_413() {
    let plan = Plan {
        head: "server: { max_body: 64KiB }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for dialect in Dialect::ALL {
        for (bytes, status) in [(60 << 10, 200), (66 << 10, 413), (1 << 20, 413)] {
            let mut body = dialect.ask("openai/bench-10", "", false);
            body["messages"][0]["content"] = json!("y".repeat(bytes));
            let answer = rig.caller.post(dialect.path(), &body).await;
            assert_eq!(answer.status, status, "{bytes}: {:?}", answer.body);
            if status == 413 {
                assert_eq!(refused(dialect, &answer, 413, "large"), "request_too_large");
            }
        }
        // Told in advance, it is refused in advance: nobody waits for 10 GiB.
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\ncontent-length: 10737418240\r\n\r\n",
            dialect.path(),
            tollgate_tests::rig::CALLER_KEY
        );
        let answer = tollgate_tests::caller::raw(rig.gateway.address, head.as_bytes(), Duration::from_secs(2)).await;
        assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_request_are_refused_with_400() {
    let rig = Rig::start().await;
    let bodies: [&[u8]; 18] = [
        b"",
        b"null",
        b"[]",
        b"7",
        b"\"text\"",
        b"{",
        b"{}",
        b"{}{}",
        b"not json",
        b"{\"model\":7}",
        b"\xff\xfe\x00",
        b"{\"model\":\"openai/echo\"}",
        b"{\"model\":\"openai/echo\",\"messages\":{}}",
        b"{\"model\":\"openai/echo\",\"messages\":7}",
        b"{\"model\":\"openai/echo\",\"messages\":[],\"stream\":\"yes\"}",
        b"{\"model\":\"openai/echo\",\"messages\":[]} trailing",
        b"{\"model\":\"openai/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc3\x28\"}]}",
        b"{\"model\":\"openai/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}",
    ];
    for dialect in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            for body in bodies {
                let body = String::from_utf8(body.to_vec()).map_or_else(
                    |_| body.to_vec(),
                    |text| text.replace("openai/", &format!("{provider}/")).into_bytes(),
                );
                let answer = rig.caller.send("POST", dialect.path(), body.clone()).await;
                let what = String::from_utf8_lossy(&body).into_owned();
                assert_eq!(answer.status, 400, "{provider} {what}: {:?}", answer.body);
                assert!(dialect.is_error(&answer.json()), "{what}: {:?}", answer.body);
            }
        }
    }
}
