//! What all things that are edited have in common.

use super::*;

/// A body for each collection.
fn bodies() -> Vec<(&'static str, Value)> {
    vec![
        (
            "teams",
            json!({"name": "one", "routes": ["support-*"], "models": [], "label": "internal", "description": "d"}),
        ),
        ("users", json!({"name": "one", "team": "t", "email": "a@b.c", "disabled": true})),
        (
            "features",
            json!({"name": "one", "team": null, "label": "restricted; regions=eu", "description": "d"}),
        ),
        (
            "keys",
            json!({"name": "one", "team": "t", "user": null, "features": ["x"], "not_before_s": 1, "expires_s": 4_102_444_800_u64,
                "disabled": false, "networks": ["10.0.0.0/8"], "routes": ["*"], "models": null, "scopes": ["chat"], "max_concurrency": 3, "priority_max": 9,
                "label": "internal", "max_label": "restricted; compartments=hr"}),
        ),
        ("limits", json!({"name": "one", "per": ["user"], "requests": "10/hour"})),
        ("budgets", json!({"name": "one two", "per": [], "amount": "5 USD", "window": "day"})),
        (
            "switches",
            json!({"scope": "team", "value": "t", "mode": "abort_inflight", "reason": "runaway"}),
        ),
        ("admins", json!({"name": "one", "role": "viewer", "team": null, "disabled": false})),
        (
            "tokens",
            json!({"name": "one", "role": "team_admin", "team": "t", "expires_s": null}),
        ),
    ]
}

async fn with_team(name: &str) -> (Stage, String) {
    let stage = Stage::new(name).await;
    let owner = stage.local();
    stage.done(&owner, "POST /admin/v1/teams", json!({"name": "t"})).await;
    (stage, owner)
}

#[tokio::test]
async fn r_c7_every_write_reads_back_equal_and_is_audited() {
    let (stage, owner) = with_team("equal").await;
    for (collection, body) in bodies() {
        let made = stage.ask(&owner, &format!("POST /admin/v1/{collection}"), body.clone()).await;
        assert_eq!(made.status, 201, "{collection}: {made:?}");
        let id = made.body["id"].as_str().unwrap();
        let read = stage.ask(&owner, &format!("GET /admin/v1/{collection}/{id}"), Value::Null).await;
        assert_eq!(read.headers["etag"], made.headers["etag"]);
        for (member, value) in body.as_object().unwrap() {
            assert_eq!((&made.body[member], &read.body[member]), (value, value), "{collection}.{member}");
        }
        let kind = match collection {
            "switches" => "switch",
            "tokens" => "api_token",
            other => other.strip_suffix('s').unwrap(),
        };
        let audit = stage
            .done(&owner, &format!("GET /admin/v1/audit?target={kind}/{id}"), Value::Null)
            .await;
        let record = &audit["data"][0];
        assert_eq!(
            (&record["actor"], &record["auth"]),
            (&json!("local"), &json!("local")),
            "{collection}"
        );
        assert_eq!((&record["before"], record["after"].is_object()), (&Value::Null, true));
        stage
            .done(&owner, &format!("DELETE /admin/v1/{collection}/{id}"), Value::Null)
            .await;
        assert_eq!(
            stage
                .ask(&owner, &format!("GET /admin/v1/{collection}/{id}"), Value::Null)
                .await
                .status,
            404
        );
    }
    let verified = stage.done(&owner, "POST /admin/v1/audit/verify", Value::Null).await;
    assert_eq!((&verified["valid"], &verified["flaw"]), (&json!(true), &Value::Null));
    assert!(18 <= verified["checked"].as_u64().unwrap());
}

