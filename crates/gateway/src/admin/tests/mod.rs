//! The admin API from outside: each request goes through the router as it does over a socket, and each answer is held against the OpenAPI
//! document.
#![expect(clippy::unwrap_used, reason = "tests")]

mod document;
mod keys;
mod login;
mod matrix;
mod objects;
mod over_sockets;
mod reliability;
mod reports;
mod tenants;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use tollgate_policy::health::Override;
use tollgate_policy::key::{Pepper, Peppers};
use tollgate_policy::switches::Switch;
use tollgate_store::database::audit::Act;
use tollgate_store::database::decisions::Decision;
use tollgate_store::database::objects::{ApiToken, Change, Kind, Objects, Role};
use tollgate_store::database::{BoxFuture, Database, Source};
use tollgate_wire::fault::Fault;

use super::routes::{Answer, Route, router, routes};
use super::{Prepared, openapi, prepare, who};
use crate::control::{Control, Flaw, Refresh, Usage, now_ms};
use crate::explain::document::{self as explained, Who};
use crate::explain::{Explanation, Question};
use crate::reliability::Standing;
use crate::telemetry::Telemetry;
use crate::telemetry::logs::{Format, Log};
use crate::telemetry::metrics::Metrics;

/// A gateway behind the admin plane: counts, and refuses rules with a member that no rule has.
#[derive(Default)]
pub(crate) struct Gateway {
    refreshed: AtomicUsize,
    emergencies: AtomicUsize,
    /// How the breaker of its one deployment is held.
    held: std::sync::Mutex<Override>,
}

/// The admin API on a database of its own.
pub(crate) struct Stage {
    pub(crate) control: Arc<Control>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) prepared: Prepared,
    pub(crate) folder: PathBuf,
    pub(crate) telemetry: Arc<Telemetry>,
    service: TowerToHyperService<Router>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Refresh for Gateway {
    fn refresh(&self) -> BoxFuture<'_, Result<(), String>> {
        self.refreshed.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn check_rule(&self, _: Kind, rule: &Value) -> Result<(), Vec<Flaw>> {
        let known = ["name", "per", "requests", "amount", "window"];
        let unknown = rule.as_object().unwrap().keys().find(|name| !known.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) => Err(vec![super::problem::flaw(name, "is not known", "remove it")]),
        }
    }

    fn release(&self, route: &str) -> Option<Value> {
        (route == "chat").then(|| json!({ "route": route, "canaries": [] }))
    }

    fn usage(&self, _: Kind, name: &str) -> Vec<Usage> {
        vec![Usage {
            scope: format!("rule={name}"),
            unit: "requests".into(),
            limit: 10,
            posted: 3,
            pending: 1,
            resets_s: None,
        }]
    }

    fn emergency<'a>(&'a self, _: &'a Switch, _: bool) -> BoxFuture<'a, Result<(), String>> {
        self.emergencies.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }

    fn explain(&self, question: &Question) -> Result<Explanation, Fault> {
        // As whom the question is asked, it is told.
        let caller = Who {
            team: question.caller.team.clone().unwrap_or_default(),
            key: question.caller.key.clone(),
            ..Who::default()
        };
        Ok(Explanation {
            asked: String::from_utf8_lossy(&question.body).into_owned(),
            caller,
            ..Explanation::default()
        })
    }

    fn decision<'a>(&'a self, request: &'a str) -> BoxFuture<'a, Result<Option<Decision>, String>> {
        Box::pin(async move {
            let told = Explanation {
                kind: explained::Kind::Record,
                ..Explanation::default()
            };
            let decision = |team: &str| Decision {
                request: request.to_owned(),
                team: team.to_owned(),
                body: serde_json::to_string(&told).unwrap(),
                ..Decision::default()
            };
            Ok(request.strip_prefix("req_").map(decision))
        })
    }

    fn test_alert(&self) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok("https://hooks.example/alerts".into()) })
    }

    fn reliability(&self) -> Vec<Standing> {
        vec![Standing {
            deployment: "acme/large".into(),
            state: "closed".into(),
            held: format!("{:?}", *self.held.lock().unwrap()).to_lowercase(),
            ..Standing::default()
        }]
    }

    fn hold(&self, deployment: &str, held: Override) -> Option<Standing> {
        *self.held.lock().unwrap() = held;
        (deployment == "acme/large").then(|| self.reliability().remove(0))
    }

    fn health(&self) -> Value {
        json!({ "open_holds": 0 })
    }
}

