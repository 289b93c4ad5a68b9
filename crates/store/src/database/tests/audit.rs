//! The audit log's part of the suite.

use super::super::audit::{self, Act, Audit, AuditFlaw, AuditPage, Checkpoint, Signer};
use super::super::engine::{Tx, binds};
use super::super::objects::{Change, Key, Kind, Objects, Secret, Session};
use super::objects::{act, team};
use super::stage::Stage;

fn signer() -> Signer {
    Signer::new(&[7; 32]).unwrap()
}

pub(super) async fn every_change_is_told_and_no_secret_is(stage: Stage) {
    let database = &stage.database;
    let key = |digest: &str| Key {
        name: "k".into(),
        secrets: vec![Secret {
            digest: digest.into(),
            ..Secret::default()
        }],
        ..Key::default()
    };
    let told = Act {
        reason: "because".into(),
        request: "r-1".into(),
        ..act()
    };
    let session = Session {
        digest: "digest-of-session".into(),
        admin: "ada".into(),
        created_ms: 0,
        expires_ms: 100,
    };
    let changes = [
        Change::create("1", &key("digest-one")).unwrap(),
        Change::update("1", &key("digest-two"), None).unwrap(),
        Change::Delete {
            kind: Kind::Key,
            id: "1".into(),
            version: None,
        },
        Change::StartSession(session),
    ];
    database.mutate(&changes, &told, 5).await.unwrap();
    let refused = Act {
        target: "login".into(),
        outcome: "refused".into(),
        ..act()
    };
    database.mutate(&[], &refused, 6).await.unwrap();

    let page = AuditPage {
        limit: 10,
        ..AuditPage::default()
    };
    let mut records = database.records(&page).await.unwrap();
    records.reverse();
    let lines: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record.seq,
                record.target.as_str(),
                !record.before.is_empty(),
                !record.after.is_empty(),
                record.outcome.as_str(),
            )
        })
        .collect();
    let expected = [
        (1, "key/1", false, true, "done"),
        (2, "key/1", true, true, "done"),
        (3, "key/1", true, false, "done"),
        (4, "session/ada", false, true, "done"),
        (5, "login", false, false, "refused"),
    ];
    assert_eq!(lines, expected);
    let first = &records[0];
    assert_eq!(
        (
            first.actor.as_str(),
            first.auth.as_str(),
            first.reason.as_str(),
            first.request.as_str(),
            first.at_ms
        ),
        ("ada", "password", "because", "r-1", 5)
    );
    assert!(!format!("{records:?}").contains("digest-"), "{records:?}");
    assert!(first.after.contains("\"secrets\":\"[redacted]\""));
    let of_key = AuditPage {
        target: Some("key/1".into()),
        before: Some(3),
        limit: 10,
    };
    let seqs: Vec<i64> = database.records(&of_key).await.unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [2, 1]);
}

pub(super) async fn checkpoints_come_by_number_and_by_time(stage: Stage) {
    let database = &stage.database;
    let signer = signer();
    let grow = async |first: i64, number: i64, now_ms: i64| {
        let changes: Vec<Change> = (first..first + number)
            .map(|n| Change::create(&n.to_string(), &team(&n.to_string())).unwrap())
            .collect();
        database.mutate(&changes, &act(), now_ms).await.unwrap();
    };
    let made = async |now_ms| database.checkpoint(&signer, now_ms).await.unwrap().map(|checkpoint| checkpoint.seq);
    assert_eq!(made(0).await, None, "nothing to attest");
    grow(0, 3, 0).await;
    assert_eq!(made(0).await, Some(3), "the first at once");
    assert_eq!(made(90_000).await, None, "nothing new");
    grow(3, 1, 100).await;
    assert_eq!((made(59_999).await, made(60_000).await), (None, Some(4)));
    grow(4, 999, 60_001).await;
    assert_eq!(made(60_001).await, None);
    grow(1_003, 1, 60_001).await;
    assert_eq!(made(60_002).await, Some(1_004));
    let verified = database.verify_audit(&signer.public_key(), &[]).await.unwrap();
    assert_eq!((verified.records, verified.checkpoints, verified.flaw), (1_004, 3, None));
    let other = Signer::new(&[8; 32]).unwrap().public_key();
    assert_eq!(
        database.verify_audit(&other, &[]).await.unwrap().flaw,
        Some(AuditFlaw::Signature(3))
    );
}

