//! Labels for requests out of records and feedback. A record is a line of the gateway's JSON log and holds features, no prompts; feedback is a
//! line `{"request_id": …}` with `tier`, `thumb` or `score`, or stands in the record itself under `feedback`.
//!
//! | feedback | answered by the simple tier | medium | complex |
//! |---|---|---|---|
//! | `tier` | that tier | that tier | that tier |
//! | good: `thumb: up`, `score` from 0.7 | simple | medium | complex, at a quarter: a weaker model was not tried |
//! | bad: `thumb: down`, `score` up to 0.4 | complex | complex | nothing: there is no stronger tier |
//!
//! Good and bad are said of the answer, so a request that a stand-in answered says nothing of its tier.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tollgate_policy::complexity::fit::Example;
use tollgate_policy::complexity::{Features, Tier};

/// The longest line.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Requests whose features are kept.
const RECORDS_MAX: usize = 1_000_000;
/// From here on an answer was good, and up to there it was bad.
const GOOD_FROM: f64 = 0.7;
const BAD_UP_TO: f64 = 0.4;
/// What a good answer of the highest tier counts.
const KEPT: f64 = 0.25;

/// What was read, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Labelled {
    /// The labelled requests.
    pub(super) examples: Vec<Example>,
    /// Lines of records.
    pub(super) lines: usize,
    /// Of them: those with a verdict.
    pub(super) judged: usize,
    /// Lines of feedback.
    pub(super) feedback: usize,
    /// Of them: those of no record.
    pub(super) strangers: usize,
    /// Those of requests that a stand-in answered.
    pub(super) stand_ins: usize,
    /// Those that say nothing of the tier.
    pub(super) silent: usize,
    /// Features that the records name and this version does not know.
    pub(super) unknown: usize,
}

struct Judged {
    tier: Tier,
    features: Features,
    stand_in: bool,
    feedback: Option<Word>,
}

