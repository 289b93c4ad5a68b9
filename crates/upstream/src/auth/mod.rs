//! How a vendor wants to see a key: one small file per way.
//!
//! Only what goes into the head of a request. Which key it is, and whether it may go to that origin, is decided by
//! `credentials`; a way that must sign bodies or fetch tokens first gets its own file beside these.

mod bearer;
mod header;

use std::fmt;

use http::HeaderMap;

pub use bearer::Bearer;
pub use header::Header;

use crate::client::Origin;
use crate::credentials::{Credential, WrongOrigin};

/// A way of showing a credential.
pub trait Auth: Send + Sync + fmt::Debug {
    /// Writes the credential into the headers of a request to `to`, over whatever stood there. The value is marked
    /// sensitive: it is not printed, and not kept in HTTP/2 header tables.
    ///
    /// # Errors
    /// [`AuthError`] when there is no credential to show, or it is bound to another origin.
    fn apply(&self, credential: Option<&Credential>, to: &Origin, headers: &mut HeaderMap) -> Result<(), AuthError>;
}

/// No credential is ever sent: a server that the operator runs beside the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Auth for Anonymous {
    fn apply(&self, _: Option<&Credential>, _: &Origin, _: &mut HeaderMap) -> Result<(), AuthError> {
        Ok(())
    }
}

/// Why a request cannot be authenticated. It must then not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// The provider wants a credential and has none.
    NoCredential,
    /// The credential is bound to another origin.
    WrongOrigin(WrongOrigin),
    /// A header of this name does not exist; said when the config is read.
    HeaderName(String),
}

impl From<WrongOrigin> for AuthError {
    fn from(wrong: WrongOrigin) -> AuthError {
        AuthError::WrongOrigin(wrong)
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::NoCredential => f.write_str("the provider wants a credential; add one under its credentials"),
            AuthError::WrongOrigin(wrong) => wrong.fmt(f),
            AuthError::HeaderName(name) => write!(f, "{name:?} is no header name; write it like x-api-key"),
        }
    }
}

impl std::error::Error for AuthError {}

/// The way that a catalog row or a config names.
///
/// # Errors
/// [`AuthError::HeaderName`] when the header it names cannot exist.
pub fn of(named: &crate::providers::Auth) -> Result<Box<dyn Auth>, AuthError> {
    use crate::providers::Auth as Named;
    Ok(match named {
        Named::Bearer => Box::new(Bearer),
        Named::Header(name) => Box::new(Header::new(name)?),
        Named::None => Box::new(Anonymous),
    })
}

#[cfg(test)]
mod tests;
