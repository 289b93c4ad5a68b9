//! Lines for people: a drawn table on a terminal, plain columns elsewhere.

use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// A table of what the columns' members have in each line.
pub(super) fn table(lines: &[Value], columns: &[&str]) -> String {
    let mut table = Table::new();
    let preset = if std::io::stdout().is_terminal() {
        presets::UTF8_FULL_CONDENSED
    } else {
        presets::NOTHING
    };
    table.load_style(preset).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().copied());
    for line in lines {
        table.add_row(columns.iter().map(|column| cell(&line[*column])));
    }
    format!("{table}\n")
}

/// A value as a person reads it. A control character of somebody's name does nothing to a terminal.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.replace(char::is_control, " ")
}
