//! `Idempotency-Key` (GOVERNANCE 4): one key, one call, one bill.

use std::time::Duration;

use serde_json::Value;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Caller, Dialect, Rig};

const OTHER_KEY: &str = "another-caller-of-the-same-team";

async fn rig() -> Rig {
    let mut plan = Plan {
        keys: "  - { name: other, team: all, secret: env:OTHER_KEY }\n".into(),
        ..Plan::default()
    };
    plan.settings.env.push(("OTHER_KEY".into(), OTHER_KEY.into()));
    plan.start().await
}

fn with_key(caller: &Caller, key: &str) -> Caller {
    caller.clone().with("idempotency-key", key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_sent_twice_is_answered_twice_and_made_once() {
    let rig = rig().await;
    for dialect in Dialect::ALL {
        let model = format!("{}/lorem-9", tollgate_tests::rig::provider_of(dialect));
        let key = format!("one{}", dialect.path());
        let caller = with_key(&rig.caller, &key);
        let (first, again) = (caller.ask(dialect, &model, false).await, caller.ask(dialect, &model, false).await);
        assert_eq!((first.status, first.header("x-tollgate-idempotent-replay")), (200, ""));
        assert_eq!((again.status, again.header("x-tollgate-idempotent-replay")), (200, "true"));
        assert_eq!((again.body == first.body, again.header("x-tollgate-attempts")), (true, "0"));
        assert_ne!(again.id(), first.id(), "an exchange of its own");
        let others = with_key(&Caller::new(rig.gateway.address, OTHER_KEY), &key);
        let other = others.ask(dialect, &model, false).await;
        assert_eq!(
            (other.status, other.header("x-tollgate-idempotent-replay")),
            (200, ""),
            "another key"
        );
    }
    assert_eq!(rig.bill("lorem-9").len(), 4, "two of each dialect: one of each caller");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_not_for_another_request_nor_for_a_second_one_at_the_same_time() {
    let rig = rig().await;
    let caller = with_key(&rig.caller, "slow");
    let slow = caller.ask(Dialect::OpenAi, "openai/lorem-9+slow-first-byte-2s", false);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let same = caller.ask(Dialect::OpenAi, "openai/lorem-9+slow-first-byte-2s", false).await;
        let different = caller.ask(Dialect::OpenAi, "openai/echo", false).await;
        (same, different)
    };
    let (slow, (same, different)) = tokio::join!(slow, meanwhile);
    assert_eq!(slow.status, 200);
    let code = |body: &Value| Dialect::OpenAi.error_code(body);
    assert_eq!((same.status, code(&same.json()).as_str()), (409, "idempotency_key_in_use"));
    assert_eq!(same.header("retry-after"), "1");
    assert_eq!(
        (different.status, code(&different.json()).as_str()),
        (422, "idempotency_key_reused")
    );
    assert_eq!(rig.bill("lorem-9+slow-first-byte-2s").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_no_answer_and_what_was_a_stream_is_made_anew() {
    let rig = rig().await;
    for (key, model, stream, status) in [
        ("failed", "openai/lorem-4+status-400", false, 400),
        ("stream", "openai/lorem-5", true, 200),
    ] {
        let caller = with_key(&rig.caller, key);
        for _ in 0..2 {
            let answer = caller.ask(Dialect::OpenAi, model, stream).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-idempotent-replay")),
                (status, ""),
                "{key}"
            );
        }
        assert_eq!(rig.bill(model.trim_start_matches("openai/")).len(), 2, "{key}");
    }
    let long = with_key(&rig.caller, &"k".repeat(256))
        .ask(Dialect::OpenAi, "openai/echo", false)
        .await;
    assert_eq!(long.status, 400);
    assert_eq!(Dialect::OpenAi.error_code(&long.json()), "invalid_idempotency_key");
}
