//! `authorization: Bearer KEY`, as RFC 6750 and most vendors have it. Static keys only: no token is fetched here.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{Auth, AuthError};
use crate::client::Origin;
use crate::credentials::Credential;

/// The key in the `authorization` header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bearer;

impl Auth for Bearer {
    fn apply(&self, credential: Option<&Credential>, to: &Origin, headers: &mut HeaderMap) -> Result<(), AuthError> {
        let value = credential.ok_or(AuthError::NoCredential)?.bearer_for(to)?;
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}
