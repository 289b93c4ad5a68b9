//! Providers that are ill for a while: F23 (429 storms), F24 (5xx storms), F25 (flapping).

use std::time::{Duration, Instant};

use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_a_limited_provider_is_left_alone_as_long_as_it_says() {
    let rig = Rig::with_routes(
        "  backed: { targets: [{ model: openai/lorem-1+status-429-retry-30 }], fallbacks: [anthropic/echo] }\n  \
         alone: { targets: [{ model: openai/lorem-1+status-429-retry-30 }] }",
    )
    .await;
    for _ in 0..20 {
        let answer = rig.caller.ask(Dialect::OpenAi, "backed", false).await;
        assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "anthropic/echo"));
        assert!(
            answer.header("x-tollgate-fallback").contains("reason=rate_limited"),
            "{:?}",
            answer.headers
        );
    }
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "alone", true).await;
        assert_eq!(answer.status, 429);
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        assert!(dialect.is_error(&answer.json()));
    }
    assert_eq!(rig.bill("lorem-1+status-429-retry-30").len(), 1, "asked again while it was limited");
    // The limit was that model's: the provider's only key still serves the others.
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "openai/echo", true).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_an_absurd_wait_is_cut_to_300_seconds() {
    let rig = Rig::start().await;
    for fault in ["retry-after-absurd", "retry-after-date"] {
        let provider = if fault == "retry-after-date" { "anthropic" } else { "openai" };
        // The second time the provider is not even asked.
        for attempts in ["1", "0"] {
            let answer = rig.caller.ask(Dialect::OpenAi, &format!("{provider}/lorem-2+{fault}"), false).await;
            assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (429, attempts), "{fault}");
            assert!(answer.took < Duration::from_secs(1), "the caller was kept waiting");
        }
        // The second time the gateway itself says how long.
        let answer = rig.caller.ask(Dialect::OpenAi, &format!("{provider}/lorem-2+{fault}"), false).await;
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=300).contains(&wait), "{fault}: {wait}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_a_storm_of_5xx_opens_the_breaker_and_one_probe_closes_it() {
    let plan = Plan {
        routes: "  ill: { targets: [{ model: openai/lorem-3 }], retry: { attempts: 1 } }".into(),
        script: "[[rule]]\nmodel = \"lorem-3\"\nfirst = 5\nfault = \"status-500\"\n".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for _ in 0..5 {
        let answer = rig.caller.ask(Dialect::OpenAi, "ill", false).await;
        assert_eq!(answer.status, 500, "{:?}", answer.body);
    }
    // It is open for a second.
    let opened = Instant::now();
    let mut turned_away = 0;
    while opened.elapsed() < Duration::from_millis(600) {
        let answer = rig.caller.ask(Dialect::OpenAi, "ill", false).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-attempts")),
            (503, "0"),
            "{:?}",
            answer.body
        );
        assert!(!answer.header("retry-after").is_empty());
        turned_away += 1;
    }
    assert!(10 < turned_away, "too slow to show anything");
    assert_eq!(rig.bill("lorem-3").len(), 5, "the breaker did not open after five");
    // Then one probe finds the provider well.
    tokio::time::sleep(Duration::from_millis(900)).await;
    for _ in 0..5 {
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "ill", false).await.status, 200);
    }
    assert_eq!(rig.bill("lorem-3").len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_while_it_is_open_only_one_probe_goes_through() {
    let rig = Rig::with_routes("  ill: { targets: [{ model: openai/lorem-4+status-503 }], retry: { attempts: 1 } }").await;
    for _ in 0..5 {
        rig.caller.ask(Dialect::OpenAi, "ill", false).await;
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let caller = rig.caller.clone();
        running.spawn(async move { caller.ask(Dialect::Anthropic, "ill", true).await });
    }
    for answer in running.join_all().await {
        assert!(Dialect::Anthropic.is_error(&answer.json()), "{:?}", answer.body);
    }
    assert_eq!(rig.bill("lorem-4+status-503").len(), 6, "five to open it, and one probe");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_half_of_5xx_still_gives_every_caller_an_answer_by_fallback() {
    let plan = Plan {
        routes: "  half: { targets: [{ model: openai/lorem-5 }], fallbacks: [anthropic/lorem-6] }".into(),
        script: "[[rule]]\nmodel = \"lorem-5\"\nevery = 2\nfault = \"status-503\"\n".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    for _ in 0..60 {
        assert_eq!(rig.caller.ask(Dialect::Anthropic, "half", false).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f25_a_flapping_provider_with_one_healthy_peer_serves_at_least_95_percent() {
    let plan = Plan {
        routes: "  flap: { strategy: weighted, targets: [{ model: openai/lorem-7 }, { model: anthropic/lorem-8 }], \
                 fallbacks: [openai/lorem-7, anthropic/lorem-8] }"
            .into(),
        script: "[[rule]]\nmodel = \"lorem-7\"\nup_ms = 500\ndown_ms = 500\nfault = \"reset-before-headers\"\n".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let (began, mut asked, mut served) = (Instant::now(), 0_u32, 0_u32);
    while began.elapsed() < Duration::from_secs(4) {
        let dialect = Dialect::ALL[usize::from(asked.is_multiple_of(2))];
        let answer = rig.caller.ask(dialect, "flap", asked.is_multiple_of(3)).await;
        asked += 1;
        served += u32::from(answer.status == 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("f25: {served} of {asked} served");
    assert!(100 < asked && asked * 95 <= served * 100, "{served} of {asked}");
    assert!(!rig.bill("lorem-7").is_empty() && !rig.bill("lorem-8").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_g3_a_provider_that_is_down_sees_no_more_than_it_is_offered() {
    let rig = Rig::start().await;
    let began = Instant::now();
    for _ in 0..300 {
        rig.caller.ask(Dialect::OpenAi, "openai/lorem-9+status-503", false).await;
    }
    let (seen, allowed) = (
        rig.bill("lorem-9+status-503").len() as f64,
        330.0 + 3.0 * began.elapsed().as_secs_f64(),
    );
    println!("r_g3: 300 offered, {seen} seen");
    assert!(seen <= allowed, "{seen} of {allowed}");
}
