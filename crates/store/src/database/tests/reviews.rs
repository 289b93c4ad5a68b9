//! The part of the suite about reviews.

use super::super::Error;
use super::super::audit::{Act, Audit, AuditPage};
use super::super::reviews::{Decision, KEPT_MAX, Review, Reviews, State};
use super::stage::Stage;

fn review(number: i64) -> Review {
    Review {
        id: format!("rev_{number}"),
        state: State::Pending,
        owner: "key:k".into(),
        team: "red".into(),
        route: "r".into(),
        dialect: "anthropic".into(),
        label: "internal".into(),
        request: "req_1".into(),
        fault: "unavailable".into(),
        body: r#"{"text":"it's ✓"}"#.into(),
        answer: String::new(),
        reason: String::new(),
        decided_by: String::new(),
        at_ms: number,
        expires_ms: number + 1_000,
        decided_ms: 0,
    }
}

pub(super) async fn a_review_is_decided_once_and_told_to_the_log_without_its_text(stage: Stage) {
    let database = &stage.database;
    let act = Act {
        actor: "ada".into(),
        action: "review.decide".into(),
        ..Act::default()
    };
    for number in 1..=4 {
        assert!(database.submit(review(number)).await.unwrap());
    }
    assert_eq!(database.review("rev_1").await.unwrap(), Some(review(1)));
    assert_eq!(database.review("rev_9").await.unwrap(), None);
    let rows = [
        ("rev_1", Decision::Approve, State::Approved, ""),
        ("rev_2", Decision::Edit("an answer".into()), State::Edited, "an answer"),
        ("rev_3", Decision::Refuse("no".into()), State::Refused, ""),
    ];
    for (id, decision, state, answer) in rows {
        database.decide(id, decision.clone(), &act, 50).await.unwrap();
        let stored = database.review(id).await.unwrap().unwrap();
        assert_eq!(
            (stored.state, stored.answer.as_str(), stored.decided_by.as_str()),
            (state, answer, "ada")
        );
        let again = database.decide(id, decision, &act, 51).await;
        assert!(matches!(again, Err(Error::Taken { .. })), "{again:?}");
    }
    let unknown = database.decide("rev_9", Decision::Approve, &act, 50).await;
    assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
    let late = database.decide("rev_4", Decision::Approve, &act, 1_004).await;
    assert!(matches!(late, Err(Error::Taken { .. })), "{late:?}");
    let page = AuditPage {
        limit: 10,
        ..AuditPage::default()
    };
    let records = database.records(&page).await.unwrap();
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|record| !format!("{record:?}").contains("an answer") && record.before.contains("pending"))
    );
    let listed = database.reviews(10).await.unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|line| line.body.is_empty() && line.answer.is_empty()));
}

pub(super) async fn reviews_are_bounded_in_number_and_in_time(stage: Stage) {
    let database = &stage.database;
    for number in 0..KEPT_MAX {
        assert!(
            database
                .submit(Review {
                    expires_ms: 5_000,
                    ..review(number)
                })
                .await
                .unwrap()
        );
    }
    assert!(
        !database
            .submit(Review {
                expires_ms: 9_000,
                ..review(2_000)
            })
            .await
            .unwrap(),
        "no room"
    );
    assert!(database.submit(review(5_000)).await.unwrap(), "the time of the others is over");
    let old = database.review("rev_7").await.unwrap().unwrap();
    assert!(old.body.is_empty() && old.state == State::Pending);
    let large = Review {
        body: "x".repeat((1 << 20) + 1),
        ..review(5_001)
    };
    assert!(!database.submit(large).await.unwrap());
    database.expire(5_000 + 8 * 86_400_000).await.unwrap();
    assert_eq!(database.reviews(10).await.unwrap(), []);
}

pub(super) async fn one_of_two_sends_what_was_approved(stage: Stage) {
    let database = &stage.database;
    database.submit(review(1)).await.unwrap();
    let step = (State::Approved, State::Sending);
    assert!(!database.advance("rev_1", step, "").await.unwrap());
    database.decide("rev_1", Decision::Approve, &Act::default(), 5).await.unwrap();
    assert!(database.advance("rev_1", step, "").await.unwrap());
    assert!(!database.advance("rev_1", step, "").await.unwrap());
    assert!(database.advance("rev_1", (State::Sending, State::Answered), "{}").await.unwrap());
    assert_eq!(database.review("rev_1").await.unwrap().unwrap().answer, "{}");
}
