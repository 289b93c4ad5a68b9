//! Conditions: what holds, what is refused and where, what never matches.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::plan::DeploymentId;

fn pairs(all: &[(&str, &str)]) -> Vec<(Arc<str>, Arc<str>)> {
    all.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
}

/// What is found out about a call.
#[derive(Default)]
pub(crate) struct Stub {
    pub(crate) metadata: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) prices_micro_usd: Vec<u64>,
}

impl Costly for Stub {
    fn has_images(&self) -> bool {
        false
    }

    fn wants_json(&self) -> bool {
        true
    }

    fn metadata(&self) -> Pairs<'_> {
        &self.metadata
    }

    fn budget_used_percent(&self) -> u64 {
        81
    }

    fn price_micro_usd(&self, of: DeploymentId) -> u64 {
        let at = usize::try_from(of.0).unwrap_or(usize::MAX);
        self.prices_micro_usd.get(at).copied().unwrap_or(0)
    }
}

fn ask(text: &str) -> Result<bool, ConditionFailure> {
    let tags = pairs(&[("tier", "free"), ("cost.center", "7")]);
    let costly = Stub {
        metadata: pairs(&[("session", "s-1")]),
        prices_micro_usd: vec![7, 250],
    };
    let facts = Facts {
        team: "support",
        user: "ann",
        key: "k1",
        feature: "chat-bot",
        route: "support-chat",
        model: "openai/gpt-4o-mini",
        provider: "openai",
        operation: "chat",
        task: "classification",
        risk: "medium",
        label: "confidential",
        stream: true,
        has_tools: true,
        input_tokens: 399,
        hour: 13,
        priority: 5,
        tags: &tags,
        session: "s-1",
        candidate: Some(DeploymentId(1)),
        costly: (&costly).into(),
        ..Facts::default()
    };
    let condition = Condition::compile(text).unwrap_or_else(|error| unreachable!("{text}: {error}"));
    condition.holds(&facts)
}

#[test]
fn conditions_hold_or_not() {
    let rows = [
        ("true", true),
        ("team == 'support'", true),
        ("team != \"support\"", false),
        ("caller.team == 'support' && caller.tags.tier == 'free'", true),
        ("team in ['sales', 'support']", true),
        ("team in []", false),
        (
            "model in ['openai/gpt-4o-mini', '-----------------------------------------------------------------------']",
            true,
        ),
        ("!(team in ['sales'])", true),
        ("user.startsWith('a') && user.endsWith('n') && user.contains('nn')", true),
        ("model.matches('^openai/.*-mini$')", true),
        ("model.matches('^gpt')", false),
        ("model.startsWith(provider + '/')", false),
        ("size(user) == 3 && user.size() < 4", true),
        ("input_tokens < 400", true),
        (
            "input_tokens + 1 == 400 && input_tokens * 2 - 1 > 700 && input_tokens / 100 == 3 && input_tokens % 2 == 1",
            true,
        ),
        ("-input_tokens < 0", true),
        ("hour >= 9 && hour < 17", true),
        ("hour in [12, 13]", true),
        ("stream", true),
        ("!has_images && has_tools == true", true),
        ("stream != has_images", true),
        ("wants_json && session == 's-1'", true),
        ("budget_used >= 80 && price_micro_usd == 250", true),
        ("label >= 'confidential'", true),
        ("label > 'confidential'", false),
        ("'internal' < label", true),
        ("label in ['public', 'confidential']", true),
        ("risk == 'medium' && risk < 'high'", true),
        ("risk.startsWith('me')", true),
        ("label != ''", true),
        ("task == 'classification' || input_tokens < 100", true),
        // What is not known reads as empty; has() tells the difference.
        ("end_user == ''", true),
        ("max_tokens == 0", true),
        ("tags.absent == ''", true),
        ("tags.absent != 'x'", true),
        ("has(tags.tier) && !has(tags.absent)", true),
        ("'tier' in tags && !('absent' in tags)", true),
        ("tags['cost.center'] == '7'", true),
        ("metadata.session == 's-1'", true),
        ("size(tags) == 2", true),
        ("stream ? hour > 12 : hour > 20", true),
        ("(stream ? 'a' : 'b') == 'a'", true),
        ("(stream ? 1 : 2) == 2", false),
        // A side that decides makes good for a failure on the other.
        ("1 / max_tokens == 1 || true", true),
        ("false && 1 / max_tokens == 1", false),
        ("1 / max_tokens == 1 && false", false),
    ];
    for (text, expected) in rows {
        if text.contains("+ '/'") {
            assert!(Condition::compile(text).is_err(), "texts are not added");
            continue;
        }
        assert_eq!(ask(text), Ok(expected), "{text}");
    }
}

