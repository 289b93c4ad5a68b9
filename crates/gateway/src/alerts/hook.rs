//! Where alerts are posted, and what signs them. An address is judged twice: here as it is written, and by the client as it is resolved
//! (FAULTS R-B2), which alone decides.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tollgate_upstream::client::{HttpVersion, Origin, Reach, Scheme};

use crate::config::units::Complaint;
use crate::config::{World, raw};

/// The shortest secret (FAULTS R-A7).
pub const SECRET_BYTES_MIN: usize = 32;

/// A webhook. Shows its origin only: the path may be a secret, too.
pub struct Hook {
    pub(super) origin: Origin,
    pub(super) path: String,
    key: Hmac<Sha256>,
}

impl Hook {
    /// A hook at an address, which may be on this machine or a private network only where `allow_private` says so.
    ///
    /// # Errors
    /// When nothing may be posted there, or the secret is too short.
    pub fn new(url: &url::Url, secret: &str, allow_private: bool) -> Result<Self, Complaint> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(complaint(
                format!("the secret is shorter than {SECRET_BYTES_MIN} characters"),
                "use 32 or more random characters, for example from: openssl rand -hex 24",
            ));
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self {
            origin: origin(url, allow_private)?,
            path: format!("{}{query}", url.path()),
            // A key of any length will do for HMAC.
            key: Hmac::new_from_slice(secret.as_bytes()).map_err(|error| complaint(error.to_string(), "use another secret"))?,
        })
    }

    /// The hook of a config.
    ///
    /// # Errors
    /// As [`Hook::new`], or when the secret cannot be read.
    pub fn of(webhook: &raw::Webhook, world: &World<'_>) -> Result<Self, Complaint> {
        let secret = webhook.secret.resolve(world)?;
        Self::new(webhook.url.get(), secret.expose(), webhook.allow_private)
    }

    /// `t=<seconds since 1970>,v1=<HMAC-SHA-256 of "t.body">`.
    pub(super) fn signature(&self, unix_s: u64, body: &[u8]) -> String {
        let mut mac = self.key.clone();
        mac.update(unix_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        let code = mac.finalize().into_bytes();
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={unix_s},v1={hex}")
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.origin)
    }
}

/// The origin of a hook. It is spoken to over TLS; in the clear only at a loopback address that is written as such, where `allow_private`
/// says so, too.
///
/// # Errors
/// When nothing may be posted there.
pub fn origin(url: &url::Url, allow_private: bool) -> Result<Origin, Complaint> {
    let reach = if allow_private { Reach::Private } else { Reach::Public };
    let origin = Origin::from_url(url, HttpVersion::Auto)
        .map_err(|error| complaint(error.to_string(), "write for example https://hooks.example.com/tollgate"))?
        .within(reach);
    let address = origin.address();
    let is_loopback = address.is_some_and(|address| address.to_canonical().is_loopback());
    if origin.scheme() == Scheme::Http && !is_loopback {
        return Err(complaint(
            "alerts would cross the network unencrypted",
            "use https; http is for a loopback address such as http://127.0.0.1:9000 alone",
        ));
    }
    if let Some((address, what)) = address.and_then(|address| Some((address, reach.refusal_of_literal(address)?))) {
        let remedy = match Reach::Private.refusal_of_literal(address) {
            None => "name a public address, or add allow_private: true",
            Some(_) => "name another address",
        };
        return Err(complaint(format!("{address} is {what}"), remedy));
    }
    Ok(origin)
}

fn complaint(reason: impl Into<String>, remedy: &str) -> Complaint {
    Complaint {
        reason: reason.into(),
        remedy: Some(remedy.to_owned()),
    }
}
