//! Keys, users, teams: refusals, rotation, rights, attribution.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::key::{Pepper, Peppers};
use crate::patterns::Patterns;

fn peppers() -> Peppers {
    Peppers::new(Pepper::new(&[1; 32]))
}

fn patterns(names: &[&str]) -> Option<Patterns> {
    Some(Patterns::new(names.iter().map(|name| (*name).to_owned()).collect()))
}

fn team() -> Team {
    Team {
        name: "t".into(),
        allowed: Allowed {
            routes: patterns(&["chat"]),
            models: patterns(&["openai/*"]),
            ..Allowed::default()
        },
        ..Team::default()
    }
}

fn key() -> VirtualKey {
    VirtualKey {
        id: "id".into(),
        name: "n".into(),
        team: Arc::new(team()),
        user: Some(Arc::new(User::default())),
        secrets: Secrets::new(peppers().digest("the-secret")).with_older(peppers().digest("older-secret"), 140),
        not_before: Some(100),
        expires_at: Some(200),
        allowed: Allowed {
            networks: vec![Network::parse("10.0.0.0/8").unwrap()],
            models: patterns(&["*/gpt-4o"]),
            ..Allowed::default()
        },
        ..VirtualKey::default()
    }
}

const INSIDE: &str = "10.1.2.3";

fn open(key: &VirtualKey, secret: &str, now_s: u64, from: &str) -> Result<Option<u64>, KeyRefusal> {
    let opened = key.verify(&peppers().digests(secret), now_s, from.parse().unwrap());
    opened.map(|opened| opened.deprecated_until)
}

#[test]
fn a_key_is_refused_for_the_first_reason() {
    let plain = key();
    let off = VirtualKey { disabled: true, ..key() };
    let user_off = VirtualKey {
        user: Some(Arc::new(User {
            disabled: true,
            ..User::default()
        })),
        ..key()
    };
    let team_off = VirtualKey {
        team: Arc::new(Team { disabled: true, ..team() }),
        ..key()
    };
    let rows = [
        (&plain, "the-secret", 150, INSIDE, Ok(None)),
        (&plain, "another", 50, "11.1.2.3", Err(KeyRefusal::WrongSecret)),
        (&plain, "the-secret", 99, INSIDE, Err(KeyRefusal::NotYet)),
        (&plain, "the-secret", 100, INSIDE, Ok(None)),
        (&plain, "the-secret", 199, INSIDE, Ok(None)),
        (&plain, "the-secret", 200, INSIDE, Err(KeyRefusal::Expired)),
        (&plain, "the-secret", 150, "11.1.2.3", Err(KeyRefusal::Address)),
        (&plain, "the-secret", 150, "::ffff:10.1.2.3", Ok(None)),
        (&plain, "older-secret", 139, INSIDE, Ok(Some(140))),
        (&plain, "older-secret", 140, INSIDE, Err(KeyRefusal::Rotated)),
        (&plain, "older-secret", 99, INSIDE, Err(KeyRefusal::NotYet)),
        (&off, "the-secret", 150, INSIDE, Err(KeyRefusal::Disabled)),
        (&off, "another", 150, INSIDE, Err(KeyRefusal::WrongSecret)),
        (&user_off, "the-secret", 150, INSIDE, Err(KeyRefusal::UserDisabled)),
        (&team_off, "the-secret", 150, INSIDE, Err(KeyRefusal::TeamDisabled)),
    ];
    for (key, secret, now, from, expected) in rows {
        assert_eq!(open(key, secret, now, from), expected, "{secret} {now} {from}");
    }
}

