//! A small client: one request on one connection, everything that came back, and how it ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};
use tollgate_mock::{Mock, MockSettings, Script};

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body did not end as HTTP says it must.
    pub(crate) broken: bool,
    /// Nothing more came for a while, and the client left.
    pub(crate) stalled: bool,
    pub(crate) head_after: Duration,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The data of every event that is JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.text()
            .split("\n\n")
            .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// The text of the answer, streamed or not, in either dialect; all choices joined.
    pub(crate) fn said(&self) -> String {
        let of = |value: &Value| {
            let paths = ["/delta/text", "/text", "/message/content", "/delta/content"];
            paths
                .iter()
                .find_map(|path| value.pointer(path)?.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let inside = |value: &Value| -> String {
            let parts = value["choices"].as_array().or_else(|| value["content"].as_array());
            parts.map_or_else(|| of(value), |parts| parts.iter().map(of).collect())
        };
        if self.header("content-type").starts_with("text/event-stream") {
            self.events().iter().map(inside).collect()
        } else {
            inside(&self.json())
        }
    }
}

pub(crate) async fn mock() -> Mock {
    Mock::start(MockSettings::default()).await.unwrap()
}

pub(crate) async fn scripted(script: &str) -> Mock {
    let script = Script::parse(script).unwrap();
    Mock::start(MockSettings {
        script,
        ..MockSettings::default()
    })
    .await
    .unwrap()
}

pub(crate) const OPENAI: &str = "/openai/v1/chat/completions";
pub(crate) const ANTHROPIC: &str = "/anthropic/v1/messages";
pub(crate) const BOTH: [&str; 2] = [OPENAI, ANTHROPIC];

/// A small valid request of either dialect, with members added or replaced.
pub(crate) fn question(path: &str, model: &str, stream: bool, more: &Value) -> Value {
    let mut body = json!({
        "model": model,
        "messages": [{ "role": "user", "content": "Say hello to the world, please" }],
        "stream": stream,
    });
    if path == ANTHROPIC {
        body["max_tokens"] = json!(1024);
    } else if stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

pub(crate) async fn ask(mock: &Mock, path: &str, model: &str, stream: bool) -> Got {
    ask_with(mock, path, model, stream, &json!({})).await
}

pub(crate) async fn ask_with(mock: &Mock, path: &str, model: &str, stream: bool, more: &Value) -> Got {
    post(mock, path, &question(path, model, stream, more)).await.unwrap()
}

pub(crate) async fn post(mock: &Mock, path: &str, body: &Value) -> Result<Got, String> {
    let headers: &[(&str, &str)] = if path.starts_with("/anthropic") {
        &[
            ("x-api-key", "sk-ant-test"),
            ("anthropic-version", "2023-06-01"),
            ("content-type", "application/json"),
        ]
    } else {
        &[("authorization", "Bearer sk-test"), ("content-type", "application/json")]
    };
    send(mock, "POST", path, headers, body.to_string()).await
}

pub(crate) async fn get(mock: &Mock, path: &str) -> Got {
    send(mock, "GET", path, &[], String::new()).await.unwrap()
}

/// How long a client here waits for anything to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) async fn send(mock: &Mock, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Result<Got, String> {
    let socket = TcpStream::connect(mock.addr()).await.map_err(|error| error.to_string())?;
    let builder = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(|error| error.to_string())?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = request(method, path, headers, body);
    let started = Instant::now();
    let response = tokio::time::timeout(Duration::from_secs(5), sender.send_request(request)).await;
    let response = response.map_err(|_| "no head".to_owned())?.map_err(|error| format!("{error:?}"))?;
    Ok(collect(response, started.elapsed()).await)
}

/// The same over HTTP/2 without TLS.
pub(crate) async fn send_h2(mock: &Mock, path: &str, body: &Value) -> Result<Got, String> {
    let socket = TcpStream::connect(mock.addr()).await.map_err(|error| error.to_string())?;
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(|error| error.to_string())?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let target = format!("http://{}{path}", mock.addr());
    let request = request("POST", &target, &[("authorization", "Bearer sk-test")], body.to_string());
    let started = Instant::now();
    let response = sender.send_request(request).await.map_err(|error| format!("{error:?}"))?;
    Ok(collect(response, started.elapsed()).await)
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: String) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(target).header("host", "mock");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

async fn collect(response: http::Response<hyper::body::Incoming>, head_after: Duration) -> Got {
    let (head, mut incoming) = response.into_parts();
    let mut got = Got {
        status: head.status.as_u16(),
        headers: head.headers,
        body: Vec::new(),
        broken: false,
        stalled: false,
        head_after,
    };
    loop {
        match tokio::time::timeout(PATIENCE, incoming.frame()).await {
            Err(_) => {
                got.stalled = true;
                return got;
            }
            Ok(None) => return got,
            Ok(Some(Err(_))) => {
                got.broken = true;
                return got;
            }
            Ok(Some(Ok(frame))) => got.body.extend_from_slice(&frame.into_data().unwrap_or_default()),
        }
    }
}

/// Writes a request as raw bytes and reads until the server ends: what came, and whether by RST.
pub(crate) async fn raw(mock: &Mock, path: &str, body: &Value) -> (Vec<u8>, bool) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: mock\r\nauthorization: Bearer k\r\nanthropic-version: 2023-06-01\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(mock.addr()).await.unwrap();
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut got = Vec::new();
    loop {
        match socket.read_buf(&mut got).await {
            Ok(0) => return (got, false),
            Ok(_) => {}
            Err(error) => return (got, error.kind() == std::io::ErrorKind::ConnectionReset),
        }
    }
}
