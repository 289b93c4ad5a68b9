//! Several keys of one provider: asked by what each has left, cooled by their own 429s and by nothing else.

use tollgate_tests::keyed::Keyed;
use tollgate_tests::provider::small_answer;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

/// An answer with these lines in its head.
fn reply(status: &str, head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{head}connection: close\r\n\r\n{body}")
        .into_bytes()
}

async fn rig(provider: &Keyed, keys: &[&str]) -> Rig {
    let references: Vec<String> = (0..keys.len()).map(|number| format!("env:POOL_{number}")).collect();
    let mut plan = Plan {
        providers: format!(
            "  pool: {{ base_url: \"http://{}/v1\", dialect: openai_chat, credentials: [{}] }}\n",
            provider.address,
            references.join(", ")
        ),
        routes: "  pooled: { targets: [{ model: pool/m }], retry: { attempts: 3 } }".into(),
        ..Plan::default()
    };
    let named = references.iter().zip(keys);
    plan.settings.env = named
        .map(|(reference, key)| (reference.trim_start_matches("env:").to_owned(), (*key).to_owned()))
        .collect();
    plan.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_on_one_key_moves_to_the_other_and_rests_that_key_alone() {
    let limited = r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let provider = Keyed::start(move |_, key| match key {
        "key-of-the-pool-a" => reply("429 Too Many Requests", "retry-after: 30\r\n", limited),
        _ => reply("200 OK", "", &small_answer()),
    })
    .await;
    let rig = rig(&provider, &["key-of-the-pool-a", "key-of-the-pool-b"]).await;
    for _ in 0..12 {
        let answer = rig.caller.ask(Dialect::OpenAi, "pooled", false).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    assert_eq!((provider.calls("key-of-the-pool-a"), provider.calls("key-of-the-pool-b")), (1, 12));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_5xx_cools_no_key_whatever_its_words() {
    let ill = r#"{"error":{"message":"Rate limit reached","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#;
    let provider = Keyed::start(move |number, _| match number {
        1 => reply("503 Service Unavailable", "retry-after: 0\r\n", ill),
        _ => reply("200 OK", "", &small_answer()),
    })
    .await;
    let rig = rig(&provider, &["key-of-the-pool-a", "key-of-the-pool-b"]).await;
    for _ in 0..20 {
        rig.caller.ask(Dialect::OpenAi, "pooled", false).await;
    }
    let (a, b) = (provider.calls("key-of-the-pool-a"), provider.calls("key-of-the-pool-b"));
    assert!(7 <= a && 7 <= b, "both are asked on, in turn: {a} and {b}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_with_the_most_left_is_asked() {
    // The one has room for 1000 calls a minute, the other for 100: each as many calls as it has room for is what empties both together.
    let provider = Keyed::start(|number, key| {
        let limit = if key == "key-of-the-pool-a" { 1000 } else { 100 };
        let head = format!(
            "x-ratelimit-limit-requests: {limit}\r\nx-ratelimit-remaining-requests: {}\r\nx-ratelimit-reset-requests: 1m0s\r\n",
            limit - number
        );
        reply("200 OK", &head, &small_answer())
    })
    .await;
    let rig = rig(&provider, &["key-of-the-pool-a", "key-of-the-pool-b"]).await;
    for _ in 0..220 {
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "pooled", false).await.status, 200);
    }
    let (large, small) = (provider.calls("key-of-the-pool-a"), provider.calls("key-of-the-pool-b"));
    assert!((5..=45).contains(&small), "the small key had {small} of {}", large + small);
    assert!(small * 4 < large, "{large} and {small}");
}
