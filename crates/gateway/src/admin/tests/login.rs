//! Who comes in, and how.

use super::super::state::{ATTEMPTS_PER_NAME, IDLE_MS};
use super::*;

const PASSWORD: &str = "correct horse battery";

/// Logs in for the first time and sets a password; the session's token.
async fn first_login(stage: &Stage) -> String {
    let one_time = stage.prepared.one_time_password.clone().unwrap();
    let first = stage
        .done("", "POST /admin/v1/login", json!({"name": "admin", "password": one_time}))
        .await;
    assert_eq!(first["password_unset"], true);
    let body = json!({"current": one_time, "new": PASSWORD});
    let set = stage.done(first["token"].as_str().unwrap(), "POST /admin/v1/password", body).await;
    set["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_one_time_password_opens_until_a_password_is_set() {
    let stage = Stage::new("first").await;
    let one_time = stage.prepared.one_time_password.clone().unwrap();
    let token = first_login(&stage).await;
    let me = stage.done(&token, "GET /admin/v1/me", Value::Null).await;
    assert_eq!(me, json!({"name": "admin", "role": "owner", "team": null, "auth": "password"}));
    let again = stage
        .ask("", "POST /admin/v1/login", json!({"name": "admin", "password": one_time}))
        .await;
    assert_eq!(again.code(), (401, "unauthorized"));
    stage
        .done("", "POST /admin/v1/login", json!({"name": "admin", "password": PASSWORD}))
        .await;
    // It is used up, and a restart shows no other one.
    let used = stage
        .control
        .database
        .get(Kind::OneTimePassword, who::ONE_TIME)
        .await
        .unwrap()
        .unwrap();
    assert!(used.deleted_ms.is_some());
    assert!(prepare(&stage.control).await.unwrap().one_time_password.is_none());
}

#[tokio::test]
async fn a_start_before_the_first_password_shows_a_new_one_time_password() {
    let stage = Stage::new("again").await;
    let before = stage.prepared.one_time_password.clone().unwrap();
    let after = prepare(&stage.control).await.unwrap().one_time_password.unwrap();
    let old = stage
        .ask("", "POST /admin/v1/login", json!({"name": "admin", "password": before}))
        .await;
    assert_eq!(old.status, 401);
    stage
        .done("", "POST /admin/v1/login", json!({"name": "admin", "password": after}))
        .await;
}

#[tokio::test]
async fn r_a5_logout_and_a_new_password_end_sessions_at_once() {
    let stage = Stage::new("sessions").await;
    let one = first_login(&stage).await;
    let login = json!({"name": "admin", "password": PASSWORD});
    let two = stage.done("", "POST /admin/v1/login", login.clone()).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let sessions = stage.done(&one, "GET /admin/v1/sessions", Value::Null).await;
    let lines = sessions["data"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    let other = lines.iter().find(|line| line["current"] == false).unwrap();
    let path = format!("DELETE /admin/v1/sessions/{}", other["id"].as_str().unwrap());
    stage.done(&one, &path, Value::Null).await;
    assert_eq!(stage.ask(&two, "GET /admin/v1/me", Value::Null).await.status, 401);
    let three = stage.done("", "POST /admin/v1/login", login).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"current": PASSWORD, "new": "another horse battery"});
    let four = stage.done(&three, "POST /admin/v1/password", body).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for ended in [&one, &three] {
        assert_eq!(stage.ask(ended, "GET /admin/v1/me", Value::Null).await.status, 401);
    }
    stage.done(&four, "POST /admin/v1/logout", Value::Null).await;
    assert_eq!(stage.ask(&four, "GET /admin/v1/me", Value::Null).await.status, 401);
}

#[tokio::test]
async fn attempts_are_counted_by_name_and_answered_alike() {
    let stage = Stage::new("attempts").await;
    let known = stage
        .ask("", "POST /admin/v1/login", json!({"name": "admin", "password": "wrong"}))
        .await;
    let unknown = stage
        .ask("", "POST /admin/v1/login", json!({"name": "nobody", "password": "wrong"}))
        .await;
    assert_eq!(known.body, unknown.body);
    assert_eq!(known.status, 401);
    for _ in 1..ATTEMPTS_PER_NAME {
        stage
            .ask("", "POST /admin/v1/login", json!({"name": "nobody", "password": "wrong"}))
            .await;
    }
    let refused = stage
        .ask("", "POST /admin/v1/login", json!({"name": "nobody", "password": "wrong"}))
        .await;
    assert_eq!(refused.code(), (429, "too_many"));
    assert!(refused.headers.contains_key("retry-after"));
    let one_time = stage.prepared.one_time_password.clone().unwrap();
    stage
        .done("", "POST /admin/v1/login", json!({"name": "admin", "password": one_time}))
        .await;
    let audit = stage
        .done(&stage.local(), "GET /admin/v1/audit?target=admin/nobody", Value::Null)
        .await;
    assert_eq!(audit["data"][0]["outcome"], "refused");
}

#[test]
fn an_idle_session_is_over_and_a_used_one_is_not() {
    let state = super::super::state::State::new(1_000);
    for (at_ms, alive) in [
        (2_000, true),
        (2_000 + IDLE_MS, true),
        (3_000 + 2 * IDLE_MS, false),
        (4_000 + 2 * IDLE_MS, false),
    ] {
        assert_eq!(state.touch("digest", 0, at_ms), alive, "{at_ms}");
    }
    assert!(!state.touch("from before the restart", 0, 1_001 + IDLE_MS));
}

