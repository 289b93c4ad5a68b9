//! Breakers, listed and held by hand.

use super::*;

#[tokio::test]
async fn a_breaker_is_held_with_a_reason_that_stands_in_the_audit_log() {
    let stage = Stage::new("reliability").await;
    let owner = stage.token(Role::Owner, None).await;
    let all = stage.ask(&owner, "GET /admin/v1/reliability", Value::Null).await;
    assert_eq!((all.status, &all.body["data"][0]["held"]), (200, &json!("auto")), "{all:?}");
    let line = "POST /admin/v1/reliability/override";
    for (body, path) in [
        (json!({"deployment": "acme/large", "state": "open", "reason": " "}), "reason"),
        (json!({"deployment": "acme/nothing", "state": "open", "reason": "x"}), "deployment"),
    ] {
        let got = stage.ask(&owner, line, body).await;
        assert_eq!(
            (got.code(), &got.body["errors"][0]["path"]),
            ((422, "invalid"), &json!(path)),
            "{got:?}"
        );
    }
    for state in ["open", "closed", "auto"] {
        let body = json!({"deployment": "acme/large", "state": state, "reason": "maintenance at acme"});
        let got = stage.ask(&owner, line, body).await;
        assert_eq!((got.status, &got.body["held"]), (200, &json!(state)), "{got:?}");
    }
    let audit = stage
        .ask(&owner, "GET /admin/v1/audit?target=deployment/acme/large", Value::Null)
        .await;
    let told: Vec<(&str, &str)> = audit.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["action"].as_str().unwrap(), record["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 3, "{audit:?}");
    assert!(told.contains(&("breaker.open", "maintenance at acme")), "{told:?}");
}
