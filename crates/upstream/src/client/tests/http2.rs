//! HTTP/2: chosen by ALPN, shared up to what the server allows, cancelled by stream.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::super::TransportFaultKind as Kind;
use super::tls::Authority;
use super::*;

/// A body that never ends and tells when it is dropped.
struct Endless {
    first: bool,
    dropped: Arc<Mutex<Option<Instant>>>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.first) {
            return std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"first")))));
        }
        std::task::Poll::Pending
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() = Some(Instant::now());
    }
}

/// What an HTTP/2 server does with its requests.
#[derive(Clone)]
struct Script {
    /// One permit per answer.
    gate: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<String>>>,
    dropped: Arc<Mutex<Option<Instant>>>,
    headers: usize,
}

impl Script {
    fn new(answers: usize) -> Script {
        Script {
            gate: Arc::new(Semaphore::new(answers)),
            seen: Arc::default(),
            dropped: Arc::default(),
            headers: 0,
        }
    }

    async fn answer(self, request: Request<hyper::body::Incoming>) -> Result<Response<Either<Full<Bytes>, Endless>>, Infallible> {
        self.seen
            .lock()
            .unwrap()
            .push(format!("{} {:?}", request.uri(), request.headers().get("host")));
        self.gate.acquire().await.unwrap().forget();
        if request.uri().path() == "/endless" {
            return Ok(Response::new(Either::Right(Endless {
                first: true,
                dropped: self.dropped,
            })));
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut response = Response::builder();
        for number in 0..self.headers {
            response = response.header(format!("x-{number}"), "1");
        }
        Ok(response.body(Either::Left(Full::new(body))).unwrap())
    }
}

struct Http2Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

async fn serve(script: Script, streams_max: u32, acceptor: Option<TlsAcceptor>) -> Http2Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Http2Server {
        address: listener.local_addr().unwrap(),
        accepted: Arc::default(),
    };
    let accepted = Arc::clone(&server.accepted);
    let task = async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, Ordering::SeqCst);
            let (script, acceptor) = (script.clone(), acceptor.clone());
            connections.spawn(async move {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams_max);
                let service = service_fn(|request| script.clone().answer(request));
                let _ = match acceptor {
                    Some(acceptor) => match acceptor.accept(tcp).await {
                        Ok(tls) => builder.serve_connection(TokioIo::new(tls), service).await,
                        Err(_) => return,
                    },
                    None => builder.serve_connection(TokioIo::new(tcp), service).await,
                };
            });
        }
    };
    let mut owner = tokio::task::JoinSet::new();
    owner.spawn(task);
    owner.detach_all();
    server
}

impl Http2Server {
    fn h2c(&self) -> Origin {
        origin(&format!("http://{}", self.address), HttpVersion::Http2)
    }

    fn https(&self, http: HttpVersion) -> Origin {
        origin(&format!("https://localhost:{}", self.address.port()), http)
    }

    fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn over_tls_the_server_picks_http2_and_one_connection_serves_a_burst() {
    let ours = Authority::new();
    let script = Script::new(100);
    let acceptor = TlsAcceptor::from(ours.server("localhost", 2100, &[b"h2", b"http/1.1"]));
    let server = serve(script.clone(), 100, Some(acceptor)).await;
    let client = Client::new(ours.settings());
    let origin = server.https(HttpVersion::Auto);
    let limits = timeouts();
    let burst = async || fetch(&client, &origin, &limits).await;
    let answers = tokio::join!(burst(), burst(), burst(), burst());
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.unwrap(), (200, Bytes::from("hello")));
    }
    assert_eq!(server.connections(), 1);
    let expected = format!("https://localhost:{}/v1/chat/completions None", server.address.port());
    assert_eq!(*script.seen.lock().unwrap(), vec![expected; 4]);
    client.close(LONG).await;
}

#[tokio::test]
async fn the_http_version_is_the_origins_setting() {
    let ours = Authority::new();
    for (offer, asked, outcome) in [
        (&[b"http/1.1".as_slice()][..], HttpVersion::Auto, Ok("HTTP/1.1")),
        (&[b"h2".as_slice(), b"http/1.1"][..], HttpVersion::Http1, Ok("HTTP/1.1")),
        (&[b"http/1.1".as_slice()][..], HttpVersion::Http2, Err(Kind::Tls)),
        (&[][..], HttpVersion::Http2, Err(Kind::Tls)),
    ] {
        let config = ours.server("localhost", 2100, offer);
        let server = Server::start(move |tcp, _| {
            use std::io::Write;
            let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            if let Some(request) = read_request(&mut tls) {
                let version = request.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
                write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{version}", version.len()).unwrap();
            }
        });
        let origin = origin(&format!("https://localhost:{}", server.address.port()), asked);
        let got = fetch(&Client::new(ours.settings()), &origin, &timeouts()).await;
        let got = got.map(|(_, body)| body).map_err(|fault| fault.kind);
        assert_eq!(got, outcome.map(Bytes::from), "{asked:?}");
    }
}

