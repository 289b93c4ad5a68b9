//! Tokens of identity providers (JWT): signature, times, audience, and whom the claims make of their holder. Of a token's header only
//! the algorithm and the key's id are read; addresses and keys in it (`jku`, `jwk`, `x5u`) are nobody's word. Verified tokens are
//! remembered by the digest of the whole token (FAULTS R-A2), for a minute at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Validation;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tollgate_policy::identity::issuer::{Algorithm, Issuer, IssuerError, Subject};
use tollgate_policy::rules::Claims;
use tollgate_upstream::client::Client;

use super::jwks::{AddressError, KeySet};
use crate::clock::Now;

/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// How long a verified token is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many verified tokens are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// The identity providers whose tokens are believed.
#[derive(Default)]
pub struct Issuers {
    known: Vec<Known>,
    verified: Mutex<HashMap<[u8; 32], Verified>>,
}

struct Known {
    issuer: Issuer,
    keys: Arc<KeySet>,
}

#[derive(Clone)]
struct Verified {
    subject: Arc<Subject>,
    /// Forgotten from then on, since 1970.
    until: Duration,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It is no token.
    Malformed,
    /// Its algorithm is none that its issuer may use.
    Algorithm,
    /// Nobody whom we believe issued it.
    Issuer,
    /// No such key, or its provider cannot be reached.
    NoKey,
    /// Its signature is not its issuer's.
    Signature,
    /// It is for somebody else.
    Audience,
    /// It has no end, or it is over.
    Expired,
    /// It is not valid yet, or says that it was issued in the future.
    NotYet,
    /// It is older than its issuer's config lets it be.
    TooOld,
    /// Its claims give its holder no team.
    NoSubject,
}

impl std::fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token's algorithm is not allowed",
            Self::Issuer => "the token's issuer is not known",
            Self::NoKey => "the token's key is not among its issuer's, or they cannot be fetched",
            Self::Signature => "the token's signature is wrong",
            Self::Audience => "the token is for another audience",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::TooOld => "the token is too old",
            Self::NoSubject => "no rule gives the token's holder a team",
        })
    }
}

impl std::error::Error for TokenRefusal {}

/// An issuer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuersError {
    /// Its config is incomplete; with its name.
    Issuer(String, IssuerError),
    /// Its keys have no address; with its name.
    Address(String, AddressError),
}

impl std::fmt::Display for IssuersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Issuer(name, error) => write!(f, "issuer \"{name}\": {error}"),
            Self::Address(name, error) => write!(f, "issuer \"{name}\": {error}"),
        }
    }
}

impl std::error::Error for IssuersError {}

/// Whether a credential looks like a token. Keys of ours and of other gateways have no two dots.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut parts = 0;
    let shaped = text.split('.').all(|part| {
        parts += 1;
        !part.is_empty() && part.bytes().all(legal)
    });
    shaped && parts == 3 && text.starts_with("eyJ")
}

impl Issuers {
    /// Those of a config. Keys that the config before had fetched are taken over; verified tokens are not.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn build(issuers: Vec<Issuer>, before: Option<&Self>) -> Result<Self, IssuersError> {
        let known = issuers.into_iter().map(|issuer| {
            issuer.check().map_err(|error| IssuersError::Issuer(issuer.name.clone(), error))?;
            let kept = before.and_then(|before| before.known.iter().find(|known| known.keys.url() == issuer.jwks_url));
            let keys = match kept {
                Some(known) => Arc::clone(&known.keys),
                None => Arc::new(KeySet::new(&issuer.jwks_url).map_err(|error| IssuersError::Address(issuer.name.clone(), error))?),
            };
            Ok(Known { issuer, keys })
        });
        Ok(Self {
            known: known.collect::<Result<_, _>>()?,
            verified: Mutex::default(),
        })
    }

    /// There are none: no token is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Who holds a token.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn subject(&self, client: &Client, token: &str, now: Now) -> Result<Arc<Subject>, TokenRefusal> {
        if TOKEN_BYTES_MAX < token.len() || !is_token(token) {
            return Err(TokenRefusal::Malformed);
        }
        let digest = digest(token);
        if let Some(subject) = self.remembered(&digest, now) {
            return Ok(subject);
        }
        let (subject, expires) = self.verify(client, token, now).await?;
        let subject = Arc::new(subject);
        self.remember(digest, &subject, expires, now);
        Ok(subject)
    }

    async fn verify(&self, client: &Client, token: &str, now: Now) -> Result<(Subject, Duration), TokenRefusal> {
        let header = header(token)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(TokenRefusal::Algorithm)?;
        // Not yet verified: it says only whose key to take.
        let issued_by: IssuedBy = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenRefusal::Malformed)?;
        let mut refusal = TokenRefusal::Issuer;
        // Two issuers may share a provider, with an audience each.
        for known in self.known.iter().filter(|known| known.issuer.issuer == issued_by.iss) {
            if !known.issuer.algorithms.contains(&algorithm) {
                refusal = TokenRefusal::Algorithm;
                continue;
            }
            let Some(key) = known.keys.find(header.kid.as_deref(), &header.alg, client, now.instant).await else {
                refusal = TokenRefusal::NoKey;
                continue;
            };
            let claims = signed_claims(token, algorithm, &key.key)?;
            match subject(&known.issuer, &claims, now.unix.as_secs()) {
                Ok(found) => return Ok(found),
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    fn remembered(&self, digest: &[u8; 32], now: Now) -> Option<Arc<Subject>> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified
            .get(digest)
            .filter(|one| now.unix < one.until)
            .map(|one| Arc::clone(&one.subject))
    }

    fn remember(&self, digest: [u8; 32], subject: &Arc<Subject>, expires: Duration, now: Now) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED_MAX <= verified.len() {
            verified.retain(|_, one| now.unix < one.until);
            if REMEMBERED_MAX <= verified.len() {
                verified.clear();
            }
        }
        let until = expires.min(now.unix + REMEMBERED);
        let subject = Arc::clone(subject);
        verified.insert(digest, Verified { subject, until });
    }
}

