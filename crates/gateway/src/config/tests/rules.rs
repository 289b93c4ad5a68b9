//! Limits, budgets, alerts and prices.

use expect_test::{Expect, expect};

use super::{check_part, checked};

#[test]
fn rules_as_the_contract_writes_them() {
    check_part(
        r#"limits:
  - { name: fair use, per: [user], requests: 1000/hour, on_exceed: reject }
  - { name: team tokens, per: [team], tokens: 100k/hour, on_exceed: { queue: 20s } }
  - { name: feature cost containment, per: [feature], requests: 10k/hour }
  - { name: provider quota, per: [model], tokens: 200k/minute }
  - { name: last line of defence, per: [], requests: 5k/minute, concurrent: 500 }
budgets:
  - { name: user day, per: [user], amount: 5 USD, window: day, time_zone: Europe/Berlin, on_exceed: block }
  - name: team month
    per: [team]
    amount: 2000 USD
    window: month
    alerts: [50%, 80%, 100%]
    downgrade_at: 80%
    downgrade: { openai/gpt-4o: openai/gpt-4o-mini }
    on_exceed: block
alerts: { webhook: { url: "https://a.example/x", secret: env:ALERT_SECRET } }
database: postgres://user@host/tollgate
"#,
        &expect![[""]],
    );
}

