//! The complexity router: tiers and weights.

use expect_test::expect;

use super::check_part;

#[test]
fn tiers_that_are_right() {
    check_part(
        "routes:
  two: { purpose: p, owner: o, strategy: complexity, tiers: { simple: [fast-llama], complex: [big, fast-llama] } }
  three: { purpose: p, owner: o, strategy: complexity, tiers: { simple: [fast-llama], medium: [openai/gpt-4o], complex: [big] }, fallbacks: [openai/gpt-4.1] }
",
        &expect![[""]],
    );
}

#[test]
fn tiers_that_cannot_be() {
    check_part(
        "routes:
  none: { purpose: p, owner: o, strategy: complexity }
  elsewhere: { purpose: p, owner: o, targets: [{ model: big }], tiers: { simple: [fast-llama], complex: [big] } }
  both: { purpose: p, owner: o, strategy: complexity, targets: [{ model: big }], tiers: { simple: [fast-llama], complex: [big] } }
  half: { purpose: p, owner: o, strategy: complexity, tiers: { simple: [fast-llama] } }
  empty: { purpose: p, owner: o, strategy: complexity, tiers: { simple: [], complex: [big] } }
  named: { purpose: p, owner: o, strategy: complexity, tiers: { simple: [fast-lama, big, big], hard: [big], complex: [big] } }
",
        &expect![[r#"
            2:3 routes.none: complexity chooses between tiers, and here are none; add tiers: { simple: [openai/gpt-4o-mini], complex: [openai/gpt-4o] }
            3:65 routes.elsewhere.tiers: tiers are looked at by strategy: complexity alone; set strategy: complexity, or remove them
            4:55 routes.both.targets: complexity takes its models from tiers; move the models there, and remove targets
            5:55 routes.half.tiers: "complex" is missing; add complex: [openai/gpt-4o]
            6:65 routes.empty.tiers.simple: the list is empty; write for example [openai/gpt-4o-mini]
            7:74 routes.named.tiers.simple[0]: no model "fast-lama"; did you mean "fast-llama"?
            7:90 routes.named.tiers.simple[2]: "big" is in the tier twice; remove one of the two
            7:96 routes.named.tiers.hard: unknown key "hard"; known here: simple, medium, complex
        "#]],
    );
}

#[test]
fn weights_that_cannot_be() {
    check_part(
        "router: { weights: own.toml }\n",
        &expect![[r#"
        1:20 router.weights: expected a reference to a file; write for example file:router-weights.toml
    "#]],
    );
    check_part(
        "router: { weights: file:absent.toml }\n",
        &expect![[r#"
        1:20 router.weights: cannot read absent.toml: no such file; name a file that this user may read
    "#]],
    );
    check_part(
        "router: { weights: file:/run/secrets/openai }\n",
        &expect![[r#"
        1:20 router.weights: /run/secrets/openai holds no weights: line 1: key with no value, expected `=`; write it with tollgate router train --out
    "#]],
    );
    check_part(
        "router: { weight: file:own.toml }\n",
        &expect![[r#"
        1:11 router.weight: unknown key "weight"; did you mean "weights"?
    "#]],
    );
}
