//! The part of the suite about decisions.

use super::super::Database;
use super::super::decisions::{Decision, Decisions};
use super::stage::Stage;

fn decision(number: i64, body: &str) -> Decision {
    Decision {
        request: format!("req_{number:012x}"),
        at_ms: number,
        team: "red".into(),
        user: "ada".into(),
        key: String::new(),
        body: body.to_owned(),
    }
}

pub(super) async fn decisions_are_kept_once_and_for_a_while(stage: Stage) {
    let database = &stage.database;
    let (first, second) = (decision(1, r#"{"text":"it's \"this\" ✓ \\ "}"#), decision(2, "{}"));
    database.keep(vec![first.clone(), second.clone()]).await.unwrap();
    // The same once more, as after an answer that was lost; what was written first stays.
    database.keep(vec![decision(2, "[]"), decision(3, "3")]).await.unwrap();
    database.keep(Vec::new()).await.unwrap();
    assert_eq!(database.decision(&first.request).await.unwrap(), Some(first));
    assert_eq!(database.decision(&second.request).await.unwrap(), Some(second));
    for nobody in ["", "req_", "%", "req_00000000000' OR '1'='1"] {
        assert_eq!(database.decision(nobody).await.unwrap(), None, "{nobody}");
    }
    let other = Database::open(&stage.source).await.unwrap();
    assert_eq!(other.decision("req_000000000003").await.unwrap().unwrap().body, "3");
    other.close().await;
    assert!(!database.forget(2).await.unwrap());
    assert_eq!(database.decision("req_000000000001").await.unwrap(), None);
    assert!(database.decision("req_000000000002").await.unwrap().is_some());

    database
        .keep((10..1_510).map(|number| decision(number, "x")).collect())
        .await
        .unwrap();
    assert!(database.forget(1_400).await.unwrap(), "there is more");
    assert!(database.decision("req_00000000000a").await.unwrap().is_none(), "the oldest first");
    assert!(!database.forget(1_400).await.unwrap());
    let left = |number: i64| async move { database.decision(&decision(number, "").request).await.unwrap().is_some() };
    assert_eq!((left(1_399).await, left(1_400).await, left(1_509).await), (false, true, true));
}
