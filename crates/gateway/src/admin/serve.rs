//! The one way of every request of the admin API: who asks, may they, what do they say, then the route's own work. Nothing here looks at the
//! `Host` to decide anything, and the path is the one that the router matched (R-A4).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use tokio_util::task::TaskTracker;

use super::Peer;
use super::ask::{Ask, Reply};
use super::problem::Problem;
use super::roles::{self, Permission};
use super::routes::Route;
use super::state::Known;
use super::who::{self, Principal};
use crate::control::{Control, now_ms};

/// Bytes of a body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a request may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same where a whole chain is computed.
const SLOW_TIMEOUT: Duration = Duration::from_secs(600);
/// Letters of an `Idempotency-Key`.
const IDEMPOTENCY_CHARS_MAX: usize = 255;

const SECURITY: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

/// The admin plane's parts that a request needs.
#[derive(Clone)]
pub(crate) struct Plane {
    pub(crate) control: Arc<Control>,
    /// Owns what a request does: a caller who leaves does not stop a change half way.
    pub(crate) changes: TaskTracker,
}

/// Serves one request of a route.
pub(crate) async fn serve(plane: Plane, route: &'static Route, ids: Vec<String>, request: Request<Body>) -> Response {
    let id = request_id();
    let limit = if route.slow { SLOW_TIMEOUT } else { TIMEOUT };
    let answered = match tokio::time::timeout(limit, walk(plane, route, ids, request, &id)).await {
        Ok(answered) => answered,
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "it took too long; read what there is now before trying again",
        )),
    };
    finished(answered.unwrap_or_else(IntoResponse::into_response), &id)
}

/// What no route serves.
pub(crate) fn unknown(status: StatusCode, detail: &str) -> Response {
    let code = if status == StatusCode::NOT_FOUND {
        "not_found"
    } else {
        "method_not_allowed"
    };
    finished(Problem::new(status, code, detail).into_response(), &request_id())
}

fn request_id() -> String {
    ["adm_", &who::random_id()].concat()
}

fn finished(mut response: Response, id: &str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-request-id", id);
    }
    response
}

async fn walk(plane: Plane, route: &'static Route, ids: Vec<String>, request: Request<Body>, id: &str) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let who = match route.needs {
        Permission::Public => Principal::nobody(),
        needs => admitted(&plane.control, needs, &parts.method, &parts.headers).await?,
    };
    let body = match parts.method {
        Method::GET | Method::HEAD => Bytes::new(),
        _ => read(&parts.headers, body).await?,
    };
    let ask = Ask {
        control: Arc::clone(&plane.control),
        who,
        ids,
        query: query(route, parts.uri.query().unwrap_or_default())?,
        address: parts
            .extensions
            .get::<Peer>()
            .map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip()),
        headers: parts.headers,
        body,
        request: id.to_owned(),
    };
    let key = if route.creates { idempotency_key(route, &ask)? } else { None };
    let Some(key) = key else {
        return worked(&plane, route, ask).await.map(|reply| reply.response());
    };
    match plane.control.state.begin(key, who::sha256(&ask.body), now_ms()) {
        Known::Differs => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key came with another body; use a new one",
        )),
        Known::Busy => Err(Problem::conflict(
            "idempotency_key_busy",
            "the first request with this Idempotency-Key is being worked on; try again soon",
        )),
        Known::Done(status, etag, body) => Ok(replayed(status, etag.as_deref(), body)),
        Known::New => once(&plane, route, ask, key).await,
    }
}

/// Who asks, when they may.
async fn admitted(control: &Control, needs: Permission, method: &Method, headers: &HeaderMap) -> Result<Principal, Problem> {
    let (who, by_cookie) = who::authenticate(control, headers).await?;
    if by_cookie {
        who::same_origin(method, headers)?;
    }
    if !roles::allows(who.role, needs) {
        return Err(Problem::forbidden("your role may not do this; ask an owner"));
    }
    Ok(who)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let detail = "the body is longer than 1 MiB, or was cut off; send a shorter one";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // A form of another site cannot say this; so it cannot write.
    let json = ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    if !read.is_empty() && !json {
        let detail = "the body is not JSON; send content-type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
    }
    Ok(read)
}

/// The parameters; one that the route does not know, or that comes twice, is refused.
fn query(route: &Route, text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut query = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if !route.query.iter().any(|known| known.0 == name) {
            let known = route.query.iter().map(|known| known.0).collect::<Vec<_>>().join(", ");
            let detail = format!("the parameter {name:?} is not known; known are: {known}");
            return Err(Problem::bad_request("bad_query", detail));
        }
        if query.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Problem::bad_request("bad_query", "a parameter comes twice; give it once"));
        }
    }
    Ok(query)
}

/// The digest of who asks where with which `Idempotency-Key`.
fn idempotency_key(route: &Route, ask: &Ask) -> Result<Option<[u8; 32]>, Problem> {
    let Some(header) = ask.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = header
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= IDEMPOTENCY_CHARS_MAX);
    let key = key.ok_or_else(|| Problem::bad_request("bad_idempotency_key", "Idempotency-Key is not 1 to 255 ASCII characters"))?;
    let parts = [
        ask.who.auth,
        &ask.who.name,
        route.method.as_str(),
        route.path,
        &ask.ids.join("/"),
        key,
    ];
    Ok(Some(who::sha256(parts.join("\0").as_bytes())))
}

async fn once(plane: &Plane, route: &'static Route, ask: Ask, key: [u8; 32]) -> Result<Response, Problem> {
    let state = Arc::clone(&plane.control);
    let kept = Plane {
        control: Arc::clone(&state),
        changes: plane.changes.clone(),
    };
    // The whole of it is owned by the plane, so that the answer is kept also when its caller has gone.
    let work = plane.changes.spawn(async move {
        let reply = worked(&kept, route, ask).await;
        let answer = reply.as_ref().ok().map(|reply| (reply.status, reply.etag.clone(), reply.bytes()));
        kept.control.state.finish(key, answer);
        reply
    });
    let reply = work.await.unwrap_or_else(|_| {
        state.state.finish(key, None);
        Err(broken())
    });
    reply.map(|reply| reply.response())
}

/// The route's own work. A change goes on when its caller has gone; what only reads, and an attempt to log in, ends with them.
async fn worked(plane: &Plane, route: &'static Route, ask: Ask) -> Result<Reply, Problem> {
    if route.method == Method::GET || route.needs == Permission::Public {
        return (route.run)(ask).await;
    }
    plane.changes.spawn((route.run)(ask)).await.unwrap_or_else(|_| Err(broken()))
}

fn broken() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "this is a fault of the gateway; report it with the request id",
    )
}

fn replayed(status: StatusCode, etag: Option<&str>, body: Bytes) -> Response {
    let reply = Reply {
        status,
        etag: etag.map(str::to_owned),
        cookie: None,
        body: None,
    };
    let mut response = reply.with_bytes(body);
    let value = HeaderValue::from_static("true");
    response.headers_mut().insert("x-tollgate-idempotent-replay", value);
    response
}

impl Reply {
    fn bytes(&self) -> Bytes {
        self.body.as_ref().map_or_else(Bytes::new, |body| Bytes::from(body.to_string()))
    }

    fn response(&self) -> Response {
        self.with_bytes(self.bytes())
    }

    fn with_bytes(&self, bytes: Bytes) -> Response {
        let json = !bytes.is_empty();
        let mut response = (self.status, bytes).into_response();
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        if json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.write(headers);
        response
    }
}
