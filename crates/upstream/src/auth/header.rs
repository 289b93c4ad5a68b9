//! The key alone in a header of the vendor's own, such as Anthropic's `x-api-key` or Azure's `api-key`.

use http::{HeaderMap, HeaderName};

use super::{Auth, AuthError};
use crate::client::Origin;
use crate::credentials::Credential;

/// The key in the named header.
#[derive(Clone, Debug)]
pub struct Header(HeaderName);

impl Header {
    /// The way that uses the header of this name.
    ///
    /// # Errors
    /// [`AuthError::HeaderName`] when no header can have that name.
    pub fn new(name: &str) -> Result<Header, AuthError> {
        HeaderName::try_from(name)
            .map(Header)
            .map_err(|_| AuthError::HeaderName(name.to_owned()))
    }
}

impl Auth for Header {
    fn apply(&self, credential: Option<&Credential>, to: &Origin, headers: &mut HeaderMap) -> Result<(), AuthError> {
        let value = credential.ok_or(AuthError::NoCredential)?.plain_for(to)?;
        headers.insert(self.0.clone(), value);
        Ok(())
    }
}
