//! The bench provider: an HTTP/1.1 server on one thread that answers from ready bytes, so that it takes as little as possible of the
//! processors it shares with the proxy under test. It does not authenticate, inject faults or keep a bill: that is `tollgate mock`.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, Sleep, sleep_until},
};

use super::answers::{Answer, Answers};

/// Connections served at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 8192;

/// Serves until standard input ends, so that the provider never outlives the bench that started it. Prints `listening on ADDRESS`.
pub(super) fn run(listen: SocketAddr) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start a runtime: {error}"))?;
    let server = std::thread::spawn(move || runtime.block_on(serve(listen)));
    let mut ignored = [0; 64];
    let mut input = std::io::stdin().lock();
    while !server.is_finished() && input.read(&mut ignored).is_ok_and(|read| read != 0) {}
    if !server.is_finished() {
        return Ok(());
    }
    server.join().unwrap_or_else(|_| Err("the provider's thread panicked".to_owned()))
}

async fn serve(listen: SocketAddr) -> Result<(), String> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("no local address: {error}"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())?;
    accept(&listener).await
}

/// Accepts connections until the listener fails.
pub(super) async fn accept(listener: &TcpListener) -> Result<(), String> {
    let answers = Arc::new(Mutex::new(Answers::default()));
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| format!("cannot accept: {error}"))?;
        while connections.try_join_next().is_some() {}
        if CONNECTIONS_MAX <= connections.len() {
            continue;
        }
        connections.spawn(connection(stream, Arc::clone(&answers)));
    }
}

/// One connection; its errors are the caller's leaving, which is no concern of a provider.
async fn connection(stream: TcpStream, answers: Arc<Mutex<Answers>>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| answer(&answers, request));
    let _left = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(answers: &Mutex<Answers>, request: Request<Incoming>) -> Result<Response<Paced>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let found = answers.lock().unwrap_or_else(PoisonError::into_inner).find(head.uri.path(), &body);
    let (status, answer) = found.map_or_else(|| (StatusCode::NOT_FOUND, unknown()), |answer| (StatusCode::OK, answer));
    let content_type = HeaderValue::from_static(answer.content_type);
    let mut response = Response::new(Paced {
        start: Instant::now(),
        pause: None,
        flushed: true,
        next: 0,
        answer,
    });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

fn unknown() -> Answer {
    let body = r#"{"error":{"message":"the bench provider knows bench-BYTES and stream-CHUNKS-PACEms","type":"not_found"}}"#;
    Answer {
        content_type: "application/json",
        chunks: Arc::from([Bytes::from_static(body.as_bytes())]),
        pace: Duration::ZERO,
    }
}

/// An answer on its way out. Chunk n is due n paces after the first: a late chunk does not delay those behind it. Without a pace there is
/// still one write per chunk, as a vendor's server makes them: how many of them a proxy then reads at once is its own doing.
struct Paced {
    answer: Answer,
    next: usize,
    start: Instant,
    pause: Option<Pin<Box<Sleep>>>,
    flushed: bool,
}

impl Paced {
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.answer.pace.is_zero() {
            // Not ready once: the server then writes out what it has.
            if !std::mem::replace(&mut self.flushed, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        if self.next == 0 {
            return Poll::Ready(());
        }
        let due = self.start + self.answer.pace * u32::try_from(self.next).unwrap_or(u32::MAX);
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if pause.deadline() != due {
            pause.as_mut().reset(due);
        }
        pause.as_mut().poll(context)
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(chunk) = self.answer.chunks.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        ready!(self.poll_due(context));
        self.next += 1;
        self.flushed = false;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.answer.chunks.len()
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.answer.chunks {
            [whole] if self.next == 0 => SizeHint::with_exact(whole.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