#[tokio::test]
async fn weak_passwords_are_refused() {
    let stage = Stage::new("weak").await;
    let token = first_login(&stage).await;
    for new in ["", "short", "elevenchars", &"x".repeat(1_025)] {
        let got = stage
            .ask(&token, "POST /admin/v1/password", json!({"current": PASSWORD, "new": new}))
            .await;
        assert_eq!(got.code(), (422, "invalid"), "{new:?}");
    }
    let wrong = json!({"current": "wrong horse battery", "new": "another horse battery"});
    assert_eq!(stage.ask(&token, "POST /admin/v1/password", wrong).await.code(), (422, "invalid"));
}

#[tokio::test]
async fn a_cookie_changes_things_only_from_our_own_pages() {
    let stage = Stage::new("cookie").await;
    let token = first_login(&stage).await;
    let login = stage
        .ask("", "POST /admin/v1/login", json!({"name": "admin", "password": PASSWORD}))
        .await;
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/admin"),
        "{cookie}"
    );
    let cookie = format!("a=b; tollgate_session={token}");
    let (host, team) = (("host", "127.0.0.1:8081"), json!({"name": "t"}));
    let cases: [(&[(&str, &str)], u16); 7] = [
        (&[], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8081")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "same-origin")], 201),
        (&[("origin", "http://127.0.0.1:8081")], 409),
    ];
    for (headers, status) in cases {
        let headers: Vec<_> = headers.iter().copied().chain([host, ("cookie", cookie.as_str())]).collect();
        let got = stage.with("", "POST /admin/v1/teams", team.clone(), &headers).await;
        assert_eq!(got.status, status, "{headers:?} {got:?}");
        assert_eq!(stage.with("", "GET /admin/v1/teams", Value::Null, &headers).await.status, 200);
    }
}

#[tokio::test]
async fn junk_credentials_are_all_answered_alike() {
    let stage = Stage::new("junk").await;
    let local = stage.local();
    let (flipped, longer) = (format!("{}x", &local[..local.len() - 1]), format!("{local}x"));
    let expected = stage.ask("", "GET /admin/v1/me", Value::Null).await;
    let junk = [
        "x",
        "al-",
        "ts-",
        "ak-",
        "sk-tg_0123456789ab_x",
        "ak-0123456789abcdef_",
        "' OR 1=1 --",
        "%00",
        &flipped,
        &longer,
        &"a".repeat(10_000),
        "ts-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ];
    for token in junk {
        let got = stage.ask(token, "GET /admin/v1/me", Value::Null).await;
        assert_eq!((got.status, &got.body), (401, &expected.body), "{token}");
    }
    // Two credentials are none.
    let bearer = format!("Bearer {local}");
    let request = Request::builder()
        .uri("/admin/v1/me")
        .header("authorization", &bearer)
        .header("authorization", &bearer);
    assert_eq!(stage.send(request.body(Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn the_token_file_is_private_and_new_at_each_start() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new("file").await;
    let before = stage.local();
    stage.done(&before, "GET /admin/v1/me", Value::Null).await;
    assert_eq!(
        std::fs::metadata(&stage.prepared.token_file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    prepare(&stage.control).await.unwrap();
    assert_eq!(stage.ask(&before, "GET /admin/v1/me", Value::Null).await.status, 401);
    stage.done(&stage.local(), "GET /admin/v1/me", Value::Null).await;
}

#[tokio::test]
async fn admins_lose_their_sessions_with_their_role_and_the_last_owner_stays() {
    let stage = Stage::new("owners").await;
    let owner = stage.local();
    let body = json!({"name": "ada", "role": "auditor", "password": PASSWORD});
    let ada = stage.done(&owner, "POST /admin/v1/admins", body).await;
    assert_eq!((&ada["has_password"], ada.get("password")), (&json!(true), None));
    let login = json!({"name": "ada", "password": PASSWORD});
    let token = stage.done("", "POST /admin/v1/login", login.clone()).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    stage.done(&token, "GET /admin/v1/audit", Value::Null).await;
    stage.done(&owner, "PATCH /admin/v1/admins/ada", json!({"role": "viewer"})).await;
    assert_eq!(stage.ask(&token, "GET /admin/v1/me", Value::Null).await.status, 401);
    stage.done(&owner, "PATCH /admin/v1/admins/ada", json!({"disabled": true})).await;
    assert_eq!(stage.ask("", "POST /admin/v1/login", login).await.status, 401);
    for line in ["DELETE /admin/v1/admins/admin", "PATCH /admin/v1/admins/admin"] {
        let got = stage.ask(&owner, line, json!({"role": "viewer"})).await;
        assert_eq!(got.code(), (409, "last_owner"), "{line}");
    }
    let ill = [
        json!({"name": "bob", "role": "team_admin"}),
        json!({"name": "bob", "role": "viewer", "team": "t"}),
    ];
    for body in ill {
        assert_eq!(stage.ask(&owner, "POST /admin/v1/admins", body).await.code(), (422, "invalid"));
    }
}
