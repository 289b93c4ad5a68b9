//! Wrong shapes: unknown keys, wrong types, what is missing, and what later versions bring.

use expect_test::expect;

use super::check;

#[test]
fn unknown_keys_everywhere() {
    check(
        r#"lsiten: 127.0.0.1:8080
admin: { listn: 127.0.0.1:8081 }
providers:
  openai: { credential: [env:OPENAI_API_KEY], baseUrl: "https://a.example/v1" }
models:
  a: { provider: openai, model: b, Owner: c }
routes:
  chat: { target: [{ model: a, wieght: 1 }], fallback: [a] }
teams: { t: { route: [chat] } }
keys: [{ name: k, team: t, secrets: env:SUPPORT_KEY }]
frobnicate: 1
"#,
        &expect![[r#"
            1:1 lsiten: unknown key "lsiten"; did you mean "listen"?
            2:10 admin.listn: unknown key "listn"; did you mean "listen"?
            4:13 providers.openai.credential: unknown key "credential"; did you mean "credentials"?
            4:47 providers.openai.baseUrl: unknown key "baseUrl"; did you mean "base_url"?
            6:26 models.a.model: unknown key "model"; known here: provider, upstream_model, owner, price, allow_unpriced, clearance, status
            6:36 models.a.Owner: unknown key "Owner"; did you mean "owner"?
            8:11 routes.chat.target: unknown key "target"; did you mean "targets"?
            8:46 routes.chat.fallback: unknown key "fallback"; did you mean "fallbacks"?
            9:15 teams.t.route: unknown key "route"; did you mean "routes"?
            10:8 keys[0]: "secret" is missing; add secret: env:SUPPORT_KEY
            10:28 keys[0].secrets: unknown key "secrets"; did you mean "secret"?
            11:1 frobnicate: unknown key "frobnicate"; known here: listen, admin, data_dir, database, ledger, shared_state, server, time_zone, providers, models, routes, router, limits, budgets, spending, alerts, teams, features, users, issuers, keys
        "#]],
    );
}

#[test]
fn sections_of_later_versions() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
guardrails: {}
observability: { capture: { content: off } }
models: { a: { provider: openai } }
",
        &expect![[r#"
            2:1 guardrails: "guardrails" is not yet supported; leave it out for now
            3:1 observability: "observability" is not yet supported; leave it out for now
        "#]],
    );
}

#[test]
fn shared_state_of_later_versions_and_a_database_with_its_password() {
    check(
        "database: postgres://user:hunter2@host/tollgate
shared_state: redis://host:6379
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: openai } }
",
        &expect![[r#"
            1:11 database: the address holds a password; put the whole address into a variable and write env:NAME
            2:15 shared_state: "redis" is not yet supported; use embedded
        "#]],
    );
}

#[test]
fn route_keys_of_later_versions() {
    check(
        r#"providers: { openai: { credentials: [env:OPENAI_API_KEY], region: eu } }
routes:
  chat:
    purpose: p
    owner: o
    risk: high
    strategy: cheapest
    targets: [{ model: openai/gpt-4o, stage: canary, sticky: user, rollback_if: "x > 1" }]
    shadow: []
    hedge: { after: p95 }
    breaker: {}
    guardrails: []
    cache: {}
    tiers: {}
    rules: []
    fallback_on: [invalid_output, over_cost, timeout]
models: { a: { provider: openai, status: approved } }
teams: { t: { models: ["*"] } }
"#,
        &expect![[r#"
            1:59 providers.openai.region: "region" is not yet supported; leave it out for now
            8:5 routes.chat.targets: no target is stable, so that nothing is left when a canary is rolled back, or for callers who review nothing; give one target the stage stable and a weight above 0
            8:62 routes.chat.targets[0].sticky: only strategy: weighted keeps calls at one target; set strategy: weighted, or remove it
            8:82 routes.chat.targets[0].rollback_if: no such figure "x"; there are: requests, error_rate, block_rate, feedback, p95_ms, stable_requests, stable_error_rate, stable_block_rate, stable_feedback, stable_p95_ms
            10:5 routes.chat.hedge: there is no second model to ask; add a fallback, or remove the hedge
            12:5 routes.chat.guardrails: "guardrails" is not yet supported; leave it out for now
            13:5 routes.chat.cache: "cache" is not yet supported; leave it out for now
            14:5 routes.chat.tiers: "complex" is missing; add complex: [openai/gpt-4o]
            14:5 routes.chat.tiers: "simple" is missing; add simple: [openai/gpt-4o-mini]
            15:5 routes.chat.rules: the list is empty; write for example [{ when: input_tokens < 400, use: [openai/gpt-4o-mini] }, { use: [openai/gpt-4o] }]
        "#]],
    );
}

#[test]
fn a_dialect_and_an_auth_of_later_versions() {
    check(
        r#"providers:
  a: { base_url: "https://a.example", dialect: gemini, auth: aws }
  b: { base_url: "https://b.example", dialect: opnai_chat, auth: baerer }
"#,
        &expect![[r#"
    2:48 providers.a.dialect: "gemini" is not yet supported; use openai_chat, anthropic
    2:62 providers.a.auth: auth "aws" is not yet supported; write bearer, header:NAME or none
    3:48 providers.b.dialect: "opnai_chat" is not one of openai_chat, anthropic; did you mean "openai_chat"?
    3:66 providers.b.auth: "baerer" is not a way to send a credential; write bearer, header:NAME or none
"#]],
    );
}

#[test]
fn sections_with_nothing_in_them() {
    check(
        "admin:
providers:
models: ~
routes: null
teams:
keys:
listen:
",
        &expect![[r#"
    1:1 admin: expected a map, found nothing; give it a value such as { listen: 127.0.0.1:8081 }, or leave it out
    2:1 providers: expected a map, found nothing; give it a value such as { openai: { credentials: [env:OPENAI_API_KEY] } }, or leave it out
    3:1 models: expected a map, found nothing; give it a value such as { fast: { provider: openai, upstream_model: gpt-4o-mini } }, or leave it out
    4:1 routes: expected a map, found nothing; give it a value such as { support-chat: { targets: [{ model: openai/gpt-4o }] } }, or leave it out
    5:1 teams: expected a map, found nothing; give it a value such as { support: { routes: [support-chat] } }, or leave it out
    6:1 keys: expected a list, found nothing; give it a value such as [{ name: support-backend, team: support, secret: env:SUPPORT_KEY }], or leave it out
    7:1 listen: expected text, found nothing; give it a value such as 127.0.0.1:8080, or leave it out
"#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "listen: 8080
admin: 127.0.0.1:8081
data_dir: 7
server: { workers: four, max_body: 1024 }
providers: [openai]
models: { a: openai/gpt-4o }
routes: { chat: { purpose: [a], owner: 7, strategy: 3, targets: { model: a } } }
keys: { a: env:SUPPORT_KEY }
",
        &expect![[r#"
            1:9 listen: expected text, found a number; write for example 127.0.0.1:8080
            2:8 admin: expected a map, found text; write for example { listen: 127.0.0.1:8081 }
            3:11 data_dir: expected text, found a number; put it in quotes
            4:20 server.workers: expected a whole number, found text
            4:36 server.max_body: expected text, found a number; write for example 20MiB
            5:1 providers: expected a map, found a list; write for example { openai: { credentials: [env:OPENAI_API_KEY] } }
            6:14 models.a: expected a map, found text; write for example { provider: openai, upstream_model: gpt-4o }
            7:19 routes.chat.purpose: expected text, found a list
            7:40 routes.chat.owner: expected text, found a number; put it in quotes
            7:53 routes.chat.strategy: expected one of pinned, weighted, cheapest, fastest, least_busy, rules, complexity, found a number
            7:56 routes.chat.targets: expected a list, found a map; write for example [{ model: openai/gpt-4o }]
            8:1 keys: expected a list, found a map; write for example [{ name: support-backend, team: support, secret: env:SUPPORT_KEY }]
        "#]],
    );
}

#[test]
fn targets_as_texts() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
routes:
  chat:
    purpose: p
    owner: o
    targets: [openai/gpt-4o, { model: openai/gpt-4.1 }]
    fallbacks: openai/gpt-4o-mini
",
        &expect![[r#"
    6:15 routes.chat.targets[0]: expected a map, found text; write for example { model: openai/gpt-4o, weight: 95 }
    7:16 routes.chat.fallbacks: expected a list, found text; put it in brackets, as in [ … ]
"#]],
    );
}

#[test]
fn a_credential_that_is_no_list() {
    check(
        "providers: { openai: { credentials: env:OPENAI_API_KEY } }
models: { a: { provider: openai } }
",
        &expect![[r#"
    1:37 providers.openai.credentials: expected a list, found text; put it in brackets, as in [ … ]
"#]],
    );
}

#[test]
fn what_is_missing() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: {} }
routes: { chat: { purpose: p, owner: o }, b: { purpose: p, owner: o, targets: [{ weight: 1 }] } }
keys: [{}, { name: n }]
",
        &expect![[r#"
    2:11 models.a: "provider" is missing; add provider: openai
    3:11 routes.chat: "targets" is missing; add targets: [{ model: openai/gpt-4o }]
    3:80 routes.b.targets[0]: "model" is missing; add model: openai/gpt-4o
    4:8 keys[0]: "name" is missing; add name: support-backend
    4:8 keys[0]: "secret" is missing; add secret: env:SUPPORT_KEY
    4:8 keys[0]: "team" is missing; add team: support
    4:12 keys[1]: "secret" is missing; add secret: env:SUPPORT_KEY
    4:12 keys[1]: "team" is missing; add team: support
"#]],
    );
}

#[test]
fn empty_lists() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
routes: { chat: { purpose: p, owner: o, targets: [] } }
teams: { t: { models: [openai/*] } }
keys: [{ name: k, team: t, secret: env:SUPPORT_KEY, allow_ips: [] }]
",
        &expect![[r#"
    2:41 routes.chat.targets: the list is empty; write for example [{ model: openai/gpt-4o }]
    4:53 keys[0].allow_ips: the list is empty; write for example [10.0.0.0/8]
"#]],
    );
}

#[test]
fn what_was_pruned_is_not_missed() {
    check(
        "providers:
  openai: { credentials: [sk-proj-abcdefghijklmnop] }
  lab: { base_url: 7, dialect: openai_chat }
models: { a: { provider: lab, upstream_model: [] } }
routes:
  chat:
    purpose: 7
    owner: o
    strategy: weighted
    targets: [{ model: a, weight: x }, { model: openai/gpt-4o, weight: 0 }, { model: nope, weight: 0 }]
    fallbacks: [7, 8, anthropic/c]
teams: { t: { routes: [chat], models: 7 } }
keys: [{ name: k, team: t, secret: env:SUPPORT_KEY, expires: soon }, { name: l, team: u, secret: env:PLATFORM_KEY }]
",
        &expect![[r#"
    2:27 providers.openai.credentials[0]: secrets appear only as references; write env:NAME or file:PATH
    3:20 providers.lab.base_url: expected text, found a number; write for example https://api.openai.com/v1
    4:31 models.a.upstream_model: expected text, found a list; write for example gpt-4o
    7:14 routes.chat.purpose: expected text, found a number; put it in quotes
    10:35 routes.chat.targets[0].weight: expected a whole number, found text
    10:86 routes.chat.targets[2].model: no model "nope"; add it under models, or write openai/nope
    11:17 routes.chat.fallbacks[0]: expected text, found a number; put it in quotes
    11:20 routes.chat.fallbacks[1]: expected text, found a number; put it in quotes
    11:23 routes.chat.fallbacks[2]: no provider "anthropic"; add anthropic under providers
    12:39 teams.t.models: expected a list, found a number
    13:62 keys[0].expires: "soon" is not an instant; write a date such as 2027-01-31, or 2027-01-31T09:00:00Z
    13:87 keys[1].team: no team "u"; did you mean "t"?
"#]],
    );
}

#[test]
fn numbers_as_names() {
    check(
        r#"providers: { 7: { credentials: [env:OPENAI_API_KEY], base_url: "https://a.example", dialect: openai_chat } }
routes: { 0: { purpose: p, owner: o, targets: [{ model: 7/x, weight: 2.0 }], retry: { attempts: 11 } } }
"#,
        &expect![[r#"
    2:97 routes.0.retry.attempts: 11 is out of range; use 1 to 10
"#]],
    );
}

#[test]
fn merge_keys_bring_their_places() {
    check(
        "routes:
  a: &a
    purpose: p
    owner: o
    targets: [{ model: openai/x }]
    timeouts: { total: 5 }
  b:
    <<: *a
    owner: q
  c: { <<: [*a], on_loss: no }
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
",
        &expect![[r#"
    6:24 routes.a.timeouts.total: expected text, found a number; write for example 30s
    6:24 routes.b.timeouts.total: expected text, found a number; write for example 30s
    6:24 routes.c.timeouts.total: expected text, found a number; write for example 30s
    10:27 routes.c.on_loss: "no" is not one of warn, reject, avoid; use warn, reject, avoid
"#]],
    );
}
