//! Providers that misbehave where the simulated ones cannot: below HTTP, or in TLS. They listen on 127.0.0.1 only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A server of canned bytes.
pub struct Canned {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Canned {
    /// Reads one request from each connection, sends these bytes and closes.
    pub async fn start(reply: Vec<u8>) -> Self {
        Self::serve(reply, None).await
    }

    /// The same inside TLS.
    pub async fn start_tls(reply: Vec<u8>, config: Arc<ServerConfig>) -> Self {
        Self::serve(reply, Some(TlsAcceptor::from(config))).await
    }

    async fn serve(reply: Vec<u8>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (count, reply) = (Arc::clone(&seen), Arc::new(reply));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (count, reply, tls) = (Arc::clone(&count), Arc::clone(&reply), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => answer(stream, &reply, &count).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &reply, &count).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            seen,
            _serving: serving,
        }
    }

    /// Requests that were read whole.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, reply: &[u8], count: &AtomicUsize) {
    let mut head = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if is_whole(&head) {
            break;
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    let _ = stream.write_all(reply).await;
    let _ = stream.shutdown().await;
}

/// Whether the bytes are a request with all of its body, told by `content-length`.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    length.unwrap_or(0) <= body.len()
}

/// A head and a JSON body.
#[must_use]
pub fn json_reply(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// A small answer of OpenAI Chat Completions.
#[must_use]
pub fn small_answer() -> String {
    serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "canned",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "canned"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    })
    .to_string()
}

/// A certificate authority of the tests' own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes keys: no default value of anything")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// Its certificate, to be trusted.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// TLS for a server of that name, valid until this year.
    #[must_use]
    pub fn server(&self, name: &str, until_year: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        Arc::new(config.unwrap())
    }
}

/// A listener that takes connections from the network no more: its backlog is full, so that a further SYN is not answered.
pub struct Full {
    /// Its address.
    pub address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<TcpStream>,
}

impl Full {
    /// Makes one.
    pub async fn start() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            waiting.push(stream);
            assert!(waiting.len() < 64, "this kernel has no full backlog");
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

/// A listener whose connections are taken by the kernel and by nobody else: handshakes stall.
pub struct Stalled {
    /// Its address.
    pub address: SocketAddr,
    _listener: TcpListener,
}

impl Stalled {
    /// Makes one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            address,
            _listener: listener,
        }
    }
}

/// A name server: `good.test` is 127.0.0.1, `slow.test` too, but that takes it 30 seconds, and of every other name it knows nothing
/// but that it has failed.
pub struct Names {
    /// Where it listens, at port 53.
    pub address: std::net::IpAddr,
    _serving: JoinSet<()>,
}

impl Names {
    /// Starts it.
    ///
    /// # Errors
    /// Where nobody but root may listen at port 53.
    pub async fn start() -> std::io::Result<Self> {
        let address = std::net::IpAddr::from([127, 0, 53, 53]);
        let socket = Arc::new(tokio::net::UdpSocket::bind((address, 53)).await?);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut slow = JoinSet::new();
            let mut buffer = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
                let (question, socket) = (buffer[..count].to_vec(), Arc::clone(&socket));
                slow.spawn(async move {
                    if question.get(12..).is_some_and(|name| name.starts_with(b"\x04slow")) {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                    }
                    let _ = socket.send_to(&named(&question), from).await;
                });
            }
        });
        Ok(Self {
            address,
            _serving: serving,
        })
    }
}

/// The answer to a question (RFC 1035, 4): the question itself, and an address if it is for one of IPv4.
fn named(question: &[u8]) -> Vec<u8> {
    let name = question[12..].iter().position(|byte| *byte == 0).unwrap();
    let end = 12 + name + 5;
    let known = [b"\x04good".as_slice(), b"\x04slow"]
        .iter()
        .any(|name| question[12..].starts_with(name));
    let answers = u8::from(known && question[end - 3] == 1);
    // An answer, recursion available; SERVFAIL where nothing is known.
    let flags = [0x81, if known { 0x80 } else { 0x82 }];
    let mut answer = [&question[..2], &flags, &[0, 1, 0, answers, 0, 0, 0, 0], &question[12..end]].concat();
    if answers == 1 {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// A provider of OpenAI's dialect whose streams never end and are sent as fast as they are taken. It holds next to no memory.
pub struct Endless {
    /// Where it listens.
    pub address: SocketAddr,
    pouring: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Endless {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pouring = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&pouring);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                open.spawn(async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    pour(stream).await;
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            pouring,
            _serving: serving,
        }
    }

    /// Streams that go on.
    #[must_use]
    pub fn open(&self) -> usize {
        self.pouring.load(Ordering::SeqCst)
    }
}

async fn pour(mut stream: TcpStream) {
    let mut buffer = vec![0; 16 << 10];
    let Ok(1..) = stream.read(&mut buffer).await else { return };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let event = serde_json::json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "endless",
        "choices": [{"index": 0, "delta": {"content": "x".repeat(1000)}, "finish_reason": null}]});
    let event = format!("data: {event}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len()).repeat(16);
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    while stream.write_all(chunk.as_bytes()).await.is_ok() {}
}
