//! Receivers that do not take what they are sent.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use tollgate_store::database::{BoxFuture, Error};

use super::receiver::Act;
use super::*;
use crate::alerts::{self, AlertId};

#[tokio::test]
async fn what_was_not_taken_comes_again_under_the_same_id() {
    let rows = [
        (
            Act::Answer("HTTP/1.1 500 Oh\r\ncontent-length: 3\r\n\r\nboo"),
            "the receiver answered 500",
        ),
        (
            Act::Answer("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"),
            "the receiver answered 404",
        ),
        (Act::Hang, "connection lost"),
        (Act::Silence, "exchange took too long"),
        (Act::Answer("SMTP/1.1 250 fine\r\n\r\n"), "response malformed"),
        (
            Act::Answer("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n"),
            "response malformed",
        ),
    ];
    for (number, (act, reason)) in rows.into_iter().enumerate() {
        let stage = Stage::new(&format!("again-{number}")).await;
        stage.pass_thresholds(1).await;
        let receiver = Receiver::doing(&[act]);
        // A tenth of a second is left to the attempt that is met with silence.
        let behind = if matches!(act, Act::Silence) { 9_900 } else { 0 };
        stage.behind_ms.store(behind, Ordering::SeqCst);
        assert_eq!(stage.look(&receiver, 0).await, 1, "{reason}");
        stage.behind_ms.store(0, Ordering::SeqCst);
        let alert = stage.alerts().await.remove(0);
        assert!(alert.last_error.starts_with(reason), "{reason}: {}", alert.last_error);
        assert_eq!(alert.delivered_ms, None, "{reason}");

        let first_pause = alerts::ms(alerts::PAUSE_FIRST);
        assert_eq!(stage.look(&receiver, first_pause / 2 - 1).await, 0, "{reason}");
        assert_eq!(stage.look(&receiver, first_pause).await, 1, "{reason}");
        assert_eq!(stage.delivered().await, [Some(first_pause)], "{reason}");
        let got = receiver.got();
        assert_eq!(got.len(), 2, "{reason}");
        assert_eq!((got[0].id(), &got[0].body), (got[1].id(), &got[1].body), "{reason}");
        let name = "alert 00000000000000000000000000000001-1793491200-80 of budget \"engineering\" was";
        let logged = stage.logged();
        assert_eq!(logged.len(), 2, "{logged:?}");
        let failed = format!("warn: {name} not delivered and is tried again: {reason}");
        assert!(logged[0].starts_with(&failed), "{logged:?}");
        assert_eq!(logged[1], format!("info: {name} delivered after 2 attempts"));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Receiver::doing(&[]);
    let answer = format!(
        "HTTP/1.1 307 Over There\r\nlocation: http://{}/hooks/42\r\ncontent-length: 0\r\n\r\n",
        other.address
    );
    let receiver = Receiver::doing(&[Act::Answer(answer.leak())]);
    let stage = Stage::new("redirect").await;
    stage.pass_thresholds(1).await;
    assert_eq!(stage.look(&receiver, 0).await, 1);
    assert_eq!(
        stage.alerts().await[0].last_error,
        "the receiver answered 307; redirects are not followed: put the final address into alerts.webhook.url"
    );
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_receiver_may_ask_to_be_left_alone() {
    let day = 24 * 60 * 60 * 1_000;
    let rows = [
        ("120", 120_000),
        ("Fri, 20 Nov 2026 13:02:00 GMT", 119_750),
        ("31536000", day),
        // Sooner than the usual pause: the usual pause.
        ("0", 5_000),
        ("soon", 5_000),
    ];
    for (number, (asked, due_ms)) in rows.into_iter().enumerate() {
        let stage = Stage::new(&format!("alone-{number}")).await;
        stage.pass_thresholds(1).await;
        let answer = format!("HTTP/1.1 503 Busy\r\nretry-after: {asked}\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::doing(&[Act::Answer(answer.leak())]);
        assert_eq!(stage.look(&receiver, 0).await, 1);
        if due_ms > 5_000 {
            assert_eq!(stage.look(&receiver, due_ms - 1).await, 0, "{asked}");
        }
        assert_eq!(stage.look(&receiver, due_ms).await, 1, "{asked}");
        assert_eq!(stage.delivered().await, [Some(due_ms)], "{asked}");
    }
}

#[tokio::test]
async fn after_three_days_an_alert_is_given_up_with_a_line_in_the_log() {
    let stage = Stage::new("dead").await;
    stage.pass_thresholds(1).await;
    let refusal = Act::Answer("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    let receiver = Receiver::doing(&[refusal; 500]);
    let age_max = alerts::ms(alerts::AGE_MAX);
    let mut attempts = 0;
    let hook = receiver.hook();
    let courier = stage.courier(Some(&hook), client());
    let minute = 60_000;
    // Every minute for two hours, then every ten minutes for four days.
    let looks = (0..120 * minute).step_by(60_000);
    for after_ms in looks.chain((120 * minute..age_max / 3 * 4).step_by(600_000)) {
        attempts += stage.look_by(&courier, &hook, after_ms).await;
    }
    drop(courier);
    assert_eq!(receiver.got().len(), attempts);
    // Some ten in the first hour, then one in 30 to 60 minutes.
    assert!((70..=156).contains(&attempts), "{attempts}");
    let alert = stage.alerts().await.remove(0);
    let reason = format!("given up after {attempts} attempts: the receiver answered 500");
    assert_eq!((alert.last_error.as_str(), alert.delivered_ms), (reason.as_str(), None));
    let logged = stage.logged();
    let line = format!("error: alert {} of budget \"engineering\" was {reason}", alert.id.text());
    assert_eq!((logged.len(), logged.last()), (2, Some(&line)));
}

#[tokio::test]
async fn what_is_older_than_three_days_is_not_sent_at_all() {
    let stage = Stage::new("old").await;
    stage.pass_thresholds(2).await;
    let receiver = Receiver::doing(&[]);
    assert_eq!(stage.look(&receiver, alerts::ms(alerts::AGE_MAX)).await, 2);
    assert_eq!(receiver.connections(), 0);
    let reasons: Vec<_> = stage.alerts().await.into_iter().map(|alert| alert.last_error).collect();
    assert_eq!(reasons, ["given up after 0 attempts: it is too old"; 2]);
    assert_eq!(stage.logged().len(), 2);
}

/// A database that cannot be used, and one that loses the mark of the first delivery.
struct Faulty {
    outbox: Database,
    is_away: Arc<AtomicBool>,
    marks: AtomicUsize,
}

fn trouble<T: Send + 'static>() -> BoxFuture<'static, Result<T, Error>> {
    Box::pin(async { Err(Error::Damaged("it is on fire".into())) })
}

impl Outbox for Faulty {
    fn put<'a>(&'a self, event: &'a tollgate_store::database::outbox::Event) -> BoxFuture<'a, Result<(), Error>> {
        self.outbox.put(event)
    }

    fn claim(&self, now_ms: i64, lease_ms: i64) -> BoxFuture<'_, Result<Vec<Alert>, Error>> {
        if self.is_away.load(Ordering::SeqCst) {
            return trouble();
        }
        self.outbox.claim(now_ms, lease_ms)
    }

    fn delivered(&self, id: AlertId, now_ms: i64) -> BoxFuture<'_, Result<(), Error>> {
        if self.marks.fetch_add(1, Ordering::SeqCst) == 0 {
            return trouble();
        }
        self.outbox.delivered(id, now_ms)
    }

    fn failed<'a>(&'a self, id: AlertId, next_ms: i64, reason: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.outbox.failed(id, next_ms, reason)
    }

    fn alerts(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Alert>, Error>> {
        self.outbox.alerts(limit)
    }
}

#[tokio::test]
async fn a_database_in_trouble_is_told_of_once_and_costs_no_alert() {
    let stage = Stage::new("trouble").await;
    stage.pass_thresholds(3).await;
    let receiver = Receiver::doing(&[]);
    let is_away = Arc::new(AtomicBool::new(true));
    let courier = Courier {
        outbox: Arc::new(Faulty {
            outbox: stage.database.clone(),
            is_away: Arc::clone(&is_away),
            marks: AtomicUsize::new(0),
        }),
        ..stage.courier(Some(&receiver.hook()), client())
    };
    let (stop, nudge) = (CancellationToken::new(), Arc::clone(&courier.nudge));
    let marked = async || stage.delivered().await.into_iter().flatten().count();
    tokio::join!(alerts::run(courier, stop.clone()), async {
        for _ in 0..10 {
            nudge.notify_one();
            tokio::task::yield_now().await;
        }
        is_away.store(false, Ordering::SeqCst);
        nudge.notify_one();
        until("two are marked", async || marked().await == 2).await;
        stage.now_ms.fetch_add(alerts::ms(alerts::LEASE), Ordering::SeqCst);
        nudge.notify_one();
        until("all are marked", async || marked().await == 3).await;
        stop.cancel();
    });
    assert_eq!(receiver.got().len(), 4, "the one whose mark was lost came twice");
    let logged = stage.logged();
    let [away, again] = logged.as_slice() else { panic!("{logged:?}") };
    assert!(away.starts_with("warn: alerts wait, their outbox cannot be used: "), "{away}");
    assert!(again.contains("was delivered after 2 attempts"), "{again}");
}

#[test]
fn pauses_double_to_an_hour_with_dice() {
    let rows = [
        (1, 5),
        (2, 10),
        (3, 20),
        (7, 320),
        (10, 2_560),
        (11, 3_600),
        (40, 3_600),
        (i64::MAX, 3_600),
        (0, 5),
        (-7, 5),
    ];
    for (attempts, longest_s) in rows {
        let longest = Duration::from_secs(longest_s);
        let mut dice = Dice::new(3);
        let pauses: Vec<Duration> = (0..1_000).map(|_| alerts::pause(attempts, &mut dice)).collect();
        assert!(
            pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)),
            "{attempts}: {pauses:?}"
        );
        let mean = pauses.iter().sum::<Duration>() / 1_000;
        assert!((longest * 7 / 10..longest * 8 / 10).contains(&mean), "{attempts}: {mean:?}");
    }
}
