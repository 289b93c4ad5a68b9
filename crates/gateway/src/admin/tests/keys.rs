//! Keys: shown once, rotated, revoked.

use tollgate_policy::key::Presented;
use tollgate_store::database::objects::Key;

use super::*;

async fn with_team(name: &str) -> (Stage, String) {
    let stage = Stage::new(name).await;
    let owner = stage.local();
    stage.done(&owner, "POST /admin/v1/teams", json!({"name": "support"})).await;
    (stage, owner)
}

#[tokio::test]
async fn a_key_is_shown_once_and_works_when_the_answer_arrives() {
    let (stage, owner) = with_team("once").await;
    let before = stage.gateway.refreshed.load(Ordering::SeqCst);
    let made = stage
        .done(&owner, "POST /admin/v1/keys", json!({"name": "backend", "team": "support"}))
        .await;
    assert_eq!(stage.gateway.refreshed.load(Ordering::SeqCst), before + 1);
    let (secret, id) = (made["secret"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(matches!(Presented::parse(secret), Some(Presented::Ours { id: own, .. }) if own == id));
    let stored: Key = stage.control.database.get(Kind::Key, id).await.unwrap().unwrap().read().unwrap();
    let digest = who::hex(stage.control.peppers.digest(secret).digest.bytes());
    assert_eq!((stored.secrets[0].digest.as_str(), stored.secrets.len()), (digest.as_str(), 1));
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().shift_remove("secret");
    for line in [format!("GET /admin/v1/keys/{id}"), "GET /admin/v1/keys/backend".into()] {
        assert_eq!(stage.done(&owner, &line, Value::Null).await, expected);
    }
    let everything = [
        stage.done(&owner, "GET /admin/v1/keys", Value::Null).await,
        stage.done(&owner, "GET /admin/v1/audit?limit=1000", Value::Null).await,
    ];
    for answer in everything {
        assert!(!answer.to_string().contains(&digest) && !answer.to_string().contains(secret));
    }
}

#[tokio::test]
async fn a_rotation_keeps_the_id_and_at_most_two_secrets() {
    let (stage, owner) = with_team("rotate").await;
    let made = stage
        .done(&owner, "POST /admin/v1/keys", json!({"name": "backend", "team": "support"}))
        .await;
    let rotate = format!("POST /admin/v1/keys/{}/rotate", made["id"].as_str().unwrap());
    let cases = [
        (json!({"grace_s": 60}), 2),
        (Value::Null, 2),
        (json!({}), 2),
        (json!({"grace_s": 0}), 1),
    ];
    let mut secrets = vec![made["secret"].clone()];
    for (body, live) in cases {
        let rotated = stage.done(&owner, &rotate, body).await;
        assert_eq!(rotated["id"], made["id"]);
        assert!(!secrets.contains(&rotated["secret"]));
        secrets.push(rotated["secret"].clone());
        let lines = rotated["live_secrets"].as_array().unwrap();
        assert_eq!(lines.len(), live);
        assert!(lines[0]["valid_until_s"].is_null() && lines.iter().skip(1).all(|line| line["valid_until_s"].is_u64()));
    }
    let too_long = stage.ask(&owner, &rotate, json!({"grace_s": 604_801})).await;
    assert_eq!(too_long.code(), (422, "invalid"));
}

#[tokio::test]
async fn a_revoked_key_is_gone_and_still_known() {
    let (stage, owner) = with_team("revoke").await;
    let made = stage
        .done(&owner, "POST /admin/v1/keys", json!({"name": "backend", "team": "support"}))
        .await;
    let id = made["id"].as_str().unwrap();
    let revoke = format!("POST /admin/v1/keys/{id}/revoke");
    let got = stage.with(&owner, &revoke, Value::Null, &[("x-reason", "leaked")]).await;
    assert_eq!(got.status, 204);
    assert_eq!(stage.ask(&owner, &revoke, Value::Null).await.status, 404);
    assert_eq!(
        stage.ask(&owner, &format!("GET /admin/v1/keys/{id}"), Value::Null).await.status,
        404
    );
    assert_eq!(stage.done(&owner, "GET /admin/v1/keys", Value::Null).await["data"], json!([]));
    let all = stage.done(&owner, "GET /admin/v1/keys?deleted=true", Value::Null).await;
    assert!(all["data"][0]["deleted_ms"].is_i64());
    let audit = stage
        .done(&owner, &format!("GET /admin/v1/audit?target=key/{id}"), Value::Null)
        .await;
    let record = &audit["data"][0];
    assert_eq!(
        (&record["action"], &record["reason"], &record["actor"]),
        (&json!("key.revoke"), &json!("leaked"), &json!("local"))
    );
    assert_eq!((&record["before"]["name"], &record["after"]), (&json!("backend"), &Value::Null));
    assert_eq!(record["request"], got.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn keys_that_make_no_sense_are_refused_with_the_place() {
    let (stage, owner) = with_team("senseless").await;
    stage.done(&owner, "POST /admin/v1/teams", json!({"name": "other"})).await;
    stage
        .done(&owner, "POST /admin/v1/users", json!({"name": "ada", "team": "other"}))
        .await;
    stage
        .done(&owner, "POST /admin/v1/features", json!({"name": "chat", "team": "other"}))
        .await;
    let cases = [
        ("name", json!("")),
        ("name", json!(" x")),
        ("name", json!("a\u{0}b")),
        ("name", json!("x".repeat(129))),
        ("team", json!("nobody")),
        ("user", json!("nobody")),
        ("user", json!("ada")),
        ("features", json!(["chat"])),
        ("networks", json!(["10.0.0.0/33"])),
        ("scopes", json!(["admin"])),
        ("label", json!("secret")),
        ("max_label", json!("public; regions=EU")),
        ("max_concurrency", json!(0)),
        ("priority_max", json!(10)),
        ("routes", json!([""])),
        ("models", json!(["x".repeat(257)])),
    ];
    for (member, value) in cases {
        let mut body = json!({"name": "k", "team": "support"});
        body[member] = value.clone();
        let got = stage.ask(&owner, "POST /admin/v1/keys", body).await;
        assert_eq!(got.code(), (422, "invalid"), "{member} {value}");
        assert_eq!(got.body["errors"][0]["path"], member, "{value}");
        assert!(!got.body["errors"][0]["remedy"].as_str().unwrap().is_empty());
    }
    let dates = json!({"name": "k", "team": "support", "not_before_s": 10, "expires_s": 10});
    assert_eq!(stage.ask(&owner, "POST /admin/v1/keys", dates).await.status, 422);
    assert_eq!(stage.done(&owner, "GET /admin/v1/keys", Value::Null).await["data"], json!([]));
}

#[tokio::test]
async fn an_idempotency_key_makes_one_key() {
    let (stage, owner) = with_team("idempotent").await;
    let body = json!({"name": "backend", "team": "support"});
    let header = [("idempotency-key", "abc")];
    let first = stage.with(&owner, "POST /admin/v1/keys", body.clone(), &header).await;
    let again = stage.with(&owner, "POST /admin/v1/keys", body.clone(), &header).await;
    assert_eq!(
        (first.status, &first.body, &first.headers["etag"]),
        (201, &again.body, &again.headers["etag"])
    );
    assert_eq!(again.headers["x-tollgate-idempotent-replay"], "true");
    assert_eq!(
        stage.done(&owner, "GET /admin/v1/keys", Value::Null).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let other = json!({"name": "frontend", "team": "support"});
    let differs = stage.with(&owner, "POST /admin/v1/keys", other.clone(), &header).await;
    assert_eq!(differs.code(), (422, "idempotency_key_reused"));
    // Somebody else's is another; what was refused may be tried again.
    let admin = stage.token(Role::SecurityAdmin, None).await;
    let taken = stage.with(&admin, "POST /admin/v1/keys", body, &header).await;
    assert_eq!(taken.code(), (409, "taken"));
    assert_eq!(stage.with(&admin, "POST /admin/v1/keys", other, &header).await.status, 201);
    let long = "x".repeat(256);
    let ill = stage
        .with(&owner, "POST /admin/v1/keys", json!({}), &[("idempotency-key", &long)])
        .await;
    assert_eq!(ill.code(), (400, "bad_idempotency_key"));
}
