//! Credentials and what is said beside them, and tokens against an identity provider on a real socket.

#![expect(clippy::unwrap_used, reason = "tests")]

mod labels;
mod provider;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use tollgate_policy::identity::{Allowed, Features, Scope, Scopes, Tags, Team, User, VirtualKey};
use tollgate_policy::key::{Pepper, Peppers};
use tollgate_store::directory::{Directory, Entries, PlainKey};
use tollgate_upstream::client::{Client, ClientSettings};
use tollgate_upstream::tls::Tls;
use tollgate_wire::Operation;
use tollgate_wire::fault::{Fault, FaultKind};

use super::token::Issuers;
use super::{Caller, Doors, caller};
use crate::clock::{self, Now};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn client() -> Client {
    Client::new(ClientSettings::new(Arc::new(Tls::new(None).unwrap())))
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    let mut map = HeaderMap::new();
    pairs.for_each(|(name, value): (http::HeaderName, _)| {
        map.append(name, value);
    });
    map
}

fn team(name: &str) -> Arc<Team> {
    Arc::new(Team {
        name: name.into(),
        ..Team::default()
    })
}

fn key(name: &str, secret: &str, user: Option<&str>) -> PlainKey {
    let user = user.map(|name| {
        Arc::new(User {
            name: name.into(),
            team: "support".into(),
            ..User::default()
        })
    });
    PlainKey {
        key: VirtualKey {
            id: name.into(),
            name: name.into(),
            team: team("support"),
            user,
            features: Features::new(["chat-bot", "mail"]),
            tags: Tags::new([("env", "prod")]).unwrap(),
            ..VirtualKey::default()
        },
        secret: secret.into(),
        older: None,
    }
}

fn directory() -> Directory {
    let rotated = PlainKey {
        older: Some(("older-secret".into(), u64::MAX)),
        ..key("rotated", "newer-secret", None)
    };
    let mut narrow = key("narrow", "narrow-secret", None);
    narrow.key.allowed = Allowed {
        scopes: Some(Scopes::NONE.with(Scope::UsageSelf)),
        ..Allowed::default()
    };
    let entries = Entries {
        teams: vec![team("support"), team("sales")],
        users: vec![Arc::new(User {
            name: "gone".into(),
            team: "support".into(),
            disabled: true,
            ..User::default()
        })],
        plain: vec![
            key("service", "service-secret", None),
            labels::trusted(),
            labels::bound(),
            key("personal", "personal-secret", Some("ann")),
            rotated,
            narrow,
        ],
        ..Entries::default()
    };
    Directory::build(Peppers::new(Pepper::new(&[1; 32])), entries)
}

async fn identified(issuers: &Issuers, said: &[(&'static str, &str)], now: Now) -> Result<Caller, Fault> {
    let (directory, client, features) = (directory(), client(), labels::features());
    let doors = Doors {
        directory: &directory,
        issuers,
        features: &features,
        client: &client,
    };
    caller(doors, &headers(said), HERE, now).await
}

#[tokio::test]
async fn what_is_said_beside_a_key_is_taken_or_refused() {
    // Headers; then feature, end user and tags, or kind and code.
    type Refused = (FaultKind, &'static str);
    type Row<'a> = (&'a [(&'static str, &'a str)], Result<(&'a str, &'a str, &'a str), Refused>);
    let service = ("x-api-key", "service-secret");
    let personal = ("x-api-key", "personal-secret");
    let forbidden = |code| Err((FaultKind::Forbidden, code));
    let malformed = Err((FaultKind::Malformed, "invalid_attribution"));
    let rows: &[Row<'_>] = &[
        (&[service], Ok(("chat-bot", "", "env=prod"))),
        (&[service, ("x-tollgate-feature", "mail")], Ok(("mail", "", "env=prod"))),
        (&[service, ("x-tollgate-feature", "other")], forbidden("feature_not_allowed")),
        (&[service, ("x-tollgate-feature", "*")], forbidden("feature_not_allowed")),
        (
            &[service, ("x-tollgate-user", "customer 7")],
            Ok(("chat-bot", "customer 7", "env=prod")),
        ),
        // Nobody becomes somebody else by a header.
        (&[personal, ("x-tollgate-user", "boss")], Ok(("chat-bot", "", "env=prod"))),
        (
            &[service, ("x-tollgate-tags", "tier=free,beta")],
            Ok(("chat-bot", "", "beta=true,env=prod,tier=free")),
        ),
        (&[service, ("x-tollgate-tags", "env=test")], forbidden("tag_not_allowed")),
        (&[service, ("x-tollgate-tags", "a b")], malformed),
        (&[service, ("x-tollgate-user", "")], malformed),
        (
            &[service, ("x-tollgate-feature", "mail"), ("x-tollgate-feature", "chat-bot")],
            malformed,
        ),
        (
            &[("x-api-key", "wrong-secret"), ("x-tollgate-tags", "a b")],
            Err((FaultKind::Unauthorized, "invalid_api_key")),
        ),
        (
            &[("authorization", "Bearer eyJ.eyJ.x")],
            Err((FaultKind::Unauthorized, "invalid_api_key")),
        ),
        (&[], Err((FaultKind::Unauthorized, "invalid_api_key"))),
    ];
    for (said, expected) in rows {
        let got = identified(&Issuers::default(), said, clock::now()).await;
        match (got, expected) {
            (Ok(caller), Ok((feature, end_user, tags))) => {
                let got: Vec<String> = caller.tags().iter().map(|(name, value)| format!("{name}={value}")).collect();
                assert_eq!(
                    (
                        caller.feature().unwrap_or_default(),
                        caller.end_user().unwrap_or_default(),
                        got.join(",").as_str()
                    ),
                    (*feature, *end_user, *tags),
                    "{said:?}"
                );
            }
            (Err(fault), Err(refused)) => assert_eq!(
                (fault.kind, fault.code.as_deref().unwrap()),
                *refused,
                "{said:?}: {}",
                fault.message
            ),
            (got, _) => unreachable!("{said:?}: {:?}", got.map(|caller| caller.credential_name())),
        }
    }
}

#[tokio::test]
async fn a_caller_says_who_spends_and_what_switches_are_asked_about() {
    let said = [("x-api-key", "personal-secret"), ("x-tollgate-feature", "mail")];
    let caller = identified(&Issuers::default(), &said, clock::now()).await.unwrap();
    let (party, subject) = (caller.party("r"), caller.subject());
    assert_eq!(
        (party.team.as_str(), party.user.as_deref(), party.key.as_deref()),
        ("support", Some("ann"), Some("personal"))
    );
    assert_eq!((party.feature.as_deref(), party.route.as_str()), (Some("mail"), "r"));
    assert_eq!(
        (subject.team, subject.user, subject.key, subject.feature),
        (Some("support"), Some("ann"), Some("personal"), Some("mail"))
    );
    assert!(caller.may(Operation::Chat) && caller.deprecated_until().is_none());
    let narrow = identified(&Issuers::default(), &[("x-api-key", "narrow-secret")], clock::now())
        .await
        .unwrap();
    assert!(!narrow.may(Operation::Chat));
    let older = identified(&Issuers::default(), &[("x-api-key", "older-secret")], clock::now())
        .await
        .unwrap();
    assert_eq!((older.key_id(), older.deprecated_until()), (Some("rotated"), Some(u64::MAX)));
}
