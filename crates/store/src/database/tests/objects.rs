//! The objects' part of the suite.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::audit::{Act, Audit, AuditPage};
use super::super::objects::{
    Admin, ApiToken, Budget, Change, Feature, Increase, Key, Kind, Limit, Listing, Object, Objects, OneTimePassword, Role, Secret, Session,
    Switch, SwitchMode, SwitchScope, Team, User,
};
use super::super::{Database, Error};
use super::stage::Stage;

pub(super) fn act() -> Act {
    Act {
        actor: "ada".into(),
        auth: "password".into(),
        action: "test".into(),
        outcome: "done".into(),
        ..Act::default()
    }
}

pub(super) fn team(name: &str) -> Team {
    Team {
        name: name.into(),
        ..Team::default()
    }
}

async fn make<T: Object>(database: &Database, id: &str, object: &T) -> Result<i64, Error> {
    let change = Change::create(id, object)?;
    Ok(database.mutate(&[change], &act(), 10).await?.revision)
}

async fn same<T: Object + PartialEq + std::fmt::Debug>(database: &Database, object: T) {
    make(database, "it", &object).await.unwrap();
    let stored = database.get(T::KIND, "it").await.unwrap().unwrap();
    assert_eq!((stored.version, stored.created_ms, stored.deleted_ms), (1, 10, None));
    assert_eq!(stored.read::<T>().unwrap(), object);
    let name = object.name().unwrap_or("it");
    assert_eq!(database.named(T::KIND, name).await.unwrap().unwrap(), stored);
}

pub(super) async fn every_kind_is_read_back_equal(stage: Stage) {
    let database = &stage.database;
    let text = || "ünïcode \" \\ \u{1f600}".to_owned();
    same(
        database,
        Team {
            name: text(),
            routes: Some(vec!["a*".into()]),
            models: None,
            label: Some("internal".into()),
            description: text(),
        },
    )
    .await;
    same(
        database,
        User {
            name: text(),
            team: "t".into(),
            email: Some("e@x".into()),
            disabled: true,
        },
    )
    .await;
    same(
        database,
        Feature {
            name: "f".into(),
            team: None,
            label: Some("public; compartments=hr".into()),
            description: String::new(),
        },
    )
    .await;
    let secret = Secret {
        digest: "ab".into(),
        pepper_version: 1,
        valid_until_s: Some(5),
    };
    let key = Key {
        name: "k".into(),
        team: "t".into(),
        secrets: vec![secret],
        max_concurrency: Some(3),
        max_label: Some("restricted".into()),
        ..Key::default()
    };
    same(database, key).await;
    same(
        database,
        Limit {
            name: "l".into(),
            rule: json!({"per": ["team"], "requests": 5}),
        },
    )
    .await;
    same(
        database,
        Budget {
            name: "b".into(),
            rule: json!({"usd": "1.50"}),
        },
    )
    .await;
    let scope = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    same(
        database,
        Increase {
            budget: "b".into(),
            scope,
            amount: 5,
            from_s: 1,
            until_s: 2,
            reason: text(),
        },
    )
    .await;
    same(
        database,
        Switch {
            scope: SwitchScope::Team,
            value: "red".into(),
            mode: SwitchMode::AbortInflight,
            reason: text(),
        },
    )
    .await;
    same(
        database,
        Admin {
            name: "ada".into(),
            role: Role::Owner,
            team: None,
            password_hash: Some("$argon2id$".into()),
            disabled: false,
        },
    )
    .await;
    same(
        database,
        ApiToken {
            name: "ci".into(),
            role: Role::Viewer,
            team: None,
            digest: "cd".into(),
            expires_s: None,
        },
    )
    .await;
    same(
        database,
        OneTimePassword {
            password_hash: "$argon2id$".into(),
            expires_s: Some(9),
        },
    )
    .await;
    let stored = database.get(Kind::Team, "it").await.unwrap().unwrap();
    assert!(stored.read::<User>().is_err(), "a team is no user");
    let unknown = serde_json::from_value::<Team>(json!({"name": "x", "budget": 5}));
    assert!(unknown.is_err(), "unknown members are refused");
}

