//! Whom we believe: the certificate roots and the TLS settings of every connection to a provider.
//!
//! rustls over aws-lc-rs. There is no way here to skip verification, and none to fall back to plain text. The roots are
//! read when the first `https` connection is made (or by [`Tls::warm`]), because reading them takes longer than the
//! whole start of the gateway should.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::client::HttpVersion;

/// TLS for all clients of the process; share one in an `Arc`.
pub struct Tls {
    extra: Vec<CertificateDer<'static>>,
    configs: OnceLock<Result<Configs, String>>,
}

/// Same roots and session cache, different ALPN offers.
struct Configs {
    auto: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// Why the extra certificate authorities cannot be used.
#[derive(Debug)]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

impl Tls {
    /// The operating system's roots (Mozilla's compiled-in ones where it has none), and those in the PEM file
    /// `extra_ca_pem`, for providers behind a company's own authority.
    ///
    /// # Errors
    /// When the PEM file cannot be read or holds no certificate.
    pub fn new(extra_ca_pem: Option<&Path>) -> Result<Tls, TlsError> {
        let extra = match extra_ca_pem {
            Some(path) => read_pem(path)?,
            None => Vec::new(),
        };
        Ok(Tls {
            extra,
            configs: OnceLock::new(),
        })
    }

    /// Reads the roots now, on this thread (some milliseconds of file reading), so that no request has to wait for it.
    pub fn warm(&self) {
        let _ = self.configs();
    }

    /// Whether the roots were read already.
    pub(crate) fn is_warm(&self) -> bool {
        self.configs.get().is_some()
    }

    pub(crate) fn config(&self, http: HttpVersion) -> Result<Arc<ClientConfig>, String> {
        let configs = self.configs().as_ref().map_err(Clone::clone)?;
        Ok(Arc::clone(match http {
            HttpVersion::Auto => &configs.auto,
            HttpVersion::Http1 => &configs.http1,
            HttpVersion::Http2 => &configs.http2,
        }))
    }

    fn configs(&self) -> &Result<Configs, String> {
        self.configs.get_or_init(|| build(&self.extra))
    }
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError {
        path: path.to_owned(),
        reason,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() {
        return Err(failed("holds no certificate".to_owned()));
    }
    // A certificate that no chain can end in is a mistake to be told now, not at the first handshake.
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| failed(error.to_string()))?;
    }
    Ok(certificates)
}

fn build(extra: &[CertificateDer<'static>]) -> Result<Configs, String> {
    let mut roots = RootCertStore::empty();
    // A system store may hold certificates that webpki refuses (old, odd): those are left out, as everywhere.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra.iter().cloned());

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let base = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let offering = |protocols: &[&[u8]]| {
        let mut config = base.clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    };
    Ok(Configs {
        auto: offering(&[b"h2", b"http/1.1"]),
        http1: offering(&[b"http/1.1"]),
        http2: offering(&[b"h2"]),
    })
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("extra", &self.extra.len())
            .field("warm", &self.is_warm())
            .finish()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "certificate authorities in {}: {}; name a readable PEM file with CERTIFICATE blocks",
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for TlsError {}