#[tokio::test]
async fn a_change_is_a_merge_and_needs_the_version_that_was_read() {
    let (stage, owner) = with_team("etag").await;
    let changes = [
        ("teams", json!({"description": "new", "routes": null})),
        ("users", json!({"disabled": false})),
        ("features", json!({"description": "new"})),
        ("keys", json!({"name": "renamed", "scopes": null})),
        ("limits", json!({"requests": "20/hour"})),
        ("budgets", json!({"amount": "6 USD"})),
        ("admins", json!({"role": "auditor"})),
    ];
    for (collection, change) in changes {
        let body = bodies().into_iter().find(|(name, _)| *name == collection).unwrap().1;
        let made = stage.ask(&owner, &format!("POST /admin/v1/{collection}"), body).await;
        let path = format!("/admin/v1/{collection}/{}", made.body["id"].as_str().unwrap());
        let etag = made.headers["etag"].to_str().unwrap();
        let changed = stage
            .with(&owner, &format!("PATCH {path}"), change.clone(), &[("if-match", etag)])
            .await;
        assert_eq!(changed.status, 200, "{collection}: {changed:?}");
        for (member, value) in change.as_object().unwrap() {
            assert_eq!(&changed.body[member], value, "{collection}.{member}");
        }
        assert_eq!(changed.headers["etag"], "\"2\"");
        for method in ["PATCH", "DELETE"] {
            let line = format!("{method} {path}");
            for stale in [etag, "W/\"2\"", "\"3\"", "2", "\"x\""] {
                let got = stage.with(&owner, &line, json!({}), &[("if-match", stale)]).await;
                assert_eq!(got.code(), (412, "changed"), "{line} {stale}");
            }
        }
        assert_eq!(
            stage
                .with(&owner, &format!("DELETE {path}"), Value::Null, &[("if-match", "\"2\"")])
                .await
                .status,
            204
        );
    }
}

#[tokio::test]
async fn names_that_money_is_remembered_by_stay() {
    let (stage, owner) = with_team("names").await;
    for collection in ["teams", "users", "features", "limits", "budgets", "admins"] {
        let body = bodies().into_iter().find(|(name, _)| *name == collection).unwrap().1;
        let made = stage.done(&owner, &format!("POST /admin/v1/{collection}"), body.clone()).await;
        let path = format!("PATCH /admin/v1/{collection}/{}", made["id"].as_str().unwrap());
        let got = stage.ask(&owner, &path, json!({"name": "other"})).await;
        assert_eq!(got.code(), (409, "name_is_fixed"), "{collection}");
        assert_eq!(
            stage.ask(&owner, &format!("POST /admin/v1/{collection}"), body).await.code(),
            (409, "taken"),
            "{collection}"
        );
    }
    let got = stage.ask(&owner, "POST /admin/v1/budgets", json!({"name": "one"})).await;
    assert_eq!(got.code(), (409, "taken"), "a limit has that name");
}

