//! Models on their way into use, and loops: a faulty canary goes by itself and stays away, reviewers alone get what they review, shadows are
//! asked behind the caller's back and on their own budget, and who repeats himself is told so.

mod loops;
mod shadow;

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Answer, Caller, Dialect, Rig, Settings};

/// Longer than the gateway takes to write something down and to read it again.
const WITHIN: Duration = Duration::from_secs(10);

/// The admin plane, with the token of the data folder.
fn admin(rig: &Rig, data: &std::path::Path) -> Caller {
    let token = std::fs::read_to_string(data.join("admin-token")).unwrap();
    Caller::new(rig.gateway.admin, token.trim())
}

/// Asks the admin plane until the answer is so.
async fn until(caller: &Caller, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = caller.send("GET", path, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        if so(&body) {
            return body;
        }
        assert!(began.elapsed() < WITHIN, "{path}: {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// So many calls of a route, a few at a time.
async fn load(caller: &Caller, route: &str, calls: usize) -> Vec<Answer> {
    let (mut running, mut answers) = (JoinSet::new(), Vec::new());
    for number in 0..calls {
        if 16 <= running.len() {
            answers.push(running.join_next().await.unwrap().unwrap());
        }
        let (caller, route) = (caller.clone(), route.to_owned());
        running.spawn(async move { caller.ask(Dialect::OpenAi, &route, number % 2 == 0).await });
    }
    answers.extend(running.join_all().await);
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_canary_goes_by_itself_and_stays_away_over_a_restart_until_it_is_switched_on() {
    let folder = Folder::new();
    let faulty = "echo+status-500";
    let plan = Plan {
        settings: Settings {
            data: Some(folder.path().to_owned()),
            ..Settings::default()
        },
        ..Plan::routes(&format!(
            "  chat:\n    strategy: weighted\n    targets:\n      - {{ model: openai/echo, weight: 95 }}\n      - {{ model: openai/{faulty}, weight: 5, stage: canary, rollback_if: \"error_rate > 0.05\" }}\n"
        ))
    };
    let rig = plan.start().await;
    let answers = load(&rig.caller, "chat", 1_500).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200),
        "a canary's failures are nobody's"
    );
    let admin_caller = admin(&rig, folder.path());
    let is_off = |body: &Value| body["data"].as_array().is_some_and(|list| list.len() == 1);
    let found = until(&admin_caller, "/admin/v1/rollbacks", is_off).await;
    let rollback = &found["data"][0];
    assert_eq!(
        (&rollback["route"], &rollback["model"]),
        (&"chat".into(), &format!("openai/{faulty}").into())
    );
    assert!(20.0 <= rollback["figures"]["canary"]["requests"].as_f64().unwrap(), "{rollback}");
    assert!(rig.gateway.metric_reaches("tollgate_rollbacks_total", 1.0).await);
    let alerts = until(&admin_caller, "/admin/v1/alerts", |body| {
        body["data"].as_array().is_some_and(|list| !list.is_empty())
    })
    .await;
    assert_eq!(alerts["data"][0]["kind"], "canary_rolled_back", "{alerts}");
    let audit = admin_caller.send("GET", "/admin/v1/audit?limit=10", "").await.json();
    let record = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|record| record["action"] == "release.rollback");
    assert_eq!(record.unwrap()["actor"], "gateway", "{audit}");

    let seen = rig.bill(faulty).len();
    load(&rig.caller, "chat", 400).await;
    assert_eq!(rig.bill(faulty).len(), seen, "not one more call");
    drop(rig);
    let rig = plan.start().await;
    load(&rig.caller, "chat", 400).await;
    assert_eq!(rig.bill(faulty).len(), 0, "off from the first call on");

    let admin_caller = admin(&rig, folder.path());
    let path = format!("/admin/v1/rollbacks/{}", rollback["id"].as_str().unwrap());
    assert_eq!(admin_caller.send("DELETE", &path, "").await.status, 422, "without a reason");
    let with_reason = admin_caller.clone().with("x-reason", "the vendor mended it");
    assert_eq!(with_reason.send("DELETE", &path, "").await.status, 204);
    load(&rig.caller, "chat", 400).await;
    assert!(!rig.bill(faulty).is_empty(), "it is tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviewers_alone_get_what_they_review() {
    const REVIEWER_KEY: &str = "reviewer-key-0000001";
    let plan = Plan {
        teams: "  quality: { routes: [\"*\"] }".into(),
        keys: "  - { name: reviewer, team: quality, secret: env:REVIEWER_KEY }".into(),
        settings: Settings {
            env: vec![("REVIEWER_KEY".into(), REVIEWER_KEY.into())],
            ..Settings::default()
        },
        ..Plan::routes(
            "  chat:\n    targets: [{ model: openai/echo }, { model: openai/lorem-5, stage: reviewers }]\n    \
             reviewers: { teams: [quality] }\n",
        )
    };
    let rig = plan.start().await;
    let reviewer = Caller::new(rig.gateway.address, REVIEWER_KEY);
    for _ in 0..20 {
        let answer = rig.caller.ask(Dialect::OpenAi, "chat", false).await;
        assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/echo"));
        let answer = reviewer.ask(Dialect::OpenAi, "chat", false).await;
        assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "openai/lorem-5"));
        assert_eq!(answer.header("x-tollgate-fallback"), "");
    }
    let forged = Caller::new(rig.gateway.address, CALLER_KEY).with("x-tollgate-tags", "team=quality");
    let answer = forged.ask(Dialect::OpenAi, "chat", false).await;
    assert_eq!(answer.header("x-tollgate-model"), "openai/echo", "a header makes nobody a reviewer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_called_as_far_as_it_is_approved() {
    let plan = Plan {
        models: "  fine: { provider: openai, upstream_model: echo, status: approved }\n  \
                 new: { provider: openai, upstream_model: lorem-3, status: proposed }\n  \
                 old: { provider: openai, upstream_model: lorem-4, status: deprecated }\n  \
                 gone: { provider: openai, upstream_model: lorem-6, status: retired }"
            .into(),
        ..Plan::routes("  chat: { targets: [{ model: new }], fallbacks: [fine] }\n  only: { targets: [{ model: new }] }\n")
    };
    let rig = plan.start().await;
    let high = rig.caller.clone().with("x-tollgate-risk", "high");
    let low = rig.caller.clone().with("x-tollgate-risk", "low");
    // Who asks, what, status, what answers and how far that is approved, code.
    let rows = [
        (&rig.caller, "fine", 200, "openai/echo", "", ""),
        (&rig.caller, "chat", 200, "openai/lorem-3", "proposed", ""),
        (&low, "chat", 200, "openai/lorem-3", "proposed", ""),
        (&high, "chat", 200, "openai/echo", "", ""),
        (&high, "only", 403, "", "", "no_approved_model"),
        (&rig.caller, "old", 200, "openai/lorem-4", "deprecated", ""),
        (&rig.caller, "gone", 403, "", "", "model_retired"),
        // Under another name it is the same model.
        (&rig.caller, "openai/lorem-6", 403, "", "", "model_retired"),
    ];
    for (caller, model, status, answered, approved, code) in rows {
        let answer = caller.ask(Dialect::OpenAi, model, false).await;
        let told = (
            answer.status,
            answer.header("x-tollgate-model"),
            answer.header("x-tollgate-model-status"),
        );
        assert_eq!(told, (status, answered, approved), "{model}: {answer:?}");
        if status != 200 {
            assert_eq!(Dialect::OpenAi.error_code(&answer.json()), code, "{model}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_for_a_model_of_high_risk_is_approved_as_well() {
    let plan = Plan {
        head: "limits: [{ name: one, per: [], when: 'route == \"chat\"', requests: 1/hour, on_exceed: { downgrade: [gone, new, fine] } }]"
            .into(),
        models: "  main: { provider: openai, upstream_model: lorem-2, status: approved }\n  \
                 gone: { provider: openai, upstream_model: lorem-6, status: retired }\n  \
                 new: { provider: openai, upstream_model: lorem-3, status: proposed }\n  \
                 fine: { provider: openai, upstream_model: echo, status: approved }"
            .into(),
        ..Plan::routes("  chat: { risk: high, targets: [{ model: main }] }\n")
    };
    let rig = plan.start().await;
    for answered in ["openai/lorem-2", "openai/echo"] {
        let answer = rig.caller.ask(Dialect::OpenAi, "chat", false).await;
        assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, answered), "{answer:?}");
    }
}
