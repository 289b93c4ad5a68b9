//! Labels and clearances: their forms, and routes that would carry data where it must not go.

use expect_test::expect;

use super::{check, check_part, checked};
use crate::config::labels::Clearances;

#[test]
fn forms_of_labels() {
    check_part(
        r#"routes:
  a: { purpose: p, owner: o, targets: [{ model: big }], label: secret }
  b: { purpose: p, owner: o, targets: [{ model: big }], label: { compartments: [hr] } }
  c: { purpose: p, owner: o, targets: [{ model: big }], label: { level: public, regions: [] } }
  d: { purpose: p, owner: o, targets: [{ model: big }], label: { level: public, compartments: [HR, "a b"], region: [eu] } }
  e: { purpose: p, owner: o, targets: [{ model: big }], label: 3 }
teams: { t: { models: [big], label: internl } }
features: { f: { label: restricted }, g: {}, "h i": { label: public } }
keys: [{ name: k, team: t, secret: env:SUPPORT_KEY, label: Public, max_label: { level: top } }]
"#,
        &expect![[r#"
            2:64 routes.a.label: "secret" is not one of public, internal, confidential, restricted; use public, internal, confidential, restricted
            3:57 routes.b.label: "level" is missing; add level: confidential
            4:81 routes.c.label.regions: the list is empty; write for example [eu]
            5:96 routes.d.label.compartments[0]: this cannot be a name in a label; use up to 64 of the characters a-z 0-9 . _ -
            5:100 routes.d.label.compartments[1]: this cannot be a name in a label; use up to 64 of the characters a-z 0-9 . _ -
            5:108 routes.d.label.region: unknown key "region"; did you mean "regions"?
            6:64 routes.e.label: expected one of public, internal, confidential, restricted, found a number
            7:37 teams.t.label: "internl" is not one of public, internal, confidential, restricted; did you mean "internal"?
            8:39 features.g: "label" is missing; add label: confidential
            8:46 features."h i": this cannot be a name; begin with a letter or digit, go on with those and - _ . : and stop at 64
            9:60 keys[0].label: "Public" is not one of public, internal, confidential, restricted; did you mean "public"?
            9:88 keys[0].max_label.level: "top" is not one of public, internal, confidential, restricted; use public, internal, confidential, restricted
        "#]],
    );
}

#[test]
fn a_route_leads_nowhere_that_is_not_cleared_for_its_label() {
    check(
        r#"providers:
  openai: { credentials: [env:OPENAI_API_KEY] }
  anthropic: { credentials: [env:ANTHROPIC_API_KEY], clearance: { level: restricted, compartments: [hr], regions: [eu, us] } }
models:
  own: { provider: openai, upstream_model: gpt-4o, clearance: { level: restricted, processors: [lab] } }
  low: { provider: anthropic, upstream_model: claude, clearance: internal }
routes:
  usual: { purpose: p, owner: o, label: confidential, targets: [{ model: openai/gpt-4.1 }], fallbacks: [anthropic/opus] }
  none: { purpose: p, owner: o, targets: [{ model: low }], fallbacks: [openai/gpt-4.1] }
  level: { purpose: p, owner: o, label: restricted, targets: [{ model: anthropic/opus }], fallbacks: [openai/gpt-4o, openai/gpt-4.1, low] }
  whole: { purpose: p, owner: o, label: confidential, targets: [{ model: openai/gpt-4.1 }], fallbacks: [low, anthropic/claude] }
  compartments: { purpose: p, owner: o, label: { level: public, compartments: [hr, legal] }, targets: [{ model: anthropic/opus }], fallbacks: [own] }
  regions: { purpose: p, owner: o, label: { level: public, regions: [eu] }, targets: [{ model: anthropic/opus }], fallbacks: [openai/gpt-4.1] }
  processors: { purpose: p, owner: o, label: { level: public, processors: [lab] }, targets: [{ model: own }], fallbacks: [anthropic/opus] }
"#,
        &expect![[r#"
            10:118 routes.level.fallbacks[1]: "openai/gpt-4.1" is not cleared for the route's label, restricted: it is cleared up to confidential; say under providers.openai.clearance that it is, where it is; else remove it, or lower the label
            10:134 routes.level.fallbacks[2]: "low" is not cleared for the route's label, restricted: it is cleared up to internal; say under models.low.clearance that it is, where it is; else remove it, or lower the label
            11:105 routes.whole.fallbacks[0]: "low" is not cleared for the route's label, confidential: it is cleared up to internal; say under models.low.clearance that it is, where it is; else remove it, or lower the label
            11:110 routes.whole.fallbacks[1]: "anthropic/claude" is not cleared for the route's label, confidential: it is cleared up to internal; say under models.low.clearance that it is, where it is; else remove it, or lower the label
            12:113 routes.compartments.targets[0].model: "anthropic/opus" is not cleared for the route's label, public; compartments=hr,legal: it is cleared for the compartments hr alone; say under providers.anthropic.clearance that it is, where it is; else remove it, or lower the label
            12:144 routes.compartments.fallbacks[0]: "own" is not cleared for the route's label, public; compartments=hr,legal: it is cleared for no compartment; say under models.own.clearance that it is, where it is; else remove it, or lower the label
            13:96 routes.regions.targets[0].model: "anthropic/opus" is not cleared for the route's label, public; regions=eu: it may be in eu, us; say under providers.anthropic.clearance that it is, where it is; else remove it, or lower the label
            13:127 routes.regions.fallbacks[0]: "openai/gpt-4.1" is not cleared for the route's label, public; regions=eu: its region is not known; say under providers.openai.clearance that it is, where it is; else remove it, or lower the label
            14:123 routes.processors.fallbacks[0]: "anthropic/opus" is not cleared for the route's label, public; processors=lab: who works there is not known; say under providers.anthropic.clearance that it is, where it is; else remove it, or lower the label
        "#]],
    );
}

#[test]
fn what_a_route_does_instead_is_cleared_too() {
    check(
        r#"routes:
  high: { purpose: p, owner: o, label: confidential, targets: [{ model: big }], last_resort: [{ route: low }, { route: lower }, { route: open }, { route: same }] }
  other: { purpose: p, owner: o, label: { level: public, regions: [eu] }, targets: [{ model: eu/x }], on_limit: { downgrade: [eu/y, big] }, last_resort: { route: open } }
  low: { purpose: p, owner: o, label: internal, targets: [{ model: big }] }
  lower: { purpose: p, owner: o, targets: [{ model: weak/x }] }
  open: { purpose: p, owner: o, targets: [{ model: big }] }
  same: { purpose: p, owner: o, label: restricted, targets: [{ model: eu/x }] }
providers:
  openai: { credentials: [env:OPENAI_API_KEY] }
  anthropic: { credentials: [env:ANTHROPIC_API_KEY] }
  eu: { base_url: "https://eu.example/v1", dialect: openai_chat, auth: none, clearance: { level: restricted, regions: [eu] } }
  weak: { base_url: "https://weak.example/v1", dialect: openai_chat, auth: none, clearance: internal }
models: { big: { provider: anthropic }, fast: { provider: openai } }
"#,
        &expect![[r#"
            2:104 routes.high.last_resort[0].route: the route "low" does not carry data of this route's label, confidential; give that route a label as high, or name another one
            2:120 routes.high.last_resort[1].route: the route "lower" does not carry data of this route's label, confidential; give that route a label as high, or name another one
            3:133 routes.other.on_limit.downgrade[1]: "big" is not cleared for the route's label, public; regions=eu: its region is not known; say under providers.anthropic.clearance that it is, where it is; else remove it, or lower the label
            3:163 routes.other.last_resort.route: the route "open" does not carry data of this route's label, public; regions=eu; give that route a label as high, or name another one
        "#]],
    );
}

#[test]
fn rules_lead_to_what_is_cleared_unless_they_ask_for_the_label() {
    check_part(
        r#"routes:
  ruled:
    purpose: p
    owner: o
    label: restricted
    strategy: rules
    rules:
      - { when: label == "restricted" || stream, use: [big] }
      - { when: input_tokens < 400, use: [big, fast-llama] }
      - { use: [openai/gpt-4o] }
"#,
        &expect![[r#"
            9:43 routes.ruled.rules[1].use[0]: "big" is not cleared for the route's label, restricted: it is cleared up to confidential; say under providers.anthropic.clearance that it is, where it is; else remove it, or lower the label
            9:48 routes.ruled.rules[1].use[1]: "fast-llama" is not cleared for the route's label, restricted: it is cleared up to confidential; say under providers.openai.clearance that it is, where it is; else remove it, or lower the label
            10:17 routes.ruled.rules[2].use[0]: "openai/gpt-4o" is not cleared for the route's label, restricted: it is cleared up to confidential; say under providers.openai.clearance that it is, where it is; else remove it, or lower the label
        "#]],
    );
}

#[test]
fn a_clearance_that_cannot_be_read_is_told_once() {
    check(
        "providers:
  openai: { credentials: [env:OPENAI_API_KEY], clearance: { level: restrictd } }
  anthropic: { credentials: [env:ANTHROPIC_API_KEY] }
models: { own: { provider: anthropic, clearance: { regions: [] } } }
routes: { chat: { purpose: p, owner: o, label: restricted, targets: [{ model: openai/gpt-4o }], fallbacks: [own] } }
",
        &expect![[r#"
            2:68 providers.openai.clearance.level: "restrictd" is not one of public, internal, confidential, restricted; did you mean "restricted"?
            4:52 models.own.clearance.regions: the list is empty; write for example [eu]
        "#]],
    );
}

#[test]
fn one_deployment_is_cleared_in_one_way() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models:
  a: { provider: openai, upstream_model: x, clearance: restricted }
  b: { provider: openai, upstream_model: x }
  c: { provider: openai, upstream_model: x, clearance: restricted }
  x: { provider: openai, clearance: internal }
",
        &expect![[r#"
            6:37 models.x.clearance: "openai/x" is cleared in another way under the model "a"; say it once: it holds for every name of that model
        "#]],
    );
}

#[test]
fn a_clearance_holds_for_every_name_of_a_model() {
    let raw = checked(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY], clearance: { regions: [eu] } }, anthropic: { credentials: [env:ANTHROPIC_API_KEY] } }
models:
  a: { provider: openai, upstream_model: x, clearance: restricted }
  b: { provider: openai, upstream_model: y, clearance: { processors: [lab], regions: [us] } }
  c: { provider: anthropic }
",
    );
    let clearances = Clearances::of(&raw.raw.unwrap());
    for (provider, model, expected) in [
        ("openai", "x", "restricted; regions=eu"),
        ("openai", "y", "confidential; regions=us; processors=lab"),
        ("openai", "z", "confidential; regions=eu"),
        ("anthropic", "c", "confidential"),
    ] {
        assert_eq!(clearances.get(provider, model).to_string(), expected, "{provider}/{model}");
    }
}

#[test]
fn substitutes_that_could_never_stand_in() {
    check_part(
        r#"routes:
  chat: { purpose: p, owner: o, label: { level: internal, regions: [eu] }, targets: [{ model: fast-llama }] }
  free: { purpose: p, owner: o, targets: [{ model: big }] }
limits:
  - { name: a, per: [model], requests: 1/hour, on_exceed: { downgrade: [openai/gpt-4o-mini, big] } }
budgets:
  - { name: b, amount: 5 USD, window: day, downgrade_at: 80%, downgrade: { fast-llama: openai/gpt-4o-mini, big: openai/gpt-4o } }
  - { name: c, amount: 5 USD, window: day, on_exceed: { downgrade: [zzz/x] } }
"#,
        &expect![[r#"
            2:95 routes.chat.targets[0].model: "fast-llama" is not cleared for the route's label, internal; regions=eu: its region is not known; say under providers.openai.clearance that it is, where it is; else remove it, or lower the label
            ~5:73 limits[0].on_exceed.downgrade[0]: calls of the route "chat" at its label, internal; regions=eu, are refused and not given "openai/gpt-4o-mini": its region is not known; name a substitute that is cleared
            ~5:93 limits[0].on_exceed.downgrade[1]: calls of the route "chat" at its label, internal; regions=eu, are refused and not given "big": its region is not known; name a substitute that is cleared
            ~7:88 budgets[0].downgrade.fast-llama: calls of the route "chat" at its label, internal; regions=eu, are refused and not given "openai/gpt-4o-mini": its region is not known; name a substitute that is cleared
            8:69 budgets[1].on_exceed.downgrade[0]: no provider "zzz"; add it under providers; known: openai, anthropic
        "#]],
    );
}

#[test]
fn a_key_may_send_what_it_must() {
    check_part(
        r#"teams: { t: { models: [big], label: { level: internal, compartments: [hr] } } }
keys:
  - { name: a, team: t, secret: env:SUPPORT_KEY, max_label: { level: internal, compartments: [hr] } }
  - { name: b, team: t, secret: env:PLATFORM_KEY, label: confidential, max_label: restricted }
"#,
        &expect![[r#"
            4:83 keys[1].max_label: the key and its team require confidential; compartments=hr, which by its compartments lies above this; raise max_label, or lower the label of the key or team
        "#]],
    );
}
