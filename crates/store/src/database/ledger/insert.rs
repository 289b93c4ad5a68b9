//! Rows into their table: what the ledger does most. SQLite runs in our process, and unfolding JSON there costs it five times what plain binds
//! do; its rows go in by 64, by 8 and one by one, each a statement of fixed text. PostgreSQL has other costs, the way there, and takes a list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::engine::{Bind, Tx, binds};
use super::super::error::Error;
use super::fresh::{Fresh, Texts};
use super::row::{COLUMNS, columns};

/// Rows of one list.
const LIST_ROWS_MAX: usize = 2_000;

const ADD_PART: &str = "SELECT ledger_add_part($1)";
const ADD_LIST: &str = concat!(
    "INSERT INTO ledger (",
    columns!(),
    ") SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT),
    CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12,
    CAST(value ->> 13 AS BIGINT), CAST(value ->> 14 AS BIGINT), CAST(value ->> 15 AS BIGINT), CAST(value ->> 16 AS BIGINT),
    CAST(value ->> 17 AS BIGINT), CAST(value ->> 18 AS BIGINT), CAST(value ->> 19 AS BIGINT), CAST(value ->> 20 AS BIGINT),
    value ->> 21, value ->> 22, value ->> 23, CAST(value ->> 24 AS BIGINT), CAST(value ->> 25 AS BIGINT), value ->> 26, value ->> 27
    FROM json_each($1)"
);

macro_rules! one {
    () => {
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    };
}
macro_rules! eight {
    () => {
        concat!(
            one!(),
            ", ",
            one!(),
            ", ",
            one!(),
            ", ",
            one!(),
            ", ",
            one!(),
            ", ",
            one!(),
            ", ",
            one!(),
            ", ",
            one!()
        )
    };
}
macro_rules! sixty_four {
    () => {
        concat!(
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!(),
            ", ",
            eight!()
        )
    };
}

/// Numbers of rows, the most first, and the statement for each.
const ADD: [(usize, &str); 3] = [
    (64, concat!("INSERT INTO ledger (", columns!(), ") VALUES ", sixty_four!())),
    (8, concat!("INSERT INTO ledger (", columns!(), ") VALUES ", eight!())),
    (1, concat!("INSERT INTO ledger (", columns!(), ") VALUES ", one!())),
];

pub(super) async fn rows(tx: &mut Tx, mut rows: Vec<Fresh<'_>>) -> Result<(), Error> {
    let mut texts = Texts::default();
    if tx.has_partitions() {
        for part in rows.iter().map(|row| row.part).collect::<BTreeSet<i64>>() {
            tx.rows(ADD_PART, binds![part]).await?;
        }
        while !rows.is_empty() {
            let line = |row: Fresh<'_>| Value::Array(row.binds(&mut texts).into_iter().map(Bind::json).collect());
            let lines: Vec<Value> = rows.drain(..LIST_ROWS_MAX.min(rows.len())).map(line).collect();
            tx.execute(ADD_LIST, binds![lines]).await?;
        }
        return Ok(());
    }
    let mut rows = rows.into_iter();
    for (number, sql) in ADD {
        while number <= rows.len() {
            let mut values = Vec::with_capacity(number * COLUMNS);
            rows.by_ref().take(number).for_each(|row| values.extend(row.binds(&mut texts)));
            tx.execute(sql, values).await?;
        }
    }
    Ok(())
}