#[test]
fn amounts_that_admit_nothing() {
    check_part(
        r#"limits:
  - { name: a, requests: 0/hour }
  - { name: b, per: [team] }
  - { name: c, tokens: 0k/day, concurrent: 0 }
  - { name: d, tokens: 100/day, input_tokens: 100/day, output_tokens: 50/day }
budgets:
  - { name: e, amount: 0 USD, window: day }
  - { name: f, amount: -5 USD, window: day }
  - { name: g, window: day }
  - { name: h, amount: 5 USD }
"#,
        &expect![[r#"
            2:26 limits[0].requests: a limit of 0 refuses every call; allow at least 1, or take the models from the team or the key
            3:5 limits[1]: the limit limits nothing; add requests, tokens or concurrent, as in requests: 1000/hour
            4:24 limits[2].tokens: a limit of 0 refuses every call; allow at least 1, or take the models from the team or the key
            4:44 limits[2].concurrent: 0 is out of range; use 1 to 1000000
            ~5:47 limits[3].input_tokens: this is never reached: tokens, which counts them too, is not larger; lower it, or remove it
            7:24 budgets[0].amount: a budget of 0 refuses every call; give it an amount, or take the models from the team or the key
            8:24 budgets[1].amount: the amount -5 is negative; write for example 5 USD or 0.25 USD
            9:5 budgets[2]: "amount" is missing; add amount: 5 USD
            10:5 budgets[3]: "window" is missing; add window: month
        "#]],
    );
}

#[test]
fn units_that_are_not() {
    check_part(
        r#"limits:
  - { name: a, requests: 1000 }
  - { name: b, requests: 1000/fortnight }
  - { name: c, requests: many/hour }
  - { name: d, tokens: -1/hour }
  - { name: e, tokens: 1.5k/hour }
  - { name: f, tokens: 10/400d }
  - { name: g, concurrent: -1, requests: 99999999999G/day }
budgets:
  - { name: h, amount: 5 EUR, window: day }
  - { name: i, amount: 5, window: day }
  - { name: j, amount: $5, window: day }
  - { name: k, amount: 5 USD, window: dayly, alerts: [50, 80], downgrade_at: 0.8 }
  - { name: l, amount: 0.0000000001 USD, window: 30d }
  - { name: m, amount: 5 USD, window: rolling 400d }
  - { name: n, amount: 5 USD, window: rolling x, alerts: [2000%, 1.234%] }
"#,
        &expect![[r#"
            2:26 limits[0].requests: expected text, found a number; write for example 1000/hour
            3:26 limits[1].requests: "fortnight" is not a window: second, minute, hour, day, week, month; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            4:26 limits[2].requests: "many" is not a number; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            5:24 limits[3].tokens: "-1" is not a number; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            6:24 limits[4].tokens: "1.5k" is not a number; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            7:24 limits[5].tokens: the window 400d is not between a second and a month; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            8:28 limits[6].concurrent: -1 is out of range; use 1 to 1000000
            8:42 limits[6].requests: "99999999999G" is not a number; write a number and a window, such as 1000/hour, 100k/minute or 20/10s
            10:24 budgets[0].amount: "EUR" is not a currency that is counted in; only USD is; write for example 5 USD or 0.25 USD
            11:24 budgets[1].amount: expected text, found a number; write for example 5 USD
            12:24 budgets[2].amount: "$5" is not an amount of money; write for example 5 USD or 0.25 USD
            13:39 budgets[3].window: "dayly" is not a window of a budget; write day, week, month, quarter, never, request or rolling 30d
            13:55 budgets[3].alerts[0]: expected text, found a number; write for example 80%
            13:59 budgets[3].alerts[1]: expected text, found a number; write for example 80%
            13:78 budgets[3].downgrade_at: expected text, found a number; write for example 80%
            14:24 budgets[4].amount: the amount 0.0000000001 is finer than a billionth of a dollar; write for example 5 USD or 0.25 USD
            14:50 budgets[4].window: "30d" is not a window of a budget; write day, week, month, quarter, never, request or rolling 30d
            15:39 budgets[5].window: rolling 400d is out of range; use rolling 1m to rolling 366d
            16:39 budgets[6].window: "x" is not a duration; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
            16:59 budgets[6].alerts[0]: "2000%" is more than 1000%; write for example 80% or 2.5%
            16:66 budgets[6].alerts[1]: "1.234%" is finer than a hundredth of a percent; write for example 80% or 2.5%
        "#]],
    );
}

#[test]
fn scopes_and_zones_that_nobody_has() {
    check_part(
        r#"time_zone: Europe/Berln
limits:
  - { name: a, per: [usr, colour, "tag:Tier", "tag:tier", team, team], requests: 1/hour }
  - { name: b, per: user, requests: 1/hour }
budgets:
  - { name: c, amount: 5 USD, window: day, time_zone: Mars/Olympus }
  - { name: d, amount: 5 USD, window: never, time_zone: Europe/Berlin }
"#,
        &expect![[r#"
            1:12 time_zone: there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?
            3:22 limits[0].per[0]: nothing is counted by "usr"; did you mean "user"?
            3:27 limits[0].per[1]: nothing is counted by "colour"; use team, user, key, feature, route, model, provider or tag:NAME
            3:35 limits[0].per[2]: "Tier" is not the name of a tag; use up to 64 of the characters a-z 0-9 _ . -
            3:65 limits[0].per[5]: "team" is in the list twice; remove one of the two
            4:21 limits[1].per: expected a list, found text; put it in brackets, as in [ … ]
            6:55 budgets[0].time_zone: there is no time zone "Mars/Olympus"; write a name such as Europe/Berlin or UTC
            ~7:57 budgets[1].time_zone: a window never follows no calendar; remove time_zone
        "#]],
    );
}

#[test]
fn names_that_are_given_twice() {
    check_part(
        r#"limits:
  - { name: a, requests: 1/hour }
  - { name: a, requests: 2/hour }
  - { name: "", requests: 2/hour }
  - { name: "  ", requests: 2/hour }
  - { requests: 2/hour }
budgets:
  - { name: a, amount: 5 USD, window: day }
"#,
        &expect![[r#"
            3:13 limits[1].name: a limit or budget "a" stands above; give each a name of its own: usage is counted by it
            4:13 limits[2].name: the text is empty; write for example fair use
            5:13 limits[3].name: this cannot be a name; write 1 to 128 characters on one line
            6:5 limits[4]: "name" is missing; add name: fair use
            8:13 budgets[0].name: a limit or budget "a" stands above; give each a name of its own: usage is counted by it
        "#]],
    );
}

#[test]
fn conditions_that_never_hold() {
    check_part(
        r#"teams: { support: { models: ["*"] } }
routes: { chat: { purpose: p, owner: o, targets: [{ model: big }] } }
limits:
  - { name: a, when: team == "suport", requests: 1/hour }
  - { name: b, when: 'caller.team=="zzzzzzz" || route == "chta" || provider == "openai"', requests: 1/hour }
  - { name: c, when: "false", requests: 1/hour }
  - { name: d, when: "  ", requests: 1/hour }
  - { name: e, when: "", requests: 1/hour }
  - { name: f, when: 'team == "support" || my_team == "x" || team != "x" || route == "openai/gpt-4o" || team == "" ', requests: 1/hour }
  - { name: g, when: true, requests: 1/hour }
  - { name: h, when: 'team == "support" && usr == "x"', requests: 1/hour }
  - { name: i, when: team == , requests: 1/hour }
  - { name: j, when: "team == \"support\" && stream == 5", requests: 1/hour }
  - { name: k, when: 'hour > 30', requests: 1/hour }
  - { name: l, when: 'team == "support" && team == "x"', requests: 1/hour }
  - name: m
    requests: 1/hour
    when: |
      team == "support" &&
        colour == "red"
"#,
        &expect![[r#"
            ~4:22 limits[0].when: the condition names a team "suport" that is not here; did you mean "support"?
            ~5:22 limits[1].when: the condition names a route "chta" that is not here; did you mean "chat"?
            ~5:22 limits[1].when: the condition names a team "zzzzzzz" that is not here; mend the name, or add it under teams
            ~6:22 limits[2].when: the condition is never true; mend it, or remove the rule
            7:22 limits[3].when: the condition is empty; write one, or leave when out
            8:22 limits[4].when: the text is empty; write for example team == "support"
            9:44 limits[5].when: no such name "my_team"; there are: team, user, end_user, key, feature, route, model, provider, operation, task, risk, label, stream, has_tools, has_images, wants_json, input_tokens, max_tokens, hour, priority, tags, metadata, session, budget_used, price_micro_usd
            10:22 limits[6].when: expected text, found true; put it in quotes
            11:44 limits[7].when: no such name "usr"; did you mean "user"?
            12:29 limits[8].when: not a condition: mismatched input the end
            13:22 limits[9].when: in line 1, column 29 of the text: true or false cannot be compared with a number in this way
            ~14:22 limits[10].when: the condition is never true; mend it, or remove the rule
            ~15:22 limits[11].when: the condition is never true; mend it, or remove the rule
            19:7 limits[12].when: in line 2, column 3 of the text: no such name "colour"; there are: team, user, end_user, key, feature, route, model, provider, operation, task, risk, label, stream, has_tools, has_images, wants_json, input_tokens, max_tokens, hour, priority, tags, metadata, session, budget_used, price_micro_usd
        "#]],
    );
}

#[test]
fn what_happens_beyond() {
    check_part(
        r#"limits:
  - { name: a, requests: 1/hour, on_exceed: rejct }
  - { name: b, requests: 1/hour, on_exceed: { queue: 40s } }
  - { name: c, requests: 1/hour, on_exceed: { queue: 1s, downgrade: [big] } }
  - { name: d, requests: 1/hour, on_exceed: {} }
  - { name: e, requests: 1/hour, on_exceed: { downgrade: [] } }
  - { name: f, requests: 1/hour, on_exceed: { downgrade: [bigg, openai/gpt-4o] } }
  - { name: g, requests: 1/hour, on_exceed: { queu: 1s } }
  - { name: h, requests: 1/hour, on_exceed: 5 }
  - { name: i, requests: 1/hour, on_exceed: { queue: soon } }
budgets:
  - { name: j, amount: 5 USD, window: day, on_exceed: { queue: 1s } }
  - { name: k, amount: 5 USD, window: day, on_exceed: { downgrade: [zzz/x] } }
"#,
        &expect![[r#"
            2:45 limits[0].on_exceed: "rejct" is not one of reject, block; did you mean "reject"?
            3:54 limits[1].on_exceed.queue: 40s is out of range; use 1ms to 30s
            4:34 limits[2].on_exceed: one of queue and downgrade belongs here; write for example { queue: 20s }
            ~4:34 limits[2].on_exceed: the models that stand in are counted by the same limit, and refused with the first; add model to per
            5:34 limits[3].on_exceed: one of queue and downgrade belongs here; write for example { queue: 20s }
            6:47 limits[4].on_exceed.downgrade: the list is empty; write for example [openai/gpt-4o-mini]
            ~7:34 limits[5].on_exceed: the models that stand in are counted by the same limit, and refused with the first; add model to per
            7:59 limits[5].on_exceed.downgrade[0]: no model "bigg"; did you mean "big"?
            8:47 limits[6].on_exceed.queu: unknown key "queu"; did you mean "queue"?
            9:45 limits[7].on_exceed: expected one of reject, block, found a number
            10:54 limits[8].on_exceed.queue: "soon" is not a duration; write a whole number and a unit, such as 30s, 5m, 250ms or 24h
            12:64 budgets[0].on_exceed.queue: waiting brings no money back; use block, or downgrade
            13:69 budgets[1].on_exceed.downgrade[0]: no provider "zzz"; add it under providers; known: openai, anthropic
        "#]],
    );
}

#[test]
fn thresholds_and_substitutes() {
    check_part(
        r#"budgets:
  - { name: a, amount: 5 USD, window: day, alerts: [0%, 50%, 50%, 120%] }
  - { name: b, amount: 5 USD, window: day, downgrade_at: 80% }
  - { name: c, amount: 5 USD, window: day, downgrade: { big: fast-llama } }
  - { name: d, amount: 5 USD, window: day, downgrade_at: 100%, downgrade: { bgi: fast-llama, big: fast-lama, fast-llama: fast-llama } }
  - { name: e, amount: 5 USD, window: request, downgrade_at: 50%, downgrade: { big: fast-llama, fast-llama: big } }
"#,
        &expect![[r#"
            2:53 budgets[0].alerts[0]: an alert at 0% would come at once; use more than 0%
            2:62 budgets[0].alerts[2]: 50% is in the list twice; remove one of the two
            ~2:67 budgets[0].alerts[3]: 120% is hardly ever reached: calls are refused at 100%; use 100% or less
            3:58 budgets[1].downgrade_at: there is nothing to downgrade to; add downgrade: { openai/gpt-4o: openai/gpt-4o-mini }
            ~4:44 budgets[2].downgrade: nothing says when to downgrade; add downgrade_at: 80%
            ~5:58 budgets[3].downgrade_at: 100% is never reached: calls are refused at 100%; use less, such as 80%
            5:77 budgets[3].downgrade.bgi: no model "bgi"; did you mean "big"?
            5:99 budgets[3].downgrade.big: no model "fast-lama"; did you mean "fast-llama"?
            5:122 budgets[3].downgrade.fast-llama: a model cannot stand in for itself; name another one
            ~6:62 budgets[4].downgrade_at: each call begins anew, so that no share is ever spent; remove it, or choose another window
            ~6:85 budgets[4].downgrade.big: the two stand in for each other; remove one of the two
            ~6:109 budgets[4].downgrade.fast-llama: the two stand in for each other; remove one of the two
        "#]],
    );
}

#[test]
fn alerts_and_spending() {
    check_part(
        r#"alerts: { webhook: { url: "http://a.example/x", secret: env:WEAK } }
spending: { output_cap: 0, over_budget_status: 404 }
ledger: { durability: disk }
"#,
        &expect![[r#"
            1:27 alerts.webhook.url: alerts would cross the network unencrypted; use https; http is for a loopback address such as http://127.0.0.1:9000 alone
            1:57 alerts.webhook.secret: the secret at env:WEAK is shorter than 32 characters; use 32 or more random characters, for example from: openssl rand -hex 24
            2:25 spending.output_cap: 0 is out of range; use 1 to 10000000
            2:48 spending.over_budget_status: 404 is not a status for a spent budget; use 402 or 429
            3:23 ledger.durability: "disk" is not one of process, power, none; use process, power, none
        "#]],
    );
    check_part(
        r#"alerts: { webhook: { url: "ftp://a.example/x", secret: hunter2 } }
spending: { over_budget_status: 500 }
ledger: { journal_max: 1MiB }
"#,
        &expect![[r#"
            1:27 alerts.webhook.url: only http and https are spoken; write for example https://hooks.example.com/tollgate
            1:56 alerts.webhook.secret: secrets appear only as references; write env:NAME or file:PATH
            2:33 spending.over_budget_status: 500 is out of range; use 402 to 429
            3:24 ledger.journal_max: 1MiB is out of range; use 64MiB to 1024GiB
        "#]],
    );
}

#[test]
fn how_long_decisions_are_kept() {
    check_part("ledger: { decisions: 0s }\n", &expect![[""]]);
    check_part(
        "ledger: { decisions: 401d }\n",
        &expect![[r#"
            1:22 ledger.decisions: 401d is out of range; use 400d or less; 0s keeps none
        "#]],
    );
}

#[test]
fn r_b2_where_alerts_may_go() {
    let webhook = |url: &str, rest: &str| format!("alerts: {{ webhook: {{ url: \"{url}\", secret: env:ALERT_SECRET{rest} }} }}\n");
    let row = |url: &str, rest: &str, expect: &Expect| check_part(&webhook(url, rest), expect);
    row("http://127.0.0.1:9000/x", ", allow_private: true", &expect![[""]]);
    row("https://10.0.0.5/x", ", allow_private: true", &expect![[""]]);
    row("https://a.example/x", ", allow_private: false", &expect![[""]]);
    row(
        "https://10.0.0.5/x",
        "",
        &expect![[r#"
        1:27 alerts.webhook.url: 10.0.0.5 is a private address; name a public address, or add allow_private: true
    "#]],
    );
    row(
        "https://[::ffff:a9fe:a9fe]/x",
        ", allow_private: true",
        &expect![[r#"
        1:27 alerts.webhook.url: ::ffff:169.254.169.254 is a link-local address; name another address
    "#]],
    );
    row(
        "https://a.example/x",
        ", allow_private: maybe",
        &expect![[r#"
        1:91 alerts.webhook.allow_private: expected true or false, found text
    "#]],
    );
}

#[test]
fn prices() {
    let yaml = "providers: { lab: { base_url: http://127.0.0.1:1/v1, dialect: openai_chat, auth: none } }
models:
  a: { provider: lab, price: { input: 0.05, output: 0.0000001, cache_read: 3 } }
  b: { provider: lab, price: { input: 0, output: 0 }, allow_unpriced: true }
";
    super::check(
        yaml,
        &expect![[r#"
            ~4:71 models.b.allow_unpriced: the model has a price; remove one of the two
        "#]],
    );
    let raw = checked(yaml).raw.unwrap();
    let price = raw.models["a"].price.as_ref().unwrap();
    let each = [price.input, price.output, price.cache_read.unwrap()].map(|part| part.each().0);
    assert_eq!(each, [50_000, 1, 3_000_000], "pico-USD for one token, rounded up");
    super::check(
        "providers: { lab: { base_url: http://127.0.0.1:1/v1, dialect: openai_chat, auth: none } }
models:
  a: { provider: lab, price: { input: -1, output: 2000000 } }
  b: { provider: lab, price: { input: 1 } }
  c: { provider: lab, price: 5 USD }
  d: { provider: lab, price: { input: 1 USD, output: 2, cached: 3 } }
",
        &expect![[r#"
            3:39 models.a.price.input: -1 is out of range; use 0 to 1000000
            3:51 models.a.price.output: 2000000 is out of range; use 0 to 1000000
            4:23 models.b.price: "output" is missing; add output: 0.08
            5:30 models.c.price: expected a map, found text; write for example { input: 0.05, output: 0.08 }
            6:39 models.d.price.input: expected a number, found text; write for example 0.05
            6:57 models.d.price.cached: unknown key "cached"; known here: input, output, cache_read, cache_write_5m, cache_write_1h, requests
        "#]],
    );
}

#[test]
fn databases() {
    for (database, expected) in [
        ("env:DATABASE_URL", expect![[""]]),
        (
            "env:WEAK",
            expect![[r#"
            1:11 database: this is not the address of a database; write for example postgres://tollgate@db.example.com/tollgate
        "#]],
        ),
        (
            "env:MISSING",
            expect![[r#"
            1:11 database: the environment variable MISSING is not set; export MISSING, or name another reference
        "#]],
        ),
        ("postgresql://db.example.com/tollgate?sslmode=require", expect![[""]]),
        (
            "postgres://user:hunter2@db/tollgate",
            expect![[r#"
            1:11 database: the address holds a password; put the whole address into a variable and write env:NAME
        "#]],
        ),
        (
            "postgres://db/tollgate?password=hunter2",
            expect![[r#"
            1:11 database: the address holds a password; put the whole address into a variable and write env:NAME
        "#]],
        ),
        (
            "postgres://db",
            expect![[r#"
            1:11 database: the address names no host or no database; write for example postgres://tollgate@db.example.com/tollgate
        "#]],
        ),
        (
            "mysql://db/tollgate",
            expect![[r#"
            1:11 database: mysql is not spoken to databases; only postgres is; write for example postgres://tollgate@db.example.com/tollgate
        "#]],
        ),
        (
            "sqlite",
            expect![[r#"
            1:11 database: "sqlite" is not a database; write embedded, postgres://user@host/name or env:DATABASE_URL
        "#]],
        ),
    ] {
        check_part(&format!("database: {database}\n"), &expected);
    }
}
