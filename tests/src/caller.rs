//! A caller: HTTP over its own connections, whole answers or one chunk at a time, and plain bytes where HTTP clients are too well-bred.
//! It retries nothing and follows nothing. Everything has a time limit, so that a hang is a failure and not a hung test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::read::Dialect;

/// Longer than anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A caller with a key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where the gateway listens.
    pub to: SocketAddr,
    /// Headers of every request, the key among them.
    pub headers: HeaderMap,
}

/// A whole answer, or what came of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head.
    pub headers: HeaderMap,
    /// What came of the body.
    pub body: Bytes,
    /// Why the body broke off; `None`: it ended as HTTP says it should.
    pub broke: Option<String>,
    /// Until the last byte.
    pub took: Duration,
}

/// An answer that is being read.
pub struct Live {
    /// The status.
    pub status: u16,
    /// The head.
    pub headers: HeaderMap,
    body: Incoming,
    /// Dropping it closes the connection.
    _connection: JoinSet<()>,
}

impl Caller {
    /// A caller that sends this as `authorization: Bearer`.
    #[must_use]
    pub fn new(to: SocketAddr, key: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        Self { to, headers }
    }

    /// The same caller with another header, or another value of one.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: http::HeaderName = name.parse().unwrap();
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Asks for a completion and reads all of it.
    pub async fn ask(&self, dialect: Dialect, model: &str, stream: bool) -> Answer {
        self.post(dialect.path(), &dialect.ask(model, "Say something.", stream)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body.to_string()).await
    }

    /// Sends anything and reads the whole answer.
    pub async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        let began = Instant::now();
        let mut live = self.open(method, path, body.into()).await;
        let mut whole = Vec::new();
        let broke = loop {
            match live.next().await {
                Some(Ok(chunk)) => whole.extend_from_slice(&chunk),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        Answer {
            status: live.status,
            headers: live.headers,
            body: Bytes::from(whole),
            broke,
            took: began.elapsed(),
        }
    }

    /// Sends anything and waits for the head.
    pub async fn open(&self, method: &str, path: &str, body: Bytes) -> Live {
        self.try_open(method, path, body).await.expect("the gateway answers")
    }

    /// Sends anything and waits for the head.
    ///
    /// # Errors
    /// When no head comes.
    pub async fn try_open(&self, method: &str, path: &str, body: Bytes) -> Result<Live, String> {
        let opened = timeout(PATIENCE, async {
            let stream = TcpStream::connect(self.to).await.map_err(|error| error.to_string())?;
            let io = TokioIo::new(stream);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(|error| error.to_string())?;
            let mut running = JoinSet::new();
            running.spawn(async move {
                let _ = connection.await;
            });
            let request = self.request(method, path, body);
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            Ok(live(response, running))
        });
        opened.await.map_err(|_| "no head in time: it hangs".to_owned())?
    }

    /// The same over HTTP/2 with prior knowledge.
    pub async fn open_http2(&self, path: &str, body: Bytes) -> Live {
        let stream = TcpStream::connect(self.to).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ = connection.await;
        });
        let mut request = self.request("POST", path, body);
        *request.uri_mut() = format!("http://{}{path}", self.to).parse().unwrap();
        request.headers_mut().remove(http::header::HOST);
        let response = timeout(PATIENCE, sender.send_request(request)).await.expect("it hangs").unwrap();
        live(response, running)
    }

    fn request(&self, method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body)).unwrap();
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        headers.insert(http::header::HOST, "gateway.test".parse().unwrap());
        headers
            .entry(http::header::CONTENT_TYPE)
            .or_insert_with(|| http::HeaderValue::from_static("application/json"));
        request
    }
}

fn live(response: Response<Incoming>, connection: JoinSet<()>) -> Live {
    let (head, body) = response.into_parts();
    Live {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        _connection: connection,
    }
}

impl Live {
    /// The next piece of the body. A pause longer than [`PATIENCE`] is an error.
    pub async fn next(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            let Ok(frame) = timeout(PATIENCE, self.body.frame()).await else {
                return Some(Err("no byte in time: it hangs".to_owned()));
            };
            match frame? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Err(error) => return Some(Err(error.to_string())),
            }
        }
    }

    /// Reads until the body holds this text, or ends.
    pub async fn read_until(&mut self, text: &str) -> Vec<u8> {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let Some(Ok(chunk)) = self.next().await else { break };
            seen.extend_from_slice(&chunk);
        }
        seen
    }

    /// Reads to the end.
    pub async fn rest(&mut self) -> (Vec<u8>, Option<String>) {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                Some(Ok(chunk)) => seen.extend_from_slice(&chunk),
                Some(Err(error)) => return (seen, Some(error)),
                None => return (seen, None),
            }
        }
    }
}

impl Answer {
    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A header as text; empty: it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The product's id of the exchange.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("x-request-id")
    }
}

/// Sends bytes as they are, and gives what comes back until the gateway closes or says nothing for `quiet`.
pub async fn raw(to: SocketAddr, bytes: &[u8], quiet: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // A gateway that refuses early may close before everything is sent.
    let _ = stream.write_all(bytes).await;
    drain(&mut stream, quiet).await
}

/// Reads until the peer closes or says nothing for `quiet`.
pub async fn drain(stream: &mut TcpStream, quiet: Duration) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(Ok(count)) = timeout(quiet, stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        seen.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    seen
}
