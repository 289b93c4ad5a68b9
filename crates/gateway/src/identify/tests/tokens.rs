//! Tokens: which are believed, which are refused, when keys are fetched, and that no token is taken for another.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm as Named;
use serde_json::{Value, json};
use tollgate_policy::identity::issuer::{Algorithm, ClaimRule, Issuer, LEEWAY_S_DEFAULT, Take};
use tollgate_policy::rules::ClaimCondition;

use super::provider::{Key, Provider};
use super::*;
use crate::identify::token::{IssuersError, TokenRefusal, is_token};

const ISSUER: &str = "https://sso.example";

fn issuer(url: &str) -> Issuer {
    Issuer {
        name: "sso".into(),
        issuer: ISSUER.into(),
        audiences: vec!["tollgate".into()],
        jwks_url: url.into(),
        algorithms: Algorithm::ALL.iter().map(|(algorithm, _)| *algorithm).collect(),
        rules: vec![ClaimRule {
            when: Some(ClaimCondition::compile("has(claims.team)").unwrap()),
            team: Take::Claim("team".into()),
            user: Some(Take::Claim("sub".into())),
            features: vec![Take::Claim("apps".into())],
            ..ClaimRule::default()
        }],
        leeway_s: LEEWAY_S_DEFAULT,
        max_age_s: Some(3600),
    }
}

fn trusting(provider: &Provider) -> Issuers {
    Issuers::build(vec![issuer(&provider.url())], None).unwrap()
}

