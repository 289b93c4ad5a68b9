//! The OpenAPI 3.1 document, made from the table of routes and the types of their bodies: what is not served is not in it, and the reverse.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use super::resource::Resource;
use super::roles::Permission;
use super::routes::{Answer, Route, routes};

/// Members that every kept thing has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by its schema alone")]
struct Envelope {
    /// For paths. Those of the config file begin with `config:`.
    id: String,
    /// `api`, `config` (stands in the config file, and is changed there), or `local` (a switch while the database does not answer).
    source: String,
    /// Grows with each change: the ETag.
    version: Option<i64>,
    created_ms: Option<i64>,
    updated_ms: Option<i64>,
    deleted_ms: Option<i64>,
}

/// The document.
#[must_use]
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(written);
    &DOCUMENT
}

fn written() -> Value {
    let mut schemas = Map::new();
    let problem = reference(&shape::<Problem>(&mut schemas));
    let mut paths = Map::new();
    for route in routes() {
        let operation = operation(route, &mut schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Keys, teams, limits, budgets, spend, the ledger and the audit log of a gateway. Refusals are RFC 9457 problems. \
                Lists are pages: give next of one as after of the next. Idempotency-Key is remembered for 24 hours in the memory of the \
                gateway (not over a restart) on what makes something. If-Match with an ETag makes a change only when nobody made another. \
                X-Reason goes into the audit log.",
            "license": { "name": "Apache-2.0" }
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "Refused; nothing was changed.",
                "content": { "application/problem+json": { "schema": problem } }
            } },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A session's token, an ak- token, or the admin-token file." },
                "cookie": { "type": "apiKey", "in": "cookie", "name": super::who::COOKIE_NAME }
            }
        }
    })
}

fn operation(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let tag = route.path.split('/').nth(3).unwrap_or_default();
    let mut operation = json!({
        "operationId": route.about.replace(' ', "_"), "summary": route.about, "tags": [tag],
        "description": format!("Needs the permission {:?}.", route.needs),
        "parameters": parameters(route), "responses": responses(route, schemas),
    });
    if let Some(members) = operation.as_object_mut() {
        if route.needs == Permission::Public {
            members.insert("security".into(), json!([]));
        } else {
            members.insert("security".into(), json!([{ "token": [] }, { "cookie": [] }]));
        }
        if let Some(body) = route.body {
            let schema = reference(&body(schemas));
            let content = json!({ "application/json": { "schema": schema } });
            members.insert("requestBody".into(), json!({ "required": true, "content": content }));
        }
    }
    operation
}

fn responses(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let (status, schema) = match route.answer {
        Answer::Empty => (204, None),
        Answer::One(status, shape) => (status, Some(reference(&shape(schemas)))),
        Answer::Page(shape) => (200, Some(page(&reference(&shape(schemas))))),
        Answer::Document => (200, Some(json!({ "type": "object" }))),
    };
    let mut done = json!({ "description": route.about });
    if let (Some(done), Some(schema)) = (done.as_object_mut(), schema) {
        done.insert("content".into(), json!({ "application/json": { "schema": schema } }));
    }
    let mut responses = Map::new();
    responses.insert(status.to_string(), done);
    responses.insert("default".into(), json!({ "$ref": "#/components/responses/Problem" }));
    Value::Object(responses)
}

fn page(line: &Value) -> Value {
    json!({
        "type": "object", "required": ["data", "next"],
        "properties": {
            "data": { "type": "array", "items": line },
            "next": { "type": ["string", "null"], "description": "For after of the next page; null: that was the last." }
        }
    })
}

fn parameters(route: &Route) -> Value {
    let text = json!({ "type": "string" });
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut list: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }))
        .collect();
    list.extend(
        route
            .query
            .iter()
            .map(|(name, about)| json!({ "name": name, "in": "query", "description": about, "schema": text })),
    );
    let mut header = |name: &str| list.push(json!({ "name": name, "in": "header", "schema": text }));
    if route.creates {
        header("Idempotency-Key");
    }
    if route.method != http::Method::GET && route.needs != Permission::Public {
        header("X-Reason");
    }
    if route.method == http::Method::PATCH || route.method == http::Method::DELETE {
        header("If-Match");
    }
    Value::Array(list)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A type's own schema.
pub(crate) fn shape<T: ToSchema>(schemas: &mut Map<String, Value>) -> String {
    let name = T::name().into_owned();
    add::<T>(schemas, name.clone());
    name
}

fn add<T: ToSchema>(schemas: &mut Map<String, Value>, name: String) {
    let mut named = Vec::new();
    T::schemas(&mut named);
    for (name, schema) in named {
        schemas
            .entry(name)
            .or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
    }
    schemas.entry(name).or_insert_with(|| own::<T>());
}

fn own<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap_or_default()
}

/// The body of a change: no member must be there.
pub(crate) fn part<T: ToSchema>(schemas: &mut Map<String, Value>) -> String {
    let body = shape::<T>(schemas);
    let name = ["Change", &body].concat();
    let mut schema = own::<T>();
    if let Some(members) = schema.as_object_mut() {
        members.shift_remove("required");
        members.insert(
            "description".into(),
            "A merge patch (RFC 7396): what is in here is replaced, null takes it away.".into(),
        );
    }
    schemas.insert(name.clone(), schema);
    name
}

/// What is shown of a kept thing: what was written, and what is only read.
pub(crate) fn kept<R: Resource>(schemas: &mut Map<String, Value>) -> String {
    let body = shape::<R::Input>(schemas);
    let name = body.strip_suffix("Body").unwrap_or(&body).to_owned();
    add::<R::Extra>(schemas, R::Extra::name().into_owned());
    let mut schema = joined([own::<Envelope>(), own::<R::Input>(), own::<R::Extra>()]);
    // A password is written and never read.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove("password");
    }
    schemas.insert(name.clone(), schema);
    name
}

/// The same, in the one answer that has the secret in it.
pub(crate) fn with_secret<R: Resource>(schemas: &mut Map<String, Value>) -> String {
    let plain = kept::<R>(schemas);
    let name = ["New", &plain].concat();
    let secret = json!({ "required": ["secret"], "properties": { "secret": { "type": "string", "description": "Shown once." } } });
    let whole = schemas.get(&plain).cloned().unwrap_or_default();
    schemas.insert(name.clone(), joined([whole, secret]));
    name
}

/// One object's schema with the members of several.
fn joined(parts: impl IntoIterator<Item = Value>) -> Value {
    let (mut required, mut properties) = (Vec::new(), Map::new());
    for part in parts {
        if let Some(Value::Array(names)) = part.get("required") {
            required.extend(names.iter().cloned());
        }
        if let Some(Value::Object(members)) = part.get("properties") {
            properties.extend(members.clone());
        }
    }
    json!({ "type": "object", "required": required, "properties": properties })
}
