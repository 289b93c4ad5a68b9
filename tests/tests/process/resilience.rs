//! Every fault of a provider with a healthy one behind it (F01–F28): whoever has not begun to receive an answer gets one. And what a
//! provider that is down sees of that (L5).

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_tests::provider::{Canned, json_reply};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Caller, Dialect, Rig};

/// Calls for each fault and each kind of call.
const CALLS: usize = 25;

/// A fault of the simulated providers, and where it shows: `true` in mid-stream only, so that a stream has begun and breaks off.
const FAULTS: [(&str, &str, bool); 38] = [
    ("f05", "reset-before-headers", false),
    ("f05", "close-before-headers", false),
    ("f06", "reset-mid-body", true),
    ("f06", "close-mid-body", true),
    ("f08", "reset-before-content", false),
    ("f09", "stall-before-first-byte", false),
    ("f09", "stall-after-head", false),
    ("f09", "slow-first-byte-5s", false),
    ("f13", "truncated-json", true),
    ("f14", "html-200", false),
    ("f15", "error-in-200", false),
    ("f16", "empty-choices", true),
    ("f17", "long-line-2", false),
    ("f18", "invalid-utf8", true),
    ("f19", "cut-after-0-chunks", false),
    ("f19", "end-after-0-chunks", false),
    ("f19", "no-terminator", true),
    ("f19", "no-finish", true),
    ("f23", "status-429-retry-30", false),
    ("f23", "retry-after-absurd", false),
    ("f23", "retry-after-date", false),
    ("f23", "quota-exceeded", false),
    ("f24", "status-500", false),
    ("f24", "status-502", false),
    ("f24", "status-503", false),
    ("f24", "status-529", false),
    ("f24", "html-502", false),
    ("f24", "empty-500", false),
    ("f26", "gzip-bomb-64", false),
    ("f26", "wrong-content-encoding", false),
    ("f27", "huge-header-512", false),
    ("f27", "many-headers-2000", false),
    ("f27", "two-lengths", false),
    ("f27", "crlf-header", true),
    ("f28", "redirect-metadata", false),
    ("f28", "redirect-302", false),
    ("-", "error-event-first", false),
    ("-", "not-http", false),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_to_f28_with_a_healthy_fallback_whoever_has_not_begun_to_receive_gets_an_answer() {
    let mut plan = Plan {
        providers: format!(
            "  gone: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n  \
             nowhere: {{ base_url: \"http://no-such-host.invalid/v1\", dialect: openai_chat, auth: none }}\n",
            tollgate_mock::refusing_address().await.unwrap()
        ),
        ..Plan::default()
    };
    let mut models = vec![("f01", "gone/m".to_owned(), false), ("f02", "nowhere/m".to_owned(), false)];
    for provider in ["openai", "anthropic"] {
        models.extend(FAULTS.map(|(id, fault, in_mid)| (id, format!("{provider}/lorem-9+{fault}"), in_mid)));
    }
    for (number, (_, model, _)) in models.iter().enumerate() {
        let other = if model.starts_with("anthropic") { "openai" } else { "anthropic" };
        plan.routes += &format!(
            "  r{number}: {{ targets: [{{ model: \"{model}\" }}], fallbacks: [{other}/echo], timeouts: {{ first_byte: 400ms, idle: 400ms }} }}\n"
        );
    }
    let rig = plan.start().await;
    let (mut asked, mut wrong) = (0, Vec::new());
    for (number, (id, model, in_mid)) in models.iter().enumerate() {
        for call in 0..CALLS {
            let caller = Dialect::ALL[call % 2];
            let stream = call % 4 < 2;
            let answer = rig.caller.ask(caller, &format!("r{number}"), stream).await;
            asked += 1;
            let whole = if stream {
                let seen = caller.stream(&answer.body);
                // A stream that had begun may break off, and then it says so.
                (seen.terminated && seen.error.is_none()) || (*in_mid && seen.error.is_some() && !seen.terminated)
            } else {
                answer.broke.is_none() && !caller.is_error(&answer.json())
            };
            if answer.status != 200 || !whole {
                let body: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
                wrong.push(format!("{id} {model} {caller:?} stream={stream}: {} {body}", answer.status));
            }
        }
    }
    println!("f01 to f28: {} of {asked} calls failed", wrong.len());
    assert!(wrong.len() * 1_000 <= asked, "{}", wrong.join("\n"));
    assert_eq!(rig.gateway.metric("tollgate_panics_total", "").await, 0.0);
    // It is measured twice a second.
    let began = Instant::now();
    while 0.0 < rig.gateway.metric("tollgate_open_holds", "").await {
        assert!(began.elapsed() < Duration::from_secs(5), "something is still held");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_flapping_provider_with_one_healthy_peer_fails_one_call_in_two_hundred_at_most() {
    let faults = ["reset-before-headers", "status-503", "stall-before-first-byte", "html-200"];
    let mut plan = Plan::default();
    for (number, fault) in faults.iter().enumerate() {
        plan.routes += &format!(
            "  flap{number}: {{ strategy: weighted, targets: [{{ model: openai/lorem-{number}7 }}, {{ model: anthropic/lorem-8 }}], \
             fallbacks: [openai/lorem-{number}7, anthropic/lorem-8], timeouts: {{ first_byte: 300ms }} }}\n"
        );
        plan.script += &format!("[[rule]]\nmodel = \"lorem-{number}7\"\nup_ms = 500\ndown_ms = 500\nfault = \"{fault}\"\n");
    }
    let rig = plan.start().await;
    let mut running = tokio::task::JoinSet::new();
    for (number, fault) in faults.into_iter().enumerate() {
        let caller = rig.caller.clone();
        running.spawn(async move {
            let (began, mut asked, mut served) = (Instant::now(), 0_u32, 0_u32);
            while began.elapsed() < Duration::from_secs(5) {
                let dialect = Dialect::ALL[usize::from(asked.is_multiple_of(2))];
                let answer = caller.ask(dialect, &format!("flap{number}"), asked.is_multiple_of(3)).await;
                asked += 1;
                served += u32::from(answer.status == 200);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (fault, served, asked)
        });
    }
    for (fault, served, asked) in running.join_all().await {
        println!("f25 {fault}: {served} of {asked} served");
        assert!(100 < asked && asked * 995 <= served * 1_000, "{fault}: {served} of {asked}");
    }
}

/// Offers calls at a steady pace for so long; how many.
async fn offer(rig: &Rig, model: &str, per_second: u64, time: Duration) -> u64 {
    let (began, mut offered) = (Instant::now(), 0);
    let mut running = tokio::task::JoinSet::new();
    while began.elapsed() < time {
        let due = u64::try_from(began.elapsed().as_millis()).unwrap() * per_second / 1_000;
        while offered < due {
            let (caller, model) = (rig.caller.clone(), model.to_owned());
            running.spawn(async move { caller.ask(Dialect::OpenAi, &model, false).await.status });
            offered += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for status in running.join_all().await {
        assert!(500 <= status, "{status}");
    }
    offered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l5_a_provider_that_answers_503_alone_sees_a_tenth_and_three_a_second_more() {
    // With the breaker out of the way the budget alone holds.
    let closed = "breaker: { consecutive_failures: 1000000 }";
    let rig = Rig::with_routes(&format!(
        "  open: {{ targets: [{{ model: openai/lorem-9+status-503 }}], {closed} }}\n  \
         both: {{ targets: [{{ model: anthropic/lorem-8+status-503 }}], fallbacks: [anthropic/lorem-7+status-503], {closed} }}\n  \
         usual: {{ targets: [{{ model: openai/lorem-6+status-503 }}] }}"
    ))
    .await;
    for (route, models, most) in [
        ("open", vec!["lorem-9+status-503"], 1.1),
        ("both", vec!["lorem-8+status-503", "lorem-7+status-503"], 1.1),
        ("usual", vec!["lorem-6+status-503"], 0.2),
    ] {
        let time = Duration::from_secs(10);
        let offered = offer(&rig, route, 50, time).await as f64;
        let seen = models.iter().map(|model| rig.bill(model).len()).sum::<usize>() as f64;
        // What was on its way at the end is tried again behind it, a second at most.
        let allowed = offered * most + 3.0 * (time.as_secs_f64() + 1.0);
        println!("l5 {route}: {offered} offered, {seen} seen, {allowed} allowed");
        assert!(seen <= allowed, "{route}: {offered} offered, {seen} seen");
    }
    assert!(0.0 < rig.gateway.metric("tollgate_retries_withheld_total", "").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_a_provider_without_a_key_rests_as_long_as_it_says() {
    let limited = json_reply(
        "429 Too Many Requests\r\nretry-after: 30",
        r#"{"error":{"message":"slow down","type":"requests","code":null}}"#,
    );
    let own = Canned::start(limited).await;
    let plan = Plan {
        providers: format!(
            "  own: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            own.address
        ),
        routes: "  alone: { targets: [{ model: own/m }] }\n  backed: { targets: [{ model: own/m }], fallbacks: [openai/echo] }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for attempts in ["1", "0", "0"] {
        let answer = rig.caller.ask(Dialect::OpenAi, "alone", false).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-attempts")),
            (429, attempts),
            "{:?}",
            answer.body
        );
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }
    assert_eq!(
        rig.caller.ask(Dialect::OpenAi, "backed", false).await.header("x-tollgate-model"),
        "openai/echo"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_an_answer_that_trickles_is_broken_off_where_the_route_says_so() {
    let rig = Rig::with_routes(
        "  paced: { targets: [{ model: openai/lorem-50+trickle-20ms }], timeouts: { min_rate: 500/1s } }\n  \
         free: { targets: [{ model: openai/lorem-1+trickle-1ms }] }\n  \
         backed: { targets: [{ model: openai/lorem-50+trickle-20ms }], fallbacks: [anthropic/echo], timeouts: { min_rate: 500/1s } }",
    )
    .await;
    let answer = rig.caller.ask(Dialect::OpenAi, "paced", true).await;
    let broken = answer.status == 504 || Dialect::OpenAi.stream(&answer.body).error.is_some();
    assert!(
        broken && answer.took < Duration::from_secs(5),
        "{} {:?} {:?}",
        answer.status,
        answer.took,
        answer.body
    );
    // A whole answer has not begun before it is whole: another model answers.
    let answer = rig.caller.ask(Dialect::OpenAi, "backed", false).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-model")),
        (200, "anthropic/echo"),
        "{:?}",
        answer.body
    );
    let answer = rig.caller.ask(Dialect::OpenAi, "free", true).await;
    assert!(Dialect::OpenAi.stream(&answer.body).terminated, "{:?}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_the_json_that_was_asked_for_is_asked_of_the_next_model() {
    let rig = Rig::with_routes(
        "  strict: { targets: [{ model: openai/lorem-5 }], fallbacks: [anthropic/lorem-6, openai/json], fallback_on: [invalid_output] }\n  \
         hopeless: { targets: [{ model: openai/lorem-5 }], fallbacks: [anthropic/lorem-6], fallback_on: [invalid_output] }\n  \
         usual: { targets: [{ model: openai/lorem-5 }], fallbacks: [openai/json] }",
    )
    .await;
    let ask = |route: &str| {
        let mut body = Dialect::OpenAi.ask(route, "Say something in JSON.", false);
        body["response_format"] = json!({"type": "json_object"});
        body
    };
    let answer = rig.caller.post("/v1/chat/completions", &ask("strict")).await;
    assert_eq!(
        (answer.status, answer.header("x-tollgate-model")),
        (200, "openai/json"),
        "{:?}",
        answer.body
    );
    assert_eq!(answer.header("x-tollgate-attempts"), "3");
    assert!(
        answer.header("x-tollgate-fallback").contains("reason=invalid_output"),
        "{:?}",
        answer.headers
    );
    let answer = rig.caller.post("/v1/chat/completions", &ask("hopeless")).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].clone()),
        (502, json!("invalid_output"))
    );
    // Where the route does not say so, and where nobody asked for JSON, it is the caller's to judge.
    let answer = rig.caller.post("/v1/chat/completions", &ask("usual")).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/lorem-5"));
    let answer = rig.caller.ask(Dialect::OpenAi, "strict", false).await;
    assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/lorem-5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_filtered_before_its_first_word_is_asked_of_the_next_model() {
    let filtered = |content: &str, kind: &str| {
        let message = if kind == "chat.completion" { "message" } else { "delta" };
        let said = json!({"role": "assistant", "content": content});
        json!({"id": "x", "object": kind, "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": "content_filter", message: said}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}})
        .to_string()
    };
    let event = format!("data: {}\n\ndata: [DONE]\n\n", filtered("", "chat.completion.chunk"));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        event.len()
    );
    let streaming = Canned::start((head + &event).into_bytes()).await;
    let whole = Canned::start(json_reply("200 OK", &filtered("", "chat.completion"))).await;
    let mut plan = Plan::default();
    for (name, address) in [("streaming", streaming.address), ("whole", whole.address)] {
        plan.providers += &format!("  {name}: {{ base_url: \"http://{address}/v1\", dialect: openai_chat, auth: none }}\n");
        plan.routes += &format!(
            "  {name}-on: {{ targets: [{{ model: {name}/m }}], fallbacks: [anthropic/echo], fallback_on: [content_policy] }}\n  \
             {name}-off: {{ targets: [{{ model: {name}/m }}], fallbacks: [anthropic/echo] }}\n"
        );
    }
    let rig = plan.start().await;
    for (name, stream) in [("streaming", true), ("whole", false)] {
        for caller in Dialect::ALL {
            let answer = rig.caller.ask(caller, &format!("{name}-on"), stream).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-model")),
                (200, "anthropic/echo"),
                "{name} {:?}",
                answer.body
            );
            assert!(
                answer.header("x-tollgate-fallback").contains("reason=content_policy"),
                "{:?}",
                answer.headers
            );
            let answer = rig.caller.ask(caller, &format!("{name}-off"), stream).await;
            assert_eq!(answer.header("x-tollgate-model"), format!("{name}/m"), "{name} {:?}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_may_cost_too_much_is_passed_over_before_it_is_asked() {
    let rig = Plan {
        head: "budgets: [{ name: small, per: [route], when: 'route == \"poor\"', amount: 0.02 USD, window: never }]".into(),
        models: "  dear: { provider: openai, upstream_model: lorem-5, price: { input: 10, output: 10 } }\n  \
                 cheap: { provider: anthropic, upstream_model: lorem-6, price: { input: 1, output: 1 } }"
            .into(),
        routes: "  capped: { targets: [{ model: dear }], fallbacks: [cheap], fallback_on: [over_cost], max_cost: 0.01 USD }\n  \
                 refused: { targets: [{ model: dear }], fallbacks: [cheap], max_cost: 0.01 USD }\n  \
                 low: { targets: [{ model: dear }], fallbacks: [cheap], fallback_on: [over_cost], max_cost: 0.000001 USD }\n  \
                 poor: { targets: [{ model: dear }], fallbacks: [cheap], fallback_on: [over_cost] }"
            .into(),
        ..Plan::default()
    }
    .start()
    .await;
    // 4,000 tokens of output may cost 0.04 USD at the one and 0.004 USD at the other.
    for route in ["capped", "poor"] {
        let answer = rig.caller.ask(Dialect::OpenAi, route, false).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-model")),
            (200, "anthropic/lorem-6"),
            "{route} {:?}",
            answer.body
        );
        assert!(
            answer.header("x-tollgate-fallback").ends_with("reason=over_cost"),
            "{:?}",
            answer.headers
        );
        assert_eq!(answer.header("x-tollgate-attempts"), "1", "{route}");
    }
    for route in ["refused", "low"] {
        let answer = rig.caller.ask(Dialect::OpenAi, route, false).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].clone()),
            (402, json!("request_exceeds_max_cost")),
            "{route}"
        );
    }
    assert!(rig.bill("lorem-5").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_beginnings_open_the_breaker_where_the_route_says_so() {
    let rig = Rig::with_routes(
        "  slow: { targets: [{ model: openai/lorem-3+slow-first-byte-60ms }], fallbacks: [anthropic/echo], \
         breaker: { p95_above: 30ms, open_for: 30s } }",
    )
    .await;
    let mut answered = Vec::new();
    for _ in 0..25 {
        answered.push(
            rig.caller
                .ask(Dialect::OpenAi, "slow", true)
                .await
                .header("x-tollgate-model")
                .to_owned(),
        );
    }
    let slow = answered.iter().filter(|model| model.starts_with("openai")).count();
    assert_eq!(slow, 20, "twenty are known, all of them slow: {answered:?}");
    assert!(rig.gateway.metric_reaches("tollgate_breaker_openings_total", 1.0).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_held_open_by_hand_stays_open_over_a_change_of_the_config() {
    let plan = Plan::routes("  backed: { targets: [{ model: openai/lorem-1 }], fallbacks: [anthropic/echo] }");
    let rig = plan.start().await;
    let token = std::fs::read_to_string(rig.gateway.folder.path().join("data/admin-token")).unwrap();
    let admin = Caller::new(rig.gateway.admin, token.trim());
    let answers = |expected: &'static str| {
        let caller = rig.caller.clone();
        async move {
            let answer = caller.ask(Dialect::OpenAi, "backed", false).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-model")),
                (200, expected),
                "{:?}",
                answer.body
            );
        }
    };
    let hold = |state: &'static str| {
        let body = json!({"deployment": "openai/lorem-1", "state": state, "reason": "maintenance"});
        let admin = admin.clone();
        async move {
            let answer = admin.post("/admin/v1/reliability/override", &body).await;
            assert_eq!(
                (answer.status, answer.json()["held"].clone()),
                (200, json!(state)),
                "{:?}",
                answer.body
            );
        }
    };
    answers("openai/lorem-1").await;
    hold("open").await;
    answers("anthropic/echo").await;
    let text = std::fs::read_to_string(rig.gateway.config()).unwrap();
    let before = rig.gateway.metric("tollgate_config_reloads_total", "").await;
    rig.gateway.edit(&format!("{text}\n# changed\n"));
    assert!(rig.gateway.metric_reaches("tollgate_config_reloads_total", before + 1.0).await);
    answers("anthropic/echo").await;
    let all = admin.send("GET", "/admin/v1/reliability", "").await.json();
    let line = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["deployment"] == "openai/lorem-1")
        .cloned();
    assert_eq!(
        line.map(|line| (line["state"].clone(), line["held"].clone())),
        Some((json!("open"), json!("open"))),
        "{all}"
    );
    hold("auto").await;
    answers("openai/lorem-1").await;
}
