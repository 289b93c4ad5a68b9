//! F05–F11 and F19: connections that break, stall, trickle or end early, in the middle of HTTP.

use std::time::Duration;

use tollgate_tests::{Dialect, Rig};

use crate::matrix::End::{Broken, Refused, Served};
use crate::matrix::{check, row};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_a_reset_before_the_head_is_tried_again_and_then_unavailable() {
    let gone = Refused(503, 503, "unavailable");
    check(&[
        row("reset-before-headers", gone, gone).tries(3),
        row("close-before-headers", gone, gone).tries(3),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_f07_a_break_in_mid_answer_is_an_error_and_never_tried_again() {
    let broken = Broken("truncated");
    let refused = Refused(502, 502, "truncated");
    check(&[
        row("reset-mid-body", refused, broken),
        row("close-mid-body", refused, broken),
        row("reset-mid-stream", refused, broken),
        row("reset-after-3-chunks", refused, broken),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f09_a_stall_before_the_first_byte_ends_at_its_timer() {
    let late = Refused(504, 504, "timeout");
    check(&[
        row("stall-before-first-byte", late, late),
        row("stall-after-head", late, late),
        row("slow-first-byte-300ms", Served, Served),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_a_stall_in_mid_stream_ends_at_the_idle_timer() {
    let late = Refused(504, 504, "timeout");
    let mut rows = [
        row("stall-mid-stream", late, Broken("timeout")),
        row("stall-after-3-chunks", late, Broken("timeout")),
        row("pause-after-3-chunks-500ms", Served, Served),
    ];
    // The timer is 1 s; 250 ms are the requirement's, the rest is this machine's.
    rows.iter_mut().for_each(|row| row.within = Duration::from_millis(2_000));
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_a_trickle_is_delivered_and_bounded_by_the_total_timer() {
    let rig = Rig::with_routes("  bounded: { targets: [{ model: \"openai/lorem-500+trickle-1ms\" }], timeouts: { total: 4s } }").await;
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "anthropic/usage-3-3+trickle-1ms", true).await;
        let seen = dialect.stream(&answer.body);
        assert!(seen.terminated && seen.error.is_none(), "{seen:?}");
        let answer = rig.caller.ask(dialect, "bounded", true).await;
        assert!(answer.took < Duration::from_millis(5_000), "{:?}", answer.took);
        let seen = dialect.stream(&answer.body);
        assert_eq!(
            seen.error.map(|error| dialect.error_code(&error)).as_deref(),
            Some("upstream_timeout")
        );
        assert!(!seen.terminated && !seen.text.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_an_end_without_the_terminator_is_an_error_event() {
    let broken = Broken("truncated");
    check(&[
        row("cut-after-3-chunks", Refused(502, 502, "truncated"), broken),
        row("end-after-3-chunks", Refused(502, 502, "bad_upstream"), broken),
        row("no-terminator", Served, broken),
        row("no-finish", Served, broken),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_may_shorten_the_total_timer_and_not_lengthen_it() {
    let rig = Rig::with_routes("  second: { targets: [{ model: openai/lorem-3+stall-after-head }], timeouts: { total: 1s } }").await;
    for dialect in Dialect::ALL {
        for (wanted, model, at_least, at_most) in [
            ("300", "openai/lorem-2+stall-before-first-byte", 300, 1_500),
            ("60000", "second", 1_000, 3_000),
        ] {
            let answer = rig
                .caller
                .clone()
                .with("x-tollgate-timeout-ms", wanted)
                .ask(dialect, model, true)
                .await;
            assert_eq!(
                (answer.status, dialect.error_code(&answer.json()).as_str()),
                (504, "upstream_timeout")
            );
            let took = answer.took.as_millis();
            assert!((at_least..at_most).contains(&took), "{wanted}: {took} ms");
        }
        let answer = rig
            .caller
            .clone()
            .with("x-tollgate-timeout-ms", "soon")
            .ask(dialect, "openai/echo", false)
            .await;
        assert_eq!(answer.status, 400);
    }
}
