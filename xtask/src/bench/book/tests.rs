//! Medians, ratios and targets on values whose answer is known.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::bench::peers::{GOVERNED, SUBJECT, YARDSTICK};

#[test]
fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
    let rows: [(&[f64], Option<f64>); 4] = [
        (&[], None),
        (&[3.0], Some(3.0)),
        (&[9.0, 1.0, 2.0], Some(2.0)),
        (&[4.0, 1.0], Some(2.5)),
    ];
    for (values, expected) in rows {
        assert_eq!(median(values.iter().copied()), expected, "{values:?}");
    }
}

#[test]
fn a_ratio_pairs_the_values_of_the_same_round() {
    let name = "closed loop: CPU per request";
    let figure = FIGURES.iter().find(|figure| figure.name == name).unwrap();
    let mut book = Book::default();
    // The machine was twice as slow in round 1, and the yardstick has no round 2: neither may move the ratio.
    for (round, ours, theirs) in [(0, 15.0, Some(10.0)), (1, 30.0, Some(20.0)), (2, 90.0, None), (3, 14.0, Some(10.0))] {
        book.put(name, SUBJECT, round, ours);
        if let Some(theirs) = theirs {
            book.put(name, YARDSTICK, round, theirs);
        }
    }
    let standing = book.standing(figure).unwrap();
    assert!((standing.value - 1.5).abs() < 1e-9 && standing.met, "{}", standing.value);
    for round in 0..4 {
        book.put(name, SUBJECT, round, 17.0);
        book.put(name, YARDSTICK, round, 10.0);
    }
    assert!(!book.standing(figure).unwrap().met, "1.7 is more than 1.6");
}

#[test]
fn every_target_that_names_a_figure_names_one_that_exists() {
    for figure in FIGURES {
        if let Some(Target::OfOwn(other, _)) = figure.target {
            assert!(FIGURES.iter().any(|figure| figure.name == other), "{other}");
        }
    }
}

#[test]
fn the_governed_gateway_has_targets_of_its_own() {
    let mut book = Book::default();
    let (more, all) = ("governed, closed loop: CPU more than bare", "governed, closed loop: CPU in all");
    book.put(more, GOVERNED, 0, 8.5);
    book.put(all, YARDSTICK, 0, 10.0);
    book.put(all, SUBJECT, 0, 30.0);
    book.put(all, GOVERNED, 0, 19.0);
    let standing = |name: &str| {
        let figure = FIGURES.iter().find(|figure| figure.name == name).unwrap();
        book.standing(figure).unwrap()
    };
    assert!(!standing(more).met);
    assert_eq!((standing(all).value, standing(all).met), (1.9, true));
}
