//! The ledger as it stands in the database file of a gateway, read beside the process that writes it.

use std::path::Path;

use tollgate_store::database::ledger::{Ledger, Page, Row};
use tollgate_store::database::{Database, Source};

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// All rows, the oldest first.
pub async fn rows(data: &Path) -> Vec<Row> {
    let database = Database::open(&Source::Folder(data.to_owned())).await.unwrap();
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = Page {
            before: rows.last().map(|row| row.seq),
            limit: PAGE_ROWS,
            ..Page::default()
        };
        let more = database.rows(&page).await.unwrap();
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    database.close().await;
    rows.reverse();
    rows
}
