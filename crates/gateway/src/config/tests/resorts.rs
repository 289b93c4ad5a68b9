//! Last resorts, and what a route makes of a limit.

use expect_test::expect;

use super::check_part;

#[test]
fn last_resorts_that_are_right() {
    check_part(
        r#"routes:
  a:
    purpose: p
    owner: o
    targets: [{ model: big }]
    last_resort: [{ reduce: { max_tokens: 256 } }, { queue: 30s }, { route: b }, { review: {} }, { message: "Later." }]
    on_limit: { queue: 10s }
  b: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { message: "Later." }, on_limit: reject }
  c: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { route: b }, on_limit: { downgrade: [fast-llama] } }
"#,
        &expect![[r""]],
    );
}

#[test]
fn steps_that_do_nothing_too_much_or_lead_nowhere() {
    check_part(
        r#"routes:
  a: { purpose: p, owner: o, targets: [{ model: big }], last_resort: {} }
  b: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { queue: 1s, message: m } }
  c: { purpose: p, owner: o, targets: [{ model: big }], last_resort: [{ queue: 31s }, { message: " " }, { route: bb }] }
  d: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { reduce: { max_tokens: 0 } } }
  e: { purpose: p, owner: o, targets: [{ model: big }], last_resort: hope }
  f: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { route: big } }
  g: { purpose: p, owner: o, targets: [{ model: big }], on_limit: { queue: 1m }, last_resort: { retry: 3 } }
  h: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { review: { expires: 5s } } }
"#,
        &expect![[r#"
            2:57 routes.a.last_resort: a step does one thing; write one of reduce, queue, route, review and message; several steps are a list
            3:57 routes.b.last_resort: a step does one thing; write one of reduce, queue, route, review and message; several steps are a list
            4:80 routes.c.last_resort[0].queue: 31s is out of range; use 1ms to 30s
            4:87 routes.c.last_resort[1]: a message always answers, so that nothing behind it is ever tried; put it last
            4:98 routes.c.last_resort[1].message: this says nothing, or too much; write 1 to 10000 characters
            4:114 routes.c.last_resort[2].route: no route "bb"; did you mean "b"?
            5:94 routes.d.last_resort.reduce.max_tokens: 0 is out of range; use 1 to 1000000
            6:70 routes.e.last_resort: expected a map, found text; write for example { message: The assistant is unavailable; please try again soon. }
            7:79 routes.f.last_resort.route: no route "big"; name a route; a single model belongs into fallbacks
            8:76 routes.g.on_limit.queue: 1m is out of range; use 1ms to 30s
            8:97 routes.g.last_resort.retry: unknown key "retry"; known here: reduce, queue, route, review, message
            9:91 routes.h.last_resort.review.expires: 5s is out of range; use 1m to 30d
        "#]],
    );
}

#[test]
fn routes_that_lead_back_to_themselves() {
    check_part(
        "routes:
  a: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { route: a } }
  b: { purpose: p, owner: o, targets: [{ model: big }], last_resort: { route: c } }
  c: { purpose: p, owner: o, targets: [{ model: big }], last_resort: [{ queue: 1s }, { route: b }] }
",
        &expect![[r#"
            2:79 routes.a.last_resort.route: the last resorts of "a" lead back to this route; let one of them end with a message
            3:79 routes.b.last_resort.route: the last resorts of "c" lead back to this route; let one of them end with a message
            4:95 routes.c.last_resort[1].route: the last resorts of "b" lead back to this route; let one of them end with a message
        "#]],
    );
}
