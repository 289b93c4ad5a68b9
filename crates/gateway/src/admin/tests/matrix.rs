//! Every route with every role (R-A3).

use std::fmt::Write;

use expect_test::expect;

use super::super::roles::{Permission, ROLES, allows};
use super::*;

/// A path with something in its places.
fn concrete(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| if part.starts_with('{') { "none" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn r_a3_every_route_opens_to_the_roles_of_the_table_alone() {
    let stage = Stage::new("matrix").await;
    let mut tokens = Vec::new();
    for role in ROLES {
        let team = (role == Role::TeamAdmin).then_some("t");
        tokens.push((role, stage.token(role, team).await));
    }
    for route in routes() {
        let line = format!("{} {}", route.method, concrete(route));
        let nobody = stage.ask("", &line, Value::Null).await;
        if route.needs == Permission::Public {
            assert_ne!(nobody.status, 403, "{line}");
            continue;
        }
        assert_eq!(nobody.code(), (401, "unauthorized"), "{line}");
        for (role, token) in &tokens {
            let got = stage.ask(token, &line, Value::Null).await;
            let refused = got.code() == (403, "forbidden");
            assert_eq!(!refused, allows(*role, route.needs), "{line} as {role:?}: {got:?}");
            assert_ne!(got.status, 401, "{line} as {role:?}");
        }
    }
}

/// The table as GOVERNANCE section 9 means it; a change of it is seen here.
#[test]
fn the_table_of_rights() {
    let mut table = String::new();
    for route in routes() {
        let letters: String = ROLES
            .iter()
            .zip("OSBPAUTV".chars())
            .map(|(role, letter)| if allows(*role, route.needs) { letter } else { '.' })
            .collect();
        let letters = if route.needs == Permission::Public {
            "everybody".to_owned()
        } else {
            letters
        };
        writeln!(table, "{letters:9} {} {}", route.method, route.path).unwrap();
    }
    expect![[r#"
        everybody GET /admin/v1/openapi.json
        everybody POST /admin/v1/login
        OSBPAUTV  POST /admin/v1/logout
        OSBPAUTV  GET /admin/v1/me
        OSBPAUTV  POST /admin/v1/password
        OSBPAUTV  GET /admin/v1/sessions
        OSBPAUTV  DELETE /admin/v1/sessions/{id}
        OS...U..  GET /admin/v1/admins
        O.......  POST /admin/v1/admins
        OS...U..  GET /admin/v1/admins/{id}
        O.......  DELETE /admin/v1/admins/{id}
        OS...U..  GET /admin/v1/tokens
        OS...U..  GET /admin/v1/tokens/{id}
        O.......  DELETE /admin/v1/tokens/{id}
        O.......  PATCH /admin/v1/admins/{id}
        O.......  POST /admin/v1/tokens
        OSBPAUTV  GET /admin/v1/keys
        OSBPAUTV  GET /admin/v1/keys/{id}
        OS....T.  PATCH /admin/v1/keys/{id}
        OS....T.  DELETE /admin/v1/keys/{id}
        OS....T.  POST /admin/v1/keys
        OS....T.  POST /admin/v1/keys/{id}/rotate
        OS....T.  POST /admin/v1/keys/{id}/revoke
        OSBPAUTV  GET /admin/v1/teams
        OS......  POST /admin/v1/teams
        OSBPAUTV  GET /admin/v1/teams/{id}
        OS......  PATCH /admin/v1/teams/{id}
        OS......  DELETE /admin/v1/teams/{id}
        OSBPAUTV  GET /admin/v1/users
        OS....T.  POST /admin/v1/users
        OSBPAUTV  GET /admin/v1/users/{id}
        OS....T.  PATCH /admin/v1/users/{id}
        OS....T.  DELETE /admin/v1/users/{id}
        OSBPAUTV  GET /admin/v1/features
        OS....T.  POST /admin/v1/features
        OSBPAUTV  GET /admin/v1/features/{id}
        OS....T.  PATCH /admin/v1/features/{id}
        OS....T.  DELETE /admin/v1/features/{id}
        OSBPAU.V  GET /admin/v1/limits
        O.BP....  POST /admin/v1/limits
        OSBPAU.V  GET /admin/v1/limits/{id}
        O.BP....  PATCH /admin/v1/limits/{id}
        O.BP....  DELETE /admin/v1/limits/{id}
        OSBPAU.V  GET /admin/v1/budgets
        O.B.....  POST /admin/v1/budgets
        OSBPAU.V  GET /admin/v1/budgets/{id}
        O.B.....  PATCH /admin/v1/budgets/{id}
        O.B.....  DELETE /admin/v1/budgets/{id}
        OSBPAU.V  GET /admin/v1/limits/{id}/usage
        OSBPAU.V  GET /admin/v1/budgets/{id}/usage
        OSBPAU.V  GET /admin/v1/budgets/{id}/increases
        O.B.....  POST /admin/v1/budgets/{id}/increases
        O.B.....  DELETE /admin/v1/budgets/{id}/increases/{increase}
        OS.PAU.V  GET /admin/v1/switches
        OS.PAU.V  GET /admin/v1/switches/{id}
        OS.P....  DELETE /admin/v1/switches/{id}
        OS.P....  POST /admin/v1/switches
        OS.PAU.V  GET /admin/v1/rollbacks
        OS.PAU.V  GET /admin/v1/rollbacks/{id}
        OS.P....  DELETE /admin/v1/rollbacks/{id}
        OS.PAU.V  GET /admin/v1/routes/{name}/release
        OS.PAU.V  GET /admin/v1/routes/{name}/shadow
        OS.PAU.V  GET /admin/v1/reliability
        OS.P....  POST /admin/v1/reliability/override
        O.BP.UTV  GET /admin/v1/spend
        O.B..U..  GET /admin/v1/ledger
        O.B..U..  POST /admin/v1/ledger/verify
        OS...U..  GET /admin/v1/audit
        OS...U..  POST /admin/v1/audit/verify
        OSBPAU.V  GET /admin/v1/alerts
        O.BP....  POST /admin/v1/alerts/test
        OSBPAUTV  GET /admin/v1/health
        O..PAU..  GET /admin/v1/reviews
        O...A...  GET /admin/v1/reviews/{id}
        O...A...  POST /admin/v1/reviews/{id}/approve
        O...A...  POST /admin/v1/reviews/{id}/edit
        O...A...  POST /admin/v1/reviews/{id}/refuse
        OSBPAUTV  POST /admin/v1/explain
        OSBPAUTV  GET /admin/v1/records/{id}/explain
    "#]]
    .assert_eq(&table);
}

#[tokio::test]
async fn r_a4_no_spelling_of_a_path_or_host_goes_around_the_login() {
    let stage = Stage::new("spelling").await;
    let paths = [
        "/admin/v1/keys/",
        "//admin/v1/keys",
        "/admin//v1/keys",
        "/admin/v1/./keys",
        "/admin/v1/x/../keys",
        "/admin/v1/keys%2f",
        "/admin/v1/keys;x",
        "/admin/v1/keys%00",
        "/ADMIN/v1/keys",
        "/admin/V1/keys",
        "/admin/v1/%6beys",
        "/metrics/../admin/v1/keys",
        "/healthz/../admin/v1/keys",
        "/admin/v1/login/../keys",
        "/admin/v1/openapi.json/../keys",
        "/admin/v1/keys?x=/metrics",
        "/admin/v1/keys#metrics",
        "/admin/v1/keys/..",
        "/admin\\v1\\keys",
        "/admin/v1/keys/none%2frotate",
    ];
    let hosts = [
        "127.0.0.1:8081",
        "localhost",
        "evil.example",
        "localhost/admin",
        "",
        "a, b",
        "[::1]",
        "/metrics",
        "127.0.0.1:8081@evil",
        "%",
    ];
    let (mut asked, mut opened) = (0, 0);
    for path in paths {
        for host in hosts {
            for method in ["GET", "POST"] {
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header("host", host)
                    .header("x-forwarded-host", "localhost");
                let Ok(request) = request.header("x-original-url", "/metrics").body(Body::empty()) else {
                    continue;
                };
                let got = stage.send(request).await;
                (asked, opened) = (asked + 1, opened + usize::from(!matches!(got.status, 401 | 404 | 405)));
            }
        }
    }
    assert!(asked >= 200, "{asked}");
    assert_eq!(opened, 0);
}
