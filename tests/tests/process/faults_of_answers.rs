//! F12–F18, F20–F22 and F26–F28: answers that are not what they say they are.

use std::time::Duration;

use tollgate_tests::{Dialect, Rig};

use crate::matrix::End::{Broken, Refused, Served};
use crate::matrix::{check, row};

const BAD: crate::matrix::End = Refused(502, 502, "bad_upstream");
const BROKEN: crate::matrix::End = Broken("bad_upstream");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f12_malformed_events_are_an_error_after_the_valid_ones() {
    check(&[
        row("malformed-sse", Served, BROKEN),
        row("sse-glued", Served, BROKEN),
        row("sse-cr-only", Served, Served),
        row("sse-crlf", Served, Served),
        row("sse-no-space", Served, Served),
        row("sse-comments", Served, Served),
        row("sse-split-7", Served, Served),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f13_truncated_json_is_an_error() {
    check(&[row("truncated-json", BAD, BROKEN)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_a_wrong_content_type_is_refused_or_read_for_what_it_is() {
    check(&[
        row("html-200", BAD, BAD),
        row("json-for-stream", Served, Served),
        row("stream-for-json", Served, Served),
        row("wrong-content-type", Served, Served),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_an_error_in_a_success_is_an_error() {
    let rig = Rig::start().await;
    for caller in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            for stream in [false, true] {
                let model = format!("{provider}/lorem-{}{}+error-in-200", caller.name().len(), u8::from(stream));
                let answer = rig.caller.ask(caller, &model, stream).await;
                assert!(matches!(answer.status, 500 | 502), "{} {model}", answer.status);
                assert!(caller.is_error(&answer.json()), "{:?}", answer.body);
                let record = rig.gateway.record(answer.id()).await;
                assert_eq!(record["fault"]["kind"], "upstream_error", "{record}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f16_an_empty_answer_is_passed_when_it_is_one() {
    check(&[row("null-content", Served, Served)]).await;
    // Anthropic allows a message without blocks; OpenAI no answer without choices.
    let rig = Rig::start().await;
    for caller in Dialect::ALL {
        for stream in [false, true] {
            let answer = rig.caller.ask(caller, "openai/lorem-20+empty-choices", stream).await;
            assert_eq!(answer.status, 502);
            assert_eq!(caller.error_code(&answer.json()), "bad_upstream_response");
            let answer = rig.caller.ask(caller, "anthropic/lorem-20+empty-choices", stream).await;
            assert_eq!(answer.status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f18_invalid_utf8_is_an_error_and_never_replaced() {
    check(&[row("invalid-utf8", BAD, BROKEN)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_what_follows_the_end_is_dropped() {
    check(&[
        row("bytes-after-terminator", Served, Served),
        row("double-terminator", Served, Served),
        row("double-usage", Served, Served),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f21_wrong_usage_costs_no_answer_and_is_never_negative() {
    let rows = ["usage-missing", "usage-zero", "usage-negative", "usage-times-10"];
    let rig = check(&rows.map(|fault| row(fault, Served, Served))).await;
    let records = rig.gateway.lines_with("\"usage\":");
    assert!(8 <= records.len(), "{}", records.len());
    assert!(records.iter().all(|record| !record.contains("put\":-")), "{records:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f22_an_answer_beyond_max_tokens_is_delivered_and_recorded() {
    let mut rows = [row("ignore-max-tokens", Served, Served)];
    rows[0].within = Duration::from_secs(20);
    check(&rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_encodings_that_were_not_asked_for_are_refused_unread() {
    check(&[
        row("gzip", BAD, BAD),
        row("gzip-bomb-16", BAD, BAD),
        row("wrong-content-encoding", BAD, BAD),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f27_heads_that_are_too_large_or_forged_are_refused() {
    check(&[
        row("huge-header-128", BAD, BAD),
        row("many-headers-200", BAD, BAD),
        row("crlf-header", BAD, BAD),
        row("two-lengths", BAD, BAD),
        row("not-http", BAD, BAD),
        row("huge-header-2", Served, Served),
        row("duplicate-headers", Served, Served),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f28_redirects_are_not_followed() {
    let rig = check(&[
        row("redirect-metadata", BAD, BAD),
        row("redirect-302", BAD, BAD),
        row("redirect-308", BAD, BAD),
    ])
    .await;
    // 169.254.169.254 would have cost a connect timeout each; and nothing came back to the simulated providers either.
    let page: serde_json::Value = serde_json::from_str(&rig.mock.bill_json(true)).unwrap();
    assert_eq!(page["total"]["requests"], 24, "{page}");
}
