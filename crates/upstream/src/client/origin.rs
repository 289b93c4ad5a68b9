//! Where a connection goes: scheme, host and port, parsed once from the config's `base_url`.
//!
//! A path in the base URL belongs to the provider's addresses, not to the origin; it is ignored here. One parser (the
//! `url` crate) decides what the host is, and that same value is resolved, connected to, verified and sent as `host`.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::reach::Reach;

/// A place that connections go to. Cheap to clone and to hash; equal when scheme, host, port, HTTP version and reach are.
#[derive(Clone)]
pub struct Origin(Arc<Place>, Reach);

struct Place {
    scheme: Scheme,
    host: Box<str>,
    address: Option<IpAddr>,
    port: u16,
    http: HttpVersion,
    authority: Authority,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
    hash: u64,
}

/// How bytes travel: in the clear or over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain TCP: only for providers that the operator runs beside the gateway.
    Http,
    /// TLS, always with the peer's certificate verified.
    Https,
}

/// Which HTTP versions an origin may be spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// Over TLS: HTTP/2 when the server picks it in ALPN, HTTP/1.1 otherwise. In the clear: HTTP/1.1.
    ///
    /// HTTP/2 costs some microseconds more per small call, but a burst shares one handshake, and a caller who leaves
    /// costs one RST_STREAM frame instead of a connection.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; in the clear with prior knowledge (h2c).
    Http2,
}

/// Why a base URL names no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Not an absolute URL; holds the parser's reason.
    NotAUrl(String),
    /// A scheme other than `http` and `https`; holds it.
    Scheme(String),
    /// A host that no request can name.
    Host,
    /// A user name or password in the URL: credentials are configured beside it, never inside it.
    UserInfo,
}

impl Origin {
    /// The origin of `base_url`, such as `https://api.openai.com/v1`.
    ///
    /// # Errors
    /// [`OriginError`] when the text is not an absolute `http` or `https` URL without user info.
    pub fn parse(base_url: &str, http: HttpVersion) -> Result<Origin, OriginError> {
        let url = Url::parse(base_url).map_err(|error| OriginError::NotAUrl(error.to_string()))?;
        Origin::from_url(&url, http)
    }

    /// The origin of a URL that is parsed already.
    ///
    /// # Errors
    /// As [`Origin::parse`].
    pub fn from_url(url: &Url, http: HttpVersion) -> Result<Origin, OriginError> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(OriginError::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo);
        }
        let host = url.host().ok_or(OriginError::Host)?;
        let port = url.port_or_known_default().ok_or(OriginError::Host)?;
        let shown = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let (host, address) = match host {
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
        };
        let server_name = match address {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|_| OriginError::Host)?,
        };
        let mut hasher = DefaultHasher::new();
        (scheme, &host, port, http).hash(&mut hasher);
        Ok(Origin(
            Arc::new(Place {
                scheme,
                address,
                port,
                http,
                authority: Authority::try_from(shown.as_str()).map_err(|_| OriginError::Host)?,
                host_header: HeaderValue::try_from(shown).map_err(|_| OriginError::Host)?,
                server_name,
                hash: hasher.finish(),
                host: host.into(),
            }),
            Reach::default(),
        ))
    }

    /// The same origin, whose connections go no further than that. It shares none with the origin of another reach.
    #[must_use]
    pub fn within(self, reach: Reach) -> Origin {
        Origin(self.0, reach)
    }

    /// How far connections may go.
    pub fn reach(&self) -> Reach {
        self.1
    }

    /// In the clear or over TLS.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The host: a name in lower case (punycode where international), or an address without brackets.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Which HTTP versions may be spoken.
    pub fn http(&self) -> HttpVersion {
        self.0.http
    }

    /// Whether both are the same scheme, host and port, whatever HTTP version is spoken: what a credential is bound to.
    pub fn is_same_place(&self, other: &Origin) -> bool {
        let (a, b) = (&self.0, &other.0);
        Arc::ptr_eq(a, b) || (a.scheme == b.scheme && a.port == b.port && a.host == b.host)
    }

    /// The address, where the host is written as one.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.0.host_header
    }

    pub(super) fn server_name(&self) -> &ServerName<'static> {
        &self.0.server_name
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Origin) -> bool {
        self.is_same_place(other) && self.0.http == other.0.http && self.1 == other.1
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self}, {:?})", self.0.http)
    }
}

/// `https://api.openai.com`, the port only where it is not the scheme's own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.0.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.0.authority)
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginError::NotAUrl(reason) => {
                write!(f, "not an absolute url ({reason}); write it like https://api.openai.com/v1")
            }
            OriginError::Scheme(scheme) => write!(f, "scheme {scheme:?} is not spoken; use https or http"),
            OriginError::Host => f.write_str("the url names no usable host; write it like https://api.openai.com/v1"),
            OriginError::UserInfo => f.write_str("the url holds a user name or password; take it out and configure the key beside it"),
        }
    }
}

impl std::error::Error for OriginError {}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn base_urls_become_origins() {
        for (base_url, shown, port) in [
            ("https://api.openai.com/v1", "https://api.openai.com", 443),
            ("https://API.OpenAI.com:443/v1/", "https://api.openai.com", 443),
            ("http://localhost:11434", "http://localhost:11434", 11434),
            ("http://[::1]:8080/x", "http://[::1]:8080", 8080),
            // Every spelling of an address is the address: nothing later sees another one than was checked.
            ("http://0x7f.1/", "http://127.0.0.1", 80),
            ("http://2130706433/", "http://127.0.0.1", 80),
            ("https://bücher.example/", "https://xn--bcher-kva.example", 443),
            ("https://a.example\\@b.example/", "https://a.example", 443),
        ] {
            let origin = Origin::parse(base_url, HttpVersion::Auto).unwrap();
            assert_eq!((origin.to_string().as_str(), origin.port()), (shown, port), "{base_url}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (base_url, error) in [
            ("ftp://a.example", OriginError::Scheme("ftp".to_owned())),
            ("https://user@a.example", OriginError::UserInfo),
            ("https://:pass@a.example", OriginError::UserInfo),
            ("api.openai.com/v1", OriginError::NotAUrl("relative URL without a base".to_owned())),
            ("https://", OriginError::NotAUrl("empty host".to_owned())),
        ] {
            assert_eq!(Origin::parse(base_url, HttpVersion::Auto).unwrap_err(), error, "{base_url}");
        }
    }

    #[test]
    fn the_same_place_is_scheme_host_and_port() {
        let origin = |url: &str, http| Origin::parse(url, http).unwrap();
        let here = origin("https://a.example/v1", HttpVersion::Auto);
        assert!(here.is_same_place(&origin("https://a.example:443/v2", HttpVersion::Http1)));
        assert_ne!(
            here,
            origin("https://a.example", HttpVersion::Http1),
            "another version is another pool"
        );
        for elsewhere in [
            "http://a.example:443",
            "https://a.example:444",
            "https://b.a.example",
            "https://a.example.",
        ] {
            assert!(!here.is_same_place(&origin(elsewhere, HttpVersion::Auto)), "{elsewhere}");
        }
    }
}
