//! Rows for `credentials.rs`: what a key may be, where it may go, whose turn it is.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::client::HttpVersion;

fn origin(url: &str) -> Origin {
    Origin::parse(url, HttpVersion::Auto).unwrap()
}

fn credential(name: &str) -> Credential {
    Credential::new(name, &Secret::new("sk-canary"), origin("https://api.example")).unwrap()
}

#[test]
fn r_b1_a_key_goes_to_the_origin_it_was_configured_for_and_nowhere_else() {
    let credential = credential("env:KEY");
    for (url, goes) in [
        ("https://api.example", true),
        ("https://api.example:443/v1", true),
        ("https://API.example/other", true),
        ("http://api.example:443", false),
        ("http://api.example", false),
        ("https://api.example:8443", false),
        ("https://api.example.evil.example", false),
        ("https://evil.example/api.example", false),
        ("https://api.example.", false),
    ] {
        let to = origin(url);
        assert_eq!(credential.plain_for(&to).is_ok(), goes, "{url}");
        assert_eq!(credential.bearer_for(&to).is_ok(), goes, "{url}");
    }
    let refusal = credential.plain_for(&origin("https://evil.example")).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "credential env:KEY is bound to https://api.example and is not sent to https://evil.example; configure one for that origin"
    );
}

#[test]
fn r_h1_nothing_prints_a_secret() {
    let credential = credential("env:KEY");
    let header = credential.bearer_for(credential.origin()).unwrap();
    assert_eq!(header, "Bearer sk-canary");
    let pool = CredentialPool::new(vec![self::credential("a")], Instant::now());
    let prints = [
        format!("{:?}", Secret::new("sk-canary")),
        format!("{credential:?}"),
        format!("{header:?}"),
        format!("{pool:?}"),
        format!(
            "{:?}",
            Credential::new("a", &Secret::new("sk-canary\n"), origin("https://a.example"))
        ),
    ];
    for print in prints {
        assert!(!print.contains("canary"), "{print}");
    }
}

#[test]
fn what_no_header_may_carry_is_refused_by_name() {
    let unsendable = CredentialError::Unsendable("env:KEY".into());
    for (text, expected) in [
        ("", CredentialError::Empty("env:KEY".into())),
        ("sk-1\n", unsendable.clone()),
        (" sk-1", unsendable.clone()),
        ("sk\r\nx-evil: 1", unsendable.clone()),
        ("sk-ü", unsendable.clone()),
        ("sk\0", unsendable.clone()),
    ] {
        let got = Credential::new("env:KEY", &Secret::new(text), origin("https://a.example")).unwrap_err();
        assert_eq!(got, expected, "{text:?}");
    }
}

#[test]
fn credentials_take_turns_and_sit_out_when_told() {
    let now = Instant::now();
    let pool = CredentialPool::new(vec![credential("a"), credential("b"), credential("c")], now);
    let none = Left::of(0);
    let names =
        |at: Instant, picks: usize| -> String { (0..picks).map(|_| pool.pick("m", &none, at).unwrap().name().to_owned()).collect() };
    assert_eq!(names(now, 6), "abcabc");

    let seconds = |s| now + Duration::from_secs(s);
    let b = pool.iter().find(|c| c.name() == "b").unwrap();
    pool.rest(b, Reach::Account, seconds(10), now);
    pool.rest(b, Reach::Account, seconds(5), now);
    assert_eq!(names(seconds(9), 3), "acc", "the one after the resting one takes its turn");
    assert_eq!(names(seconds(10), 3), "abc", "a rest ends, and is never shortened");

    for credential in pool.iter() {
        pool.rest(credential, Reach::Account, seconds(30), now);
    }
    pool.rest(b, Reach::Account, seconds(40), now);
    assert_eq!(pool.pick("m", &none, seconds(20)).unwrap_err(), NoCredential::Resting(seconds(30)));
    assert_eq!(
        CredentialPool::new(Vec::new(), now).pick("m", &none, now).unwrap_err(),
        NoCredential::Empty
    );
}

