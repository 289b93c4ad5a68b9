//! Two teams, each with its admin: neither sees the other (R-A6).

use super::*;

/// A team with one of everything, and a token of its admin.
async fn tenant(stage: &Stage, name: &str) -> (String, Vec<String>) {
    let owner = stage.local();
    let team = stage.done(&owner, "POST /admin/v1/teams", json!({"name": name})).await;
    let token = stage.token(Role::TeamAdmin, Some(name)).await;
    let user = stage
        .done(
            &token,
            "POST /admin/v1/users",
            json!({"name": format!("{name}-user"), "team": name}),
        )
        .await;
    let feature = stage
        .done(
            &token,
            "POST /admin/v1/features",
            json!({"name": format!("{name}-feature"), "team": name}),
        )
        .await;
    let key = stage
        .done(&token, "POST /admin/v1/keys", json!({"name": format!("{name}-key"), "team": name}))
        .await;
    let path = |collection: &str, thing: &Value| format!("/admin/v1/{collection}/{}", thing["id"].as_str().unwrap());
    (
        token,
        vec![
            path("teams", &team),
            path("users", &user),
            path("features", &feature),
            path("keys", &key),
        ],
    )
}

#[tokio::test]
async fn r_a6_a_team_admin_reaches_its_own_team_alone() {
    let stage = Stage::new("tenants").await;
    let owner = stage.local();
    let (red, reds) = tenant(&stage, "red").await;
    let (blue, blues) = tenant(&stage, "blue").await;
    stage.done(&owner, "POST /admin/v1/features", json!({"name": "everybodys"})).await;
    for (token, own, others, word) in [(&red, &reds, &blues, "blue"), (&blue, &blues, &reds, "red")] {
        for path in own {
            stage.done(token, &format!("GET {path}"), Value::Null).await;
        }
        for path in others {
            let missing = stage
                .ask(
                    token,
                    &format!("GET {}", path.replace(|letter: char| letter.is_ascii_digit(), "0")),
                    Value::Null,
                )
                .await;
            for method in ["GET", "PATCH", "DELETE"] {
                let got = stage.ask(token, &format!("{method} {path}"), json!({})).await;
                // Teams are not a team admin's to change at all.
                let expected = if path.contains("/teams/") && method != "GET" {
                    (403, "forbidden")
                } else {
                    (404, "not_found")
                };
                assert_eq!(got.code(), expected, "{method} {path}");
            }
            assert_eq!(missing.code(), (404, "not_found"));
        }
        for action in ["rotate", "revoke"] {
            let got = stage.ask(token, &format!("POST {}/{action}", others[3]), Value::Null).await;
            assert_eq!(got.code(), (404, "not_found"), "{action}");
        }
        for collection in ["teams", "users", "features", "keys"] {
            for query in ["", "?limit=1", "?deleted=true"] {
                let page = stage.done(token, &format!("GET /admin/v1/{collection}{query}"), Value::Null).await;
                assert_eq!(page["data"].as_array().unwrap().len(), 1, "{collection}{query}");
                assert!(!page.to_string().contains(word), "{collection}{query}: {page}");
                assert_eq!(page["next"], Value::Null, "{collection}{query}");
            }
        }
        for (collection, body) in [
            ("users", json!({"name": "spy", "team": word})),
            ("features", json!({"name": "spy", "team": word})),
            ("features", json!({"name": "spy"})),
            ("keys", json!({"name": "spy", "team": word})),
        ] {
            let got = stage.ask(token, &format!("POST /admin/v1/{collection}"), body).await;
            assert_eq!(got.code(), (403, "other_team"), "{collection}");
        }
        for path in &own[1..] {
            let got = stage.ask(token, &format!("PATCH {path}"), json!({"team": word})).await;
            assert!(matches!(got.status, 403 | 409), "{path}: {got:?}");
        }
        assert_eq!(
            stage
                .ask(token, &format!("GET /admin/v1/spend?team={word}"), Value::Null)
                .await
                .code(),
            (403, "other_team")
        );
        stage.done(token, "GET /admin/v1/spend?by=team", Value::Null).await;
    }
}

#[tokio::test]
async fn a_team_admin_raises_labels_and_a_security_admin_lowers_them() {
    let stage = Stage::new("labels").await;
    let (red, paths) = tenant(&stage, "red").await;
    let security = stage.token(Role::SecurityAdmin, None).await;
    let (feature, key) = (&paths[2], &paths[3]);
    // Who, what, the change, whether it is made.
    let steps = [
        (&red, feature, json!({"label": "confidential"}), true),
        (&red, feature, json!({"label": "internal"}), false),
        (&red, feature, json!({"label": null}), false),
        (
            &red,
            key,
            json!({"label": "internal; compartments=hr", "max_label": "confidential; compartments=hr"}),
            true,
        ),
        (&red, key, json!({"label": "restricted"}), false),
        (&red, key, json!({"label": "confidential; compartments=hr"}), true),
        (&red, key, json!({"max_label": "restricted; compartments=hr"}), false),
        (&red, key, json!({"max_label": null}), false),
        (&red, key, json!({"scopes": ["chat", "label:declassify"]}), false),
        (&red, key, json!({"scopes": ["chat", "label:raise"]}), true),
        (
            &security,
            key,
            json!({"scopes": ["chat", "label:declassify"], "max_label": null, "label": null}),
            true,
        ),
        // What was given stays.
        (&red, key, json!({"scopes": ["label:declassify"], "disabled": true}), true),
        (&security, feature, json!({"label": "internal"}), true),
    ];
    for (who, path, change, made) in steps {
        let got = stage.ask(who, &format!("PATCH {path}"), change.clone()).await;
        let expected = if made { 200 } else { 403 };
        assert_eq!(got.status, expected, "{path} {change}: {got:?}");
    }
    assert_eq!(
        stage.ask(&red, &format!("DELETE {feature}"), Value::Null).await.code(),
        (403, "forbidden")
    );
    stage.done(&security, &format!("DELETE {feature}"), Value::Null).await;
    let declassifies = json!({"name": "new", "team": "red", "scopes": ["label:declassify"]});
    assert_eq!(
        stage.ask(&red, "POST /admin/v1/keys", declassifies).await.code(),
        (403, "forbidden")
    );
}

#[tokio::test]
async fn a_team_admin_without_a_team_opens_nothing() {
    let stage = Stage::new("no-team").await;
    let token = stage.token(Role::TeamAdmin, None).await;
    assert_eq!(stage.ask(&token, "GET /admin/v1/keys", Value::Null).await.status, 401);
}

#[tokio::test]
async fn a_token_that_is_deleted_or_expired_opens_nothing() {
    let stage = Stage::new("tokens").await;
    let owner = stage.local();
    let body = json!({"name": "ci", "role": "viewer"});
    let made = stage.done(&owner, "POST /admin/v1/tokens", body).await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(stage.done(secret, "GET /admin/v1/me", Value::Null).await["auth"], "token");
    stage
        .done(
            &owner,
            &format!("DELETE /admin/v1/tokens/{}", made["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(stage.ask(secret, "GET /admin/v1/me", Value::Null).await.status, 401);
    let expired = json!({"name": "old", "role": "viewer", "expires_s": 1});
    let made = stage.done(&owner, "POST /admin/v1/tokens", expired).await;
    assert_eq!(
        stage
            .ask(made["secret"].as_str().unwrap(), "GET /admin/v1/me", Value::Null)
            .await
            .status,
        401
    );
}
