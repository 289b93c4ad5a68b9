//! `tollgate spend`: who spent what.

use clap::{Args, ValueEnum};
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::api::{ApiArguments, ask, block_on, escaped};
use super::table::{cell, table};

/// Sums that are shown.
const SUMS: [&str; 4] = ["requests", "input", "output", "cost_usd"];

#[derive(Debug, Args)]
pub(super) struct SpendArguments {
    /// What to split it by: team, user, key, feature, route, provider, model
    #[arg(long, value_name = "LIST", default_value = "team")]
    by: String,
    /// By the hour or day, in UTC; without: one line for the whole time
    #[arg(long)]
    interval: Option<Interval>,
    /// A day (2026-11-01) or a time; 30 days ago when absent
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, which is not in it; now when absent
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only these, such as team=support,sales; may come several times
    #[arg(long, value_name = "DIMENSION=VALUES")]
    only: Vec<String>,
    /// How it looks
    #[arg(long, default_value = "table")]
    format: Format,
    #[command(flatten)]
    api: ApiArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Interval {
    Hour,
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// Asks and prints.
///
/// # Errors
/// What the gateway said.
pub(super) fn run(arguments: &SpendArguments) -> Result<(), String> {
    super::print(&block_on(text(arguments))?)
}

/// What is printed.
pub(super) async fn text(arguments: &SpendArguments) -> Result<String, String> {
    let answer = ask(&arguments.api, Method::GET, &path(arguments)?, None).await?;
    let lines: Vec<Value> = answer["data"].as_array().into_iter().flatten().map(dated).collect();
    let mut columns: Vec<&str> = Vec::new();
    columns.extend(arguments.interval.map(|_| "at"));
    columns.extend(answer["by"].as_array().into_iter().flatten().filter_map(Value::as_str));
    columns.extend(SUMS);
    match (arguments.format, arguments.api.json) {
        (Format::Json, _) | (_, true) => Ok(format!("{answer:#}\n")),
        (Format::Csv, _) => csv(&lines, &columns),
        (Format::Table, _) => {
            let total = cell(&answer["total"]["cost_usd"]);
            Ok(format!("{}total {total} USD\n", table(&lines, &columns)))
        }
    }
}

fn path(arguments: &SpendArguments) -> Result<String, String> {
    let mut path = ["/admin/v1/spend?by=", &escaped(&arguments.by)].concat();
    let mut add = |name: &str, value: &str| path.push_str(&["&", &escaped(name), "=", &escaped(value)].concat());
    match arguments.interval {
        None => {}
        Some(Interval::Hour) => add("interval", "hour"),
        Some(Interval::Day) => add("interval", "day"),
    }
    if let Some(from) = &arguments.from {
        add("from", from);
    }
    if let Some(to) = &arguments.to {
        add("to", to);
    }
    for only in &arguments.only {
        let (name, values) = only
            .split_once('=')
            .ok_or_else(|| format!("--only {only} does not say what; write --only team=support"))?;
        add(name, values);
    }
    Ok(path)
}

fn dated(line: &Value) -> Value {
    let mut line = line.clone();
    if let Some(at) = line["at_ms"].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok()) {
        line["at"] = at.to_string().into();
    }
    line
}

fn csv(lines: &[Value], columns: &[&str]) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let ill = |error: csv::Error| error.to_string();
    writer.write_record(columns).map_err(ill)?;
    for line in lines {
        writer
            .write_record(columns.iter().map(|column| harmless(cell(&line[*column]))))
            .map_err(ill)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// A name that a spreadsheet would take for a formula is a text.
fn harmless(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@']) {
        true => ["'", &cell].concat(),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn csv_is_quoted_and_no_formula() {
        let lines = [
            json!({"team": "a,\"b\"", "cost_usd": "1.00", "requests": 2}),
            json!({"team": "=HYPERLINK(1)", "cost_usd": "0.00", "requests": 0}),
        ];
        let text = csv(&lines, &["team", "requests", "cost_usd"]).unwrap();
        assert_eq!(text, "team,requests,cost_usd\n\"a,\"\"b\"\"\",2,1.00\n'=HYPERLINK(1),0,0.00\n");
    }
}