#[test]
fn arithmetic_that_fails_is_a_failure_and_not_a_yes() {
    let rows = [
        ("1 / max_tokens == 1", ConditionFailure::DivisionByZero),
        ("1 % max_tokens == 1", ConditionFailure::DivisionByZero),
        ("input_tokens * 9223372036854775807 > 0", ConditionFailure::Overflow),
        ("!(1 / max_tokens == 1)", ConditionFailure::DivisionByZero),
        ("1 / max_tokens == 1 || false", ConditionFailure::DivisionByZero),
        ("1 in [1 / max_tokens]", ConditionFailure::DivisionByZero),
    ];
    for (text, expected) in rows {
        assert_eq!(ask(text), Err(expected), "{text}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_a_remedy() {
    let rows = [
        ("", (1, 1), "must say something"),
        ("team = 'a'", (1, 6), "compared with =="),
        ("team ==", (1, 8), "the end"),
        ("(team == 'a'", (1, 13), "missing ')'"),
        ("'unclosed", (1, 1), "token recognition"),
        ("team @ 3", (1, 6), "token recognition"),
        ("teem == 'x'", (1, 1), "did you mean \"team\"?"),
        ("team == 'ä' && teem == 'x'", (1, 17), "did you mean \"team\"?"),
        ("team == 'a' &&\n  hours > 3", (2, 3), "did you mean \"hour\"?"),
        ("wombat == 'x'", (1, 1), "there are: team, user"),
        ("caller.tam == 'x'", (1, 7), "did you mean \"caller.te"),
        ("caller == 'x'", (1, 1), "caller.team"),
        ("caller.hour == 3", (1, 7), "no such name \"caller.hour\""),
        ("team.x == 'a'", (1, 5), "has no \"x\""),
        ("tags.x.y == 'a'", (1, 5), "tags[\"a.b\"]"),
        ("team", (1, 1), "true or false, and this is text"),
        ("input_tokens", (1, 1), "this is a number"),
        ("!team", (1, 2), "this is text"),
        ("stream && team", (1, 11), "this is text"),
        ("hour == '3'", (1, 6), "cannot be compared"),
        ("team < 3", (1, 6), "cannot be compared"),
        ("stream < true", (1, 8), "cannot be compared"),
        ("team in 'x'", (1, 9), "looks into a list"),
        ("stream in [true]", (1, 1), "looks for text or a number"),
        ("team in ['a', 3]", (1, 15), "text is wanted"),
        ("risk == 'hi'", (1, 9), "low < medium < high"),
        ("label in ['secret']", (1, 11), "public < internal"),
        ("hour == 0.5", (1, 9), "whole"),
        ("team == null", (1, 9), "null"),
        ("model.startswith('x')", (1, 17), "did you mean startsWith?"),
        ("foo(team)", (1, 4), "there is no \"foo\""),
        ("startsWith(team, 'x')", (1, 11), "is called as in"),
        ("model.matches('(')", (1, 15), "not a regular expression"),
        ("model.matches(team)", (1, 15), "written out"),
        ("['a'].exists(x, x == team)", (1, 13), "not for rules"),
        ("stream ? 1 : 'a'", (1, 8), "of one type"),
        ("{'a': 1}.a == 1", (1, 9), "has no \"a\""),
        ("has(team.x)", (1, 4), "asks for a tag"),
        ("hour == 99999999999999999999", (1, 9), ""),
    ];
    for (text, (line, column), message) in rows {
        let error = Condition::compile(text).unwrap_err();
        assert_eq!((error.position.line, error.position.column), (line, column), "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
    assert!(Condition::compile(&"true && ".repeat(600)).unwrap_err().message.contains("4096"));
}

#[test]
fn deep_and_long_conditions_neither_panic_nor_end_the_process() {
    let deep = [
        "(".repeat(100) + "true" + &")".repeat(100),
        "!".repeat(200) + "true",
        "1".to_owned() + &"+1".repeat(198) + " == 2",
        "- ".repeat(198) + "1 == 1",
        "true".to_owned() + &" && true".repeat(100),
        "true ? ".repeat(100) + "true" + &" : true".repeat(100),
        "tags".to_owned() + &".a".repeat(200),
        "tags[".repeat(90) + "'a'" + &"]".repeat(90),
        "size(".repeat(90) + "'a'" + &")".repeat(90),
        "[".repeat(100) + &"]".repeat(100),
        "(".repeat(200),
        "r'\\' == team || ".to_owned() + &"(".repeat(2000),
        "'''a' == team || ".to_owned() + &"(".repeat(2000),
        "'a\n' == team || ".to_owned() + &"(".repeat(2000),
        "team == 'a' // '\n && ".to_owned() + &"!".repeat(2000),
        "'".to_owned() + &"(".repeat(2000),
        "(".repeat(2000) + "true" + &")".repeat(2000),
        "!".repeat(4000) + "true",
        "1".to_owned() + &"+1".repeat(2000) + " == 2",
        "-".repeat(4000) + "1 == 1",
        "true".to_owned() + &" && true".repeat(500),
        "true ? ".repeat(500) + "true" + &" : true".repeat(80),
        "tags".to_owned() + &".a".repeat(2000),
        "tags[".repeat(600) + "'a'" + &"]".repeat(600),
    ];
    for text in deep {
        if let Ok(condition) = Condition::compile(&text) {
            let _ = condition.holds(&Facts::default());
            let _ = condition.constant();
        }
    }
}

#[test]
fn what_never_or_always_matches_is_seen() {
    let rows = [
        ("false", Some(false)),
        ("1 == 2", Some(false)),
        ("'a' == 'b'", Some(false)),
        ("team == 'a' && false", Some(false)),
        ("team == 'a' && team == 'b'", Some(false)),
        ("team == 'a' && stream && 'b' == team", Some(false)),
        ("team == 'a' && user == 'b'", None),
        ("team == 'a' && team == 'a'", None),
        ("team == 'a' || team == 'b'", None),
        ("hour > 23", Some(false)),
        ("hour >= 24", Some(false)),
        ("hour == 24", Some(false)),
        ("hour <= 23", Some(true)),
        ("hour >= 23", None),
        ("hour + 1 > 24", Some(false)),
        ("hour - 1 < -1", Some(false)),
        ("input_tokens < 0", Some(false)),
        ("priority > 9", Some(false)),
        ("label > 'restricted'", Some(false)),
        ("size(team) < 0", Some(false)),
        ("team in []", Some(false)),
        ("!(hour > 23)", Some(true)),
        ("true || team == 'a'", Some(true)),
        ("hour > 23 || team == 'a'", None),
        ("stream", None),
        ("false ? team == 'a' : hour > 23", Some(false)),
        ("stream ? hour > 23 : 1 == 2", Some(false)),
    ];
    for (text, expected) in rows {
        assert_eq!(Condition::compile(text).unwrap().constant(), expected, "{text}");
    }
}

#[test]
fn claims_are_asked_in_full_cel_and_what_is_missing_does_not_match() {
    #[derive(serde::Serialize)]
    struct Realm {
        roles: Vec<&'static str>,
    }
    #[derive(serde::Serialize)]
    struct Token {
        sub: &'static str,
        groups: Vec<&'static str>,
        realm: Realm,
        level: u32,
        #[serde(rename = "https://acme.example/team")]
        team: &'static str,
    }
    let claims = Claims::new(&Token {
        sub: "ann",
        groups: vec!["admins", "staff"],
        realm: Realm { roles: vec!["dev"] },
        level: 3,
        team: "support",
    })
    .unwrap();
    let rows = [
        ("claims.sub == 'ann'", true),
        ("'admins' in claims.groups", true),
        ("'dev' in claims.realm.roles", true),
        ("claims.groups.exists(group, group.startsWith('st'))", true),
        ("claims['https://acme.example/team'] == 'support'", true),
        ("claims.level >= 3", true),
        ("has(claims.email)", false),
        ("claims.email.endsWith('@acme.example')", false),
        ("claims.email != 'x'", false),
        ("claims.sub", false),
        ("claims.groups", false),
    ];
    for (text, expected) in rows {
        assert_eq!(ClaimCondition::compile(text).unwrap().holds(&claims), expected, "{text}");
    }
    for (text, place) in [
        ("sub == 'ann'", (1, 1)),
        ("claims.sub == 'x' || 'a' in groups", (1, 29)),
        ("claims.sub ==", (1, 14)),
    ] {
        let error = ClaimCondition::compile(text).unwrap_err();
        assert_eq!((error.position.line, error.position.column), place, "{text}: {error}");
    }
    let texts = |name: &str| claims.texts(name);
    assert_eq!(texts("https://acme.example/team"), ["support"]);
    assert_eq!(texts("realm.roles"), ["dev"]);
    assert_eq!(texts("groups"), ["admins", "staff"]);
    assert_eq!((texts("level"), texts("nothing"), texts("realm")), (vec![], vec![], vec![]));
    assert!(Claims::new(&"text").is_none());
}
