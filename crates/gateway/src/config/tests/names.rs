//! Names that lead nowhere, listeners and providers.

use expect_test::expect;

use super::check;

#[test]
fn unknown_providers() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: opnai }, b: { provider: anthropic }, c: { provider: zzz }, d: { provider: openai } }
",
        &expect![[r#"
            2:26 models.a.provider: no provider "opnai"; did you mean "openai"?
            2:50 models.b.provider: no provider "anthropic"; add anthropic under providers
            2:78 models.c.provider: no provider "zzz"; add it under providers; known: openai
        "#]],
    );
}

#[test]
fn no_providers_at_all() {
    check(
        "models: { a: { provider: openai } }
",
        &expect![[r#"
    ~1:1 providers: there are no providers, so that no call can be answered; add one, such as openai: { credentials: [env:OPENAI_API_KEY] }
    1:26 models.a.provider: no provider "openai"; add openai under providers
"#]],
    );
}

#[test]
fn an_endpoint_without_address_and_dialect() {
    check(
        r#"providers:
  opnai: { credentials: [env:OPENAI_API_KEY] }
  lab: {}
  lab2: { base_url: "http://127.0.0.1:8000/v1", auth: none }
  lab3: { dialect: openai_chat, auth: none }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    2:3 providers.opnai: "opnai" is not in the catalog and has no base_url and dialect; did you mean "openai"? otherwise add base_url and dialect
    3:3 providers.lab: "lab" is not in the catalog and has no base_url and dialect; add base_url and dialect, as in base_url: http://10.0.0.5:8000/v1 and dialect: openai_chat
    4:3 providers.lab2: "lab2" is not in the catalog and has no dialect; add dialect, as in base_url: http://10.0.0.5:8000/v1 and dialect: openai_chat
    5:3 providers.lab3: "lab3" is not in the catalog and has no base_url; add base_url, as in base_url: http://10.0.0.5:8000/v1 and dialect: openai_chat
"#]],
    );
}

#[test]
fn credentials_that_are_missing() {
    check(
        r#"providers:
  openai: {}
  ollama: {}
  mock: {}
  lab: { base_url: "https://a.example", dialect: openai_chat }
  lab2: { base_url: "https://a.example", dialect: openai_chat, auth: none }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    2:3 providers.openai: there are no credentials; add credentials: [env:OPENAI_API_KEY]
    5:3 providers.lab: there are no credentials; add credentials: [env:NAME], or auth: none
"#]],
    );
}

#[test]
fn credentials_that_cannot_be_read() {
    check(
        r#"providers:
  openai: { credentials: [env:NO_SUCH_VARIABLE, file:/run/secrets/openai, file:/run/secrets/none, file:/run/secrets/locked, env:EMPTY, env:SPACED] }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    2:27 providers.openai.credentials[0]: the environment variable NO_SUCH_VARIABLE is not set; export NO_SUCH_VARIABLE, or name another reference
    2:75 providers.openai.credentials[2]: cannot read /run/secrets/none: no such file; create the file and let this user read it
    2:99 providers.openai.credentials[3]: cannot read /run/secrets/locked: permission denied; create the file and let this user read it
    2:125 providers.openai.credentials[4]: the secret at env:EMPTY is empty; put the secret there
    2:136 providers.openai.credentials[5]: the secret at env:SPACED has spaces, line breaks or characters outside of ASCII; put the secret there alone, on one line
"#]],
    );
}

#[test]
fn credentials_twice_or_not_sent() {
    check(
        r#"providers:
  openai: { credentials: [env:OPENAI_API_KEY, env:OPENAI_API_KEY] }
  lab: { base_url: "https://a.example", dialect: openai_chat, auth: none, credentials: [env:OPENAI_API_KEY] }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    2:47 providers.openai.credentials[1]: env:OPENAI_API_KEY is in the pool twice; remove one of the two
    3:75 providers.lab.credentials: auth is none, so that no credential is ever sent; remove the credentials, or auth: none
"#]],
    );
}

#[test]
fn credentials_in_clear() {
    check(
        r#"providers:
  lab: { base_url: "http://10.0.0.5:8000/v1", dialect: openai_chat, credentials: [env:OPENAI_API_KEY] }
  here: { base_url: "http://localhost:8000/v1", dialect: openai_chat, credentials: [env:OPENAI_API_KEY] }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    ~2:20 providers.lab.base_url: credentials would cross the network unencrypted; use https
"#]],
    );
}

#[test]
fn a_provider_that_nothing_uses() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] }, mock: {} }
models: { a: { provider: mock } }
",
        &expect![[r#"
    ~1:14 providers.openai: nothing uses this provider; name it in a route, a model or a team, as in openai/*, or remove it
"#]],
    );
}

#[test]
fn names_that_cannot_be() {
    check(
        r#"providers: { "a/b": { base_url: "https://a.example", dialect: openai_chat, auth: none } }
models: { "*": { provider: "a/b" }, "": { provider: "a/b" } }
routes: { "my route": { purpose: p, owner: o, targets: [{ model: "*" }] } }
teams: { -t: { models: ["*"] } }
"#,
        &expect![[r#"
    1:14 providers.a/b: this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
    2:11 models."*": this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
    2:37 models."": this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
    3:11 routes."my route": this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
    4:10 teams.-t: this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
"#]],
    );
}

#[test]
fn a_route_named_like_a_model() {
    check(
        "providers: { mock: {} }
models: { chat: { provider: mock } }
routes: { chat: { purpose: p, owner: o, targets: [{ model: chat }] } }
",
        &expect![[r#"
    3:11 routes.chat: "chat" is both a route and a model; rename one of the two
"#]],
    );
}

#[test]
fn a_public_address_without_keys() {
    check(
        r#"listen: 0.0.0.0:8080
providers: { mock: {} }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
            ~1:9 listen: 0.0.0.0:8080 is open to a network, and no keys stand here; without one in the database either it will not start; make one with tollgate keys create, add an entry under keys, or listen on 127.0.0.1:8080
        "#]],
    );
}

#[test]
fn a_public_address_with_keys() {
    check(
        r#"listen: "[::]:8080"
providers: { mock: {} }
teams: { t: { models: ["*"] } }
keys: [{ name: k, team: t, secret: env:SUPPORT_KEY }]
"#,
        &expect![[""]],
    );
}

#[test]
fn a_public_address_with_a_bad_key() {
    check(
        r#"listen: 10.0.0.1:8080
providers: { mock: {} }
teams: { t: { models: ["*"] } }
keys: [{ name: k }]
"#,
        &expect![[r#"
    4:8 keys[0]: "secret" is missing; add secret: env:SUPPORT_KEY
    4:8 keys[0]: "team" is missing; add team: support
"#]],
    );
}

#[test]
fn a_public_admin_plane() {
    check(
        r#"admin: { listen: 192.0.2.1:8081 }
providers: { mock: {} }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
            ~1:18 admin.listen: 192.0.2.1:8081 is open to a network, and passwords go to it unencrypted; put something that speaks TLS in front, or listen on 127.0.0.1:8081
        "#]],
    );
}

#[test]
fn two_listeners_on_one_port() {
    check(
        r#"listen: 127.0.0.1:8081
providers: { mock: {} }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    1:9 listen: listen and admin.listen both take port 8081; give each a port of its own
"#]],
    );
}

#[test]
fn free_ports() {
    check(
        r#"listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
providers: { mock: {} }
teams: { t: { models: ["*"] } }
"#,
        &expect![[""]],
    );
}

#[test]
fn an_empty_map() {
    check(
        "{}",
        &expect![[r#"
        ~1:1 providers: there are no providers, so that no call can be answered; add one, such as openai: { credentials: [env:OPENAI_API_KEY] }
    "#]],
    );
}

#[test]
fn an_empty_data_dir() {
    check(
        r#"data_dir: ""
providers: { mock: {} }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
    1:11 data_dir: the path is empty; write for example ./tollgate-data
"#]],
    );
}