#[test]
fn f12_a_limited_model_rests_alone_and_an_empty_account_whole() {
    let now = Instant::now();
    let seconds = |s| now + Duration::from_secs(s);
    let until = |pool: &CredentialPool, model: &str, at: Instant| pool.pick(model, &Left::of(0), at).err();
    let pool = CredentialPool::new(vec![credential("a")], now);
    let a = pool.iter().next().unwrap();
    pool.rest(a, Reach::Model("busy"), seconds(10), now);
    pool.rest(a, Reach::Model("busy"), seconds(5), now);
    pool.rest(a, Reach::Model("other"), seconds(20), now);
    assert_eq!(until(&pool, "busy", seconds(9)), Some(NoCredential::Resting(seconds(10))));
    assert_eq!(until(&pool, "idle", seconds(9)), None);
    assert_eq!(until(&pool, "busy", seconds(10)), None);
    pool.rest(a, Reach::Account, seconds(15), now);
    assert_eq!(until(&pool, "idle", seconds(9)), Some(NoCredential::Resting(seconds(15))));
    assert_eq!(until(&pool, "other", seconds(9)), Some(NoCredential::Resting(seconds(20))));
}

#[test]
fn r_d5_limited_models_take_a_bounded_place() {
    let now = Instant::now();
    let seconds = |s| now + Duration::from_secs(s);
    let pool = CredentialPool::new(vec![credential("a")], now);
    let a = pool.iter().next().unwrap();
    for number in 0..LIMITED_MODELS_MAX {
        pool.rest(a, Reach::Model(&format!("m{number}")), seconds(10), now);
    }
    assert!(pool.pick("another", &Left::of(0), now).is_ok());
    // Those that are over make room; one too many is the whole account's.
    pool.rest(a, Reach::Model("later"), seconds(30), seconds(10));
    assert!(pool.pick("another", &Left::of(0), seconds(11)).is_ok());
    assert_eq!(pool.places[0].limited().len(), 1);
    for number in 0..LIMITED_MODELS_MAX {
        pool.rest(a, Reach::Model(&format!("m{number}")), seconds(20), seconds(12));
    }
    assert_eq!(pool.places[0].limited().len(), LIMITED_MODELS_MAX);
    assert_eq!(
        pool.pick("another", &Left::of(0), seconds(13)).unwrap_err(),
        NoCredential::Resting(seconds(20))
    );
}

#[test]
fn the_credential_with_the_most_left_is_asked_and_equals_take_turns() {
    let now = Instant::now();
    let pool = CredentialPool::new(vec![credential("a"), credential("b"), credential("c")], now);
    let left = Left::of(pool.len());
    let names =
        |at: Instant, picks: usize| -> String { (0..picks).map(|_| pool.pick("m", &left, at).unwrap().name().to_owned()).collect() };
    let told = |name: &str, remaining: &str| {
        let mut head = http::HeaderMap::new();
        head.insert("x-ratelimit-limit-requests", "100".parse().unwrap());
        head.insert("x-ratelimit-remaining-requests", remaining.parse().unwrap());
        head.insert("x-ratelimit-reset-requests", "30s".parse().unwrap());
        let credential = pool.iter().find(|credential| credential.name() == name).unwrap();
        pool.note(credential, &left, read_left(&head, jiff::Timestamp::UNIX_EPOCH).unwrap(), now);
    };
    told("a", "40");
    assert_eq!(names(now, 4), "bbcb", "those of whom nothing is known yet are asked, in turn");
    told("b", "90");
    told("c", "93");
    assert_eq!(names(now, 6), "bcbbcb", "about as much is as much");
    told("b", "10");
    told("c", "39");
    assert_eq!(names(now, 3), "aaa", "until it has as little as the others");
    let a = pool.iter().next().unwrap();
    pool.rest(a, Reach::Model("m"), now + Duration::from_secs(5), now);
    assert_eq!(names(now, 2), "cc", "one that rests is not asked, however much it has");
    assert_eq!(names(now + Duration::from_secs(30), 6), "abcabc", "whole again");
    told("a", "0");
    told("b", "0");
    told("c", "0");
    assert!(
        !names(now + Duration::from_secs(6), 3).is_empty(),
        "with nothing left at all the provider has the word"
    );
}
