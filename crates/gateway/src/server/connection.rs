//! One connection of a caller: HTTP/1.1, or HTTP/2 with prior knowledge, with its bounds.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;
use tollgate_policy::overload::Memory;

use super::State;
use super::overdue::{Exchanges, Going, within};
use super::patience::Patient;
use crate::exchange::{Call, Gateway};
use crate::ingress::ambiguous;
use crate::switchboard::Switchboard;
use crate::tail::AnswerBody;

/// The largest request head, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Streams that one HTTP/2 connection may have open.
const HTTP2_STREAMS_MAX: u32 = 256;

/// Serves a connection until it, or the process, ends.
pub(super) async fn serve(stream: TcpStream, from: SocketAddr, gateway: Gateway, state: &State, tasks: TaskTracker) {
    let exchanges = Exchanges::default();
    let mut builder = Builder::new(Owned(tasks, exchanges.clone(), state.shared.switches.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        // Slow heads and idle connections are `patience`'s: hyper's own timer would be set anew for every request.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let service = service_fn(|http: Request<Incoming>| {
        let (gateway, going) = (gateway.clone(), exchanges.begin());
        let draining = state.is_draining();
        let spare = state.shared.pressure.memory() != Memory::Enough;
        async move {
            let ambiguous = ambiguous(http.version(), http.headers()).is_some();
            // Where memory is short, a connection does not outlive its exchange.
            let last = spare && http.version() < http::Version::HTTP_2;
            let mut response = match health(http.uri().path(), draining) {
                Some(response) => response,
                // Behind a pointer: this future is moved into hyper and polled in there, and the walk is kilobytes.
                None => Box::pin(gateway.answer(Call { http, from: from.ip() })).await,
            };
            if ambiguous || last {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            going.answered(response.body().deadline(), response.body().aim());
            Ok::<_, Infallible>(response.map(|body| Sent { body, _going: going }))
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, exchanges.clone())), service));
    let switches = &state.shared.switches;
    tokio::select! {
        // A caller that breaks its connection off is no fault of ours; the exchange's record tells of it.
        _ = within(|| exchanges.due(), switches, connection.as_mut()) => return,
        () = state.stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = within(|| exchanges.due(), switches, connection).await;
}

/// The streams of HTTP/2 connections are tasks of their own; the worker waits for them as for its connections.
#[derive(Clone)]
struct Owned(TaskTracker, Exchanges, Switchboard);

impl<F> Executor<F> for Owned
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        // hyper calls the service and hands its stream over in one go: the exchange that began last is this stream's.
        let (due, switches) = (self.1.take_latest(), self.2.clone());
        self.0.spawn(async move {
            let _ = within(|| due.clone(), &switches, stream).await;
        });
    }
}

/// Health for whoever balances load; everything else is for the walk. `/readyz` says whether new requests are welcome; it does not
/// depend on any provider or store.
fn health(path: &str, draining: bool) -> Option<Response<AnswerBody>> {
    match path {
        "/healthz" => Some(plain(StatusCode::OK, "ok\n")),
        "/readyz" if draining => Some(plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n")),
        "/readyz" => Some(plain(StatusCode::OK, "ready\n")),
        _ => None,
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::plain(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A body, and the knowledge that its exchange is going on.
struct Sent {
    body: AnswerBody,
    _going: Going,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
