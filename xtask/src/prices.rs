//! `cargo xtask prices`: the list of models that `shared/catalog` holds becomes `catalog/prices.txt`, in our own form. Decimals are moved as text:
//! no price passes through a float.

mod decimal;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;
use serde::Deserialize;
use serde_json::Number;

use decimal::{EACH, PER_MILLION, written};

const FILE: &str = "catalog/prices.txt";

/// Of the list's providers those that we call otherwise.
const NAMES: &[(&str, &str)] = &[("together_ai", "together"), ("fireworks_ai", "fireworks"), ("dashscope", "alibaba")];

/// The order of a row's rates.
const ORDER: &[&str] = &[
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
];

/// Modes whose answers are tokens: a row of theirs that lacks a rate is left out.
const SPOKEN: &[&str] = &["chat", "completion", "responses"];

/// What the list does not have. The simulator's prices are ours: round, and different for every kind.
const OURS: &[(&str, &str, &str)] = &[("mock", "*", "input 1 output 2 cache_read 0.1 cache_write_5m 1.25 cache_write_1h 2")];

const HEAD: &str = "\
# Prices, one line a model: what stands behind a name and its twins, which cost the same. Made by `cargo xtask prices`; edit that, or set `price:`
# in your config, not this file.
# Source: the price list shipped with the LiteLLM package (MIT); not checked against the vendors. The rows of [mock] and Anthropic's price of a
# web search (platform.claude.com/docs/en/about-claude/pricing: 10 USD per 1,000) are ours.
#
#   [PROVIDER]                         as `catalog/providers.toml` calls it
#   NAMES = RATES | TIER: RATES | …    `*`: every model of the provider
#   RATES    USD per million tokens: input output cache_read cache_write_5m cache_write_1h reasoning audio_input audio_output image_input image_output
#            USD for one piece: call web_search char_in char_out image_in image page query second_in second_out
#   TIER     above N: prompts of more than N tokens · from N: of N and more · batch, flex, priority: the service tier; rates of a tier hold
#            for the whole request
# What a rate costs that is not stated: crates/policy/src/prices/rates.rs. A zero of the source is taken for not stated, and a model that answers
# in tokens but lacks input or output is not here: it is unpriced, not free.
";

#[derive(Parser)]
#[command(name = "cargo xtask prices", about = "Write catalog/prices.txt from a list of models")]
struct Arguments {
    /// The list: one JSON object a line
    #[arg(long)]
    from: String,
    /// When the list was taken: an ISO date
    #[arg(long)]
    date: String,
}

type Rates = BTreeMap<String, Number>;

/// A line of the list.
#[derive(Deserialize)]
struct Model {
    provider: String,
    model: String,
    mode: Option<String>,
    #[serde(default)]
    usd_per_million_tokens: Rates,
    #[serde(default)]
    above_context_tokens: BTreeMap<String, Rates>,
    #[serde(default)]
    service_tier: BTreeMap<String, Rates>,
    #[serde(default)]
    usd_per_unit: Rates,
    #[serde(default)]
    abilities: Vec<String>,
}

/// By provider and model: tokens and pieces outside tiers, then the tiers, each in pico-USD.
type Row = BTreeMap<String, BTreeMap<String, u64>>;

/// Writes the price list.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let line = std::iter::once("cargo xtask prices".to_owned()).chain(arguments.iter().cloned());
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().map_err(|error| error.to_string())?;
            return Ok(ExitCode::from(2));
        }
    };
    let text = std::fs::read_to_string(&arguments.from).map_err(|error| format!("cannot read {}: {error}", arguments.from))?;
    let list = list(&text, &arguments.date)?;
    std::fs::write(FILE, &list).map_err(|error| format!("cannot write {FILE}: {error}"))?;
    println!("{FILE}: {} bytes, {} lines", list.len(), list.lines().count());
    Ok(ExitCode::SUCCESS)
}

