//! The door against scripted servers on real sockets: one connection, one thread, one script.

#![expect(clippy::unwrap_used, reason = "tests")]

mod faults;
mod heads;
mod http2;
mod pool;
mod reach;
mod tls;
mod whole;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use super::{AnswerBody, Client, ClientSettings, HttpVersion, Origin, Timeouts, TransportFault, collect};
use crate::tls::Tls;

/// Longer than anything that is expected to happen takes.
const LONG: Duration = Duration::from_secs(10);

/// A server whose every connection runs the same script.
struct Server {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    /// `script` gets the connection and its number, from 0.
    fn start(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
        };
        let accepted = Arc::clone(&server.accepted);
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(tcp, number));
            }
        });
        server
    }

    /// A server that answers every request on a connection with these bytes.
    fn answering(answer: impl Into<Vec<u8>>) -> Server {
        let answer = answer.into();
        Server::start(move |mut tcp, _| {
            while read_request(&mut tcp).is_some() {
                if tcp.write_all(&answer).is_err() {
                    return;
                }
            }
        })
    }

    fn origin(&self) -> Origin {
        origin(&format!("http://{}", self.address), HttpVersion::Auto)
    }

    fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

fn origin(url: &str, http: HttpVersion) -> Origin {
    Origin::parse(url, http).unwrap()
}

fn client() -> Client {
    Client::new(settings())
}

fn settings() -> ClientSettings {
    ClientSettings::new(Arc::new(Tls::new(None).unwrap()))
}

fn timeouts() -> Timeouts {
    Timeouts {
        connect: LONG,
        first_byte: LONG,
        idle: LONG,
        total: LONG,
        min_rate: None,
    }
}

fn request(body: &'static str) -> Request<Bytes> {
    Request::post("/v1/chat/completions")
        .header("x-test", "1")
        .body(Bytes::from_static(body.as_bytes()))
        .unwrap()
}

/// One exchange up to the head of its answer.
async fn send(client: &Client, origin: &Origin, timeouts: &Timeouts) -> Result<Response<AnswerBody>, TransportFault> {
    let deadline = std::time::Instant::now() + timeouts.total;
    client.send(origin, request("hello"), timeouts, deadline).await
}

/// One exchange to its end.
async fn fetch(client: &Client, origin: &Origin, timeouts: &Timeouts) -> Result<(u16, Bytes), TransportFault> {
    let answer = send(client, origin, timeouts).await?;
    let status = answer.status().as_u16();
    Ok((status, collect(answer.into_body(), 1 << 20).await?))
}

/// Reads one request, with its body if it announces one; `None` when the peer is gone.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0_u8];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.extend_from_slice(&byte);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?
        .parse()
        .unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

/// Waits until the peer has closed or reset the connection; how long that took.
fn wait_for_close(tcp: &mut TcpStream) -> Duration {
    let start = std::time::Instant::now();
    tcp.set_read_timeout(Some(LONG)).unwrap();
    let mut bytes = [0_u8; 1024];
    while let Ok(1..) = tcp.read(&mut bytes) {}
    start.elapsed()
}

/// Makes closing the socket send a reset.
fn reset(tcp: TcpStream) {
    socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    drop(tcp);
}
