//! Scalars that name places on the network: addresses, base URLs, networks and the way a credential is sent. It opens no connection and
//! resolves no name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Complaint, shown, text_format};

/// Where a listener binds: an IP address and a port, `127.0.0.1:8080` or `[::1]:8080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(SocketAddr);

text_format!(
    Address,
    "listen-address",
    "an IP address and a port",
    ["127.0.0.1:8080", "[::1]:8080"]
);

impl Address {
    /// A port of 127.0.0.1.
    #[must_use]
    pub const fn loopback(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The socket address.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.0
    }

    /// Whether anything but this machine can reach it.
    #[must_use]
    pub fn is_public(self) -> bool {
        !self.0.ip().to_canonical().is_loopback()
    }

    /// Reads `127.0.0.1:8080`.
    ///
    /// # Errors
    /// When it is a host name, a bare port or no address at all.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let reason = || format!("\"{}\" is not an IP address and a port", shown(text));
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Err(Complaint::new(
                format!("{} has no port", shown(text)),
                format!("write {}", SocketAddr::new(ip, 8080)),
            ));
        }
        let port = |rest: &str| rest.parse::<u16>().ok();
        if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
            return Err(Complaint::new(reason(), format!("write 127.0.0.1:{port}")));
        }
        if let Some(port) = port(text.trim_start_matches([':', '*'])) {
            return Err(Complaint::new(
                reason(),
                format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for every network"),
            ));
        }
        Err(Complaint::new(reason(), "write for example 127.0.0.1:8080"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An http or https origin, with or without a path prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(url::Url);

text_format!(
    BaseUrl,
    "base-url",
    "an http or https origin, a path prefix allowed: what the official SDK of the dialect calls base URL",
    ["https://api.openai.com/v1", "http://10.0.0.5:8000/v1"]
);

/// Paths that belong to a call, not to the base URL.
const CALL_PATHS: [&str; 4] = ["/chat/completions", "/completions", "/v1/messages", "/responses"];

impl BaseUrl {
    /// The URL; without user, query and fragment.
    #[must_use]
    pub const fn get(&self) -> &url::Url {
        &self.0
    }

    /// Whether what is sent there crosses a network unencrypted.
    #[must_use]
    pub fn is_unencrypted(&self) -> bool {
        let loopback = match self.0.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        self.0.scheme() == "http" && !loopback
    }

    /// Reads `https://host[:port][/prefix]`.
    ///
    /// # Errors
    /// When it is not http or https, has no host, or has a user, a query, a fragment or the path of a call.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let example = "write for example https://api.openai.com/v1";
        let refuse = |reason: &str| Err(Complaint::new(reason, example));
        // The text is not quoted: it may hold a password or a token.
        let Ok(url) = text.parse::<url::Url>() else {
            return refuse(if text.contains("://") {
                "this is not a URL"
            } else {
                "the URL has no scheme"
            });
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse(if text.contains("://") {
                "only http and https are spoken"
            } else {
                "the URL has no scheme"
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Complaint::new(
                "a URL holds no user or password",
                "put the secret under credentials, as env:NAME",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("a base URL has no query and no fragment");
        }
        let path = url.path().trim_end_matches('/');
        if let Some(call) = CALL_PATHS.iter().find(|call| path.ends_with(*call)) {
            let mut base = url.clone();
            base.set_path(path.strip_suffix(call).unwrap_or(path));
            let base = base.as_str().trim_end_matches('/');
            return Err(Complaint::new(
                format!("{call} is the path of a call, not of the base URL"),
                format!("write {base}"),
            ));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a credential is sent to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer,
    /// In the header of this name, lowercase.
    Header(String),
    /// Not at all: the endpoint asks for none.
    None,
}

text_format!(
    Auth,
    "auth-kind",
    "how a credential is sent: bearer, header:NAME or none",
    ["bearer", "header:x-api-key", "none"]
);

/// Ways of the contract that this version does not know yet.
const AUTH_NOT_YET: [&str; 3] = ["aws", "gcp", "entra"];

impl Auth {
    /// Reads `bearer`, `header:NAME` or `none`.
    ///
    /// # Errors
    /// When it is none of them, not yet supported, or NAME is not a header's name.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let known = "write bearer, header:NAME or none";
        if let Some(name) = text.strip_prefix("header:") {
            let Ok(name) = name.trim().parse::<http::HeaderName>() else {
                return Err(Complaint::new(
                    format!("\"{}\" is not the name of a header", shown(name)),
                    "write for example header:x-api-key",
                ));
            };
            return Ok(Self::Header(name.as_str().to_owned()));
        }
        match text {
            "bearer" => Ok(Self::Bearer),
            "none" => Ok(Self::None),
            _ if AUTH_NOT_YET.contains(&text) => Err(Complaint::new(format!("auth \"{text}\" is not yet supported"), known)),
            _ => Err(Complaint::new(
                format!("\"{}\" is not a way to send a credential", shown(text)),
                known,
            )),
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::None => f.write_str("none"),
        }
    }
}

/// A network, or one address: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix_bits: u8,
}

text_format!(
    IpRange,
    "ip-range",
    "an IP address, or a network as address/bits",
    ["10.0.0.0/8", "192.0.2.7"]
);

impl IpRange {
    /// Whether the address lies in this network. An IPv4 address that arrives as `::ffff:a.b.c.d` counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.network.is_ipv4() && masked(ip, self.prefix_bits) == masked(self.network, self.prefix_bits)
    }

    /// Reads `10.0.0.0/8` or `192.0.2.7`.
    ///
    /// # Errors
    /// When the address or the bits are not right, or the address has bits set behind the network's.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let complain = || {
            Complaint::new(
                format!("\"{}\" is not an IP address or network", shown(text)),
                "write for example 10.0.0.0/8 or 192.0.2.7",
            )
        };
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let network: IpAddr = address.parse().map_err(|_| complain())?;
        let bits_max = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(complain)?,
            None => bits_max,
        };
        let range = Self { network, prefix_bits };
        let start = masked(network, prefix_bits);
        if start != bits_of(network) {
            return Err(Complaint::new(
                format!("{} has bits set behind its /{prefix_bits}", shown(text)),
                format!(
                    "write {}",
                    Self {
                        network: from_bits(start, network),
                        prefix_bits
                    }
                ),
            ));
        }
        Ok(range)
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

/// The address's bits, at the upper end of 128.
fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The inverse of [`bits_of`], in the family of `like`.
fn from_bits(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap_or(0))),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

/// The address's bits with all behind the prefix cleared.
fn masked(ip: IpAddr, prefix_bits: u8) -> u128 {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
    bits_of(ip) & mask
}