/// The list of models in our own form.
fn list(text: &str, date: &str) -> Result<String, String> {
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let model: Model = serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        let Some(row) = row(&model)? else { continue };
        let renamed = NAMES.iter().find(|(theirs, _)| *theirs == model.provider);
        let provider = renamed.map_or(model.provider.as_str(), |(_, ours)| ours).to_owned();
        let known = rows.entry((provider, model.model)).or_default();
        // The list names some models twice: the dearer rate counts.
        for (tier, rates) in row {
            let known = known.entry(tier).or_default();
            for (name, picos) in rates {
                let most = known.entry(name).or_default();
                *most = picos.max(*most);
            }
        }
    }
    let mut providers: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for ((provider, model), row) in &rows {
        providers.entry(provider.clone()).or_default().insert(model.clone(), show(row));
    }
    for (provider, model, row) in OURS {
        let models = providers.entry((*provider).to_owned()).or_default();
        models.insert((*model).to_owned(), (*row).to_owned());
    }
    let mut out = format!("{HEAD}\ndate = {date}\n");
    for (provider, models) in &providers {
        out.push_str(&format!("\n[{provider}]\n"));
        for (names, row) in twins(models) {
            out.push_str(&format!("{names} = {row}\n"));
        }
    }
    Ok(out)
}

/// What the list says of a model. `None`: nothing, or too little to bill an answer by.
fn row(model: &Model) -> Result<Option<Row>, String> {
    let mut base = picos(&model.usd_per_million_tokens, PER_MILLION)?;
    let spoken = model.mode.as_deref().is_none_or(|mode| SPOKEN.contains(&mode));
    if spoken && !(base.contains_key("input") && base.contains_key("output")) {
        return Ok(None);
    }
    let mut pieces = picos(&model.usd_per_unit, EACH)?;
    if model.provider == "anthropic" && model.abilities.iter().any(|ability| ability == "web_search") {
        pieces.insert("web_search".to_owned(), 10_000_000_000);
    }
    base.extend(pieces);
    if base.is_empty() {
        return Ok(None);
    }
    let mut row = Row::from([(String::new(), base)]);
    for (tokens, rates) in &model.above_context_tokens {
        // xAI: from that size on.
        let word = if model.provider == "xai" { "from" } else { "above" };
        row.insert(format!("{word} {tokens}"), picos(rates, PER_MILLION)?);
    }
    for (tier, rates) in &model.service_tier {
        row.insert(tier.clone(), picos(rates, PER_MILLION)?);
    }
    row.retain(|_, rates| !rates.is_empty());
    Ok(Some(row))
}

/// Without zeros: a rate of zero is one that nobody looked up (cache writes of DeepSeek, say), and what is not stated is filled in.
fn picos(rates: &Rates, places: i32) -> Result<BTreeMap<String, u64>, String> {
    let mut read = BTreeMap::new();
    for (name, number) in rates {
        let picos = decimal::picos(&number.to_string(), places)?;
        if picos > 0 {
            read.insert(name.clone(), picos);
        }
    }
    Ok(read)
}

fn show(row: &Row) -> String {
    let tiers = row.iter().map(|(tier, rates)| {
        let place = |name: &str| ORDER.iter().position(|known| *known == name);
        let mut sorted: Vec<(&String, &u64)> = rates.iter().collect();
        sorted.sort_by_key(|(name, _)| (place(name).unwrap_or(ORDER.len()), *name));
        let shown = sorted.into_iter().map(|(name, picos)| {
            let places = if place(name).is_some() { PER_MILLION } else { EACH };
            format!("{name} {}", written(*picos, places))
        });
        let rates = shown.collect::<Vec<_>>().join(" ");
        if tier.is_empty() { rates } else { format!("{tier}: {rates}") }
    });
    tiers.collect::<Vec<_>>().join(" | ")
}

/// Lines of names that cost the same and differ in what stands behind them alone: a family and its snapshots.
fn twins(models: &BTreeMap<String, String>) -> Vec<(String, &str)> {
    let mut lines: Vec<(String, &str, &str)> = Vec::new();
    for (model, row) in models {
        let twin = lines.iter_mut().rfind(|(_, first, known)| *known == row && is_twin(first, model));
        match twin {
            Some((names, ..)) => {
                names.push(' ');
                names.push_str(model);
            }
            None => lines.push((model.clone(), model, row)),
        }
    }
    lines.into_iter().map(|(names, _, row)| (names, row)).collect()
}

fn is_twin(family: &str, model: &str) -> bool {
    let Some(rest) = model.strip_prefix(family) else { return false };
    rest == "-latest"
        || (rest.len() >= 5 && rest.starts_with(['-', '@']) && rest.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

#[cfg(test)]
mod tests;
