//! The complexity router: an easy question goes to the models of the simple tier, a hard one to those of the complex tier, in every dialect;
//! the record says why, and holds no word of the question.

use serde_json::json;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

const EASY: &str = "What is the capital of Peru?";
const HARD: &str = "Prove that there are infinitely many primes, and compare two proofs step by step.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn easy_questions_and_hard_ones_go_to_their_tiers() {
    let rig = Rig::with_routes(
        "  r: { strategy: complexity, tiers: { simple: [openai/lorem-3, anthropic/lorem-4], complex: [anthropic/lorem-9] } }",
    )
    .await;
    for dialect in Dialect::ALL {
        for (text, tier, model) in [(EASY, "simple", "openai/lorem-3"), (HARD, "complex", "anthropic/lorem-9")] {
            let answer = rig.caller.post(dialect.path(), &dialect.ask("r", text, false)).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-model")),
                (200, model),
                "{:?}",
                answer.body
            );
            let record = rig.gateway.record(answer.id()).await;
            let complexity = &record["complexity"];
            assert_eq!(complexity["tier"], tier, "{record}");
            assert!(
                complexity["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)),
                "{record}"
            );
            assert!(
                complexity["features"].as_object().is_some_and(|features| features.len() > 1),
                "{record}"
            );
            assert!(complexity["why"].as_str().is_some_and(|why| !why.is_empty()), "{record}");
            let line = record.to_string();
            assert!(!line.contains("Peru") && !line.contains("primes"), "{line}");
        }
        // What the caller says of the task counts as well.
        let body = dialect.ask("r", "Look at this.", false);
        let told = rig.caller.clone().with("x-tollgate-task", "reasoning");
        let mut scores = Vec::new();
        for caller in [&rig.caller, &told] {
            let answer = caller.post(dialect.path(), &body).await;
            scores.push(rig.gateway.record(answer.id()).await["complexity"]["score"].as_f64().unwrap());
        }
        assert!(scores[0] < scores[1], "{scores:?}");
    }
    let other = rig.caller.ask(Dialect::OpenAi, "openai/lorem-3", false).await;
    assert_eq!(rig.gateway.record(other.id()).await["complexity"], json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_tier_the_next_one_stands_by_and_the_caller_is_told() {
    let rig = Rig::with_routes(
        "  up: { strategy: complexity, tiers: { simple: [openai/lorem-3+status-503], complex: [anthropic/lorem-9] } }\n  \
         down: { strategy: complexity, tiers: { simple: [openai/lorem-3], complex: [anthropic/lorem-9+status-503] } }",
    )
    .await;
    let rows = [
        ("up", EASY, "anthropic/lorem-9", "openai/lorem-3+status-503"),
        ("down", HARD, "openai/lorem-3", "anthropic/lorem-9+status-503"),
    ];
    for (route, text, model, from) in rows {
        let body = Dialect::OpenAi.ask(route, text, false);
        let answer = rig.caller.post(Dialect::OpenAi.path(), &body).await;
        assert_eq!(
            (answer.status, answer.header("x-tollgate-model")),
            (200, model),
            "{:?}",
            answer.body
        );
        assert_eq!(answer.header("x-tollgate-fallback"), format!("from={from}; reason=overloaded"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_own_weights_is_taken_into_use_without_a_restart() {
    let own = |bias: f64| {
        let mut text = String::new();
        for line in include_str!("../../../catalog/complexity/weights.toml").lines() {
            let line = if line.starts_with("bias = ") {
                format!("bias = {bias:?}")
            } else {
                line.to_owned()
            };
            text += &format!("{line}\n");
        }
        text
    };
    let folder = std::env::temp_dir().join(format!("tollgate-weights-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("own.toml");
    std::fs::write(&file, own(-50.0)).unwrap();
    let plan = Plan {
        head: format!("router: {{ weights: \"file:{}\" }}", file.display()),
        routes: "  r: { strategy: complexity, tiers: { simple: [openai/lorem-3], complex: [anthropic/lorem-9] } }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let body = Dialect::OpenAi.ask("r", HARD, false);
    let model = async || {
        let answer = rig.caller.post(Dialect::OpenAi.path(), &body).await;
        answer.header("x-tollgate-model").to_owned()
    };
    assert_eq!(model().await, "openai/lorem-3");
    // What is no file of weights changes nothing.
    std::fs::write(&file, "version = 7").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(model().await, "openai/lorem-3");
    std::fs::write(&file, own(50.0)).unwrap();
    let mut taken = false;
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        taken = model().await == "anthropic/lorem-9";
        if taken {
            break;
        }
    }
    assert!(taken, "the new weights were not taken within ten seconds");
    std::fs::remove_dir_all(&folder).unwrap();
}
