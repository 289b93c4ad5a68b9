//! The admin plane: a listener of its own, on a thread of its own. For now it serves the metrics and its own health; no key of the
//! data plane opens anything here.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::Telemetry;

/// Connections that the admin plane serves at one time.
const CONNECTIONS_MAX: usize = 256;

/// The admin plane, running.
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Admin {
    /// Starts its thread.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(listener: TcpListener, telemetry: Arc<Telemetry>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                stopped.run_until_cancelled(accept(&listener, &telemetry)).await;
            });
        })?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &tokio::net::TcpListener, telemetry: &Arc<Telemetry>) {
    let connections = TaskTracker::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let telemetry = Arc::clone(telemetry);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let response = respond(&request, &telemetry);
                async move { Ok::<_, Infallible>(response) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            let _ = served.await;
        });
    }
}

fn respond(request: &Request<Incoming>, telemetry: &Telemetry) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered here\n".into());
    }
    match request.uri().path() {
        "/metrics" => answer(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            telemetry.metrics.render(),
        ),
        "/healthz" => answer(StatusCode::OK, "text/plain", "ok\n".into()),
        _ => answer(
            StatusCode::NOT_FOUND,
            "text/plain",
            "the admin plane serves /metrics and /healthz\n".into(),
        ),
    }
}

fn answer(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