#[test]
fn a_rotation_keeps_two_secrets_at_most_and_ends_the_older_one_after_its_grace() {
    // Grace asked for, when the older one ends.
    let day = GRACE_S_DEFAULT;
    for (grace, ends) in [
        (day, Some(1_000 + day)),
        (u64::MAX, Some(1_000 + GRACE_S_MAX)),
        (0, None),
        (1, Some(1_001)),
    ] {
        let first = Secrets::new(peppers().digest("first-secret"));
        let key = VirtualKey {
            secrets: first.rotated(peppers().digest("second-secret"), 1_000, grace),
            ..VirtualKey::default()
        };
        assert_eq!(open(&key, "second-secret", 1_000, INSIDE), Ok(None));
        let older = open(&key, "first-secret", 1_000, INSIDE);
        assert_eq!(older, ends.map(Some).ok_or(KeyRefusal::WrongSecret), "{grace}");
        if let Some(ends) = ends {
            assert_eq!(open(&key, "first-secret", ends - 1, INSIDE), Ok(Some(ends)));
            assert_eq!(open(&key, "first-secret", ends, INSIDE), Err(KeyRefusal::Rotated));
        }
        let again = VirtualKey {
            secrets: key.secrets.rotated(peppers().digest("third-secret"), 1_000, day),
            ..VirtualKey::default()
        };
        assert_eq!(again.secrets.iter().count(), 2);
        assert_eq!(open(&again, "first-secret", 1_000, INSIDE), Err(KeyRefusal::WrongSecret));
        assert_eq!(open(&again, "second-secret", 1_000, INSIDE), Ok(Some(1_000 + day)));
        assert_eq!(open(&again, "third-secret", 1_000, INSIDE), Ok(None));
    }
}

#[test]
fn rights_are_those_of_every_layer_together() {
    let rights = |key: &VirtualKey, route: &str, model: &str| (key.rights().may_call_route(route), key.rights().may_call_model(model));
    assert_eq!(rights(&key(), "chat", "openai/gpt-4o"), (true, true));
    assert_eq!(rights(&key(), "other", "openai/gpt-4o-mini"), (false, false));
    assert_eq!(rights(&key(), "chat", "azure/gpt-4o"), (true, false));
    // Each layer alone takes the right away.
    let closed = || Allowed {
        routes: patterns(&["none"]),
        models: patterns(&["none"]),
        features: patterns(&["none"]),
        networks: vec![Network::parse("192.168.0.0/16").unwrap()],
        scopes: Some(Scopes::NONE),
    };
    let inside = INSIDE.parse().unwrap();
    for layer in 0..4 {
        let of = |own: usize| if own == layer { closed() } else { Allowed::default() };
        let key = VirtualKey {
            allowed: of(0),
            user: Some(Arc::new(User {
                allowed: of(1),
                ..User::default()
            })),
            team: Arc::new(Team {
                allowed: of(2),
                organization: Arc::new(Organization { allowed: of(3) }),
                ..Team::default()
            }),
            ..VirtualKey::default()
        };
        let rights = key.rights();
        assert!(
            !rights.may_call_route("r") && !rights.may_call_model("m") && !rights.may_use_feature("f"),
            "{layer}"
        );
        assert!(!rights.has(Scope::Chat) && !rights.may_come_from(inside), "{layer}");
    }
    let open = VirtualKey::default();
    let rights = open.rights();
    assert!(rights.may_call_route("r") && rights.may_call_model("m") && rights.may_use_feature("f") && rights.may_come_from(inside));
}

#[test]
fn scopes_that_go_around_a_protection_must_be_given() {
    let given = |scopes| {
        let key = VirtualKey {
            allowed: Allowed {
                scopes,
                ..Allowed::default()
            },
            ..VirtualKey::default()
        };
        Scope::ALL
            .iter()
            .filter(|(scope, _)| key.rights().has(*scope))
            .map(|(_, name)| *name)
            .collect::<Vec<_>>()
    };
    let usual = given(None);
    assert_eq!(usual.len(), 10);
    assert!(!usual.contains(&"label:declassify") && !usual.contains(&"cache:bypass") && usual.contains(&"label:raise"));
    assert_eq!(given(Some(Scopes::NONE)), Vec::<&str>::new());
    assert_eq!(
        given(Some([Scope::Chat, Scope::CacheBypass].into_iter().collect())),
        ["chat", "cache:bypass"]
    );
    for (scope, name) in Scope::ALL {
        assert_eq!((Scope::parse(name), scope.name()), (Some(scope), name));
        assert_eq!(Scopes::NONE.with(scope).names().collect::<Vec<_>>(), [name]);
    }
    assert_eq!(Scope::parse("admin"), None);
}

