//! Tokens of an identity provider in the place of keys: they open the gateway, and are counted by the team and user that they name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::{Value, json};
use tollgate_tests::provider::{Canned, json_reply};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Caller, Dialect, Rig};

use super::{code, ledger_of};

const ISSUER: &str = "https://sso.example";

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn token(key: &KeyPair, head: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", part(head), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn head() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"})
}

fn claims(team: &str, user: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"iss": ISSUER, "aud": "tollgate", "sub": user, "department": team, "iat": now, "exp": now + 600})
}

async fn rig(key: &KeyPair) -> (Rig, Canned) {
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "alg": "EdDSA",
        "x": URL_SAFE_NO_PAD.encode(key.public_key_raw())}]});
    let provider = Canned::start(json_reply("200 OK", &keys.to_string())).await;
    let rig = Plan {
        head: format!(
            "budgets: [{{ name: b, per: [user], amount: 0.02 USD, window: day }}]\n\
             issuers: {{ sso: {{ issuer: \"{ISSUER}\", audiences: [tollgate], jwks_url: \"http://{}/keys\", claims: {{ team: department, user: sub }} }} }}",
            provider.address
        ),
        models: "  cent: { provider: openai, upstream_model: echo, price: { input: 0, output: 0, requests: 10000 } }".into(),
        teams: "  sales: { models: [cent] }".into(),
        ..Plan::default()
    }
    .start()
    .await;
    (rig, provider)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_and_is_counted_by_its_team_and_user() {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let (rig, _keys) = rig(&key).await;
    for user in ["ann", "bob"] {
        let caller = Caller::new(rig.gateway.address, &token(&key, &head(), &claims("sales", user)));
        for dialect in Dialect::ALL {
            assert_eq!(caller.ask(dialect, "cent", false).await.status, 200);
        }
        // A fresh token of the same user is the same user.
        let again = Caller::new(rig.gateway.address, &token(&key, &head(), &claims("sales", user)));
        let refused = again.ask(Dialect::OpenAi, "cent", false).await;
        assert_eq!((refused.status, code(Dialect::OpenAi, &refused).as_str()), (402, "budget_exceeded"));
        assert_eq!(refused.json()["error"]["details"]["scope_id"], user);
    }
    let caller = Caller::new(rig.gateway.address, &token(&key, &head(), &claims("sales", "cid")));
    assert_eq!(
        caller.ask(Dialect::OpenAi, "openai/echo", false).await.status,
        403,
        "the team may not"
    );
    let rows = ledger_of(&rig, 4).await;
    let who: Vec<_> = rows
        .iter()
        .map(|row| (row.team.as_str(), row.user.as_str(), row.key.as_str()))
        .collect();
    assert_eq!(
        who,
        [
            ("sales", "ann", ""),
            ("sales", "ann", ""),
            ("sales", "bob", ""),
            ("sales", "bob", "")
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_to_be_believed_is_a_401() {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let (rig, _keys) = rig(&key).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims("sales", "ann");
        claims[name] = value;
        claims
    };
    let past = SystemTime::now() - Duration::from_secs(7_200);
    let past = past.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let good = claims("sales", "ann");
    let stranger = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let none = json!({"alg": "none"});
    let unsigned = format!("{}.{}.", part(&none), part(&good));
    let rows = [
        ("expired", token(&key, &head(), &with("exp", json!(past)))),
        ("for others", token(&key, &head(), &with("aud", json!("other")))),
        ("of others", token(&key, &head(), &with("iss", json!("https://evil.example")))),
        ("not yet", token(&key, &head(), &with("nbf", json!(past + 20_000)))),
        ("unsigned", unsigned),
        ("none, signed", token(&key, &none, &good)),
        ("by a stranger", token(&stranger, &head(), &good)),
        ("with a shared secret", token(&key, &json!({"alg": "HS256", "kid": "k1"}), &good)),
        ("of no team here", token(&key, &head(), &with("department", json!("nobody")))),
    ];
    for (why, token) in rows {
        let caller = Caller::new(rig.gateway.address, &token);
        for dialect in Dialect::ALL {
            let answer = caller.ask(dialect, "cent", false).await;
            assert_eq!(answer.status, 401, "{why}: {:?}", answer.body);
        }
    }
    let caller = Caller::new(rig.gateway.address, &token(&key, &head(), &good));
    assert_eq!(
        caller.ask(Dialect::OpenAi, "cent", false).await.status,
        200,
        "nothing of that was remembered"
    );
    assert!(rig.bill("echo").len() == 1);
}
