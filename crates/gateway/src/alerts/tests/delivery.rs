//! What arrives, and how often.

use std::collections::BTreeSet;

use expect_test::expect;

use super::receiver::{Act, OK};
use super::*;
use crate::alerts;

#[tokio::test]
async fn a_delivery_is_signed_and_says_what_happened() {
    let stage = Stage::new("signed").await;
    stage.pass_thresholds(1).await;
    let receiver = Receiver::doing(&[]);
    assert_eq!(stage.look(&receiver, 500).await, 1);
    let got = receiver.got();
    let [got] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(got.line, "POST /hooks/42 HTTP/1.1");
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.id(), "00000000000000000000000000000001-1793491200-80");
    assert_eq!(got.signature().0, "1795179600");
    assert!(got.is_signed_with(SECRET));
    assert!(!got.is_signed_with("another-secret-that-signs-alerts-0123"));
    let told: serde_json::Value = serde_json::from_str(&got.body).unwrap();
    expect![[r#"
        {
          "id": "00000000000000000000000000000001-1793491200-80",
          "kind": "budget_threshold",
          "at": "2026-11-20T13:00:00.25Z",
          "budget": "engineering",
          "scope": {
            "team": "team-1"
          },
          "window": {
            "start": "2026-11-01T00:00:00Z",
            "end": "2026-12-01T00:00:00Z"
          },
          "threshold_percent": 80,
          "posted_usd": "1612.5031",
          "limit_usd": "2000.00"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&told).unwrap());
    assert_eq!(stage.delivered().await, [Some(500)]);
    assert_eq!(stage.logged(), [""; 0]);
}