/// A credential's features, the one that was chosen, a layer, the feature of the call.
type Row<'a> = (&'a [&'a str], Option<&'a str>, &'a Allowed, Result<Option<&'a str>, FeatureRefused>);

#[test]
fn a_caller_chooses_among_the_features_of_its_credential() {
    let all = Allowed::default();
    let some = Allowed {
        features: patterns(&["b", "c"]),
        ..Allowed::default()
    };
    let rows: &[Row<'_>] = &[
        (&[], None, &all, Ok(None)),
        (&[], Some("a"), &all, Err(FeatureRefused)),
        (&["a"], None, &all, Ok(Some("a"))),
        (&["a"], Some("a"), &all, Ok(Some("a"))),
        (&["a"], Some("A"), &all, Err(FeatureRefused)),
        (&["a"], Some(""), &all, Err(FeatureRefused)),
        (&["a", "b"], None, &all, Ok(Some("a"))),
        (&["a", "b"], Some("b"), &all, Ok(Some("b"))),
        (&["a", "b"], Some("c"), &all, Err(FeatureRefused)),
        // What another layer does not allow cannot be chosen, and is not meant.
        (&["a", "b"], None, &some, Ok(Some("b"))),
        (&["a", "b"], Some("a"), &some, Err(FeatureRefused)),
        (&["a"], None, &some, Err(FeatureRefused)),
    ];
    for (names, chosen, allowed, expected) in rows {
        let team = Team::default();
        let rights = Rights::new(&team, None, allowed);
        let got = Features::new(names.iter()).choose(*chosen, rights);
        assert_eq!(
            got.as_ref().map(Option::as_deref),
            expected.as_ref().map(|name| *name),
            "{names:?} {chosen:?}"
        );
    }
}

#[test]
fn what_a_caller_says_narrows_or_adds() {
    let bound = Tags::new([("env", "prod")]).unwrap();
    let say = |user: Option<&str>, tags: Option<&str>, user_bound| {
        let (team, own) = (Team::default(), Allowed::default());
        let said = Said { feature: None, user, tags };
        let of = Attribution::of(&said, &Features::default(), Rights::new(&team, None, &own), &bound, user_bound);
        of.map(|of| {
            let tags: Vec<String> = of.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (of.end_user.map(|user| user.to_string()).unwrap_or_default(), tags.join(","))
        })
    };
    let fine = |user: &str, tags: &str| Ok((user.to_owned(), tags.to_owned()));
    let long = "x".repeat(129);
    let many = (0..16).map(|n| format!("t{n}")).collect::<Vec<_>>().join(",");
    let rows = [
        (None, None, false, fine("", "env=prod")),
        (Some("u-1"), None, false, fine("u-1", "env=prod")),
        // A credential with a user of its own: the header is nobody.
        (Some("boss"), None, true, fine("", "env=prod")),
        (Some(" "), None, false, Err(AttributionError::EndUser)),
        (Some("a\tb"), None, false, Err(AttributionError::EndUser)),
        (None, Some("tier=free, beta"), false, fine("", "beta=true,env=prod,tier=free")),
        (None, Some("env=prod"), false, fine("", "env=prod")),
        (None, Some(",,"), false, fine("", "env=prod")),
        (None, Some("env=test"), false, Err(AttributionError::TagIsBound)),
        (None, Some("a=1,a=2"), false, Err(AttributionError::TagIsBound)),
        (None, Some("=x"), false, Err(AttributionError::Tag)),
        (None, Some("a="), false, Err(AttributionError::Tag)),
        (None, Some("a=b c"), false, Err(AttributionError::Tag)),
        (None, Some("ü=1"), false, Err(AttributionError::Tag)),
        (None, Some(long.as_str()), false, Err(AttributionError::Tag)),
        (None, Some(many.as_str()), false, Err(AttributionError::TooManyTags)),
    ];
    for (user, tags, user_bound, expected) in rows {
        assert_eq!(say(user, tags, user_bound), expected, "{user:?} {tags:?}");
    }
    let fifteen = many.rsplit_once(',').unwrap().0;
    assert_eq!(say(None, Some(fifteen), false).unwrap().1.split(',').count(), TAGS_MAX);
}