/// A line of feedback.
#[derive(Debug, Deserialize)]
struct Word {
    #[serde(default)]
    request_id: String,
    tier: Option<String>,
    thumb: Option<Thumb>,
    score: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Thumb {
    Up,
    Down,
}

/// Reads records, and feedback where there is a file of it.
///
/// # Errors
/// The file, the line, what is wrong with it, and the remedy.
pub(super) fn read(records: &Path, feedback: Option<&Path>) -> Result<Labelled, String> {
    let mut labelled = Labelled::default();
    let mut known: HashMap<String, Judged> = HashMap::new();
    each_line(records, |line| {
        labelled.lines += 1;
        let Some((id, judged)) = record(line, &mut labelled.unknown)? else {
            return Ok(());
        };
        if known.len() == RECORDS_MAX {
            return Err(format!("more than {RECORDS_MAX} records; split the file"));
        }
        known.insert(id, judged);
        Ok(())
    })?;
    labelled.judged = known.len();
    let mut words: Vec<Word> = known
        .iter_mut()
        .filter_map(|(id, judged)| {
            let word = judged.feedback.take()?;
            let request_id = id.clone();
            Some(Word { request_id, ..word })
        })
        .collect();
    // A map's order is none: the same files must give the same weights.
    words.sort_by(|one, other| one.request_id.cmp(&other.request_id));
    if let Some(path) = feedback {
        each_line(path, |line| {
            let word = word(line)?;
            if word.request_id.is_empty() {
                return Err("\"request_id\" is missing; name the request that is spoken of".to_owned());
            }
            words.push(word);
            Ok(())
        })?;
    }
    labelled.feedback = words.len();
    for word in &words {
        labelled.add(word, known.get(&word.request_id));
    }
    Ok(labelled)
}

impl Labelled {
    fn add(&mut self, word: &Word, judged: Option<&Judged>) {
        let Some(judged) = judged else {
            self.strangers += 1;
            return;
        };
        let tier = word.tier.as_deref().and_then(Tier::by_name);
        if judged.stand_in && tier.is_none() {
            self.stand_ins += 1;
            return;
        }
        match label(judged.tier, tier, word) {
            None => self.silent += 1,
            Some((tier, weight)) => self.examples.push(Example {
                features: judged.features,
                tier,
                weight,
            }),
        }
    }
}

/// What feedback says of the tier that a request needs, and how much it counts.
fn label(answered: Tier, told: Option<Tier>, word: &Word) -> Option<(Tier, f64)> {
    if let Some(tier) = told {
        return Some((tier, 1.0));
    }
    let good = match (&word.thumb, word.score) {
        (Some(Thumb::Up), _) => true,
        (Some(Thumb::Down), _) => false,
        (None, Some(score)) if score >= GOOD_FROM => true,
        (None, Some(score)) if score <= BAD_UP_TO => false,
        _ => return None,
    };
    match (good, answered) {
        (true, Tier::Complex) => Some((Tier::Complex, KEPT)),
        (true, tier) => Some((tier, 1.0)),
        (false, Tier::Complex) => None,
        (false, _) => Some((Tier::Complex, 1.0)),
    }
}

/// A record's id and verdict; `None`: a line of another kind, or a request of a route that does not ask.
fn record(line: &str, unknown: &mut usize) -> Result<Option<(String, Judged)>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| {
        format!(
            "not JSON (column {}); give it the log of a gateway that runs with --log json",
            error.column()
        )
    })?;
    let Some(complexity) = value.get("complexity") else {
        return Ok(None);
    };
    let missing = |what: &str| format!("complexity.{what} is missing or of another kind; give it the gateway's own lines, unchanged");
    let id = value["request_id"]
        .as_str()
        .ok_or("\"request_id\" is missing; give it the gateway's own lines, unchanged")?;
    let tier = complexity["tier"].as_str().and_then(Tier::by_name).ok_or_else(|| missing("tier"))?;
    let mut features = Features::default();
    for (name, hundredths) in complexity["features"].as_object().ok_or_else(|| missing("features"))? {
        let hundredths = hundredths.as_u64().and_then(|value| u16::try_from(value).ok());
        let known = features.set(name, hundredths.ok_or_else(|| missing(&format!("features.{name}")))?);
        *unknown += usize::from(!known);
    }
    let feedback = value
        .get("feedback")
        .filter(|said| said.is_object())
        .map(|said| word(&said.to_string()));
    let judged = Judged {
        tier,
        features,
        stand_in: value.get("fallback").is_some() || value.get("downgraded").is_some(),
        feedback: feedback.transpose()?,
    };
    Ok(Some((id.to_owned(), judged)))
}

fn word(line: &str) -> Result<Word, String> {
    let remedy = "write {\"request_id\": \"req_…\", \"thumb\": \"up\"}, or \"score\" from 0 to 1, or \"tier\"";
    let word: Word = serde_json::from_str(line).map_err(|error| format!("no feedback: {error}; {remedy}"))?;
    if word.score.is_some_and(|score| !(0.0..=1.0).contains(&score)) {
        return Err("\"score\" is not from 0 (bad) to 1 (good); scale it".to_owned());
    }
    if let Some(tier) = &word.tier
        && Tier::by_name(tier).is_none()
    {
        return Err("\"tier\" is none of simple, medium, complex; write one of them".to_owned());
    }
    if word.tier.is_none() && word.thumb.is_none() && word.score.is_none() {
        return Err(format!("it says nothing of the answer; {remedy}"));
    }
    Ok(word)
}

/// Reads a file line by line; empty lines are passed over.
fn each_line(path: &Path, mut take: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    let shown = path.display();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let mut reader = std::io::BufReader::new(file);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = std::io::Read::take(&mut reader, limit)
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("{shown}:{number}: {error}"))?;
        if read == 0 {
            break;
        }
        if LINE_BYTES_MAX < line.len() {
            return Err(format!(
                "{shown}:{number}: longer than {LINE_BYTES_MAX} bytes; one record stands on one line"
            ));
        }
        let text = std::str::from_utf8(&line).map_err(|_| format!("{shown}:{number}: not UTF-8; save it as UTF-8"))?;
        if !text.trim().is_empty() {
            take(text.trim()).map_err(|why| format!("{shown}:{number}: {why}"))?;
        }
    }
    Ok(())
}