#[tokio::test]
async fn a_full_connection_gets_a_neighbour() {
    let script = Script::new(1);
    let server = serve(script.clone(), 2, None).await;
    let client = client();
    let origin = server.h2c();
    // The first answer makes sure that the server's limit is known.
    assert_eq!(fetch(&client, &origin, &timeouts()).await.unwrap().0, 200);
    let limits = timeouts();
    let one = async || fetch(&client, &origin, &limits).await.unwrap().0;
    let all = async { tokio::join!(one(), one(), one(), one(), one()) };
    let release = async {
        while script.seen.lock().unwrap().len() < 1 + 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        script.gate.add_permits(5);
    };
    let (answers, ()) = tokio::time::timeout(LONG, Box::pin(async { tokio::join!(all, release) }))
        .await
        .unwrap();
    assert_eq!(answers, (200, 200, 200, 200, 200));
    assert_eq!(server.connections(), 3, "two streams each");
    assert_eq!(fetch_after(&script, &client, &origin).await, 200);
    assert_eq!(server.connections(), 3, "places are given back");
    client.close(LONG).await;
}

async fn fetch_after(script: &Script, client: &Client, origin: &Origin) -> u16 {
    script.gate.add_permits(1);
    fetch(client, origin, &timeouts()).await.unwrap().0
}

#[tokio::test]
async fn f44_whoever_leaves_resets_the_stream_and_keeps_the_connection() {
    let script = Script::new(2);
    let server = serve(script.clone(), 10, None).await;
    let client = client();
    let origin = server.h2c();
    let request = Request::get("/endless").body(Bytes::new()).unwrap();
    let deadline = Instant::now() + LONG;
    let mut body = client.send(&origin, request, &timeouts(), deadline).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let left = Instant::now();
    drop(body);
    while script.dropped.lock().unwrap().is_none() {
        assert!(left.elapsed() < LONG);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let cancelled = script.dropped.lock().unwrap().unwrap() - left;
    assert!(cancelled < Duration::from_millis(100), "R-D4: {cancelled:?}");
    assert_eq!(fetch(&client, &origin, &timeouts()).await.unwrap().0, 200);
    assert_eq!(server.connections(), 1);
    client.close(LONG).await;
}

#[tokio::test]
async fn f09_f10_silence_ends_at_the_same_timers_as_over_http1() {
    let client = client();
    let limits = Timeouts {
        first_byte: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        ..timeouts()
    };
    let silent = serve(Script::new(0), 10, None).await;
    let fault = send(&client, &silent.h2c(), &limits).await.unwrap_err();
    assert_eq!((fault.kind, fault.response_bytes), (Kind::FirstByteTimeout, false), "{fault}");

    let stalling = serve(Script::new(1), 10, None).await;
    let request = Request::get("/endless").body(Bytes::new()).unwrap();
    let mut body = client
        .send(&stalling.h2c(), request, &limits, Instant::now() + LONG)
        .await
        .unwrap()
        .into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let fault = body.frame().await.unwrap().unwrap_err();
    assert_eq!(fault.kind, Kind::IdleTimeout, "{fault}");
}

#[tokio::test]
async fn f27_too_many_headers_are_refused_over_http2_too() {
    let server = serve(
        Script {
            headers: 101,
            ..Script::new(1)
        },
        10,
        None,
    )
    .await;
    let fault = send(&client(), &server.h2c(), &timeouts()).await.unwrap_err();
    assert_eq!((fault.kind, fault.response_bytes), (Kind::BadResponse, true), "{fault}");
}

#[tokio::test]
async fn closing_ends_what_outstays_the_grace() {
    let server = serve(Script::new(1), 10, None).await;
    let client = client();
    let request = Request::get("/endless").body(Bytes::new()).unwrap();
    let mut body = client
        .send(&server.h2c(), request, &timeouts(), Instant::now() + LONG)
        .await
        .unwrap()
        .into_body();
    assert!(body.frame().await.unwrap().is_ok());
    tokio::time::timeout(LONG, client.close(Duration::from_millis(50))).await.unwrap();
    let fault = body.frame().await.unwrap().unwrap_err();
    assert_eq!(fault.kind, Kind::Reset, "{fault}");
}
