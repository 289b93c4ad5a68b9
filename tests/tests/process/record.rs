//! What remains of an exchange: the record's fields, the headers, the metrics (issue "What happened", CONTRACT section 6).

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_says_what_happened() {
    let plan = Plan {
        routes: "  r: { targets: [{ model: openai/lorem-5+status-503 }], fallbacks: [anthropic/usage-11-22-3], retry: { attempts: 2 } }"
            .into(),
        keys: "  - { name: named, team: all, user: u1, feature: f1, secret: env:NAMED }".into(),
        settings: tollgate_tests::Settings {
            env: vec![("NAMED".into(), "named-key-000000001".into())],
            ..Default::default()
        },
        ..Plan::default()
    };
    let rig = plan.start().await;
    let caller = tollgate_tests::Caller::new(rig.gateway.address, "named-key-000000001");
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let body = dialect.ask("r", "count me", stream);
            let answer = caller.post(dialect.path(), &body).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            let record = rig.gateway.record(answer.id()).await;
            let expected = [
                ("config", answer.header("x-tollgate-config")),
                ("dialect", dialect.name()),
                ("operation", "chat"),
                ("team", "all"),
                ("user", "u1"),
                ("key", "named"),
                ("feature", "f1"),
                ("asked", "r"),
                ("route", "r"),
                ("model", "anthropic/usage-11-22-3"),
                ("outcome", "completed"),
                ("finish", "stop"),
            ];
            for (field, value) in expected {
                assert_eq!(record[field], value, "{field} in {record}");
            }
            assert_eq!(record["stream"], stream);
            assert_eq!(record["passthrough"], dialect == Dialect::Anthropic, "{record}");
            assert_eq!(
                (record["usage"]["input"].as_u64(), record["usage"]["output"].as_u64()),
                (Some(11), Some(22)),
                "{record}"
            );
            assert_eq!(record["usage"]["cache_read"], 3, "{record}");
            assert_eq!(record["request_bytes"], body.to_string().len());
            assert_eq!(record["answer_bytes"], answer.body.len());
            assert_eq!(record["status"], 200);
            let attempts = record["attempts"].as_array().unwrap();
            let last = attempts.last().unwrap();
            assert_eq!(
                (&last["deployment"], &last["outcome"]),
                (&"anthropic/usage-11-22-3".into(), &"ok".into())
            );
            assert!(last["ms"].is_number() && !record["provider_request_id"].is_null());
            let figure = |field: &str| record[field].as_f64().unwrap();
            assert!(
                figure("overhead_ms") <= figure("first_byte_ms") && figure("first_byte_ms") <= figure("total_ms"),
                "{record}"
            );
            assert!(record["time"].as_str().unwrap().ends_with('Z'));
            assert_eq!(answer.header("x-tollgate-model"), "anthropic/usage-11-22-3");
            assert_eq!(answer.header("x-tollgate-route"), "r");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_translation_loses_is_told() {
    let rig = Rig::with_routes("  strict: { targets: [{ model: anthropic/echo }], on_loss: reject }").await;
    let mut body = Dialect::OpenAi.ask("anthropic/echo", "hello", false);
    body["logit_bias"] = serde_json::json!({"50256": -100});
    let answer = rig.caller.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert!(answer.header("x-tollgate-loss").contains("logit_bias"), "{:?}", answer.headers);
    assert!(rig.gateway.record(answer.id()).await["loss"].to_string().contains("logit_bias"));
    body["model"] = "strict".into();
    let answer = rig.caller.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 400, "{:?}", answer.body);
    assert_eq!(rig.gateway.metric("tollgate_lossy_requests_total", "").await, 1.0);
}

