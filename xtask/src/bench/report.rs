//! The table on standard output and the JSON beside it. Both show the same medians; the JSON also every round. A missed target is shown,
//! never an exit code: timings on a shared machine are for people to judge.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    book::Book,
    figures::{FIGURES, Figure, Target},
};

const NAME_WIDTH: usize = 46;
const VALUE_WIDTH: usize = 11;

/// The table, one row per figure, one column per contender that was there.
pub(super) fn table(book: &Book, contenders: &[&'static str]) -> String {
    let columns = book.present(contenders);
    let mut out = String::new();
    let mut line = |cells: String| out.push_str(&format!("{}\n", cells.trim_end()));
    let mut head = format!("{:<NAME_WIDTH$}{:>6}", "", "");
    for name in &columns {
        let _ = write!(head, "{name:>VALUE_WIDTH$}");
    }
    line(format!("{head}{:>9}  {:<22}met", "ratio", "target"));
    for figure in FIGURES {
        let mut row = format!("{:<NAME_WIDTH$}{:>6}", figure.name, figure.unit);
        for name in &columns {
            let value = book.median(figure.name, name).map_or_else(|| "–".to_owned(), short);
            let _ = write!(row, "{value:>VALUE_WIDTH$}");
        }
        let standing = book.standing(figure);
        let ratio = standing.as_ref().filter(|_| !matches!(figure.target, Some(Target::AtMost(_))));
        let ratio = ratio.map_or_else(String::new, |standing| format!("{:.2}", standing.value));
        let met = standing.map_or("", |standing| if standing.met { "yes" } else { "NO" });
        line(format!("{row}{ratio:>9}  {:<22}{met}", target(figure)));
    }
    out
}

/// What is reached, in words.
fn target(figure: &Figure) -> String {
    match figure.target {
        None => String::new(),
        Some(Target::AtMost(bound)) => format!("≤ {bound} {}", figure.unit),
        Some(Target::Times { whose, bound, .. }) => format!("≤ {bound} × {whose}"),
        Some(Target::OfOwn(_, bound)) => format!("≤ {bound} × same dialect"),
    }
}

/// Three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Every figure with the values of every round.
pub(super) fn figures(book: &Book, contenders: &[&'static str]) -> Value {
    let columns = book.present(contenders);
    let figures = FIGURES.iter().map(|figure| {
        let values: Map<String, Value> = columns
            .iter()
            .filter_map(|name| {
                let rounds = book.rounds(figure.name, name)?.iter();
                let rounds: Map<String, Value> = rounds.map(|(round, value)| ((round + 1).to_string(), json!(value))).collect();
                Some((
                    (*name).to_owned(),
                    json!({ "median": book.median(figure.name, name), "rounds": rounds }),
                ))
            })
            .collect();
        let standing = book.standing(figure);
        let target = figure.target.map(|_| {
            json!({
                "of": figure.subject(),
                "text": target(figure),
                "value": standing.as_ref().map(|standing| standing.value),
                "met": standing.as_ref().map(|standing| standing.met),
            })
        });
        json!({ "name": figure.name, "unit": figure.unit, "values": values, "target": target })
    });
    figures.collect()
}

#[cfg(test)]
mod tests;
