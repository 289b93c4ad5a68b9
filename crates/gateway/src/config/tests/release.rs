//! Stages, rollbacks, shadows, approval, loops: each mistake with its remedy.

use expect_test::expect;

use super::check_part;
#[test]
fn stages_that_fit_nothing() {
    check_part(
        "routes:
  a:
    purpose: p
    owner: o
    strategy: weighted
    targets:
      - { model: big, rollback_if: \"error_rate > 0.05\" }
      - { model: fast-llama, share: 5% }
      - { model: openai/x, stage: canary, rollback_if: \"eror_rate > 0.05\" }
      - { model: openai/y, stage: reviewers }
      - { model: openai/z, stage: shadow, share: 0% }
  b: { purpose: p, owner: o, strategy: weighted, targets: [{ model: big, stage: canary }, { model: fast-llama, weight: 0 }] }
  c: { purpose: p, owner: o, targets: [{ model: big }], reviewers: { teams: [t] } }
  d: { purpose: p, owner: o, targets: [{ model: big }, { model: fast-llama, stage: reviewers }], reviewers: {} }
  e: { purpose: p, owner: o, targets: [{ model: big }, { model: fast-llama, stage: canary }] }
",
        &expect![[r#"
            2:3 routes.a: a target is for reviewers, and nobody is one; name teams or users under reviewers
            7:36 routes.a.targets[0].rollback_if: only a canary is rolled back; set stage: canary, or remove it
            8:37 routes.a.targets[1].share: share is of a target of the stage shadow alone; give the target a weight instead
            9:57 routes.a.targets[2].rollback_if: no such figure "eror_rate"; there are: requests, error_rate, block_rate, feedback, p95_ms, stable_requests, stable_error_rate, stable_block_rate, stable_feedback, stable_p95_ms
            11:50 routes.a.targets[4].share: 0% is out of range; use 0.01% to 100%
            12:50 routes.b.targets: no target is stable, so that nothing is left when a canary is rolled back, or for callers who review nothing; give one target the stage stable and a weight above 0
            ~13:57 routes.c.reviewers: no target is for reviewers; give a target the stage reviewers, or remove the list
            14:98 routes.d.reviewers: nobody is named; name teams or users
            15:30 routes.e.targets: pinned takes one target, here are 2; keep one, or set strategy: weighted
        "#]],
    );
}

#[test]
fn stages_that_fit() {
    check_part(
        "routes:
  a:
    purpose: p
    owner: o
    strategy: weighted
    reviewers: { users: [ada] }
    targets:
      - { model: big, weight: 95 }
      - { model: fast-llama, weight: 5, stage: canary, rollback_if: \"error_rate > 2 * stable_error_rate || p95_ms > 8000\" }
      - { model: openai/y, stage: reviewers }
      - { model: openai/z, stage: shadow, share: 2.5% }
    shadow: [{ model: openai/w, sample: 100%, compare: [json, cost], budget: 5 USD }]
    on_loop: { repeats: 20, within: 60s, action: reject }
  b: { purpose: p, owner: o, targets: [{ model: big }, { model: fast-llama, stage: reviewers }], reviewers: { teams: [t] } }
",
        &expect![[r#""#]],
    );
}

#[test]
fn shadows_that_shadow_nothing() {
    check_part(
        "routes:
  a:
    purpose: p
    owner: o
    targets: [{ model: big }, { model: openai/z, stage: shadow }]
    shadow:
      - { model: fast-lama, sample: 0% }
      - { model: openai/z, compare: [] }
      - { model: openai/y, budget: 0 USD, compare: [words] }
      - { model: openai/y, sample: 101% }
  b: { purpose: p, owner: o, targets: [{ model: big }], shadow: [{ model: big }] }
",
        &expect![[r#"
            7:18 routes.a.shadow[0].model: no model "fast-lama"; did you mean "fast-llama"?
            7:37 routes.a.shadow[0].sample: 0% is out of range; use 0.01% to 100%
            8:18 routes.a.shadow[1].model: "openai/z" is a shadow twice; remove one of the two
            8:28 routes.a.shadow[1].compare: nothing is compared; name something, or leave it out for everything
            9:36 routes.a.shadow[2].budget: nothing may be spent, so that it is never asked; raise it
            9:53 routes.a.shadow[2].compare[0]: "words" is not one of length, json, tools, similarity, cost, latency; use length, json, tools, similarity, cost, latency
            10:18 routes.a.shadow[3].model: "openai/y" is a shadow twice; remove one of the two
            10:36 routes.a.shadow[3].sample: 101% is out of range; use 0.01% to 100%
            11:75 routes.b.shadow[0].model: "big" would be its own shadow; name another model
        "#]],
    );
}

#[test]
fn loops_out_of_range() {
    check_part(
        "routes:
  a: { purpose: p, owner: o, targets: [{ model: big }], on_loop: { repeats: 1, within: 2h, action: refuse } }
  b: { purpose: p, owner: o, targets: [{ model: big }], on_loop: { within: 10ms } }
",
        &expect![[r#"
            2:77 routes.a.on_loop.repeats: 1 is out of range; use 2 to 100
            2:88 routes.a.on_loop.within: 2h is out of range; use 1s to 1h
            2:100 routes.a.on_loop.action: "refuse" is not one of alert, reject; use alert, reject
            3:76 routes.b.on_loop.within: 10ms is out of range; use 1s to 1h
        "#]],
    );
}

#[test]
fn models_and_the_risk_that_they_may_take() {
    super::check(
        "
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models:
  good: { provider: openai, status: approved }
  new: { provider: openai, upstream_model: n, status: proposed }
  old: { provider: openai, upstream_model: o, status: deprecated }
  gone: { provider: openai, upstream_model: g, status: retired }
  odd: { provider: openai, status: perhaps }
routes:
  low: { purpose: p, owner: o, targets: [{ model: new }], fallbacks: [old, openai/g], shadow: [{ model: gone }] }
  high:
    purpose: p
    owner: o
    risk: high
    strategy: weighted
    targets: [{ model: good }, { model: new }, { model: openai/free }]
    fallbacks: [openai/o, gone]
    shadow: [{ model: openai/n }]
  strange: { purpose: p, owner: o, risk: enormous, targets: [{ model: good }] }
  tiered: { purpose: p, owner: o, risk: high, strategy: complexity, tiers: { simple: [good], complex: [new] } }
  ruled: { purpose: p, owner: o, risk: high, strategy: rules, rules: [{ use: [old] }] }
",
        &expect![[r#"
            8:36 models.odd.status: "perhaps" is not one of proposed, approved, deprecated, retired; use proposed, approved, deprecated, retired
            ~10:71 routes.low.fallbacks[0]: "old" is deprecated; name the model that takes its place
            10:76 routes.low.fallbacks[1]: "openai/g" is retired and not called any more; name another model
            10:105 routes.low.shadow[0].model: "gone" is retired and not called any more; name another model
            16:41 routes.high.targets[1].model: "new" is proposed, and the route's risk is high; have it approved, or name another model
            17:17 routes.high.fallbacks[0]: "openai/o" is deprecated, and the route's risk is high; name another model
            17:27 routes.high.fallbacks[1]: "gone" is retired and not called any more; name another model
            18:23 routes.high.shadow[0].model: "openai/n" is proposed, and the route's risk is high; have it approved, or name another model
            19:42 routes.strange.risk: "enormous" is not one of low, medium, high; use low, medium, high
            20:104 routes.tiered.tiers.complex[0]: "new" is proposed, and the route's risk is high; have it approved, or name another model
            21:79 routes.ruled.rules[0].use[0]: "old" is deprecated, and the route's risk is high; name another model
        "#]],
    );
}

#[test]
fn a_route_of_high_risk_with_models_that_nobody_has_approved_loads_with_a_warning() {
    super::check(
        "
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
routes: { chat: { purpose: p, owner: o, risk: high, targets: [{ model: openai/gpt-4o }] } }
",
        &expect![[r#"
            ~3:47 routes.chat.risk: the route's risk is high, and nobody has approved "openai/gpt-4o"; give each an entry under models with a status
        "#]],
    );
}
