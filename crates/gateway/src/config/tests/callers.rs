//! Users, identity providers, and what keys say of those whom calls are counted to.

use expect_test::expect;

use super::check_part;

#[test]
fn users_and_features_that_disagree() {
    check_part(
        r#"teams: { t: { models: ["*"], features: [chat, search] }, u: { models: ["*"], tags: { Tier: gold, tier: gold } } }
users: { ada: { team: t }, bob: { team: nobody }, " ": { team: t } }
keys:
  - { name: a, team: u, user: ada, secret: env:SUPPORT_KEY, feature: x, features: [y], tags: { "my tag": x } }
  - { name: b, team: t, user: eve, secret: env:PLATFORM_KEY, feature: chat, features: [chat, serach] }
"#,
        &expect![[r#"
            1:86 teams.u.tags.Tier: this cannot be the name of a tag; use up to 64 of the characters a-z 0-9 _ . -
            2:41 users.bob.team: no team "nobody"; add it under teams; known: t, u
            2:51 users." ": this cannot be a name; write 1 to 256 characters on one line
            4:31 keys[0].user: the user "ada" is of the team "t"; give the key that team, or another user
            4:70 keys[0].feature: "x" is not among the key's features; add it to features
            4:96 keys[0].tags."my tag": this cannot be the name of a tag; use up to 64 of the characters a-z 0-9 _ . -
            5:94 keys[1].features[1]: the team "t" has no feature "serach"; add it to the team's features
        "#]],
    );
}

#[test]
fn scopes_and_concurrency_of_a_key() {
    check_part(
        r#"teams: { t: { models: ["*"], disabled: yes please } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY, scopes: [chat, chats, admin], concurrent: 0 }
  - { name: b, team: t, secret: env:PLATFORM_KEY, scopes: [], concurrent: many }
"#,
        &expect![[r#"
            1:40 teams.t.disabled: expected true or false, found text
            3:65 keys[0].scopes[1]: "chats" is not one of chat, embeddings, images, audio, realtime, batch, models:read, usage:self, feedback, label:raise, label:declassify; did you mean "chat"?
            3:72 keys[0].scopes[2]: "admin" is not one of chat, embeddings, images, audio, realtime, batch, models:read, usage:self, feedback, label:raise, label:declassify; use chat, embeddings, images, audio, realtime, batch, models:read, usage:self, feedback, label:raise, label:declassify
            3:92 keys[0].concurrent: 0 is out of range; use 1 to 1000000
            4:51 keys[1].scopes: the list is empty; write for example [chat]
            4:75 keys[1].concurrent: expected a whole number, found text
        "#]],
    );
}

#[test]
fn identity_providers() {
    check_part(
        r#"teams: { t: { models: ["*"] } }
issuers:
  a: { issuer: "https://login.example.com", audiences: [tollgate], claims: { team: department }, jwks_url: "https://k.example.com/keys" }
  b: { issuer: "https://login.example.com", audiences: [], team: t, jwks_url: "https://k.example.com/keys" }
  c: { issuer: "http://login.example.com/c", audiences: [" "], jwks_url: "http://login.example.com/keys" }
  d: { issuer: "https://login.example.com/d", audiences: [x], team: nobody, claims: { user: "" }, jwks_url: "https://k.example.com/keys" }
  e: { audiences: [x], team: t, jwks_url: "https://k.example.com/keys" }
  f: { issuer: login.example.com, audiences: [x], team: t, claims: { teem: x }, jwks_url: "https://k.example.com/keys" }
  g: { issuer: "https://login.example.com", audiences: [other], team: t, jwks_url: "https://k.example.com/keys" }
"#,
        &expect![[r#"
            4:45 issuers.b.audiences: the list is empty; write for example [tollgate]
            5:3 issuers.c: nothing says which team a token belongs to; add claims: { team: NAME }, or team for all of its tokens
            5:58 issuers.c.audiences[0]: an empty audience would take everybody's tokens; name the audience
            5:74 issuers.c.jwks_url: whoever is on the way could sign tokens of his own; use https
            6:69 issuers.d.team: no team "nobody"; add it under teams; known: t
            6:93 issuers.d.claims.user: the claim has no name; write for example sub
            7:3 issuers.e: "issuer" is missing; add issuer: https://login.example.com
            8:16 issuers.f.issuer: this is not an address; write it as it stands in its tokens: https://login.example.com
            8:70 issuers.f.claims.teem: unknown key "teem"; did you mean "team"?
            9:16 issuers.g.issuer: the issuer stands here twice; put its audiences into one entry
        "#]],
    );
}
