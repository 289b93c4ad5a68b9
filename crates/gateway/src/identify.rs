//! Stage 2: a credential to a `Caller`: a key of ours, or a token of an identity provider. Whatever is wrong with a credential is
//! answered in the same way, unless its secret was right. It does not say what the caller may do.

mod caller;
pub mod jwks;
mod label;
pub mod token;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tollgate_policy::identity::KeyRefusal;
use tollgate_policy::key::Presented;
use tollgate_policy::labels::Label;
use tollgate_store::directory::Directory;
use tollgate_upstream::client::Client;
use tollgate_wire::fault::{Fault, FaultKind};

pub use caller::{Bearer, Caller};
use token::{Issuers, TokenRefusal};

use crate::clock::Now;

/// Where SDKs put a key that is no bearer token.
static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Where credentials are looked up.
#[derive(Clone, Copy)]
pub struct Doors<'a> {
    /// The keys, teams and users.
    pub directory: &'a Directory,
    /// The identity providers whose tokens are believed.
    pub issuers: &'a Issuers,
    /// The lowest labels of what is sent for features, by their names.
    pub features: &'a HashMap<String, Label>,
    /// What their keys are fetched over.
    pub client: &'a Client,
}

/// Finds out who calls.
///
/// # Errors
/// Unauthorized; Forbidden or Malformed for what is said about the caller beside the credential.
pub async fn caller(doors: Doors<'_>, headers: &HeaderMap, from: IpAddr, now: Now) -> Result<Caller, Fault> {
    let text = credential(headers)
        .ok_or_else(|| unauthorized("no key was given; send it as \"Authorization: Bearer KEY\" or \"x-api-key: KEY\""))?;
    if !doors.issuers.is_empty() && token::is_token(text) {
        // Boxed: it is large and rare, and the way of a key should not carry it.
        return Box::pin(by_token(doors, text, headers, from, now)).await;
    }
    // Junk is refused here: no store is asked for it.
    let presented = Presented::parse(text).ok_or_else(incorrect)?;
    let (key, digests) = doors.directory.find(presented).ok_or_else(incorrect)?;
    let opened = key
        .verify(&digests, now.unix.as_secs(), from)
        .map_err(|refusal| refused(refusal, "key"))?;
    Caller::of_key(Arc::clone(key), opened, headers, doors.features)
}

async fn by_token(doors: Doors<'_>, text: &str, headers: &HeaderMap, from: IpAddr, now: Now) -> Result<Caller, Fault> {
    let subject = doors.issuers.subject(doors.client, text, now).await.map_err(|refusal| {
        let message = match refusal {
            // Said only of a token whose signature is right.
            TokenRefusal::Expired | TokenRefusal::TooOld => "the token has expired; get a new one from your identity provider",
            TokenRefusal::NoSubject => "the token gives you no team here; ask who runs this gateway",
            _ => "the token is not valid here; get a new one from your identity provider",
        };
        unauthorized(message).with_cause(refusal.to_string())
    })?;
    let bearer = Bearer::link(&subject, doors.directory)?;
    bearer.verify(from).map_err(|refusal| refused(refusal, "token"))?;
    Caller::of_token(Arc::new(bearer), headers, doors.features)
}

/// The caller's credential, from the header that its SDK uses.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| {
        let (scheme, rest) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
    });
    let named = || KEY_HEADERS.iter().find_map(|name| headers.get(name)?.to_str().ok());
    bearer.filter(|key| !key.is_empty()).or_else(named)
}

/// Only for whom the secret was right.
pub(crate) fn refused(refusal: KeyRefusal, what: &str) -> Fault {
    let message = match refusal {
        KeyRefusal::WrongSecret => return incorrect(),
        KeyRefusal::Rotated => "this key's secret was replaced, and the time to change over has ended; use the new one",
        KeyRefusal::Disabled => "this key is disabled; ask who runs this gateway for another one",
        KeyRefusal::UserDisabled => return unauthorized(&format!("the user of this {what} is disabled; ask who runs this gateway")),
        KeyRefusal::TeamDisabled => return unauthorized(&format!("the team of this {what} is disabled; ask who runs this gateway")),
        KeyRefusal::NotYet => "this key is not valid yet",
        KeyRefusal::Expired => "this key has expired; ask who runs this gateway for another one",
        KeyRefusal::Address => return unauthorized(&format!("this {what} may not be used from this address")),
    };
    unauthorized(message)
}

fn incorrect() -> Fault {
    unauthorized("the key is not one of this gateway's; keys of providers do not open it")
}

fn unauthorized(message: &str) -> Fault {
    Fault::client(FaultKind::Unauthorized, message).with_code("invalid_api_key")
}
