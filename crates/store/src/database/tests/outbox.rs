//! The outbox's part of the suite.

use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Opened, Party, Settlement};

use super::super::Database;
use super::super::ledger::{Ledger, Position, Watch};
use super::super::outbox::{Event, Outbox};
use super::stage::Stage;

pub(super) async fn an_alert_goes_to_one_sender_at_a_time(stage: Stage) {
    let database = &stage.database;
    let watched = |_: &Opened, _: i64| {
        Some(Watch {
            limit: 10,
            percents: vec![50, 100],
            rolling_s: None,
        })
    };
    let opened = Opened {
        account: AccountId(9),
        rule: "b".into(),
        scope: vec![("team".into(), "red".into())],
    };
    let settlement = Settlement {
        request: "r".into(),
        at_ms: 1_000,
        party: Party::default(),
        ended: Ended::Expired,
        postings: Vec::new(),
        charges: vec![Charge {
            account: AccountId(9),
            window: 600,
            amount: 12,
        }],
        overrun: false,
        late: false,
    };
    let batch = [
        (Position(0, 1), Entry::Opened(opened.clone())),
        (Position(0, 2), Entry::Settlement(settlement)),
    ];
    assert_eq!(database.apply("j", &batch, &watched).await.unwrap().alerts, 2);

    let claimed = async |database: &Database, now_ms| {
        let mut alerts = database.claim(now_ms, 100).await.unwrap();
        alerts.sort_by_key(|alert| alert.id.percent);
        alerts
    };
    assert_eq!(claimed(database, 999).await, []);
    let other = Database::open(&stage.source).await.unwrap();
    // Somebody claims both and has not committed yet; who claims meanwhile waits, and gets none of them.
    let mut first = database.engine.write().await.unwrap();
    let claim = "UPDATE alerts SET due_ms = 1100, attempts = attempts + 1 WHERE due_ms <= 1000";
    assert_eq!(first.execute(claim, Vec::new()).await.unwrap(), 2);
    let commit = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        first.commit().await.unwrap();
    };
    let (second, ()) = tokio::join!(claimed(&other, 1_000), commit);
    assert_eq!(second, []);
    other.close().await;

    assert_eq!(claimed(database, 1_099).await, [], "under lease");
    let again = claimed(database, 1_100).await;
    let told: Vec<_> = again
        .iter()
        .map(|alert| (alert.id.percent, alert.posted, alert.limit, alert.attempts, alert.at_ms))
        .collect();
    assert_eq!(told, [(50, 12, 10, 2, 1_000), (100, 12, 10, 2, 1_000)], "who claimed them died");
    assert_eq!(
        (again[0].opened.clone(), again[0].id.text()),
        (opened, format!("{:032x}-600-50", 9))
    );
    database.delivered(again[0].id, 1_150).await.unwrap();
    database.failed(again[1].id, 5_000, "the receiver answered 500").await.unwrap();
    assert_eq!(claimed(database, 4_999).await, []);
    let last = claimed(database, 5_000).await;
    assert_eq!((last.len(), last[0].id.percent, last[0].attempts), (1, 100, 3));
    assert_eq!(last[0].last_error, "the receiver answered 500");
    database.delivered(last[0].id, 5_001).await.unwrap();
    assert_eq!(claimed(database, i64::MAX - 200).await, []);
    let all = database.alerts(10).await.unwrap();
    let delivered: Vec<_> = all.iter().map(|alert| alert.delivered_ms).collect();
    assert_eq!(delivered, [Some(1_150), Some(5_001)]);
}

pub(super) async fn an_event_is_told_once_however_often_it_is_put(stage: Stage) {
    let database = &stage.database;
    let event = |at_ms| Event {
        kind: "canary_rolled_back".into(),
        subject: AccountId(7),
        facts: vec![("route".into(), "chat".into()), ("model".into(), "a/b".into())],
        at_ms,
    };
    for at_ms in [1_000, 1_000, 2_000] {
        database.put(&event(at_ms)).await.unwrap();
    }
    let mut claimed = database.claim(5_000, 100).await.unwrap();
    claimed.sort_by_key(|alert| alert.at_ms);
    let told: Vec<_> = claimed.iter().map(|alert| (alert.kind.as_str(), alert.at_ms)).collect();
    assert_eq!(told, [("canary_rolled_back", 1_000), ("canary_rolled_back", 2_000)]);
    assert_eq!(claimed[0].opened.scope, event(0).facts);
    database.put(&event(1_000)).await.unwrap();
    assert_eq!(database.alerts(10).await.unwrap().len(), 2);
}