#[test]
fn a_window_is_told_as_its_budget_has_it() {
    let alert = |window| Alert {
        kind: tollgate_store::database::outbox::BUDGET_THRESHOLD.to_owned(),
        id: alerts::AlertId {
            account: AccountId(1),
            window,
            percent: 50,
        },
        opened: Opened {
            account: AccountId(1),
            rule: "b".into(),
            scope: Vec::new(),
        },
        posted: 1,
        limit: 2,
        at_ms: PASSED_MS,
        attempts: 1,
        delivered_ms: None,
        last_error: String::new(),
    };
    let berlin = || Zone::parse("Europe/Berlin").unwrap();
    let rows = [
        (
            NOVEMBER_S - 3_600,
            Some((Window::Calendar(Calendar::Month), berlin())),
            r#"{"start":"2026-10-31T23:00:00Z","end":"2026-11-30T23:00:00Z"}"#,
        ),
        // The budget was a monthly one and is a daily one now, in another zone.
        (
            NOVEMBER_S,
            Some((Window::Calendar(Calendar::Day), berlin())),
            r#"{"start":"2026-11-01T00:00:00Z","end":null}"#,
        ),
        (
            NOVEMBER_S,
            Some((Window::Rolling(86_400), Zone::UTC)),
            r#"{"start":"2026-11-19T13:00:00Z","end":"2026-11-20T13:00:00Z"}"#,
        ),
        (0, Some((Window::Never, Zone::UTC)), r#"{"start":null,"end":null}"#),
        (NOVEMBER_S, None, r#"{"start":"2026-11-01T00:00:00Z","end":null}"#),
        (i64::MAX, None, r#"{"start":null,"end":null}"#),
    ];
    for (window, now, expected) in rows {
        let letter = alerts::Letter::of(&alert(window), now.clone());
        let body = std::str::from_utf8(&letter.body).unwrap();
        assert!(body.contains(&format!(r#""window":{expected}"#)), "{window} {now:?}: {body}");
    }
}

#[tokio::test]
async fn r_c11_a_receiver_that_answers_gets_each_alert_once() {
    let stage = Stage::new("once").await;
    stage.pass_thresholds(150).await;
    let receiver = Receiver::doing(&[]);
    let hook = receiver.hook();
    let couriers = [stage.courier(Some(&hook), client()), stage.courier(Some(&hook), client())];
    let (mut dice, mut other_dice) = (Dice::new(1), Dice::new(2));
    let stop = CancellationToken::new();
    let (here, there) = tokio::join!(
        couriers[0].round(&hook, &mut dice, &stop),
        couriers[1].round(&hook, &mut other_dice, &stop)
    );
    assert_eq!((here.unwrap(), there.unwrap()), (100, 50), "one claim gives out a hundred");
    let later = 10 * alerts::ms(alerts::AGE_MAX);
    assert_eq!(stage.look(&receiver, later).await, 0);
    let ids: Vec<String> = receiver.got().iter().map(|got| got.id().to_owned()).collect();
    assert_eq!(ids.len(), 150);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 150);
    assert!(receiver.got().iter().all(|got| got.is_signed_with(SECRET)));
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read() {
    let stage = Stage::new("endless").await;
    stage.pass_thresholds(1).await;
    let receiver = Receiver::doing(&[Act::Endless]);
    assert_eq!(stage.look(&receiver, 0).await, 1);
    assert_eq!(stage.delivered().await, [Some(0)]);
}

#[tokio::test]
async fn who_dies_between_sending_and_marking_sends_again_under_the_same_id() {
    let stage = Stage::new("killed").await;
    stage.pass_thresholds(1).await;
    let receiver = Receiver::doing(&[Act::Silence]);
    let hook = receiver.hook();
    let courier = stage.courier(Some(&hook), client());
    let (mut dice, stop) = (Dice::new(1), CancellationToken::new());
    tokio::select! {
        done = courier.round(&hook, &mut dice, &stop) => panic!("it was to be killed: {done:?}"),
        () = until("the receiver has it", async || receiver.got().len() == 1) => {}
    }
    drop(courier);
    let lease = alerts::ms(alerts::LEASE);
    assert_eq!(stage.look(&receiver, lease - 1).await, 0, "nobody knows yet that it died");
    assert_eq!(stage.look(&receiver, lease).await, 1);
    let got = receiver.got();
    let [first, second] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert_ne!(first.signature(), second.signature());
    assert!(second.is_signed_with(SECRET));
    assert_eq!(stage.delivered().await, [Some(lease)]);
}

#[tokio::test]
async fn who_is_stopped_gives_back_what_was_not_delivered() {
    let stage = Stage::new("stopped").await;
    stage.pass_thresholds(12).await;
    // The first eight are under way when it is told to stop, the others wait.
    let receiver = Receiver::doing(&[Act::Silence; 8]);
    let courier = stage.courier(Some(&receiver.hook()), client());
    let stop = CancellationToken::new();
    tokio::join!(alerts::run(courier, stop.clone()), async {
        until("eight are under way", async || receiver.got().len() == 8).await;
        stop.cancel();
    });
    assert_eq!(receiver.got().len(), 8);
    assert!(
        stage
            .alerts()
            .await
            .iter()
            .all(|alert| alert.last_error == "the gateway was stopped")
    );
    assert_eq!(stage.look(&receiver, 0).await, 12, "due at once");
    assert_eq!(stage.delivered().await, [Some(0); 12]);
}

#[tokio::test]
async fn alerts_wait_for_a_webhook_and_go_out_when_there_is_one() {
    let stage = Stage::new("waiting").await;
    stage.pass_thresholds(1).await;
    let receiver = Receiver::doing(&[]);
    let (hooks, hook) = watch::channel(None);
    let courier = Courier {
        hook,
        ..stage.courier(None, client())
    };
    let (stop, nudge) = (CancellationToken::new(), Arc::clone(&courier.nudge));
    tokio::join!(alerts::run(courier, stop.clone()), async {
        hooks.send_replace(Some(receiver.hook()));
        nudge.notify_one();
        until("it was delivered", async || stage.delivered().await == [Some(0)]).await;
        stop.cancel();
    });
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn a_test_says_what_the_receiver_answered() {
    let rows = [
        (Act::Answer(OK), None),
        (Act::Answer("HTTP/1.1 204 No Content\r\n\r\n"), None),
        (
            Act::Answer("HTTP/1.1 401 No\r\ncontent-length: 6\r\n\r\nsecret"),
            Some("the receiver answered 401"),
        ),
    ];
    for (act, expected) in rows {
        let receiver = Receiver::doing(&[act]);
        let now = clock::now();
        let outcome = alerts::test(&receiver.hook(), &client(), now).await;
        assert_eq!(outcome.err().map(|undelivered| undelivered.reason).as_deref(), expected);
        let got = receiver.got().remove(0);
        assert!(got.is_signed_with(SECRET));
        let told: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        let names: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "kind", "at"]);
        assert_eq!((told["kind"].as_str(), told["id"].as_str()), (Some("test"), Some(got.id())));
    }
}
