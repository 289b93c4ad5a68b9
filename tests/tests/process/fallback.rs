//! Tries and fallbacks (F05, F08, R-G3): transparent before the first content, none after it, counted over the whole request.

use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

/// A fault, and the reason that the caller is told.
const BEFORE_CONTENT: [(&str, &str); 7] = [
    ("reset-before-headers", "unavailable"),
    ("html-200", "bad_upstream"),
    ("status-503", "overloaded"),
    ("status-500", "upstream_error"),
    ("error-in-200", "upstream_error"),
    ("stall-before-first-byte", "timeout"),
    ("redirect-metadata", "bad_upstream"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_content_another_model_answers_and_the_caller_is_told() {
    let vendors = [("openai", "anthropic"), ("anthropic", "openai")];
    let mut plan = Plan::default();
    for (number, (fault, _)) in BEFORE_CONTENT.iter().enumerate() {
        for (from, to) in vendors {
            plan.routes += &format!(
                "  {from}-{number}: {{ targets: [{{ model: \"{from}/lorem-9+{fault}\" }}], fallbacks: [{to}/echo], \
                 timeouts: {{ first_byte: 500ms }} }}\n"
            );
        }
    }
    let rig = plan.start().await;
    for (number, (fault, reason)) in BEFORE_CONTENT.iter().enumerate() {
        for (from, to) in vendors {
            let mut told = 0;
            for caller in Dialect::ALL {
                for stream in [false, true] {
                    let answer = rig.caller.ask(caller, &format!("{from}-{number}"), stream).await;
                    let at = format!("{caller:?} {from} {fault} {stream} {:?} {:?}", answer.headers, answer.body);
                    assert_eq!(answer.status, 200, "{at}");
                    assert_eq!(answer.header("x-tollgate-model"), format!("{to}/echo"), "{at}");
                    let tries: usize = answer.header("x-tollgate-attempts").parse().unwrap();
                    assert!(tries <= 3, "{at}");
                    // Once the first model is known to be ill, it is not asked, and then the other one is no fallback.
                    if 1 < tries {
                        let expected = format!("from={from}/lorem-9+{fault}; reason={reason}");
                        assert_eq!(answer.header("x-tollgate-fallback"), expected, "{at}");
                        told += 1;
                    }
                }
            }
            assert!(0 < told, "{from} {fault}");
        }
    }
}

/// Replaces `MOCK` in a plan's providers by the address of a simulator of their own, without credentials.
async fn with_own_providers(plan: Plan) -> OwnRig {
    let mock = tollgate_mock::Mock::start(tollgate_mock::MockSettings::default()).await.unwrap();
    let providers = plan.providers.replace("MOCK", &mock.addr().to_string());
    let rig = Plan { providers, ..plan }.start().await;
    OwnRig { rig, _mock: mock }
}

struct OwnRig {
    rig: Rig,
    _mock: tollgate_mock::Mock,
}

impl std::ops::Deref for OwnRig {
    type Target = Rig;
    fn deref(&self) -> &Rig {
        &self.rig
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_content_nothing_else_is_tried() {
    let rig = Rig::with_routes(
        "  o: { targets: [{ model: openai/lorem-30+reset-after-3-chunks }], fallbacks: [anthropic/echo] }\n  \
         a: { targets: [{ model: anthropic/lorem-30+reset-after-3-chunks }], fallbacks: [openai/echo] }",
    )
    .await;
    for caller in Dialect::ALL {
        for route in ["o", "a"] {
            let answer = rig.caller.ask(caller, route, true).await;
            let seen = caller.stream(&answer.body);
            assert!(seen.error.is_some() && !seen.terminated && !seen.text.is_empty(), "{seen:?}");
            assert_eq!(answer.header("x-tollgate-attempts"), "1");
            assert_eq!(answer.header("x-tollgate-fallback"), "");
        }
    }
    assert!(rig.bill("echo").is_empty(), "the fallback was asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_what_fails_once_is_tried_again_without_the_callers_notice() {
    let mut plan = Plan::default();
    let faults = [
        "reset-before-headers",
        "close-before-headers",
        "status-503",
        "status-500",
        "error-in-200",
    ];
    for (number, fault) in faults.iter().enumerate() {
        plan.script += &format!(
            "[[rule]]\nmodel = \"lorem-{}\"\nevery = 2\nafter = 0\nfault = \"{fault}\"\n",
            10 + number
        );
    }
    let rig = plan.start().await;
    for (number, fault) in faults.iter().enumerate() {
        for provider in ["openai", "anthropic"] {
            for caller in Dialect::ALL {
                // Of two requests in a row one meets the fault: whichever it is, the caller gets an answer.
                for _ in 0..2 {
                    let answer = rig.caller.ask(caller, &format!("{provider}/lorem-{}", 10 + number), false).await;
                    assert_eq!(answer.status, 200, "{fault} {:?}", answer.body);
                }
            }
        }
        let tries = rig.bill(&format!("lorem-{}", 10 + number)).len();
        assert!((9..=16).contains(&tries), "{fault}: {tries} tries for 8 requests");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_g3_tries_are_counted_over_the_whole_request() {
    let rig = Rig::with_routes(
        "  three: { targets: [{ model: openai/lorem-1+reset-before-headers }], fallbacks: [anthropic/lorem-1+status-503, \
         openai/lorem-2+status-503, anthropic/lorem-2+status-503], retry: { attempts: 3 } }\n  \
         one: { targets: [{ model: openai/lorem-3+status-503 }], fallbacks: [anthropic/echo], retry: { attempts: 1 } }\n  \
         five: { targets: [{ model: openai/lorem-4+status-500 }], retry: { attempts: 5 } }",
    )
    .await;
    for (route, tries) in [("three", 3), ("one", 1), ("five", 5)] {
        let answer = rig.caller.ask(Dialect::OpenAi, route, false).await;
        assert!(500 <= answer.status, "{route}");
        assert_eq!(answer.header("x-tollgate-attempts"), tries.to_string(), "{route}");
        let record = rig.gateway.record(answer.id()).await;
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(tries), "{record}");
    }
    let page: serde_json::Value = serde_json::from_str(&rig.mock.bill_json(true)).unwrap();
    assert_eq!(page["total"]["requests"], 9, "the providers saw what the records say");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_caller_is_tried_nowhere_else() {
    let rig = Rig::with_routes("  r: { targets: [{ model: openai/lorem-1+status-400 }], fallbacks: [anthropic/echo] }").await;
    for caller in Dialect::ALL {
        let answer = rig.caller.ask(caller, "r", false).await;
        assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (400, "1"));
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    assert!(rig.bill("echo").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_refused_is_not_tried_again_and_its_sibling_is() {
    let plan = Plan {
        providers: "  pool: { base_url: \"http://MOCK/openai/v1\", dialect: openai_chat, credentials: [env:BAD, env:GOOD] }\n  \
                    single: { base_url: \"http://MOCK/openai/v1\", dialect: openai_chat, credentials: [env:BAD] }"
            .into(),
        settings: tollgate_tests::Settings {
            env: vec![("BAD".into(), "bad-key".into()), ("GOOD".into(), "good-key".into())],
            ..Default::default()
        },
        ..Plan::default()
    };
    let rig = with_own_providers(plan).await;
    let refused = rig.caller.ask(Dialect::OpenAi, "single/echo", false).await;
    assert_eq!(
        refused.header("x-tollgate-attempts"),
        "1",
        "the only key was tried again: {:?}",
        refused.body
    );
    for _ in 0..4 {
        let answer = rig.caller.ask(Dialect::OpenAi, "pool/echo", false).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}
