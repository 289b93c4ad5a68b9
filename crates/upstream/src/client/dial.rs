//! A new connection: name, TCP, TLS, inside one timer. Does not pool and does not speak HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::fault::{TransportFault, TransportFaultKind, causes};
use super::origin::{HttpVersion, Origin, Scheme};
use super::pool::OriginPool;
use super::stream::{Carrier, Stream};

/// How long one address may stay silent before the next is tried beside it (RFC 8305, 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Silence after which the kernel asks whether the peer is still there, and the pause between its three questions.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// A connected stream, and whether the peer chose HTTP/2.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    pub(super) http2: bool,
}

/// Connects to the pool's origin, ending at `until` at the latest.
///
/// # Errors
/// `Dns`, `Refused`, `ConnectTimeout`, `Tls` or `Exhausted`; a phase that is still busy at `until` names itself, so that
/// a stalled handshake is `Tls` and a silent resolver is `Dns`.
pub(super) async fn dial(pool: &OriginPool, until: Instant) -> Result<Dialled, TransportFault> {
    let origin = pool.origin();
    let literal;
    let learned;
    let addresses: &[SocketAddr] = match origin.address() {
        Some(address) => {
            if let Some(what) = origin.reach().refusal_of_literal(address) {
                let detail = format!("{origin}: {what} may not be connected to");
                return Err(TransportFault::new(TransportFaultKind::Dns, detail));
            }
            literal = [SocketAddr::new(address, origin.port())];
            &literal
        }
        None => {
            let asked = pool.resolver().addresses(origin, pool.names());
            learned = in_time(until, asked, TransportFaultKind::Dns, origin, "name look-up").await??;
            &learned
        }
    };
    let connected = in_time(until, race(addresses), TransportFaultKind::ConnectTimeout, origin, "tcp connect").await;
    let tcp = match connected {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => {
            pool.resolver().doubt();
            return Err(TransportFault::of_connect(&error));
        }
        Err(late) => {
            pool.resolver().doubt();
            return Err(late);
        }
    };
    match origin.scheme() {
        Scheme::Http => Ok(Dialled {
            stream: Stream::new(Carrier::Plain(tcp)),
            http2: origin.http() == HttpVersion::Http2,
        }),
        Scheme::Https => in_time(until, secure(pool, tcp), TransportFaultKind::Tls, origin, "tls handshake").await?,
    }
}

async fn in_time<T>(
    until: Instant,
    step: impl Future<Output = T>,
    late: TransportFaultKind,
    origin: &Origin,
    name: &str,
) -> Result<T, TransportFault> {
    timeout_at(until, step)
        .await
        .map_err(|_| TransportFault::new(late, format!("{origin}: {name} was not done when the connect timer ended")))
}

/// The first of `addresses` that takes a connection; each gets a head start on the next.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    if let [only] = addresses {
        return connect(*only).await;
    }
    let mut waiting = addresses.iter();
    let mut running = JoinSet::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let patience = match waiting.next() {
            Some(&address) => {
                running.spawn(connect(address));
                NEXT_ADDRESS_AFTER
            }
            None => Duration::MAX,
        };
        match timeout(patience, running.join_next()).await {
            Ok(Some(Ok(Ok(tcp)))) => return Ok(tcp),
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(lost))) => failure = io::Error::other(lost),
            Ok(None) => return Err(failure),
            Err(_) => {}
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(3);
    SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
    Ok(tcp)
}

async fn secure(pool: &OriginPool, tcp: TcpStream) -> Result<Dialled, TransportFault> {
    let origin = pool.origin();
    let failed = |detail: String| TransportFault::new(TransportFaultKind::Tls, format!("{origin}: {detail}"));
    let config = pool.tls_config().await.map_err(failed)?;
    let tls = TlsConnector::from(config)
        .connect(origin.server_name().clone(), tcp)
        .await
        .map_err(|error| failed(causes(&error)))?;
    let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    if !http2 && origin.http() == HttpVersion::Http2 {
        return Err(failed("the server does not speak http/2; set its http version to auto".to_owned()));
    }
    Ok(Dialled {
        stream: Stream::new(Carrier::Tls(Box::new(tls))),
        http2,
    })
}