fn claims(now: Now) -> Value {
    let now_s = now.unix.as_secs();
    json!({"iss": ISSUER, "aud": "tollgate", "sub": "ann", "team": "sales", "apps": ["crm"], "iat": now_s, "exp": now_s + 600})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn later(now: Now, by: Duration) -> Now {
    Now {
        instant: now.instant + by,
        unix: now.unix + by,
    }
}

/// A token of any header, not signed by anybody.
fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_believed() {
    let keys = [
        Key::new("rs", Named::RS256),
        Key::new("ps", Named::PS512),
        Key::new("es", Named::ES256),
        Key::new("es3", Named::ES384),
        Key::new("ed", Named::EdDSA),
    ];
    let provider = Provider::start(&keys.iter().collect::<Vec<_>>());
    let (issuers, now) = (trusting(&provider), clock::now());
    for key in &keys {
        let token = key.sign(&claims(now));
        let said = [("authorization", format!("Bearer {token}"))];
        let said: Vec<(&'static str, &str)> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let caller = identified(&issuers, &said, now).await.unwrap();
        assert_eq!(
            (caller.team().name.as_str(), caller.user(), caller.key_id()),
            ("sales", Some("ann"), None),
            "{}",
            key.id
        );
        assert_eq!(caller.feature(), Some("crm"));
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn refused_tokens() {
    let (key, stranger) = (Key::new("k", Named::ES256), Key::new("k", Named::ES256));
    let provider = Provider::start(&[&key]);
    let (issuers, now) = (trusting(&provider), clock::now());
    let (client, now_s, good) = (client(), now.unix.as_secs(), claims(now));
    let signed = |name: &str, value: Value| key.sign(&with(good.clone(), name, value));
    let right = key.sign(&good);
    let (body, signature) = right.rsplit_once('.').unwrap();
    let rows = [
        ("another's signature", stranger.sign(&good), TokenRefusal::Signature),
        ("alg none", forged(&json!({"alg": "none"}), &good, "x"), TokenRefusal::Algorithm),
        (
            "alg HS256",
            forged(&json!({"alg": "HS256", "kid": "k"}), &good, signature),
            TokenRefusal::Algorithm,
        ),
        (
            "another algorithm",
            forged(&json!({"alg": "ES384", "kid": "k"}), &good, signature),
            TokenRefusal::NoKey,
        ),
        (
            "its own key",
            forged(&json!({"alg": "ES256", "kid": "k", "jwk": stranger.public()}), &good, signature),
            TokenRefusal::Signature,
        ),
        (
            "its own address",
            forged(&json!({"alg": "ES256", "kid": "k", "jku": "http://127.0.0.1:1/"}), &good, signature),
            TokenRefusal::Signature,
        ),
        (
            "kid of a path",
            forged(&json!({"alg": "ES256", "kid": "../../k"}), &good, signature),
            TokenRefusal::NoKey,
        ),
        (
            "kid that is no text",
            forged(&json!({"alg": "ES256", "kid": ["k"]}), &good, signature),
            TokenRefusal::Malformed,
        ),
        (
            "crit",
            forged(&json!({"alg": "ES256", "kid": "k", "crit": ["exp"]}), &good, signature),
            TokenRefusal::Malformed,
        ),
        (
            "changed claims",
            forged(
                &json!({"alg": "ES256", "kid": "k"}),
                &with(good.clone(), "team", json!("support")),
                signature,
            ),
            TokenRefusal::Signature,
        ),
        ("no signature", format!("{body}.AA"), TokenRefusal::Signature),
        ("another issuer", signed("iss", json!("https://sso.example/")), TokenRefusal::Issuer),
        ("another audience", signed("aud", json!("other")), TokenRefusal::Audience),
        ("no audience", key.sign(&without(good.clone(), "aud")), TokenRefusal::Audience),
        ("over", signed("exp", json!(now_s - 60)), TokenRefusal::Expired),
        ("without an end", key.sign(&without(good.clone(), "exp")), TokenRefusal::Expired),
        ("an end that is text", signed("exp", json!("9999999999")), TokenRefusal::Malformed),
        ("not yet", signed("nbf", json!(now_s + 61)), TokenRefusal::NotYet),
        ("of the future", signed("iat", json!(now_s + 61)), TokenRefusal::NotYet),
        ("old", signed("iat", json!(now_s - 3661)), TokenRefusal::TooOld),
        ("of unknown age", key.sign(&without(good.clone(), "iat")), TokenRefusal::TooOld),
        ("nobody", key.sign(&without(good.clone(), "team")), TokenRefusal::NoSubject),
        ("long", format!("{right}{}", "A".repeat(16 << 10)), TokenRefusal::Malformed),
    ];
    for (what, token, expected) in &rows {
        assert_eq!(issuers.subject(&client, token, now).await.err(), Some(*expected), "{what}");
        let said = format!("Bearer {token}");
        let fault = identified(&issuers, &[("authorization", &said)], now).await.err().unwrap();
        assert_eq!(
            (fault.kind, fault.code.as_deref()),
            (FaultKind::Unauthorized, Some("invalid_api_key")),
            "{what}"
        );
        assert!(
            !fault.message.contains("signature") && !fault.message.contains("audience"),
            "{what}: {}",
            fault.message
        );
    }
    // At the edges of leeway.
    let fine = [
        right.clone(),
        signed("exp", json!(now_s - 59)),
        signed("nbf", json!(now_s + 60)),
        signed("iat", json!(now_s - 3660)),
        signed("aud", json!(["other", "tollgate"])),
        signed("exp", json!(now_s as f64 + 0.5)),
    ];
    for token in fine {
        assert!(issuers.subject(&client, &token, now).await.is_ok(), "{token}");
    }
}

#[tokio::test]
async fn a_token_needs_a_team_that_exists_and_a_user_who_is_not_disabled() {
    let key = Key::new("k", Named::ES256);
    let provider = Provider::start(&[&key]);
    let (issuers, now) = (trusting(&provider), clock::now());
    let rows = [
        ("sales", "ann", None),
        ("nowhere", "ann", Some("team does not exist")),
        ("support", "gone", Some("user of this token is disabled")),
        ("sales", "gone", Some("belongs to another team")),
    ];
    for (team, user, refused) in rows {
        let token = key.sign(&with(with(claims(now), "team", json!(team)), "sub", json!(user)));
        let got = identified(&issuers, &[("authorization", &format!("Bearer {token}"))], now).await;
        let message = got.err().map(|fault| fault.message);
        assert_eq!(message.is_some(), refused.is_some(), "{team} {user} {message:?}");
        assert!(message.unwrap_or_default().contains(refused.unwrap_or_default()), "{team} {user}");
    }
}

#[tokio::test]
async fn keys_rotate_and_are_asked_for_once_in_half_a_minute() {
    let (first, second, third) = (
        Key::new("1", Named::ES256),
        Key::new("2", Named::ES256),
        Key::new("3", Named::ES256),
    );
    let provider = Provider::start(&[&first]);
    let (issuers, client, now) = (trusting(&provider), client(), clock::now());
    let at = |seconds| later(now, Duration::from_secs(seconds));
    // Many at once, one fetch.
    let tokens: Vec<String> = (0..50).map(|n| first.sign(&with(claims(now), "jti", json!(n)))).collect();
    let mut waiting = Vec::new();
    for token in &tokens {
        waiting.push(Box::pin(issuers.subject(&client, token, now)));
    }
    for one in waiting {
        assert!(one.await.is_ok());
    }
    let mut together = tokio::task::JoinSet::new();
    let shared = Arc::new(trusting(&provider));
    for token in tokens {
        let (shared, client) = (Arc::clone(&shared), client.clone());
        together.spawn(async move { shared.subject(&client, &token, now).await.is_ok() });
    }
    assert!(together.join_all().await.into_iter().all(|fine| fine));
    assert_eq!(provider.asked(), 2, "one each");
    // An unknown key within the pause: no fetch; after it: one.
    provider.publish(&[&first, &second]);
    let token = second.sign(&claims(now));
    assert_eq!(issuers.subject(&client, &token, at(29)).await.err(), Some(TokenRefusal::NoKey));
    assert_eq!(provider.asked(), 2);
    assert!(issuers.subject(&client, &token, at(31)).await.is_ok());
    assert_eq!(provider.asked(), 3);
    // Old keys are fetched again; while that fails, they stay.
    for (status, body) in [(500, ""), (200, "{}"), (200, "[]"), (200, "{\"keys\":[]}"), (200, "<html>")] {
        provider.answer(status, body);
        let asked = provider.asked();
        let much_later = at(40 * 60 * (asked as u64));
        let token = first.sign(&claims(much_later));
        assert!(issuers.subject(&client, &token, much_later).await.is_ok(), "{status} {body}");
        assert_eq!(provider.asked(), asked + 1);
    }
    // But not for ever, and a key that is taken away is gone.
    let tomorrow = at(26 * 60 * 60);
    assert_eq!(
        issuers.subject(&client, &first.sign(&claims(tomorrow)), tomorrow).await.err(),
        Some(TokenRefusal::NoKey)
    );
    provider.publish(&[&third]);
    let after = at(27 * 60 * 60);
    assert_eq!(
        issuers.subject(&client, &first.sign(&claims(after)), after).await.err(),
        Some(TokenRefusal::NoKey)
    );
    assert!(issuers.subject(&client, &third.sign(&claims(after)), after).await.is_ok());
}

#[tokio::test]
async fn a_shared_secret_in_a_key_set_opens_nothing() {
    let key = Key::new("k", Named::ES256);
    let provider = Provider::start(&[]);
    let secret = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"});
    provider.answer(200, &json!({"keys": [secret, key.public()]}).to_string());
    let (issuers, client, now) = (trusting(&provider), client(), clock::now());
    let header = jsonwebtoken::Header {
        kid: Some("s".into()),
        ..jsonwebtoken::Header::new(Named::HS256)
    };
    let signer = jsonwebtoken::EncodingKey::from_secret(b"secret-secret-secret-secret-secr");
    let token = jsonwebtoken::encode(&header, &claims(now), &signer).unwrap();
    assert_eq!(issuers.subject(&client, &token, now).await.err(), Some(TokenRefusal::Algorithm));
    assert!(issuers.subject(&client, &key.sign(&claims(now)), now).await.is_ok());
}

#[tokio::test]
async fn r_a2_ten_thousand_tokens_with_the_same_beginning_are_never_taken_for_each_other() {
    let key = Key::new("k", Named::EdDSA);
    let provider = Provider::start(&[&key]);
    let (issuers, client, now) = (trusting(&provider), client(), clock::now());
    // Same header, and the same first claims: the tokens differ from their third hundred bytes on.
    let padding = "p".repeat(200);
    let sign = |n: u32| {
        let now_s = now.unix.as_secs();
        key.sign(&json!({"a": padding, "iss": ISSUER, "aud": "tollgate", "iat": now_s, "exp": now_s + 600, "team": "sales", "sub": format!("user-{n}")}))
    };
    let tokens: Vec<String> = (0..10_000).map(sign).collect();
    let prefix = &tokens[0][..200];
    for round in 0..2 {
        for (n, token) in tokens.iter().enumerate() {
            assert!(token.starts_with(prefix));
            let subject = issuers.subject(&client, token, now).await.unwrap();
            assert_eq!(subject.user.as_deref(), Some(format!("user-{n}").as_str()), "round {round}");
        }
    }
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_ends() {
    let key = Key::new("k", Named::ES256);
    let provider = Provider::start(&[&key]);
    let (issuers, client, now) = (trusting(&provider), client(), clock::now());
    let token = key.sign(&with(claims(now), "exp", json!(now.unix.as_secs() + 30)));
    let at = |seconds| later(now, Duration::from_secs(seconds));
    assert!(issuers.subject(&client, &token, now).await.is_ok());
    assert!(issuers.subject(&client, &token, at(29)).await.is_ok());
    assert!(issuers.subject(&client, &token, at(89)).await.is_ok(), "leeway");
    assert_eq!(issuers.subject(&client, &token, at(91)).await.err(), Some(TokenRefusal::Expired));
}

#[test]
fn keys_are_fetched_over_https_unless_from_this_machine() {
    let rows = [
        ("https://sso.example/keys", true),
        ("http://127.0.0.1:8080/keys", true),
        ("http://localhost/keys", true),
        ("http://[::1]/keys", true),
        ("http://sso.example/keys", false),
        ("http://0.0.0.0/keys", false),
        ("http://127.0.0.1.sso.example/keys", false),
        ("https://user:pw@sso.example/keys", false),
        ("file:///etc/passwd", false),
        ("keys", false),
    ];
    for (url, fine) in rows {
        let built = Issuers::build(vec![issuer(url)], None);
        assert_eq!(built.is_ok(), fine, "{url}");
        assert!(fine || matches!(built, Err(IssuersError::Address(..))), "{url}");
    }
}

#[test]
fn only_what_has_three_parts_is_a_token() {
    let rows = [
        ("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.AA", true),
        ("eyJ.a.b", true),
        ("eyJ.a", false),
        ("eyJ.a.b.c", false),
        ("eyJ..b", false),
        ("eyJ.a.b=", false),
        ("sk-tg_a.b.c", false),
        ("", false),
    ];
    for (text, expected) in rows {
        assert_eq!(is_token(text), expected, "{text}");
    }
}
