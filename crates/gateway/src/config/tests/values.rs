//! Values that are not of their kind, their range or their unit, and secrets where references belong.

use expect_test::expect;

use super::{check, checked};

#[test]
fn values_out_of_range() {
    check(
        r#"providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
server: { workers: 0 }
routes:
  a: { purpose: p, owner: o, targets: [{ model: openai/a, weight: -1 }], retry: { attempts: 0 } }
  b: { purpose: p, owner: o, targets: [{ model: openai/a, weight: 1.5 }], retry: { attempts: 11 } }
  c: { purpose: p, owner: o, targets: [{ model: openai/a, weight: 5000000 }], retry: { attempts: 300 } }
  d: { purpose: p, owner: o, targets: [{ model: openai/a, weight: 99999999999999999999 }], retry: { attempts: "3" } }
"#,
        &expect![[r#"
    2:20 server.workers: 0 is out of range; use 1 to 1024
    4:67 routes.a.targets[0].weight: -1 is out of range; use 0 to 1000000
    4:93 routes.a.retry.attempts: 0 is out of range; use 1 to 10
    5:67 routes.b.targets[0].weight: expected a whole number, found 1.5
    5:94 routes.b.retry.attempts: 11 is out of range; use 1 to 10
    6:67 routes.c.targets[0].weight: 5000000 is out of range; use 0 to 1000000
    6:98 routes.c.retry.attempts: 300 is out of range; use 1 to 10
    7:67 routes.d.targets[0].weight: 1e+20 is out of range; use 0 to 1000000
    7:111 routes.d.retry.attempts: expected a whole number, found text
"#]],
    );
}

#[test]
fn values_of_an_enum() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
routes:
  a: { purpose: p, owner: o, strategy: wieghted, targets: [{ model: openai/a }], fallback_on: [timeuot, 429], on_loss: ignore }
database: sqlite
",
        &expect![[r#"
            3:40 routes.a.strategy: "wieghted" is not one of pinned, weighted, cheapest, fastest, least_busy, rules, complexity; did you mean "weighted"?
            3:96 routes.a.fallback_on[0]: "timeuot" is not one of unavailable, timeout, rate_limited, context_length, content_policy, invalid_output, over_cost; did you mean "timeout"?
            3:105 routes.a.fallback_on[1]: expected one of unavailable, timeout, rate_limited, context_length, content_policy, invalid_output, over_cost, found a number
            3:120 routes.a.on_loss: "ignore" is not one of warn, reject, avoid; use warn, reject, avoid
            4:11 database: "sqlite" is not a database; write embedded, postgres://user@host/name or env:DATABASE_URL
        "#]],
    );
}

#[test]
fn bad_durations() {
    check(
        r#"providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
routes:
  a:
    purpose: p
    owner: o
    targets: [{ model: openai/a }]
    timeouts: { connect: 5, first_byte: 30 sec, idle: 1.5s, total: 5min }
  b:
    purpose: p
    owner: o
    targets: [{ model: openai/a }]
    timeouts: { connect: "", first_byte: "30", idle: 99999999999999999999d, total: -5s }
"#,
        &expect![[r#"
    7:26 routes.a.timeouts.connect: expected text, found a number; write for example 30s
    7:41 routes.a.timeouts.first_byte: "sec" is not a unit of duration: d, h, m, s, ms; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    7:55 routes.a.timeouts.idle: "1.5s" is not a duration; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    7:68 routes.a.timeouts.total: "min" is not a unit of duration: d, h, m, s, ms; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    12:26 routes.b.timeouts.connect: "" is not a duration; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    12:42 routes.b.timeouts.first_byte: the duration 30 has no unit; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    12:54 routes.b.timeouts.idle: the duration 99999999999999999999d is too large; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
    12:84 routes.b.timeouts.total: "-5s" is not a duration; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
"#]],
    );
}

#[test]
fn durations_and_sizes_out_of_range() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
server: { max_body: 100B, drain: 25h, drain_delay: 6m }
routes:
  a: { purpose: p, owner: o, targets: [{ model: openai/a }], timeouts: { connect: 0s, idle: 25h } }
",
        &expect![[r#"
            2:21 server.max_body: 100B is out of range; use 1KiB to 1GiB
            2:34 server.drain: 25h is out of range; use 0s to 24h
            2:52 server.drain_delay: 6m is out of range; use 0s to 5m
            4:83 routes.a.timeouts.connect: 0s is out of range; use 1ms to 24h
            4:93 routes.a.timeouts.idle: 25h is out of range; use 1ms to 24h
        "#]],
    );
}

#[test]
fn bad_sizes() {
    check(
        "server: { max_body: 20 MB }
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: openai } }
",
        &expect![[r#"
    1:21 server.max_body: "MB" is not a unit of size: GiB, GB, MiB, MB, KiB, KB, B; write a whole number and a unit, such as 20MiB or 512KiB
"#]],
    );
}

#[test]
fn bad_addresses() {
    check(
        r#"listen: ":8080"
admin: { listen: localhost:8081 }
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: openai } }
"#,
        &expect![[r#"
    1:9 listen: ":8080" is not an IP address and a port; write 127.0.0.1:8080, or 0.0.0.0:8080 for every network
    2:18 admin.listen: "localhost:8081" is not an IP address and a port; write 127.0.0.1:8081
"#]],
    );
}

#[test]
fn more_bad_addresses() {
    check(
        r#"listen: 0.0.0.0
admin: { listen: "http://127.0.0.1:8081" }
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: openai } }
"#,
        &expect![[r#"
    1:9 listen: 0.0.0.0 has no port; write 0.0.0.0:8080
    2:18 admin.listen: "http://127.0.0.1:8081" is not an IP address and a port; write for example 127.0.0.1:8080
"#]],
    );
}

#[test]
fn bad_base_urls() {
    check(
        r#"providers:
  a: { dialect: openai_chat, auth: none, base_url: api.example.com/v1 }
  b: { dialect: openai_chat, auth: none, base_url: "localhost:8000" }
  c: { dialect: openai_chat, auth: none, base_url: "ftp://a.example" }
  d: { dialect: openai_chat, auth: none, base_url: "https://user:pass@a.example" }
  e: { dialect: openai_chat, auth: none, base_url: "https://a.example/v1?key=abc" }
  f: { dialect: openai_chat, auth: none, base_url: "https://a.example/v1/chat/completions" }
  g: { dialect: openai_chat, auth: none, base_url: "https://" }
  h: { dialect: anthropic, auth: "header:x key", base_url: "https://a.example/v1/messages/" }
"#,
        &expect![[r#"
    2:52 providers.a.base_url: the URL has no scheme; write for example https://api.openai.com/v1
    3:52 providers.b.base_url: the URL has no scheme; write for example https://api.openai.com/v1
    4:52 providers.c.base_url: only http and https are spoken; write for example https://api.openai.com/v1
    5:52 providers.d.base_url: a URL holds no user or password; put the secret under credentials, as env:NAME
    6:52 providers.e.base_url: a base URL has no query and no fragment; write for example https://api.openai.com/v1
    7:52 providers.f.base_url: /chat/completions is the path of a call, not of the base URL; write https://a.example/v1
    8:52 providers.g.base_url: this is not a URL; write for example https://api.openai.com/v1
    9:34 providers.h.auth: "x key" is not the name of a header; write for example header:x-api-key
    9:60 providers.h.base_url: /v1/messages is the path of a call, not of the base URL; write https://a.example
"#]],
    );
}

#[test]
fn literal_secrets() {
    check(
        r#"providers:
  openai: { credentials: [sk-proj-abcdefghijklmnop, env:OPENAI_API_KEY] }
  anthropic: { credentials: ["$ANTHROPIC_API_KEY", "${ANTHROPIC_API_KEY}", vault:anthropic, 12345678, "env:", "env:NOT-A-NAME", "file:"] }
teams: { t: { models: [openai/*, anthropic/*] } }
keys: [{ name: k, team: t, secret: correct-horse-battery }]
"#,
        &expect![[r#"
    2:27 providers.openai.credentials[0]: secrets appear only as references; write env:NAME or file:PATH
    3:30 providers.anthropic.credentials[0]: variables are not expanded here; write env:NAME
    3:52 providers.anthropic.credentials[1]: variables are not expanded here; write env:NAME
    3:76 providers.anthropic.credentials[2]: vault: references are not yet supported; write env:NAME or file:PATH
    3:93 providers.anthropic.credentials[3]: expected text, found a number; write for example env:OPENAI_API_KEY
    3:103 providers.anthropic.credentials[4]: what follows env: is not the name of a variable; write for example env:OPENAI_API_KEY
    3:111 providers.anthropic.credentials[5]: what follows env: is not the name of a variable; write for example env:OPENAI_API_KEY
    3:129 providers.anthropic.credentials[6]: what follows file: is not a path; write for example file:/run/secrets/openai
    5:36 keys[0].secret: secrets appear only as references; write env:NAME or file:PATH
"#]],
    );
}

#[test]
fn a_secret_in_the_file_is_never_shown() {
    let rows = [
        "providers: { openai: { credentials: [hunter2-hunter2], base_urk: x } }",
        "providers:\n  openai:\n    credentials:\n      - hunter2-hunter2\n",
        "providers: { openai: { api_key: hunter2-hunter2 } }",
        "providers: { openai: { credentials: hunter2-hunter2 } }",
        "providers: { openai: { base_url: 'https://user:hunter2-hunter2@a.example' } }",
        "keys: [{ name: k, team: nope, secret: hunter2-hunter2, user: 7 }]",
        "keys: [{ name: k, secret: hunter2-hunter2 ]",
        "keys:\n  - { name: 7, team: t, secert: hunter2-hunter2 }\n",
        "providers: { a: { base_url: 'https://a.example/v1?token=hunter2' } }",
        "database: postgres://tollgate:hunter2-hunter2@host/tollgate",
        "keys: [{ name: k, team: t, secret: env:hunter2-hunter2 }]",
        "providers: { openai: { auth: sk-hunter2-hunter2-hunter2 } }",
        "models: { a: { provider: sk-hunter2-hunter2-hunter2 } }",
    ];
    for yaml in rows {
        let problems = checked(yaml).problems;
        assert!(
            problems.iter().any(|problem| problem.severity == super::super::Severity::Error),
            "{yaml}"
        );
        for problem in problems {
            let told = format!(
                "{problem}\n{}\n{}",
                problem.line_for_logs(),
                serde_json::to_string(&problem).unwrap()
            );
            assert!(!told.contains("hunter2"), "{yaml}\n{told}");
        }
    }
}
