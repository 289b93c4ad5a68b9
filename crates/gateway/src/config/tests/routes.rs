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