#[tokio::test]
async fn pages_have_everything_once() {
    let (stage, owner) = with_team("pages").await;
    for n in 0..7 {
        stage
            .done(&owner, "POST /admin/v1/features", json!({"name": format!("f{n}")}))
            .await;
    }
    for limit in [1, 2, 3, 7, 8] {
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = stage
                .done(&owner, &format!("GET /admin/v1/features?limit={limit}&after={after}"), Value::Null)
                .await;
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= limit);
            names.extend(data.iter().map(|line| line["name"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        names.sort();
        assert_eq!(names, ["f0", "f1", "f2", "f3", "f4", "f5", "f6"], "{limit}");
    }
    let (mut seqs, mut after) = (Vec::new(), String::new());
    loop {
        let page = stage
            .done(&owner, &format!("GET /admin/v1/audit?limit=3&after={after}"), Value::Null)
            .await;
        seqs.extend(page["data"].as_array().unwrap().iter().map(|line| line["seq"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let last = seqs[0];
    assert_eq!(seqs, (1..=last).rev().collect::<Vec<_>>());
    for query in ["limit=0", "limit=1001", "limit=x", "unknown=1", "limit=1&limit=2", "search=ab"] {
        assert_eq!(
            stage
                .ask(&owner, &format!("GET /admin/v1/features?{query}"), Value::Null)
                .await
                .status,
            400,
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_stands_in_the_config_file_is_listed_and_not_changed() {
    let (stage, owner) = with_team("config").await;
    stage.control.config.store(Arc::new(crate::control::ConfigView {
        teams: vec![json!({"name": "zeta"}), json!({"name": "alpha", "routes": ["x"]})],
        limits: vec![json!({"name": "fair use", "requests": "10/hour"})],
        budgets: vec![json!({"name": "month", "amount": "5 USD"})],
        ..Default::default()
    }));
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = stage
            .done(&owner, &format!("GET /admin/v1/teams?limit=1&after={after}"), Value::Null)
            .await;
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| (line["name"].clone(), line["source"].clone())),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(
        names,
        [
            (json!("alpha"), json!("config")),
            (json!("zeta"), json!("config")),
            (json!("t"), json!("api"))
        ]
    );
    for line in [
        "PATCH /admin/v1/teams/zeta",
        "DELETE /admin/v1/teams/config:zeta",
        "PATCH /admin/v1/limits/config:fair%20use",
        "DELETE /admin/v1/budgets/month",
    ] {
        let got = stage.ask(&owner, line, json!({})).await;
        assert_eq!(got.code(), (409, "in_config"), "{line}");
        assert!(got.body["detail"].as_str().unwrap().contains("change it there"));
    }
    assert_eq!(
        stage.ask(&owner, "POST /admin/v1/teams", json!({"name": "zeta"})).await.code(),
        (409, "in_config")
    );
    assert_eq!(
        stage.done(&owner, "GET /admin/v1/teams/alpha", Value::Null).await["routes"],
        json!(["x"])
    );
    stage
        .done(&owner, "POST /admin/v1/keys", json!({"name": "k", "team": "zeta"}))
        .await;
    // A budget of the config file may be increased, and its use is told.
    let increase = json!({"scope": {"team": "t"}, "amount": 1_000_000_000, "from_s": 10, "until_s": 20, "reason": "launch"});
    let made = stage.done(&owner, "POST /admin/v1/budgets/month/increases", increase.clone()).await;
    for (member, value) in increase.as_object().unwrap() {
        assert_eq!(&made[member], value);
    }
    let listed = stage.done(&owner, "GET /admin/v1/budgets/month/increases", Value::Null).await;
    assert_eq!(listed["data"], json!([made]));
    let usage = stage.done(&owner, "GET /admin/v1/budgets/month/usage", Value::Null).await;
    assert_eq!(usage["data"][0]["scope"], "rule=month");
    let path = format!("/increases/{}", made["id"].as_str().unwrap());
    assert_eq!(
        stage
            .ask(&owner, &format!("DELETE /admin/v1/budgets/other{path}"), Value::Null)
            .await
            .status,
        404
    );
    stage
        .done(&owner, &format!("DELETE /admin/v1/budgets/month{path}"), Value::Null)
        .await;
    for ill in [json!({"amount": 0}), json!({"until_s": 10}), json!({"reason": " "})] {
        let mut body = increase.clone();
        body.as_object_mut().unwrap().extend(ill.as_object().unwrap().clone());
        assert_eq!(
            stage.ask(&owner, "POST /admin/v1/budgets/month/increases", body).await.code(),
            (422, "invalid")
        );
    }
}

#[tokio::test]
async fn a_team_with_keys_stays() {
    let (stage, owner) = with_team("in-use").await;
    let key = stage.done(&owner, "POST /admin/v1/keys", json!({"name": "k", "team": "t"})).await;
    assert_eq!(
        stage.ask(&owner, "DELETE /admin/v1/teams/t", Value::Null).await.code(),
        (409, "in_use")
    );
    stage
        .done(
            &owner,
            &format!("DELETE /admin/v1/keys/{}", key["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    stage.done(&owner, "DELETE /admin/v1/teams/t", Value::Null).await;
}

#[tokio::test]
async fn switches_need_a_reason_and_work_without_the_database() {
    let (stage, owner) = with_team("switches").await;
    let ill = [
        json!({"scope": "team", "value": "t", "mode": "block_new", "reason": " "}),
        json!({"scope": "team", "mode": "block_new", "reason": "x"}),
        json!({"scope": "everything", "value": "t", "mode": "block_new", "reason": "x"}),
    ];
    for body in ill {
        assert_eq!(stage.ask(&owner, "POST /admin/v1/switches", body).await.code(), (422, "invalid"));
    }
    let on = json!({"scope": "everything", "mode": "block_new", "reason": "incident 7"});
    let made = stage.done(&owner, "POST /admin/v1/switches", on.clone()).await;
    assert_eq!(
        stage.ask(&owner, "POST /admin/v1/switches", on.clone()).await.code(),
        (409, "taken")
    );
    let audit = stage
        .done(
            &owner,
            &format!("GET /admin/v1/audit?target=switch/{}", made["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(audit["data"][0]["reason"], "incident 7");
    stage.control.database.close().await;
    let local = stage.done(&owner, "POST /admin/v1/switches", on).await;
    assert_eq!(
        (&local["source"], stage.gateway.emergencies.load(Ordering::SeqCst)),
        (&json!("local"), 1)
    );
    assert_eq!(
        stage.ask(&owner, "GET /admin/v1/keys", Value::Null).await.code(),
        (503, "database_unavailable")
    );
    let health = stage.done(&owner, "GET /admin/v1/health", Value::Null).await;
    assert_eq!(health["database"]["answers"], false);
}

#[tokio::test]
async fn junk_bodies_change_nothing() {
    let (stage, owner) = with_team("junk-bodies").await;
    let before = stage.control.database.revision().await.unwrap();
    let deep = "[".repeat(10_000);
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let junk: Vec<(&[u8], u16)> = vec![
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"7", 400),
        (b"{}{}", 400),
        (b"\xff\xfe", 400),
        (b"{\"name\":1}", 400),
        (b"{\"name\":\"a\",\"name\":\"b\"}", 400),
        (deep.as_bytes(), 400),
        (large.as_bytes(), 413),
        (b"{\"name\":\"a\\u0000b\"}", 422),
    ];
    for (body, status) in junk {
        for path in [
            "teams", "users", "features", "keys", "limits", "budgets", "switches", "admins", "tokens",
        ] {
            let request = Request::builder()
                .method("POST")
                .uri(format!("/admin/v1/{path}"))
                .header("authorization", format!("Bearer {owner}"));
            let request = request
                .header("content-type", "application/json")
                .body(Body::from(body.to_vec()))
                .unwrap();
            let got = stage.send(request).await;
            assert!(
                got.status == status || (matches!(status, 400 | 422) && matches!(got.status, 400 | 422)),
                "{path} {got:?}"
            );
        }
    }
    let form = Request::builder()
        .method("POST")
        .uri("/admin/v1/teams")
        .header("authorization", format!("Bearer {owner}"));
    let form = form
        .header("content-type", "text/plain")
        .body(Body::from("{\"name\":\"form\"}"))
        .unwrap();
    assert_eq!(stage.send(form).await.code(), (415, "not_json"));
    assert_eq!(stage.control.database.revision().await.unwrap(), before);
}

#[tokio::test]
async fn spend_and_its_questions() {
    let (stage, owner) = with_team("spend").await;
    let empty = stage
        .done(
            &owner,
            "GET /admin/v1/spend?by=team,model&interval=day&from=2026-11-01&to=2026-11-02T08:00:00Z",
            Value::Null,
        )
        .await;
    assert_eq!(
        (&empty["by"], &empty["total"]["cost_usd"]),
        (&json!(["team", "model"]), &json!("0.00"))
    );
    assert_eq!(
        empty["to_ms"].as_i64().unwrap() - empty["from_ms"].as_i64().unwrap(),
        32 * 3_600_000
    );
    for query in [
        "by=teams",
        "by=,",
        "interval=month",
        "from=yesterday",
        "from=2026-13-01",
        "from=2026-11-02&to=2026-11-01",
    ] {
        assert_eq!(
            stage.ask(&owner, &format!("GET /admin/v1/spend?{query}"), Value::Null).await.status,
            400,
            "{query}"
        );
    }
    let verified = stage.done(&owner, "POST /admin/v1/ledger/verify", Value::Null).await;
    assert_eq!(verified, json!({"valid": true, "checked": 0, "flaw": null}));
    assert_eq!(stage.done(&owner, "GET /admin/v1/ledger", Value::Null).await["data"], json!([]));
    assert_eq!(stage.done(&owner, "GET /admin/v1/alerts", Value::Null).await["data"], json!([]));
    assert_eq!(
        stage.done(&owner, "POST /admin/v1/alerts/test", Value::Null).await["delivered"],
        true
    );
}