pub(super) async fn a_version_lets_one_of_two_writers_through(stage: Stage) {
    let database = &stage.database;
    make(database, "1", &team("red")).await.unwrap();
    let change = |name: &str, version| Change::update("1", &team(name), version).unwrap();
    let (one, two) = ([change("blue", Some(1))], [change("green", Some(1))]);
    let act = act();
    let (first, second) = tokio::join!(database.mutate(&one, &act, 20), database.mutate(&two, &act, 20));
    let mut outcomes = [first.map(|receipt| receipt.versions), second.map(|receipt| receipt.versions)];
    outcomes.sort_by_key(Result::is_err);
    let changed = Error::Changed {
        what: "team/1".into(),
        version: 2,
    };
    assert_eq!(outcomes, [Ok(vec![2]), Err(changed)]);
    assert_eq!(database.mutate(&[change("any", None)], &act, 30).await.unwrap().versions, [3]);
    let stored = database.get(Kind::Team, "1").await.unwrap().unwrap();
    assert_eq!((stored.created_ms, stored.updated_ms), (10, 30));
    let absent = [Change::update("2", &team("x"), None).unwrap()];
    let missing = Error::NotFound { what: "team/2".into() };
    assert_eq!(database.mutate(&absent, &act, 40).await, Err(missing));
}

pub(super) async fn names_are_taken_until_their_object_is_deleted(stage: Stage) {
    let database = &stage.database;
    let secret = Secret {
        digest: "secret-digest".into(),
        ..Secret::default()
    };
    let key = Key {
        name: "red".into(),
        secrets: vec![secret],
        ..Key::default()
    };
    make(database, "1", &key).await.unwrap();
    let taken = Err(Error::Taken { what: "key/red".into() });
    assert_eq!(make(database, "2", &key).await, taken);
    make(database, "1", &team("red")).await.unwrap();
    make(
        database,
        "3",
        &Key {
            name: "blue".into(),
            ..key.clone()
        },
    )
    .await
    .unwrap();
    let renamed = [Change::update("3", &key, None).unwrap()];
    assert_eq!(database.mutate(&renamed, &act(), 20).await.map(|receipt| receipt.revision), taken);

    let delete = |version| Change::Delete {
        kind: Kind::Key,
        id: "1".into(),
        version,
    };
    assert!(matches!(
        database.mutate(&[delete(Some(7))], &act(), 20).await,
        Err(Error::Changed { version: 1, .. })
    ));
    assert_eq!(database.mutate(&[delete(Some(1))], &act(), 20).await.unwrap().versions, [2]);
    assert!(matches!(
        database.mutate(&[delete(None)], &act(), 20).await,
        Err(Error::NotFound { .. })
    ));
    let gone = database.get(Kind::Key, "1").await.unwrap().unwrap();
    assert_eq!(gone.deleted_ms, Some(20));
    assert_eq!(
        gone.read::<Key>().unwrap(),
        Key {
            name: "red".into(),
            ..Key::default()
        },
        "no digest is kept"
    );
    assert_eq!(database.named(Kind::Key, "red").await.unwrap(), None);
    make(database, "2", &key).await.unwrap();
    let again = Err(Error::Taken { what: "key/other".into() });
    assert_eq!(
        make(
            database,
            "1",
            &Key {
                name: "other".into(),
                ..key
            }
        )
        .await,
        again,
        "an id is never used twice"
    );
}

pub(super) async fn r_a8_a_search_word_is_no_pattern(stage: Stage) {
    for (id, name) in [
        ("1", "Research-100%"),
        ("2", "research_lab"),
        ("3", "resear\\ch"),
        ("4", "100 of them"),
    ] {
        make(&stage.database, id, &team(name)).await.unwrap();
    }
    let rows = [
        ("RESEARCH", "1 2"),
        ("100%", "1"),
        ("h_l", "2"),
        ("r\\c", "3"),
        ("%%%", ""),
        ("100", "1 4"),
        ("___", ""),
    ];
    for (word, expected) in rows {
        let listing = Listing {
            search: Some(word.into()),
            limit: 10,
            ..Listing::default()
        };
        let found = stage.database.list(Kind::Team, &listing).await.unwrap();
        let ids: Vec<&str> = found.iter().map(|stored| stored.id.as_str()).collect();
        assert_eq!(ids.join(" "), expected, "{word}");
    }
    let short = Listing {
        search: Some("re".into()),
        ..Listing::default()
    };
    assert!(matches!(stage.database.list(Kind::Team, &short).await, Err(Error::Refused(_))));
}

