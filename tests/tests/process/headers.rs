//! R-B1, R-B4, R-B5: headers cross by allow-list only, and a provider's credential goes to its own origin only.

use serde_json::Value;
use tollgate_tests::rig::{ANTHROPIC_KEY, CALLER_KEY, OPENAI_KEY, Plan};
use tollgate_tests::{Dialect, Rig, rig};

/// Headers that a caller's client, its proxies or an attacker may send, and that no provider may see.
const CALLERS_OWN: [&str; 50] = [
    "cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "forwarded",
    "via",
    "x-real-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-client-ip",
    "x-amzn-trace-id",
    "x-amz-security-token",
    "x-amz-date",
    "x-azure-clientip",
    "x-cloud-trace-context",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-runtime",
    "x-stainless-retry-count",
    "x-request-id",
    "x-correlation-id",
    "idempotency-key",
    "origin",
    "referer",
    "accept-language",
    "dnt",
    "sec-fetch-mode",
    "sec-ch-ua",
    "x-csrf-token",
    "x-requested-with",
    "x-http-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
    "x-tollgate-user",
    "x-tollgate-tags",
    "x-tollgate-metadata",
    "baggage",
    "b3",
    "x-b3-traceid",
    "if-none-match",
    "range",
];

/// What a provider may see of a head.
const PROVIDERS: [&str; 11] = [
    "accept",
    "accept-encoding",
    "anthropic-version",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-api-key",
];