/// Families with their types, and all samples, of an exposition in OpenMetrics' text form (OpenMetrics 1.0, section 3).
fn openmetrics(text: &str) -> (BTreeMap<String, String>, Vec<(String, f64)>) {
    assert!(text.ends_with("# EOF\n"), "no end mark");
    let (mut families, mut samples) = (BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(
                families.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{name} is declared twice"
            );
            continue;
        }
        if line.starts_with("# HELP ") || line.starts_with("# UNIT ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let family = families.iter().find(|(family, kind)| {
            let rest = name.strip_prefix(family.as_str());
            match kind.as_str() {
                "counter" => rest == Some("_total"),
                "histogram" => matches!(rest, Some("_bucket" | "_sum" | "_count")),
                _ => rest == Some(""),
            }
        });
        assert!(family.is_some(), "{name} belongs to no family");
        assert!(series.ends_with('}') || !series.contains('{'), "{series}");
        samples.push((series.to_owned(), value.parse().unwrap()));
    }
    (families, samples)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_openmetrics_and_count_right() {
    let rig = Rig::with_routes("  r: { targets: [{ model: openai/usage-5-7 }] }").await;
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            for _ in 0..5 {
                assert_eq!(rig.caller.ask(dialect, "r", stream).await.status, 200);
            }
            rig.caller.ask(dialect, "anthropic/lorem-3+status-400", stream).await;
            rig.caller.ask(dialect, "no-such-\"\\\n-model", stream).await;
        }
    }
    assert!(rig.gateway.metric_reaches("tollgate_requests_total", 28.0).await);
    let text = rig.gateway.metrics().await;
    let (families, samples) = openmetrics(&text);
    assert!(families.keys().all(|name| name.starts_with("tollgate_")));
    let sum = |name: &str, labels: &[&str]| -> f64 {
        let fits = |series: &str| series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label));
        samples.iter().filter(|(series, _)| fits(series)).map(|(_, value)| value).sum()
    };
    assert_eq!(sum("tollgate_requests_total", &[]), 28.0, "{text}");
    assert_eq!(
        sum("tollgate_requests_total", &["route=\"r\"", "outcome=\"ok\"", "status=\"200\""]),
        20.0
    );
    assert_eq!(
        sum("tollgate_requests_total", &["provider=\"anthropic\"", "outcome=\"malformed\""]),
        4.0
    );
    assert_eq!(sum("tollgate_requests_total", &["outcome=\"not_found\""]), 4.0);
    assert_eq!(sum("tollgate_requests_total", &["dialect=\"anthropic\""]), 14.0);
    assert_eq!(sum("tollgate_attempts_total", &["outcome=\"ok\""]), 20.0);
    assert_eq!(sum("tollgate_tokens_total", &["kind=\"input\""]), 100.0);
    assert_eq!(sum("tollgate_tokens_total", &["kind=\"output\""]), 140.0);
    assert_eq!(sum("tollgate_duration_seconds_count", &[]), 28.0);
    assert_eq!(sum("tollgate_open_requests", &[]), 0.0);
    assert_eq!(sum("tollgate_panics_total", &[]), 0.0);
    assert!(!text.contains("no-such"), "what a caller makes up became a label");
    // Records and metrics are of one mind.
    // Lines are written in batches.
    let mut records = Vec::new();
    for _ in 0..100 {
        records = rig.gateway.lines_with("\"request_id\":");
        if records.len() == 28 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(records.len(), 28);
    let parsed = records.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(parsed.filter(|record| record["outcome"] == "completed").count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_without_a_config_and_the_printed_curl_line_works() {
    let settings = tollgate_tests::Settings::default();
    let began = std::time::Instant::now();
    let gateway = tokio::task::spawn_blocking(move || tollgate_tests::Gateway::start(&settings))
        .await
        .unwrap();
    println!("started after {:?}", began.elapsed());
    let output = gateway.output();
    let key = output.split("Bearer ").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    assert!(
        output.contains(&format!("http://{}/v1/chat/completions", gateway.address)),
        "{output}"
    );
    let caller = tollgate_tests::Caller::new(gateway.address, key);
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let answer = caller.ask(dialect, "mock/echo", stream).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
        }
    }
}
