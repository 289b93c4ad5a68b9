//! Every field in its place, and the forms of time and numbers that are written by hand.
#![expect(clippy::unwrap_used, reason = "tests")]
use std::collections::HashMap;
use std::sync::Arc;

use expect_test::expect;
use tollgate_policy::identity::{Allowed, Opened, Scope, Scopes, Team, User, VirtualKey};

use super::*;
use crate::record::Outcome;

fn line(record: &Record) -> String {
    let mut out = Vec::new();
    write(&mut out, record);
    let line = String::from_utf8(out).unwrap();
    serde_json::from_str::<serde_json::Value>(&line).unwrap();
    line
}

fn caller() -> Caller {
    let team = Arc::new(Team {
        name: "sup\"port".into(),
        ..Team::default()
    });
    let key = VirtualKey {
        id: "k1".into(),
        user: Some(Arc::new(User {
            name: "ann".into(),
            ..User::default()
        })),
        team,
        label: Label::parse("restricted").unwrap(),
        allowed: Allowed {
            scopes: Some(Scopes::DEFAULT.with(Scope::LabelDeclassify)),
            ..Allowed::default()
        },
        ..VirtualKey::default()
    };
    let opened = Opened {
        deprecated_until: Some(86_400),
    };
    let mut headers = http::HeaderMap::new();
    for (name, value) in [
        ("x-tollgate-tags", "tier=gold"),
        ("x-tollgate-label", "public; compartments=hr"),
        (
            "x-tollgate-label-reason",
            concat!("anonymised, key sk-", "proj-0123456789abcdefghijklmnopqrstuvwxyz"),
        ),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    Caller::of_key(Arc::new(key), opened, &headers, &HashMap::new()).unwrap()
}

#[test]
fn what_is_not_known_stays_out() {
    let record = Record::new(Duration::from_millis(1_763_600_000_120), "req_1".into(), "anthropic", "chat");
    expect![[r#"{"time":"2025-11-20T00:53:20.12Z","request_id":"req_1","config":"","dialect":"anthropic","operation":"chat","stream":false,"passthrough":false,"attempts":[],"status":0,"outcome":"failed","request_bytes":0,"answer_bytes":0,"total_ms":0.0}"#]]
    .assert_eq(&line(&record));
}

#[test]
fn everything_that_is_known_is_written_in_its_place() {
    let mut record = Record::new(Duration::ZERO, "req_2".into(), "openai_chat", "chat");
    record.trace_id = Some("4bf9".into());
    record.config = "0123456789ab".into();
    record.caller = Some(Arc::new(caller()));
    record.label = record.caller.as_ref().map(|caller| caller.label().clone());
    record.asked = Some("chät\n".into());
    (record.stream, record.passthrough) = (true, true);
    record.fallback = Some("from=a/b; reason=timeout".into());
    record.loss = vec!["top_k".into(), "tools.cache".into()];
    record.status = 503;
    record.outcome = Outcome::Broken;
    record.fault = Some(FaultRecord {
        kind: "timeout",
        origin: "provider",
        code: Some("upstream_timeout".into()),
        cause: None,
    });
    record.finish = Some("stop".into());
    record.usage = Some(UsageRecord {
        input: 12,
        output: 34,
        cache_read: 5,
        cache_write: 6,
        reasoning: u64::MAX,
    });
    record.provider_request_id = Some("up-1".into());
    (record.request_bytes, record.answer_bytes) = (10, 100);
    record.first_byte_us = Some(1_500);
    record.total_us = 2_000_000;
    record.overhead_us = Some(7);
    expect![[r#"{"time":"1970-01-01T00:00:00Z","request_id":"req_2","trace_id":"4bf9","config":"0123456789ab","dialect":"openai_chat","operation":"chat","team":"sup\"port","user":"ann","key":"k1","key_deprecated":"1970-01-02T00:00:00Z","tags":{"tier":"gold"},"declassified":{"from":"restricted","reason":"anonymised, key sk-proj***"},"label":"public; compartments=hr","asked":"chät\n","stream":true,"passthrough":true,"attempts":[],"fallback":"from=a/b; reason=timeout","loss":["top_k","tools.cache"],"status":503,"outcome":"broken","fault":{"kind":"timeout","origin":"provider","code":"upstream_timeout"},"finish":"stop","usage":{"input":12,"output":34,"cache_read":5,"cache_write":6,"reasoning":18446744073709551615},"provider_request_id":"up-1","request_bytes":10,"answer_bytes":100,"first_byte_ms":1.5,"total_ms":2000.0,"overhead_ms":0.007}"#]]
    .assert_eq(&line(&record));
}

#[test]
fn moments_are_written_as_rfc_3339() {
    let seconds = [
        0,
        951_782_399,
        951_782_400,
        951_868_800,
        1_763_600_000,
        4_107_542_399,
        253_370_764_799,
    ];
    let days = (0..40_000).map(|day| day * 86_400 + 59);
    for second in seconds.into_iter().chain(days) {
        for millis in [0, 1, 10, 120, 999] {
            let moment = Duration::new(second, millis * 1_000_000 + 999_999);
            let mut written = Vec::new();
            time(&mut written, moment);
            let nanos = i128::from(second) * 1_000_000_000 + i128::from(millis) * 1_000_000;
            let expected = jiff::Timestamp::from_nanosecond(nanos).unwrap().to_string();
            assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }
}

#[test]
fn milliseconds_are_written_as_a_serialiser_does() {
    for us in (0..3_000).chain((0..40).map(|power| 3_u64.pow(power % 30) * 7)) {
        let mut written = Vec::new();
        ms(&mut written, b"", us);
        #[expect(clippy::cast_precision_loss, reason = "small enough")]
        let expected = serde_json::to_string(&(us as f64 / 1e3)).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
