//! Labels and clearances from outside (GOVERNANCE section 8): whatever happens, nothing is sent where it is not cleared to go, and the caller
//! is told why.

use tollgate_store::database::audit::{Audit, AuditPage};
use tollgate_store::database::{Database, Source};
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Caller, Dialect, Rig};

/// `openai/echo` is cleared for restricted data, and nothing else is.
const VAULT: &str = "  vault: { provider: openai, upstream_model: echo, clearance: { level: restricted, compartments: [hr] } }\n  \
                     ill: { provider: openai, upstream_model: lorem-9+status-503, clearance: restricted }";
const ROUTES: &str = "  mixed: { targets: [{ model: ill }], fallbacks: [anthropic/lorem-7, anthropic/lorem-8], retry: { attempts: 5 } }\n  \
                      backed: { targets: [{ model: anthropic/lorem-7 }], fallbacks: [vault] }\n  \
                      weighted: { strategy: weighted, targets: [{ model: anthropic/lorem-7, weight: 99 }, { model: openai/echo, weight: 1 }] }\n  \
                      open: { targets: [{ model: anthropic/lorem-7 }], fallbacks: [anthropic/lorem-8] }\n  \
                      low: { label: internal, targets: [{ model: openai/echo }] }";

async fn rig() -> Rig {
    Plan {
        head: "features: { payroll: { label: restricted } }".into(),
        models: VAULT.into(),
        routes: ROUTES.into(),
        teams: "  hr: { routes: [\"*\"], models: [\"*\"], label: internal }".into(),
        keys: "  - { name: payroll, team: hr, secret: env:PAYROLL_KEY, feature: payroll, scopes: [chat, \"label:raise\", \"label:declassify\"] }"
            .into(),
        settings: tollgate_tests::Settings {
            env: vec![("PAYROLL_KEY".into(), "payroll-key-of-the-tests".into())],
            ..Default::default()
        },
        ..Plan::default()
    }
    .start()
    .await
}

/// The reasons of all labels that were lowered, as the audit log has them.
async fn audited(rig: &Rig) -> Vec<String> {
    let folder = rig.gateway.folder.path().join("data");
    let database = Database::open(&Source::Folder(folder)).await.unwrap();
    let page = AuditPage {
        limit: 100,
        ..AuditPage::default()
    };
    let records = database.records(&page).await.unwrap();
    database.close().await;
    let lowered = records.into_iter().filter(|record| record.action == "label.lower");
    lowered.map(|record| record.reason).collect()
}

/// What a caller with the usual key says of its data.
fn saying(rig: &Rig, label: &str) -> Caller {
    Caller::new(rig.gateway.address, CALLER_KEY).with("x-tollgate-label", label)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_that_is_not_cleared_is_never_asked() {
    let rig = rig().await;
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let answer = saying(&rig, "restricted").ask(dialect, "mixed", stream).await;
            // The one that is cleared fails, and its failure is the answer.
            assert_eq!(answer.status, 503, "{:?}", answer.body);
            // The same without a label goes on.
            let answer = rig.caller.ask(dialect, "mixed", stream).await;
            assert_eq!((answer.status, answer.header("x-tollgate-model")), (200, "anthropic/lorem-7"));
        }
    }
    let asked: Vec<usize> = ["lorem-7", "lorem-8"].iter().map(|model| rig.bill(model).len()).collect();
    assert_eq!(asked, [4, 0], "only what carries no label went there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_cleared_the_caller_is_told_so_in_its_dialect() {
    let rig = rig().await;
    // What is asked for, the label, and what the message names.
    let rows = [
        ("open", "restricted", "anthropic/lorem-7\""),
        ("open", "public; compartments=hr", "compartments"),
        ("open", "public; regions=eu", "regions"),
        ("anthropic/lorem-7", "restricted", "\"anthropic/lorem-7\" is not cleared"),
        ("vault", "public; processors=lab", "processors"),
        ("low", "confidential", "carries data up to the label \"internal\""),
    ];
    for dialect in Dialect::ALL {
        for (model, label, named) in rows {
            let answer = saying(&rig, label).ask(dialect, model, false).await;
            let at = format!("{dialect:?} {model} {label}: {:?}", answer.body);
            assert_eq!((answer.status, answer.header("x-should-retry")), (403, "false"), "{at}");
            let body = answer.json();
            assert!(dialect.is_error(&body), "{at}");
            assert_eq!(dialect.error_code(&body), "no_cleared_model", "{at}");
            assert_eq!(body["error"]["type"], "permission_error", "{at}");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(named) && message.contains(label), "{at}");
            let record = rig.gateway.record(answer.id()).await;
            assert_eq!(
                (&record["label"], &record["fault"]["code"]),
                (&label.into(), &"no_cleared_model".into())
            );
        }
    }
    for model in ["lorem-7", "lorem-8", "echo"] {
        assert!(rig.bill(model).is_empty(), "{model} was asked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weaker_answer_says_that_the_label_was_why() {
    let rig = rig().await;
    for dialect in Dialect::ALL {
        for route in ["backed", "weighted"] {
            let answer = saying(&rig, "restricted").ask(dialect, route, false).await;
            assert_eq!(
                (answer.status, answer.header("x-tollgate-model")),
                (200, "openai/echo"),
                "{:?}",
                answer.body
            );
            let told = answer.header("x-tollgate-fallback");
            // One weight in a hundred draws what answered anyway.
            let drawn = route == "weighted" && told.is_empty();
            assert!(drawn || told == "from=anthropic/lorem-7; reason=not_cleared", "{route}: {told}");
            let free = rig.caller.ask(dialect, "backed", false).await;
            assert_eq!(
                (free.header("x-tollgate-model"), free.header("x-tollgate-fallback")),
                ("anthropic/lorem-7", "")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floors_hold_and_a_label_is_lowered_with_a_reason_that_is_written_down() {
    let rig = rig().await;
    let payroll = Caller::new(rig.gateway.address, "payroll-key-of-the-tests");
    let refused = payroll.ask(Dialect::OpenAi, "open", false).await;
    assert_eq!(refused.status, 403, "the feature's data is restricted: {:?}", refused.body);
    let said = payroll
        .clone()
        .with("x-tollgate-label", "internal")
        .ask(Dialect::OpenAi, "open", false)
        .await;
    assert_eq!(said.status, 403, "less is not heard: {:?}", said.body);
    let lowered = payroll
        .clone()
        .with("x-tollgate-label", "internal")
        .with("x-tollgate-label-reason", "anonymised by job 7");
    let answer = lowered.ask(Dialect::OpenAi, "open", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let record = rig.gateway.record(answer.id()).await;
    assert_eq!(record["label"], "internal");
    assert_eq!(
        record["declassified"],
        serde_json::json!({"from": "restricted", "reason": "anonymised by job 7"})
    );
    assert!(rig.gateway.metric_reaches("tollgate_labels_lowered_total", 1.0).await);
    assert_eq!(audited(&rig).await, ["restricted → internal: anonymised by job 7"]);
    // The usual key may not.
    let answer = saying(&rig, "public")
        .with("x-tollgate-label-reason", "whatever")
        .with("x-tollgate-label", "nonsense")
        .ask(Dialect::Anthropic, "open", false)
        .await;
    assert_eq!(answer.status, 400, "{:?}", answer.body);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("x-tollgate-label"));
}
