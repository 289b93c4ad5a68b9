//! Rows for the ways of showing a key.

#![expect(clippy::unwrap_used, reason = "tests")]

use http::HeaderMap;

use super::*;
use crate::client::HttpVersion;
use crate::credentials::Secret;
use crate::providers::Auth as Named;

#[test]
fn each_way_writes_its_header_and_no_other() {
    let origin = Origin::parse("https://api.example/v1", HttpVersion::Auto).unwrap();
    let elsewhere = Origin::parse("https://evil.example", HttpVersion::Auto).unwrap();
    let credential = Credential::new("env:KEY", &Secret::new("sk-1"), origin.clone()).unwrap();
    for (named, expected) in [
        (Named::Bearer, Some(("authorization", "Bearer sk-1"))),
        (Named::Header("x-api-key".to_owned()), Some(("x-api-key", "sk-1"))),
        (Named::None, None),
    ] {
        let auth = of(&named).unwrap();
        let mut headers = HeaderMap::new();
        if let Some((name, _)) = expected {
            headers.insert(name, "left by the caller".parse().unwrap());
        }
        auth.apply(Some(&credential), &origin, &mut headers).unwrap();
        let written: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(written, expected.into_iter().collect::<Vec<_>>(), "{named:?}");
        assert!(headers.values().all(http::HeaderValue::is_sensitive), "{named:?}");

        let mut headers = HeaderMap::new();
        let sent = auth.apply(Some(&credential), &elsewhere, &mut headers);
        assert_eq!((sent.is_err(), headers.len()), (expected.is_some(), 0), "r_b1: {named:?}");
        assert_eq!(auth.apply(None, &origin, &mut headers).is_err(), expected.is_some(), "{named:?}");
    }
    assert_eq!(
        of(&Named::Header("x api key".to_owned())).unwrap_err(),
        AuthError::HeaderName("x api key".to_owned())
    );
}