/// The whole token, under a domain tag.
fn digest(token: &str) -> [u8; 32] {
    Sha256::new_with_prefix(b"tollgate token v1\0")
        .chain_update(token.as_bytes())
        .finalize()
        .into()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct IssuedBy {
    iss: String,
}

fn header(token: &str) -> Result<Header, TokenRefusal> {
    let encoded = token.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenRefusal::Malformed)?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| TokenRefusal::Malformed)?;
    // It must be understood (RFC 7515), and we understand none.
    if header.crit.is_some() {
        return Err(TokenRefusal::Malformed);
    }
    Ok(header)
}

/// The claims, if the signature is that key's. Nothing else of them is looked at here: the clock is ours.
fn signed_claims(token: &str, algorithm: Algorithm, key: &jsonwebtoken::DecodingKey) -> Result<Value, TokenRefusal> {
    let algorithm = named(algorithm);
    if key.family() != algorithm.family() {
        return Err(TokenRefusal::Signature);
    }
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let verified = jsonwebtoken::decode::<Value>(token, key, &validation).map_err(|_| TokenRefusal::Signature)?;
    Ok(verified.claims)
}

/// Who a token's holder is, and until when since 1970.
fn subject(issuer: &Issuer, claims: &Value, now_s: u64) -> Result<(Subject, Duration), TokenRefusal> {
    if claims.get("iss").and_then(Value::as_str) != Some(&issuer.issuer) {
        return Err(TokenRefusal::Issuer);
    }
    let is_ours = |audience: &str| issuer.audiences.iter().any(|own| own == audience);
    let for_us = match claims.get("aud") {
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).any(is_ours),
        _ => false,
    };
    if !for_us {
        return Err(TokenRefusal::Audience);
    }
    let expires_s = seconds(claims, "exp")?.ok_or(TokenRefusal::Expired)?;
    if expires_s.saturating_add(issuer.leeway_s) <= now_s {
        return Err(TokenRefusal::Expired);
    }
    let latest_s = now_s.saturating_add(issuer.leeway_s);
    let issued_s = seconds(claims, "iat")?;
    if latest_s < seconds(claims, "nbf")?.unwrap_or(0) || latest_s < issued_s.unwrap_or(0) {
        return Err(TokenRefusal::NotYet);
    }
    if let Some(max_age_s) = issuer.max_age_s {
        let oldest_s = issued_s
            .ok_or(TokenRefusal::TooOld)?
            .saturating_add(max_age_s)
            .saturating_add(issuer.leeway_s);
        if oldest_s < now_s {
            return Err(TokenRefusal::TooOld);
        }
    }
    let claims = Claims::new(claims).ok_or(TokenRefusal::Malformed)?;
    let subject = issuer.subject(&claims).ok_or(TokenRefusal::NoSubject)?;
    Ok((subject, Duration::from_secs(expires_s)))
}

/// A moment in seconds since 1970; fractions are cut off.
fn seconds(claims: &Value, name: &str) -> Result<Option<u64>, TokenRefusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            (None, Some(seconds)) => Duration::try_from_secs_f64(seconds)
                .map(|since| Some(since.as_secs()))
                .map_err(|_| TokenRefusal::Malformed),
            (None, None) => Err(TokenRefusal::Malformed),
        },
    }
}

fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Named;
    match algorithm {
        Algorithm::Rs256 => Named::RS256,
        Algorithm::Rs384 => Named::RS384,
        Algorithm::Rs512 => Named::RS512,
        Algorithm::Ps256 => Named::PS256,
        Algorithm::Ps384 => Named::PS384,
        Algorithm::Ps512 => Named::PS512,
        Algorithm::Es256 => Named::ES256,
        Algorithm::Es384 => Named::ES384,
        Algorithm::EdDsa => Named::EdDSA,
    }
}
