//! What a reader sees: medians, the ratio, the target, and whether it was met.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::bench::peers::{SUBJECT, YARDSTICK};

#[test]
fn a_row_shows_medians_ratio_target_and_verdict() {
    let figure = "closed loop: CPU per request";
    let row = |ours: f64| {
        let mut book = Book::default();
        for round in 0..3 {
            book.put(figure, YARDSTICK, round, 10.0);
            book.put(figure, SUBJECT, round, ours);
        }
        let table = table(&book, &["direct", YARDSTICK, SUBJECT]);
        let row = table.lines().find(|line| line.starts_with(figure)).unwrap();
        row.split_whitespace().skip(5).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row(15.0), "µs 10.0 15.0 1.50 ≤ 1.6 × nginx yes");
    assert_eq!(row(17.0), "µs 10.0 17.0 1.70 ≤ 1.6 × nginx NO");
}

#[test]
fn a_figure_without_our_gateway_has_no_verdict() {
    let mut book = Book::default();
    book.put("closed loop: CPU per request", YARDSTICK, 0, 10.0);
    let shown = figures(&book, &[YARDSTICK]);
    let figure = shown
        .as_array()
        .unwrap()
        .iter()
        .find(|figure| figure["name"] == "closed loop: CPU per request")
        .unwrap();
    assert_eq!(figure["values"]["nginx"]["rounds"]["1"], 10.0);
    assert!(figure["target"]["met"].is_null());
}
