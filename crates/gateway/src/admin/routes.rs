//! Every route of the admin API, in one table: what it needs, what it takes, what it answers. The router, the checks of rights, the OpenAPI
//! document and the tests are made from it; a route that is not in here does not exist.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, get, on};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use tokio_util::task::TaskTracker;
use tollgate_store::database::BoxFuture;

use super::ask::{Ask, Reply};
use super::problem::Problem;
use super::roles::Permission;
use super::serve::{Plane, serve, unknown};
use super::{explain, keys, login, members, release, reliability, reports, reviews, rules, spend, switches};
use crate::control::Control;
use crate::telemetry::Telemetry;

/// What a route does.
pub(crate) type Run = fn(Ask) -> BoxFuture<'static, Result<Reply, Problem>>;
/// Adds a schema and those that it names to a document; says its name.
pub(crate) type Shape = fn(&mut Map<String, Value>) -> String;

/// What is answered.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Nothing: 204.
    Empty,
    /// One thing, with a status.
    One(u16, Shape),
    /// A page of them: 200.
    Page(Shape),
    /// A JSON object that says itself what it is: 200.
    Document,
}

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) needs: Permission,
    /// What it does, in a few words; the operation's name is made of it.
    pub(crate) about: &'static str,
    /// Parameters of the query.
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Shape>,
    pub(crate) answer: Answer,
    /// It makes something: `Idempotency-Key` counts.
    pub(crate) creates: bool,
    /// It may take minutes.
    pub(crate) slow: bool,
    pub(crate) run: Run,
}

impl Route {
    /// A route that takes nothing and answers a document; the other members are then set.
    pub(crate) fn new(method: Method, path: &'static str, needs: Permission, about: &'static str, run: Run) -> Self {
        Self {
            method,
            path,
            needs,
            about,
            query: &[],
            body: None,
            answer: Answer::Document,
            creates: false,
            slow: false,
            run,
        }
    }

    pub(crate) fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn takes(mut self, body: Shape) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    pub(crate) fn creates(mut self) -> Self {
        self.creates = true;
        self
    }

    pub(crate) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }
}

/// All of them.
pub(crate) fn routes() -> &'static [Route] {
    static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
        [
            login::routes(),
            keys::routes(),
            members::routes(),
            rules::routes(),
            switches::routes(),
            release::routes(),
            reliability::routes(),
            spend::routes(),
            reports::routes(),
            reviews::routes(),
            explain::routes(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    &ROUTES
}

/// The admin plane's router.
pub(crate) fn router(telemetry: Arc<Telemetry>, control: Option<Arc<Control>>, changes: &TaskTracker) -> Router {
    let metrics = move || {
        let text = telemetry.metrics.render();
        async move {
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            ([(CONTENT_TYPE, kind)], text)
        }
    };
    let mut router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }));
    if let Some(control) = control {
        for route in routes() {
            let plane = Plane {
                control: Arc::clone(&control),
                changes: changes.clone(),
            };
            let handler = move |ids: RawPathParams, request: Request| {
                let ids = ids.iter().map(|(_, value)| value.to_owned()).collect();
                serve(plane.clone(), route, ids, request)
            };
            let Ok(method) = MethodFilter::try_from(route.method.clone()) else {
                continue;
            };
            router = router.route(route.path, on(method, handler));
        }
    }
    router
        .fallback(|| async {
            unknown(
                StatusCode::NOT_FOUND,
                "there is nothing here; the API is described at /admin/v1/openapi.json",
            )
        })
        .method_not_allowed_fallback(|| async {
            let detail = "this method is not served here; see the allow header";
            unknown(StatusCode::METHOD_NOT_ALLOWED, detail).into_response()
        })
}
