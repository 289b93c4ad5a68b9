//! Routes: targets, weights, fallbacks, times.

use expect_test::expect;

use super::check_part;

#[test]
fn unknown_models() {
    check_part(
        "routes:
  chat:
    purpose: p
    owner: o
    strategy: weighted
    targets:
      - { model: fast-lama }
      - { model: openai/gpt-4o }
      - { model: gpt-4o }
      - { model: opnai/gpt-4o }
      - { model: mistral/large }
      - { model: openai/ }
      - { model: openai/* }
      - { model: something-else }
    fallbacks: [chat2, gpt-4o, gtp-4o, opnai/gpt-4.1]
  chat2: { purpose: p, owner: o, targets: [{ model: big }] }
",
        &expect![[r#"
            7:18 routes.chat.targets[0].model: no model "fast-lama"; did you mean "fast-llama"?
            9:18 routes.chat.targets[2].model: no model "gpt-4o"; did you mean "openai/gpt-4o"?
            10:18 routes.chat.targets[3].model: no provider "opnai"; did you mean "openai/gpt-4o"?
            11:18 routes.chat.targets[4].model: no provider "mistral"; add it under providers; known: openai, anthropic
            12:18 routes.chat.targets[5].model: "openai/" names a provider and no model; write openai/ and the model's name
            13:18 routes.chat.targets[6].model: "openai/*" is a pattern, not a model; name one model
            14:18 routes.chat.targets[7].model: no model "something-else"; add it under models, or write openai/something-else
            15:17 routes.chat.fallbacks[0]: "chat2" is a route, not a model; name the models themselves
            15:24 routes.chat.fallbacks[1]: no model "gpt-4o"; did you mean "openai/gpt-4o"?
            15:32 routes.chat.fallbacks[2]: no model "gtp-4o"; did you mean "openai/gpt-4o"?
            15:40 routes.chat.fallbacks[3]: no provider "opnai"; did you mean "openai/gpt-4.1"?
        "#]],
    );
}

#[test]
fn pinned_with_two_targets() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }, { model: fast-llama }] }, b: { purpose: p, owner: o, strategy: pinned, targets: [{ model: big }] } }",
        &expect![[r#"
        1:38 routes.a.targets: pinned takes one target, here are 2; keep one, or set strategy: weighted
    "#]],
    );
}

#[test]
fn weights_that_add_up_to_nothing() {
    check_part(
        "routes: { a: { purpose: p, owner: o, strategy: weighted, targets: [{ model: big, weight: 0 }, { model: fast-llama, weight: 0 }] } }",
        &expect![[r#"
        1:58 routes.a.targets: the weights add up to 0; give at least one target a weight
    "#]],
    );
}

#[test]
fn a_target_twice() {
    check_part(
        "routes: { a: { purpose: p, owner: o, strategy: weighted, targets: [{ model: big, weight: 2 }, { model: big, weight: 1 }] } }",
        &expect![[r#"
        1:104 routes.a.targets[1].model: "big" is a target twice; add the two weights up in one
    "#]],
    );
}

#[test]
fn a_fallback_that_is_the_route() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [a, fast-llama] } }",
        &expect![[r#"
        1:77 routes.a.fallbacks[0]: the route falls back to itself; name the models to try instead
    "#]],
    );
}

#[test]
fn a_fallback_that_is_the_target() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [big, fast-llama, fast-llama] } }",
        &expect![[r#"
        1:77 routes.a.fallbacks[0]: "big" would fall back to itself; name another model; retry tries the same one again
        1:94 routes.a.fallbacks[2]: "fast-llama" is a fallback twice; remove one of the two
    "#]],
    );
}

#[test]
fn fallbacks_that_are_never_tried() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], fallback_on: [] } }",
        &expect![[r#"
        1:90 routes.a.fallback_on: the list is empty, so that no fallback is ever tried; name failures, or remove the fallbacks
    "#]],
    );
}

#[test]
fn timeouts_longer_than_total() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }], timeouts: { connect: 20s, first_byte: 1m, total: 10s } } }",
        &expect![[r#"
        1:86 routes.a.timeouts.connect: connect is 20s, longer than total, 10s; shorten it, or lengthen total
        1:103 routes.a.timeouts.first_byte: first_byte is 1m, longer than total, 10s; shorten it, or lengthen total
    "#]],
    );
}

#[test]
fn a_short_total_alone() {
    check_part(
        "routes: { a: { purpose: p, owner: o, targets: [{ model: big }], timeouts: { total: 2s } } }",
        &expect![[""]],
    );
}

#[test]
fn a_route_that_nobody_owns() {
    check_part(
        r#"routes:
  a: { targets: [{ model: big }] }
  b: { purpose: p, targets: [{ model: big }] }
  c: { owner: o, purpose: " ", targets: [{ model: big }] }
"#,
        &expect![[r#"
    ~2:3 routes.a: the route has no purpose and no owner; say what it is for and who answers for it
    ~3:3 routes.b: the route has no owner; say what it is for and who answers for it
    ~4:3 routes.c: the route has no purpose; say what it is for and who answers for it
"#]],
    );
}

#[test]
fn aliases_are_told_where_they_are_used() {
    check_part(
        "routes:
  a: { purpose: p, owner: o, targets: [{ model: &m nope }] }
  b: { purpose: p, owner: o, targets: [{ model: *m }] }
",
        &expect![[r#"
    2:52 routes.a.targets[0].model: no model "nope"; add it under models, or write openai/nope
    3:49 routes.b.targets[0].model: no model "nope"; add it under models, or write openai/nope
"#]],
    );
}

#[test]
fn rules_of_routes() {
    check_part(
        r#"routes:
  mistakes:
    purpose: p
    owner: o
    strategy: rules
    rules:
      - { when: 'tsk == "a"', use: [big] }
      - { when: "input_tokens < \"4\"", use: [big] }
      - { when: "model == 'a' && budget_used > 80 && price_micro_usd < 5", use: [big, big] }
      - { when: "priority > 9", use: [bgi] }
      - { when: "hour >= 0 || stream", use: [big], name: late }
      - { when: stream, use: [big] }
      - { use: [big] }
  open: { purpose: p, owner: o, strategy: rules, rules: [{ when: stream, use: [big] }], fallbacks: [big] }
  good: { purpose: p, owner: o, strategy: rules, rules: [{ when: "label >= 'confidential'", use: [fast-llama] }, { use: [big, fast-llama] }] }
"#,
        &expect![[r#"
            7:18 routes.mistakes.rules[0].when: no such name "tsk"; did you mean "task"?
            8:17 routes.mistakes.rules[1].when: in line 1, column 14 of the text: a number cannot be compared with text in this way
            9:17 routes.mistakes.rules[2].when: the condition asks for "model", which is not known here; ask for the team, the task or the size of the call
            9:87 routes.mistakes.rules[2].use[1]: "big" is in the list twice; remove one of the two
            ~10:17 routes.mistakes.rules[3].when: the condition is never true; mend it, or remove the rule
            10:39 routes.mistakes.rules[3].use[0]: no model "bgi"; did you mean "big"?
            ~12:9 routes.mistakes.rules[5]: the rule is never reached: one above it always holds; move it up, or remove it
            ~13:9 routes.mistakes.rules[6]: the rule is never reached: one above it always holds; move it up, or remove it
            ~14:50 routes.open.rules: a call for which no rule holds has no model; add a last rule without when
        "#]],
    );
}

#[test]
fn what_belongs_to_which_strategy() {
    check_part(
        r#"routes:
  none: { purpose: p, owner: o }
  no-rules: { purpose: p, owner: o, strategy: rules }
  both: { purpose: p, owner: o, strategy: rules, targets: [{ model: big }], rules: [{ use: [big] }] }
  other: { purpose: p, owner: o, strategy: fastest, targets: [{ model: big, weight: 3 }], rules: [{ use: [big] }], sticky: user }
  empty: { purpose: p, owner: o, strategy: rules, rules: [] }
  nothing-used: { purpose: p, owner: o, strategy: rules, rules: [{ use: [] }] }
  off: { purpose: p, owner: o, strategy: least_busy, targets: [{ model: big, weight: 0 }] }
  cheap: { purpose: p, owner: o, strategy: cheapest, targets: [{ model: big }, { model: fast-llama, weight: 0 }] }
  split: { purpose: p, owner: o, strategy: weighted, sticky: session, targets: [{ model: big, weight: 95, sticky: user }, { model: fast-llama, weight: 5, sticky: session }] }
  agreed: { purpose: p, owner: o, strategy: weighted, targets: [{ model: big, weight: 95, sticky: prefix }, { model: fast-llama, weight: 5, sticky: prefix }] }
  unheard: { purpose: p, owner: o, strategy: weighted, sticky: team, targets: [{ model: big }] }
"#,
        &expect![[r#"
            2:3 routes.none: "targets" is missing; add targets: [{ model: openai/gpt-4o }]
            3:3 routes.no-rules: "rules" is missing; add rules: [{ when: input_tokens < 400, use: [openai/gpt-4o-mini] }, { use: [openai/gpt-4o] }]
            4:50 routes.both.targets: the rules say which models are tried; name the models under use, in a last rule without when
            ~5:85 routes.other.targets[0].weight: only strategy: weighted goes by weights; remove it; 0 switches a target off
            5:91 routes.other.rules: only strategy: rules asks them; set strategy: rules, and move the targets into a last rule without when
            5:124 routes.other.sticky: only strategy: weighted keeps calls at one target; set strategy: weighted, or remove it
            6:51 routes.empty.rules: the list is empty; write for example [{ when: input_tokens < 400, use: [openai/gpt-4o-mini] }, { use: [openai/gpt-4o] }]
            7:68 routes.nothing-used.rules[0].use: the list is empty; write for example [openai/gpt-4o-mini]
            8:54 routes.off.targets: the weights add up to 0; give at least one target a weight
            10:115 routes.split.targets[0].sticky: the route keeps calls together in another way already; a route has one sticky; write the same everywhere
            12:64 routes.unheard.sticky: "team" is not one of user, session, prefix; use user, session, prefix
        "#]],
    );
}

#[test]
fn what_only_rules_of_routes_may_ask() {
    check_part(
        "limits: [{ name: a, per: [team], requests: 5/minute, when: budget_used > 50 }]
budgets: [{ name: b, amount: 5 USD, window: day, when: price_micro_usd > 50 && wants_json }]
",
        &expect![[r#"
            1:60 limits[0].when: the condition asks for "budget_used", which is not known here; only the rules of routes may ask for it
            2:56 budgets[0].when: the condition asks for "price_micro_usd", which is not known here; only the rules of routes may ask for it
        "#]],
    );
}
