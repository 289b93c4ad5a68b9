//! Breakers, hedges, the pace of answers and what they may cost.

use expect_test::expect;

use super::check_part;

#[test]
fn breakers_hedges_and_paces_that_cannot_be() {
    check_part(
        r#"routes:
  a: { purpose: p, owner: o, targets: [{ model: big }], hedge: { after: p95 } }
  b: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], retry: { attempts: 1 }, hedge: { after: 800ms, extra_cost: 0% } }
  c: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], hedge: { after: p100, extra_cost: 150% } }
  d: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], hedge: { extra_cost: 5% } }
  e: { purpose: p, owner: o, targets: [{ model: big }], breaker: { consecutive_failures: 0, success_below: 150%, p95_above: 0s, open_for: 48h } }
  f: { purpose: p, owner: o, targets: [{ model: big }], timeouts: { min_rate: 0/second }, max_cost: free }
"#,
        &expect![[r#"
            2:57 routes.a.hedge: there is no second model to ask; add a fallback, or remove the hedge
            3:106 routes.b.hedge: retry.attempts is 1, and a hedge is an attempt as well; allow 2 attempts or more, or remove the hedge
            3:141 routes.b.hedge.extra_cost: 0% is out of range; use 0.01% to 100%, or remove the hedge
            4:98 routes.c.hedge.after: "p100" is not a percentile from p50 to p99; write a percentile from p50 to p99, or a time such as 800ms
            5:82 routes.d.hedge: "after" is missing; add after: p95
            6:90 routes.e.breaker.consecutive_failures: 0 is out of range; use 1 to 1000000
            6:108 routes.e.breaker.success_below: 150% is out of range; use 1% to 100%
            6:125 routes.e.breaker.p95_above: 0s is out of range; use 1ms to 24h
            6:139 routes.e.breaker.open_for: 2d is out of range; use 1ms to 24h
            7:79 routes.f.timeouts.min_rate: 0/second is no least pace; write for example 500/10s, or leave it out
            7:101 routes.f.max_cost: "free" is not an amount of money; write for example 5 USD or 0.25 USD
        "#]],
    );
}

#[test]
fn breakers_hedges_and_paces_that_can() {
    check_part(
        r#"routes:
  a:
    { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], hedge: { after: p95, extra_cost: 5% }, max_cost: 0.05 USD,
      breaker: { consecutive_failures: 3, success_below: 80%, p95_above: 20s, open_for: 60s }, timeouts: { min_rate: 500/10s },
      fallback_on: [invalid_output, over_cost, content_policy] }
  b: { purpose: p, owner: o, targets: [{ model: big }], fallbacks: [fast-llama], hedge: { after: 800ms } }
"#,
        &expect![[""]],
    );
}