impl Stage {
    pub(crate) async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-admin-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let database = Database::open(&Source::Folder(folder.clone())).await.unwrap();
        let gateway = Arc::new(Gateway::default());
        let live: Arc<dyn Refresh> = gateway.clone();
        let peppers = Peppers::new(Pepper::new(&[7; 32]));
        let mut control = Control::new(database, live, peppers, folder.clone());
        control.audit_key = Some(crate::control::audit_signer(&folder).unwrap().public_key());
        let control = Arc::new(control);
        let prepared = prepare(&control).await.unwrap();
        let telemetry = Arc::new(Telemetry {
            log: Log::start(Format::Json, Box::new(std::io::sink())),
            metrics: Metrics::default(),
            decisions: crate::explain::keep::Decisions::new(None),
        });
        let routed = router(Arc::clone(&telemetry), Some(Arc::clone(&control)), &TaskTracker::new());
        Self {
            control,
            gateway,
            prepared,
            folder,
            telemetry,
            service: TowerToHyperService::new(routed),
        }
    }

    /// The local token: an owner.
    pub(crate) fn local(&self) -> String {
        std::fs::read_to_string(&self.prepared.token_file).unwrap().trim().to_owned()
    }

    /// A token of a role, straight from the database.
    pub(crate) async fn token(&self, role: Role, team: Option<&str>) -> String {
        let id = who::random_id();
        let text = who::secret(&format!("ak-{id}_"));
        let token = ApiToken {
            name: format!("{role:?} {id}"),
            role,
            team: team.map(str::to_owned),
            digest: who::hex(&who::sha256(text.as_bytes())),
            expires_s: None,
        };
        let changes = [Change::create(&id, &token).unwrap()];
        self.control.database.mutate(&changes, &Act::default(), now_ms()).await.unwrap();
        text
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Got {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.service.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let got = Got {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        };
        if let Some(route) = route_of(&method, &path) {
            documented(route, &got);
        }
        got
    }

    /// A request with a token and perhaps a body.
    pub(crate) async fn ask(&self, token: &str, line: &str, body: Value) -> Got {
        self.with(token, line, body, &[]).await
    }

    pub(crate) async fn with(&self, token: &str, line: &str, body: Value, headers: &[(&str, &str)]) -> Got {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        self.send(request.header("content-type", "application/json").body(body).unwrap())
            .await
    }

    /// The same, which must go well.
    pub(crate) async fn done(&self, token: &str, line: &str, body: Value) -> Value {
        let got = self.ask(token, line, body).await;
        assert!((200..300).contains(&got.status), "{line}: {got:?}");
        got.body
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Got {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// The route that serves a path.
pub(crate) fn route_of(method: &Method, path: &str) -> Option<&'static Route> {
    routes().iter().find(|route| {
        let (own, asked): (Vec<_>, Vec<_>) = (route.path.split('/').collect(), path.split('/').collect());
        route.method == *method
            && own.len() == asked.len()
            && own.iter().zip(&asked).all(|(own, asked)| own.starts_with('{') || own == asked)
    })
}

/// An answer is one that the document tells of.
fn documented(route: &Route, got: &Got) {
    let operation = &openapi::document()["paths"][route.path][route.method.as_str().to_lowercase()];
    let expected = operation["responses"].as_object().unwrap().keys().next().unwrap().clone();
    let kind = got.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let schema = match (got.status.to_string() == expected, route.answer) {
        (true, Answer::Empty) => {
            assert_eq!((&got.body, kind), (&Value::Null, ""));
            return;
        }
        (true, _) => operation["responses"][&expected]["content"]["application/json"]["schema"].clone(),
        (false, _) => {
            assert!(got.status >= 400, "{} {} answers {got:?}", route.method, route.path);
            assert_eq!(kind, "application/problem+json");
            json!({ "$ref": "#/components/schemas/Problem" })
        }
    };
    valid(&schema, &got.body);
    assert!(
        got.headers.contains_key("x-request-id") && got.headers["cache-control"] == "no-store",
        "{got:?}"
    );
}

/// A value is as a schema of the document says.
pub(crate) fn valid(schema: &Value, value: &Value) {
    let whole = json!({ "allOf": [schema], "components": openapi::document()["components"] });
    let validator = jsonschema::validator_for(&whole).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{value:#} is not {schema}: {problems:#?}");
}