/// What is done to a log of 10,000 records at a place, behind its back.
async fn tamper(tx: &mut Tx, what: usize, seq: i64) -> AuditFlaw {
    const FIELDS: [&str; 10] = [
        "UPDATE audit SET at_ms = at_ms + 1 WHERE seq = $1",
        "UPDATE audit SET actor = 'eve' WHERE seq = $1",
        "UPDATE audit SET auth = 'token' WHERE seq = $1",
        "UPDATE audit SET action = '' WHERE seq = $1",
        "UPDATE audit SET target = 'team/x' WHERE seq = $1",
        "UPDATE audit SET before = '{}' WHERE seq = $1",
        "UPDATE audit SET after = '' WHERE seq = $1",
        "UPDATE audit SET reason = 'x' WHERE seq = $1",
        "UPDATE audit SET request = 'x' WHERE seq = $1",
        "UPDATE audit SET outcome = 'refused' WHERE seq = $1",
    ];
    if let Some(sql) = FIELDS.get(what) {
        assert_eq!(tx.execute(sql, binds![seq]).await.unwrap(), 1);
        return AuditFlaw::Changed(seq);
    }
    match what {
        10 => {
            tx.execute("DELETE FROM audit WHERE seq = $1", binds![seq]).await.unwrap();
            AuditFlaw::Missing(seq)
        }
        // Exchanged with its neighbour, hashes and all.
        11 => {
            for (from, to) in [(seq, -1), (seq + 1, seq), (-1, seq + 1)] {
                tx.execute("UPDATE audit SET seq = $2 WHERE seq = $1", binds![from, to])
                    .await
                    .unwrap();
            }
            AuditFlaw::Changed(seq)
        }
        // One more between two others.
        12 => {
            tx.execute("UPDATE audit SET seq = -seq WHERE seq >= $1", binds![seq])
                .await
                .unwrap();
            tx.execute("UPDATE audit SET seq = 1 - seq WHERE seq < 0", binds![]).await.unwrap();
            let copy = "INSERT INTO audit SELECT $1, at_ms, actor, auth, action, target, before, after, reason, request, outcome, hash
                FROM audit WHERE seq = $2";
            tx.execute(copy, binds![seq, seq - 1]).await.unwrap();
            AuditFlaw::Changed(seq)
        }
        // Cut off, and the chain's end made to agree.
        _ => {
            tx.execute("DELETE FROM audit WHERE seq > $1", binds![seq]).await.unwrap();
            let agree = "UPDATE chains SET seq = $1, hash = (SELECT hash FROM audit WHERE seq = $1) WHERE name = 'audit'";
            tx.execute(agree, binds![seq]).await.unwrap();
            AuditFlaw::Truncated(seq, 10_000)
        }
    }
}

pub(super) async fn every_tampering_before_a_checkpoint_is_found(stage: Stage) {
    let signer = signer();
    let mut kept: Vec<Checkpoint> = Vec::new();
    for thousand in 0..10 {
        let changes: Vec<Change> = (0..1_000)
            .map(|n| thousand * 1_000 + n)
            .map(|n: i64| Change::create(&n.to_string(), &team(&n.to_string())).unwrap())
            .collect();
        stage.database.mutate(&changes, &act(), thousand).await.unwrap();
        kept.extend(stage.database.checkpoint(&signer, thousand).await.unwrap());
    }
    assert_eq!(kept.len(), 10);
    let key = signer.public_key();
    for what in 0..14 {
        for seq in [2, 1_000, 4_321 + i64::try_from(what).unwrap() * 97, 9_998] {
            let mut tx = stage.database.engine.write().await.unwrap();
            let flaw = tamper(&mut tx, what, seq).await;
            let verified = audit::verify(&mut tx, &key, &[]).await.unwrap();
            assert_eq!(verified.flaw, Some(flaw), "{what} at {seq}");
        }
    }
    // Whoever can write everything computes the chain anew and drops the checkpoints: one kept elsewhere tells.
    let mut tx = stage.database.engine.write().await.unwrap();
    tx.execute("DELETE FROM checkpoints", binds![]).await.unwrap();
    tx.execute("DELETE FROM audit WHERE seq = 10000", binds![]).await.unwrap();
    let agree = "UPDATE chains SET seq = 9999, hash = (SELECT hash FROM audit WHERE seq = 9999) WHERE name = 'audit'";
    tx.execute(agree, binds![]).await.unwrap();
    assert_eq!(
        audit::verify(&mut tx, &key, &[]).await.unwrap().flaw,
        None,
        "a chain alone does not see its end"
    );
    assert_eq!(
        audit::verify(&mut tx, &key, &kept).await.unwrap().flaw,
        Some(AuditFlaw::Truncated(9_999, 10_000))
    );
    let mut forged = kept.clone();
    forged[3].head.clone_from(&kept[4].head);
    assert_eq!(
        audit::verify(&mut tx, &key, &forged).await.unwrap().flaw,
        Some(AuditFlaw::Signature(4_000))
    );
    drop(tx);
    let verified = stage.database.verify_audit(&key, &kept).await.unwrap();
    assert_eq!((verified.records, verified.checkpoints, verified.flaw), (10_000, 20, None));
}
