//! TLS: who is believed and who is not (F03), and that nothing is ever sent in the clear instead.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::TransportFaultKind as Kind;
use super::*;

/// A certificate authority that the client believes, because its PEM file is named in the settings.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: PathBuf,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.pem);
    }
}

impl Authority {
    pub(super) fn new() -> Authority {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("test authority {number}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pem = std::env::temp_dir().join(format!("tollgate-test-ca-{}-{number}.pem", std::process::id()));
        std::fs::write(&pem, issuer.pem()).unwrap();
        Authority { issuer, pem }
    }

    pub(super) fn settings(&self) -> ClientSettings {
        ClientSettings::new(Arc::new(Tls::new(Some(&self.pem)).unwrap()))
    }

    /// Settings of a server named `name`, with a certificate that ends in `last_year`.
    pub(super) fn server(&self, name: &str, last_year: i32, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

/// Answers every request over TLS.
fn answering(config: Arc<ServerConfig>) -> Server {
    Server::start(move |tcp, _| {
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        while read_request(&mut tls).is_some() {
            tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        }
    })
}

fn named(server: &Server, host: &str) -> Origin {
    origin(&format!("https://{host}:{}", server.address.port()), HttpVersion::Auto)
}

#[tokio::test]
async fn f03_only_a_valid_certificate_for_the_host_is_believed() {
    let ours = Authority::new();
    let theirs = Authority::new();
    let rows = [
        ("valid name", ours.server("localhost", 2100, &[]), "localhost", None),
        ("valid address", ours.server("127.0.0.1", 2100, &[]), "127.0.0.1", None),
        ("expired", ours.server("localhost", 2021, &[]), "localhost", Some("expired")),
        (
            "wrong host",
            ours.server("api.example", 2100, &[]),
            "localhost",
            Some("not valid for"),
        ),
        (
            "unknown issuer",
            theirs.server("localhost", 2100, &[]),
            "localhost",
            Some("UnknownIssuer"),
        ),
    ];
    for (name, config, host, complaint) in rows {
        let server = answering(config);
        let answered = fetch(&Client::new(ours.settings()), &named(&server, host), &timeouts()).await;
        match complaint {
            None => assert_eq!(answered.unwrap().0, 200, "{name}"),
            Some(complaint) => {
                let fault = answered.unwrap_err();
                assert_eq!((fault.kind, fault.response_bytes), (Kind::Tls, false), "{name}: {fault}");
                assert!(fault.detail.contains(complaint), "{name}: {fault}");
            }
        }
    }
}

#[tokio::test]
async fn f03_without_our_own_authority_only_the_public_ones_are_believed() {
    let ours = Authority::new();
    let server = answering(ours.server("localhost", 2100, &[]));
    let fault = fetch(&client(), &named(&server, "localhost"), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Tls, "{fault}");
}

#[tokio::test]
async fn f03_a_stalled_handshake_ends_at_the_connect_timer() {
    let server = Server::start(|mut tcp, _| {
        wait_for_close(&mut tcp);
    });
    let limits = Timeouts {
        connect: Duration::from_millis(200),
        ..timeouts()
    };
    let start = Instant::now();
    let fault = send(&client(), &named(&server, "127.0.0.1"), &limits).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Tls, "{fault}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn f03_a_server_without_tls_is_told_nothing() {
    let (seen, was_seen) = std::sync::mpsc::sync_channel(8);
    let server = Server::start(move |mut tcp, _| {
        let mut bytes = [0; 16 * 1024];
        let length = tcp.read(&mut bytes).unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        seen.send(bytes[..length].to_vec()).unwrap();
    });
    let fault = send(&client(), &named(&server, "127.0.0.1"), &timeouts()).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Tls, "{fault}");
    let seen = was_seen.recv_timeout(LONG).unwrap();
    assert!(
        !seen.windows(5).any(|bytes| bytes == b"hello" || bytes == b"POST "),
        "a handshake, not a request"
    );
    assert_eq!(server.connections(), 1, "and no second try in the clear");
}

#[tokio::test]
async fn a_tls_connection_is_kept_and_cut_short_like_any_other() {
    let ours = Authority::new();
    let config = ours.server("localhost", 2100, &[b"http/1.1"]);
    let server = Server::start(move |tcp, _| {
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        read_request(&mut tls);
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        read_request(&mut tls);
        // No close_notify: the end of the connection must not pass for the end of the body.
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").unwrap();
    });
    let client = Client::new(ours.settings());
    let origin = named(&server, "localhost");
    assert_eq!(fetch(&client, &origin, &timeouts()).await.unwrap().0, 200);
    let fault = fetch(&client, &origin, &timeouts()).await.unwrap_err();
    assert_eq!((fault.kind, server.connections()), (Kind::Truncated, 1), "{fault}");
}

#[test]
fn authorities_that_cannot_be_read_are_refused_when_configured() {
    let path = std::env::temp_dir().join(format!("tollgate-test-not-a-ca-{}.pem", std::process::id()));
    assert!(Tls::new(Some(&path)).unwrap_err().to_string().contains("not-a-ca"));
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(Tls::new(Some(&path)).is_err(), "{text:?}");
    }
    std::fs::remove_file(&path).unwrap();
}
