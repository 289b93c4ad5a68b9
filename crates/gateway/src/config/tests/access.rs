//! Teams and keys.

use expect_test::expect;

use super::check_part;

#[test]
fn unknown_teams() {
    check_part(
        r#"teams: { support: { models: [openai/*] }, ops: { models: ["*"] } }
keys:
  - { name: a, team: suport, secret: env:SUPPORT_KEY }
  - { name: b, team: zzzzzz, secret: env:PLATFORM_KEY }
"#,
        &expect![[r#"
            3:22 keys[0].team: no team "suport"; did you mean "support"?
            4:22 keys[1].team: no team "zzzzzz"; add it under teams; known: support, ops
        "#]],
    );
}

#[test]
fn a_key_without_any_team() {
    check_part(
        "keys: [{ name: a, team: support, secret: env:SUPPORT_KEY }]
",
        &expect![[r#"
    1:25 keys[0].team: no team "support"; add it under teams
"#]],
    );
}

#[test]
fn teams_that_list_what_is_not_there() {
    check_part(
        r#"routes: { support-chat: { purpose: p, owner: o, targets: [{ model: big }] } }
teams:
  a: { routes: [suport-chat, support-*, billing-*, fast-llama, nothing, support-chat, support-chat] }
  b: { models: [openai/*, opnai/*, "*", "*-llama", "*-zzz", gpt-4o, support-chat, "o*/gpt-4o", "z*/x"] }
"#,
        &expect![[r#"
            3:17 teams.a.routes[0]: no route "suport-chat"; did you mean "support-chat"?
            ~3:41 teams.a.routes[2]: "billing-*" matches no route; mend the pattern, or add the route
            3:52 teams.a.routes[3]: no route "fast-llama"; models stand in the list models
            3:64 teams.a.routes[4]: no route "nothing"; add it under routes; known: support-chat
            3:87 teams.a.routes[6]: "support-chat" is in the list twice; remove one of the two
            4:27 teams.b.models[1]: no provider "opnai"; did you mean "openai"?
            ~4:52 teams.b.models[4]: "*-zzz" matches no model; mend the pattern, or add the model
            4:61 teams.b.models[5]: no model "gpt-4o"; add it under models, or write openai/gpt-4o
            4:69 teams.b.models[6]: "support-chat" is a route, not a model; name the models themselves
            ~4:96 teams.b.models[8]: "z*/x" matches no model; mend the pattern, or add the model
        "#]],
    );
}

#[test]
fn a_team_that_may_call_nothing() {
    check_part(
        "teams: { a: {} }
",
        &expect![[r#"
    ~1:10 teams.a: the team may call nothing; list its routes and models, as in models: [openai/*]
"#]],
    );
}

#[test]
fn two_keys_of_one_name() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY }
  - { name: a, team: t, secret: env:PLATFORM_KEY }
"#,
        &expect![[r#"
    4:13 keys[1].name: a key "a" stands above; give each key a name of its own
"#]],
    );
}

#[test]
fn two_keys_with_one_secret() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY }
  - { name: b, team: t, secret: env:SUPPORT_KEY }
"#,
        &expect![[r#"
    4:33 keys[1].secret: the key "a" has the same secret; give each key a secret of its own
"#]],
    );
}

/// The directory finds a key by its id: one of the two would never open.
#[test]
fn two_keys_with_one_id() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:OURS_1 }
  - { name: b, team: t, secret: env:OURS_2 }
  - { name: c, team: t, secret: env:OURS_1 }
"#,
        &expect![[r#"
            4:33 keys[1].secret: the key "a" has the same id, 2USBDPIBEdi3; only one of the two would open; make a new key for one of them
            5:33 keys[2].secret: the key "a" has the same secret; give each key a secret of its own
        "#]],
    );
}

#[test]
fn secrets_that_are_weak() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:WEAK }
  - { name: b, team: t, secret: env:SHORT }
  - { name: c, team: t, secret: env:EMPTY }
  - { name: d, team: t, secret: env:MISSING }
  - { name: e, team: t, secret: file:missing.txt }
"#,
        &expect![[r#"
            ~3:33 keys[0].secret: the secret at env:WEAK is shorter than 32 characters; use 32 or more random characters, for example from: openssl rand -hex 24
            4:33 keys[1].secret: the secret at env:SHORT is shorter than 8 characters; use 32 or more random characters, for example from: openssl rand -hex 24
            5:33 keys[2].secret: the secret at env:EMPTY is empty; put the secret there
            6:33 keys[3].secret: the environment variable MISSING is not set; export MISSING, or name another reference
            7:33 keys[4].secret: cannot read missing.txt: no such file; create the file and let this user read it
        "#]],
    );
}

#[test]
fn times_of_a_key() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY, expires: 2026-11-19 }
  - { name: b, team: t, secret: env:PLATFORM_KEY, not_before: 2027-02-01, expires: 2027-01-01T00:00:00+01:00 }
  - { name: c, team: t, secret: env:WEAK, not_before: 2027-02-30, expires: 90d }
"#,
        &expect![[r#"
            ~3:59 keys[0].expires: the key expired on 2026-11-19T00:00:00Z; remove it, or give it more time
            4:84 keys[1].expires: the key expires before it begins; put expires after not_before
            ~5:33 keys[2].secret: the secret at env:WEAK is shorter than 32 characters; use 32 or more random characters, for example from: openssl rand -hex 24
            5:55 keys[2].not_before: "2027-02-30" is not an instant; write a date such as 2027-01-31, or 2027-01-31T09:00:00Z
            5:76 keys[2].expires: "90d" is not an instant; write a date such as 2027-01-31, or 2027-01-31T09:00:00Z
        "#]],
    );
}

#[test]
fn what_a_key_may_call() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY, routes: [nope], models: [opnai/x, openai/x] }
"#,
        &expect![[r#"
    3:59 keys[0].routes[0]: no route "nope"; add it under routes
    3:75 keys[0].models[0]: no provider "opnai"; did you mean "openai/x"?
"#]],
    );
}

#[test]
fn networks_of_a_key() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY, allow_ips: [10.0.0.1/8, 10.0.0.0/33, localhost, "2001:db8::/32", 192.0.2.7, "2001:db8::1/32"] }
"#,
        &expect![[r#"
    3:62 keys[0].allow_ips[0]: 10.0.0.1/8 has bits set behind its /8; write 10.0.0.0/8
    3:74 keys[0].allow_ips[1]: "10.0.0.0/33" is not an IP address or network; write for example 10.0.0.0/8 or 192.0.2.7
    3:87 keys[0].allow_ips[2]: "localhost" is not an IP address or network; write for example 10.0.0.0/8 or 192.0.2.7
    3:126 keys[0].allow_ips[5]: 2001:db8::1/32 has bits set behind its /32; write 2001:db8::/32
"#]],
    );
}

#[test]
fn key_names_that_cannot_be() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
keys: [{ name: "my key", team: t, secret: env:SUPPORT_KEY, disabled: maybe }]
"#,
        &expect![[r#"
    2:70 keys[0].disabled: expected true or false, found text
"#]],
    );
}
