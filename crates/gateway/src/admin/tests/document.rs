//! The OpenAPI document and the routes are the same list.

use super::*;

#[test]
fn every_route_is_in_the_document_and_the_reverse() {
    let document = openapi::document();
    let mut listed = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            listed.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut served: Vec<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    listed.sort();
    served.sort();
    assert_eq!(listed, served);
    let unique = served.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(unique.len(), served.len(), "a route stands twice");
}

#[test]
fn operations_have_names_of_their_own_and_all_references_lead_somewhere() {
    let document = openapi::document();
    let mut names = std::collections::BTreeSet::new();
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{operation}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/").skip(1) {
        let path = reference.split('"').next().unwrap();
        assert!(document.pointer(&format!("/{path}")).is_some(), "{path}");
    }
}

/// What may be in an answer: never a digest, a hash of a password, or a secret but in the answers that are made for it (R-A5, R-A6).
#[test]
fn r_a5_no_schema_of_an_answer_has_a_secret_in_it() {
    let document = openapi::document();
    for route in routes() {
        let responses = document["paths"][route.path][route.method.as_str().to_lowercase()]["responses"]
            .as_object()
            .unwrap();
        let (_, answer) = responses.iter().next().unwrap();
        let schema = &answer["content"]["application/json"]["schema"];
        let mut names = Vec::new();
        members(document, schema, &mut names, 0);
        for forbidden in ["digest", "password_hash", "secrets", "password", "pepper_version"] {
            assert!(
                !names.iter().any(|name| name == forbidden),
                "{} {} tells {forbidden}",
                route.method,
                route.path
            );
        }
        let makes = route.path.ends_with("/rotate")
            || (route.method == Method::POST && ["/admin/v1/keys", "/admin/v1/tokens"].contains(&route.path));
        assert_eq!(names.iter().any(|name| name == "secret"), makes, "{} {}", route.method, route.path);
    }
}

fn members(document: &Value, schema: &Value, names: &mut Vec<String>, depth: usize) {
    if let Some(path) = schema["$ref"].as_str() {
        assert!(depth < 20);
        return members(document, document.pointer(path.trim_start_matches('#')).unwrap(), names, depth + 1);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        names.push(name.clone());
        members(document, member, names, depth);
    }
    if schema["items"].is_object() {
        members(document, &schema["items"], names, depth);
    }
}

/// A body with a member that nobody knows is refused on every route that takes one (R-C7).
#[tokio::test]
async fn r_c7_unknown_members_are_refused_everywhere() {
    let stage = Stage::new("unknown").await;
    let owner = stage.local();
    stage.done(&owner, "POST /admin/v1/teams", json!({"name": "t"})).await;
    let key = stage.done(&owner, "POST /admin/v1/keys", json!({"name": "k", "team": "t"})).await;
    stage.done(&owner, "POST /admin/v1/limits", json!({"name": "l"})).await;
    stage.done(&owner, "POST /admin/v1/budgets", json!({"name": "b"})).await;
    stage.done(&owner, "POST /admin/v1/users", json!({"name": "u", "team": "t"})).await;
    stage.done(&owner, "POST /admin/v1/features", json!({"name": "f"})).await;
    let id = key["id"].as_str().unwrap();
    for route in routes().iter().filter(|route| route.body.is_some()) {
        let named = match route.path.split('/').nth(3).unwrap() {
            "keys" => id,
            "teams" => "t",
            "users" => "u",
            "features" => "f",
            "limits" => "l",
            "budgets" => "b",
            _ => "admin",
        };
        let line = format!("{} {}", route.method, route.path.replace("{id}", named));
        let got = stage.ask(&owner, &line, json!({"nobody_knows_this": 1, "name": "n"})).await;
        assert!(matches!(got.status, 400 | 422), "{line}: {got:?}");
        assert!(
            got.body["detail"].as_str().unwrap().contains("nobody_knows_this"),
            "{line}: {got:?}"
        );
    }
}
