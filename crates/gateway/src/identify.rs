//! Stage 2: a credential to a `Caller`. Whatever is wrong with a credential is answered in the same way, unless its secret was
//! right. It does not say what the caller may do.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use tollgate_policy::identity::{KeyRefusal, VirtualKey};
use tollgate_policy::key::Presented;
use tollgate_store::directory::Directory;
use tollgate_wire::fault::{Fault, FaultKind};

use crate::clock::Now;

/// Who calls.
pub struct Caller {
    /// The key that was presented, and is right.
    pub key: Arc<VirtualKey>,
}

/// Finds out who calls.
///
/// # Errors
/// Unauthorized.
pub fn caller(directory: &Directory, headers: &HeaderMap, from: IpAddr, now: Now) -> Result<Caller, Fault> {
    let text = credential(headers)
        .ok_or_else(|| unauthorized("no key was given; send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\""))?;
    // Junk is refused here: no store is asked for it.
    let presented = Presented::parse(text).ok_or_else(incorrect)?;
    let (key, digest) = directory.find(presented).ok_or_else(incorrect)?;
    key.verify(&digest, now.unix.as_secs(), from).map_err(refused)?;
    Ok(Caller { key: Arc::clone(key) })
}

/// The caller's credential, from the header that its SDK uses.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| {
        let (scheme, rest) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
    });
    let named = || {
        ["x-api-key", "api-key", "x-goog-api-key"]
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
    };
    bearer.filter(|key| !key.is_empty()).or_else(named)
}

fn refused(refusal: KeyRefusal) -> Fault {
    match refusal {
        KeyRefusal::WrongSecret => incorrect(),
        KeyRefusal::Disabled => unauthorized("this key is disabled; ask who runs this gateway for another one"),
        KeyRefusal::NotYet => unauthorized("this key is not valid yet"),
        KeyRefusal::Expired => unauthorized("this key has expired; ask who runs this gateway for another one"),
        KeyRefusal::Address => unauthorized("this key may not be used from this address"),
    }
}

fn incorrect() -> Fault {
    unauthorized("the key is not one of this gateway's; keys of providers do not open it")
}

fn unauthorized(message: &str) -> Fault {
    Fault::client(FaultKind::Unauthorized, message).with_code("invalid_api_key")
}