pub(super) async fn pages_follow_each_other(stage: Stage) {
    for number in 0..7 {
        make(&stage.database, &format!("t{number}"), &team(&number.to_string()))
            .await
            .unwrap();
    }
    let delete = Change::Delete {
        kind: Kind::Team,
        id: "t3".into(),
        version: None,
    };
    stage.database.mutate(&[delete], &act(), 20).await.unwrap();
    for (deleted, expected) in [(false, "t0 t1 t2|t4 t5 t6|"), (true, "t0 t1 t2|t3 t4 t5|t6|")] {
        let mut listing = Listing {
            limit: 3,
            deleted,
            ..Listing::default()
        };
        let mut told = String::new();
        loop {
            let page = stage.database.list(Kind::Team, &listing).await.unwrap();
            let ids: Vec<&str> = page.iter().map(|stored| stored.id.as_str()).collect();
            let Some(last) = ids.last() else { break };
            told = format!("{told}{}|", ids.join(" "));
            listing.after = Some((*last).to_owned());
        }
        assert_eq!(told, expected);
    }
}

pub(super) async fn changes_are_made_together_or_not_at_all(stage: Stage) {
    let database = &stage.database;
    assert_eq!(make(database, "1", &team("red")).await.unwrap(), 1);
    let changes = [
        Change::create("2", &team("blue")).unwrap(),
        Change::create("3", &team("red")).unwrap(),
    ];
    assert!(database.mutate(&changes, &act(), 20).await.is_err());
    assert_eq!(database.get(Kind::Team, "2").await.unwrap(), None);
    let page = AuditPage {
        limit: 10,
        ..AuditPage::default()
    };
    assert_eq!(database.records(&page).await.unwrap().len(), 1, "what did not happen is not told");
    assert_eq!(database.revision().await.unwrap(), 1);
    let receipt = database.mutate(&changes[..1], &act(), 20).await.unwrap();
    assert_eq!((receipt.versions, receipt.revision, receipt.audit_seq), (vec![1], 2, 2));
    let receipt = database.mutate(&[], &act(), 20).await.unwrap();
    assert_eq!(
        (receipt.versions, receipt.revision, receipt.audit_seq),
        (vec![], 2, 3),
        "a record alone changes no object"
    );
}

pub(super) async fn sessions_end(stage: Stage) {
    let session = |digest: &str, admin: &str| Session {
        digest: digest.into(),
        admin: admin.into(),
        created_ms: 0,
        expires_ms: 100,
    };
    let start =
        [("a", "ada"), ("b", "ada"), ("c", "ada"), ("d", "bob")].map(|(digest, admin)| Change::StartSession(session(digest, admin)));
    stage.database.mutate(&start, &act(), 0).await.unwrap();
    let open = async |now_ms| {
        let mut open = String::new();
        for digest in ["a", "b", "c", "d", "e"] {
            if let Some(found) = stage.database.session(digest, now_ms).await.unwrap() {
                open.push_str(&found.digest);
            }
        }
        open
    };
    assert_eq!((open(99).await, open(100).await), ("abcd".to_owned(), String::new()));
    let all = stage.database.sessions(99).await.unwrap();
    assert_eq!(
        all,
        [("a", "ada"), ("b", "ada"), ("c", "ada"), ("d", "bob")].map(|(digest, admin)| session(digest, admin))
    );
    assert_eq!(stage.database.sessions(100).await.unwrap(), []);
    let end = Change::EndSession { digest: "a".into() };
    stage.database.mutate(&[end], &act(), 1).await.unwrap();
    assert_eq!(open(1).await, "bcd");
    let end = Change::EndSessionsOf { admin: "ada".into() };
    stage.database.mutate(&[end], &act(), 1).await.unwrap();
    assert_eq!(open(1).await, "d");
}
