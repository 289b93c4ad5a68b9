//! What opening a database does and refuses.

use super::super::objects::{Kind, Objects};
use super::super::{Database, Error};
use super::objects::{act, team};
use super::stage::Stage;
use crate::database::objects::Change;

pub(super) async fn a_newer_database_is_left_alone(stage: Stage) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    assert_eq!(stage.tamper(newer).await, 1);
    let error = Database::open(&stage.source).await.unwrap_err();
    assert_eq!(error, Error::TooNew { migration: 9999 });
    assert!(error.to_string().contains("newer version"), "{error}");
}

pub(super) async fn a_second_opening_finds_everything(stage: Stage) {
    let change = Change::create("1", &team("red")).unwrap();
    stage.database.mutate(&[change], &act(), 1).await.unwrap();
    stage.database.close().await;
    assert!(
        matches!(stage.database.revision().await, Err(Error::Unavailable(_))),
        "closed is closed"
    );
    let again = Database::open(&stage.source).await.unwrap();
    assert!(again.get(Kind::Team, "1").await.unwrap().is_some());
    again.close().await;
}