fn headers_of(request: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let headers = request["headers"].as_array().unwrap().iter();
    headers.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b4_callers_headers_never_reach_a_provider() {
    let rig = Rig::start().await;
    let mut caller = rig.caller.clone();
    for name in CALLERS_OWN {
        caller = match name {
            // These have a form of their own, and the key is one request's.
            "x-tollgate-metadata" => caller.with(name, r#"{"k":"canary-value"}"#),
            "idempotency-key" => caller,
            _ => caller.with(name, "canary-value"),
        };
    }
    let mut nominated = caller
        .with("x-nominated", "canary-value")
        .with("connection", "x-nominated, keep-alive");
    nominated = nominated
        .with("te", "trailers")
        .with("user-agent", "canary-value")
        .with("accept", "canary-value");
    for dialect in Dialect::ALL {
        for provider in Dialect::ALL {
            for stream in [false, true] {
                let model = format!("{}/echo", rig::provider_of(provider));
                let once = nominated
                    .clone()
                    .with("idempotency-key", &format!("canary-{dialect:?}-{provider:?}-{stream}"));
                let answer = once.ask(dialect, &model, stream).await;
                assert_eq!(answer.status, 200, "{:?}", answer.body);
                let seen = rig.last_request();
                assert!(!seen.to_string().contains("canary"), "{seen}");
                assert!(!seen.to_string().contains(CALLER_KEY), "{seen}");
                for (name, _) in headers_of(&seen) {
                    assert!(PROVIDERS.contains(&name.as_str()), "{name} crossed");
                }
                assert!(!format!("{:?}", answer.headers).contains("canary"), "{:?}", answer.headers);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b4_providers_headers_never_reach_a_caller() {
    let rig = Rig::start().await;
    let allowed = |name: &str| {
        let ours = [
            "x-request-id",
            "request-id",
            "x-should-retry",
            "retry-after",
            "retry-after-ms",
            "x-accel-buffering",
        ];
        let http = ["content-type", "content-length", "date", "cache-control", "transfer-encoding"];
        name.starts_with("x-tollgate-") || ours.contains(&name) || http.contains(&name)
    };
    let faults = [
        "leaky-headers",
        "status-503+leaky-headers",
        "status-429-retry-1+leaky-headers",
        "duplicate-headers",
    ];
    for dialect in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            for (number, fault) in faults.iter().enumerate() {
                for stream in [false, true] {
                    let model = format!("{provider}/lorem-{number}+{fault}");
                    let answer = rig.caller.ask(dialect, &model, stream).await;
                    for (name, value) in &answer.headers {
                        assert!(allowed(name.as_str()), "{name}: {value:?} crossed ({model})");
                        // A provider's request id is told under a name of ours, and only that.
                        let told = name == "x-tollgate-provider-request-id";
                        assert!(told || !value.to_str().unwrap().contains("canary"), "{name}: {value:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b1_a_providers_credential_goes_to_its_own_origin_only() {
    let plan = Plan {
        providers: "  open: { base_url: \"http://MOCK/openai/v1\", dialect: openai_chat, auth: none }".into(),
        ..Plan::default()
    };
    let other = tollgate_mock::Mock::start(tollgate_mock::MockSettings::default()).await.unwrap();
    let providers = plan.providers.replace("MOCK", &other.addr().to_string());
    let rig = Plan {
        providers,
        routes: "  over: { targets: [{ model: openai/lorem-1+status-503 }], fallbacks: [anthropic/lorem-1+status-503, open/echo] }".into(),
        ..plan
    }
    .start()
    .await;
    for dialect in Dialect::ALL {
        // What a caller writes into the body moves nothing.
        let mut body = dialect.ask("over", "hello", false);
        for field in ["api_base", "base_url", "api_key", "host", "url", "endpoint", "custom_llm_provider"] {
            body[field] = Value::from(format!("http://{}/stolen", other.addr()));
        }
        let answer = rig.caller.post(dialect.path(), &body).await;
        assert_eq!(answer.header("x-tollgate-model"), "open/echo", "{:?}", answer.body);
    }
    let page: Value = serde_json::from_str(&rig.mock.requests_json(64)).unwrap();
    for request in page["requests"].as_array().unwrap() {
        let own = if request["target"].as_str().unwrap().contains("openai") {
            OPENAI_KEY
        } else {
            ANTHROPIC_KEY
        };
        let others = if own == OPENAI_KEY { ANTHROPIC_KEY } else { OPENAI_KEY };
        let headers = format!("{:?}", headers_of(request));
        assert!(headers.contains(own) && !headers.contains(others), "{headers}");
    }
    let elsewhere = other.requests_json(64);
    assert!(elsewhere.contains("\"method\""), "the last fallback was asked");
    for key in [OPENAI_KEY, ANTHROPIC_KEY, CALLER_KEY, "authorization"] {
        assert!(!elsewhere.contains(key), "{key} went elsewhere: {elsewhere}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_b5_beta_headers_reach_anthropic_alone() {
    let rig = Rig::start().await;
    let caller = rig
        .caller
        .clone()
        .with("anthropic-beta", "some-beta-2026-01-01")
        .with("anthropic-version", "2023-06-01");
    let rows = [
        (Dialect::Anthropic, "anthropic", true),
        (Dialect::Anthropic, "openai", false),
        (Dialect::OpenAi, "anthropic", false),
        (Dialect::OpenAi, "openai", false),
    ];
    for (dialect, provider, crosses) in rows {
        assert_eq!(caller.ask(dialect, &format!("{provider}/echo"), false).await.status, 200);
        let headers = headers_of(&rig.last_request());
        let beta = headers.iter().any(|(name, _)| name == "anthropic-beta");
        assert_eq!(beta, crosses, "{dialect:?} to {provider}: {headers:?}");
        let version = headers.iter().any(|(name, _)| name == "anthropic-version");
        assert!(version || provider != "anthropic", "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trace_context_is_continued_and_recorded() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let rig = Rig::start().await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let caller = rig.caller.clone().with("traceparent", &parent).with("tracestate", "vendor=1");
    let mut spans = Vec::new();
    for dialect in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            let answer = caller.ask(dialect, &format!("{provider}/echo"), true).await;
            let headers = headers_of(&rig.last_request());
            let value = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
            let sent = value("traceparent").unwrap();
            let fields: Vec<&str> = sent.split('-').collect();
            assert_eq!((fields[0], fields[1], fields[3]), ("00", TRACE, "01"), "{sent}");
            assert!(fields[2].len() == 16 && fields[2] != "00f067aa0ba902b7", "{sent}");
            assert_eq!(value("tracestate").as_deref(), Some("vendor=1"));
            spans.push(fields[2].to_owned());
            assert_eq!(rig.gateway.record(answer.id()).await["trace_id"], TRACE);
        }
    }
    spans.sort();
    spans.dedup();
    assert_eq!(spans.len(), 4, "every exchange is a span of its own");
    let bad = rig.caller.clone().with("traceparent", "00-zz-00f067aa0ba902b7-01");
    assert_eq!(bad.ask(Dialect::OpenAi, "openai/echo", false).await.status, 200);
    assert!(!headers_of(&rig.last_request()).iter().any(|(name, _)| name == "traceparent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_of_ones_own_is_spoken_to_in_its_dialects_own_way() {
    let mock = tollgate_mock::Mock::start(tollgate_mock::MockSettings::default()).await.unwrap();
    let plan = Plan {
        providers: format!(
            "  lab: {{ base_url: \"http://{}/anthropic\", dialect: anthropic, credentials: [env:ANTHROPIC_KEY] }}",
            mock.addr()
        ),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "lab/echo", false).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    let page: Value = serde_json::from_str(&mock.requests_json(1)).unwrap();
    assert!(page["requests"][0]["headers"].to_string().contains("x-api-key"), "{page}");
}
