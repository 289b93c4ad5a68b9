//! `tollgate router train`: weights fitted to labelled records, held against the present ones on requests that neither was fitted to. Written
//! only when told to, and applied only when they are better.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tollgate_policy::complexity::fit::{Example, Quality, Scores, fit};
use tollgate_policy::complexity::{FEATURES, Tier, Weights};

use super::labels::{self, Labelled};
use super::{Present, by_tier, rounded};

/// Fewer labelled requests say too little.
const LABELLED_MIN: usize = 200;
/// And so do fewer of the second most frequent tier.
const TIER_MIN: usize = 20;
/// How strongly weights are held to the present ones: what a few hundred requests do not show stays.
const RIDGE: f64 = 5.0;
/// Of so many parts one is held out.
const PARTS: u64 = 4;

/// Arguments of `train`.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrainArguments {
    /// Records: lines of the gateway's log (--log json)
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Feedback: lines {"request_id": …} with "thumb" (up, down), "score" (0 to 1) or "tier"
    #[arg(long, value_name = "FILE")]
    feedback: Option<PathBuf>,
    /// Write the fitted weights there, better or not
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write them to the file that the config names under router.weights, if they are better
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    present: Present,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Fits, tells, and writes where told to.
///
/// # Errors
/// Malformed lines, too little data, nowhere to write, nothing gained.
pub(super) fn run(arguments: &TrainArguments) -> Result<(), String> {
    let target = match arguments.apply {
        true => Some(arguments.present.named()?.ok_or(
            "the config names no weights of your own; write them with --out FILE first, and add router: { weights: file:FILE } to the config",
        )?),
        false => None,
    };
    let present = arguments.present.weights()?;
    let labelled = labels::read(&arguments.from, arguments.feedback.as_deref())?;
    enough(&labelled)?;
    let day = day();
    let fitted = Fitted::new(&labelled, &present, &day);
    super::super::print(&if arguments.json {
        fitted.json(&labelled)
    } else {
        fitted.told(&labelled)
    })?;
    if let Some(file) = &arguments.out {
        write(file, &fitted.weights)?;
        super::super::print(&format!("wrote {}\n", file.display()))?;
    }
    match target {
        Some(file) if fitted.better() => {
            write(&file, &fitted.weights)?;
            super::super::print(&format!(
                "wrote {}; a gateway that runs takes it into use by itself\n",
                file.display()
            ))
        }
        Some(_) => Err("the fitted weights are no better than the present ones, and nothing was applied; collect more feedback".to_owned()),
        None if arguments.out.is_none() && !arguments.json => {
            super::super::print("nothing was written; --out FILE writes the weights, --apply takes them into use\n")
        }
        None => Ok(()),
    }
}

fn day() -> String {
    let seconds = i64::try_from(crate::clock::now().unix.as_secs()).unwrap_or(0);
    let now = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    now.to_string().chars().take(10).collect()
}

fn enough(labelled: &Labelled) -> Result<(), String> {
    let examples = &labelled.examples;
    let mut counts = Tier::ALL.map(|tier| examples.iter().filter(|one| one.tier == tier).count());
    counts.sort_unstable();
    let [_, second, _] = counts;
    if LABELLED_MIN <= examples.len() && TIER_MIN <= second {
        return Ok(());
    }
    Err(format!(
        "too little data: {} labelled requests ({}), from {} lines of feedback on {} judged records; at least {LABELLED_MIN} are needed, \
         and {TIER_MIN} of each of two tiers. Collect more feedback, or label requests with {{\"request_id\": …, \"tier\": …}}",
        examples.len(),
        by_tier(&examples.iter().map(|one| one.tier)),
        labelled.feedback,
        labelled.judged,
    ))
}

struct Fitted {
    weights: Weights,
    held_out: usize,
    before: Quality,
    after: Quality,
    /// What changed most: a feature, and by how much.
    moved: Vec<(&'static str, f64)>,
}

impl Fitted {
    fn new(labelled: &Labelled, present: &Weights, day: &str) -> Self {
        // By what was seen, so that a prompt that is sent again and again is on one side.
        let (held_out, seen): (Vec<Example>, Vec<Example>) = labelled
            .examples
            .iter()
            .partition(|example| example.features.digest().is_multiple_of(PARTS));
        let mut weights = fit(&seen, present, RIDGE);
        let quality = |weights: &Weights| {
            let mut scores = Scores::default();
            held_out.iter().for_each(|example| scores.add(weights, example));
            scores.quality()
        };
        let (before, after) = (quality(present), quality(&weights));
        weights.version = format!("own-{day}").into();
        weights.data = format!("{} requests of our own, on top of {}", seen.len(), present.version);
        weights.figures = [
            ("two_tiers", after.two_tiers),
            ("three_tiers", after.three_tiers),
            ("auc", after.auc),
        ]
        .map(|(name, share)| (name.to_owned(), rounded(share)))
        .into();
        let mut moved: Vec<(&'static str, f64)> = FEATURES
            .iter()
            .zip(weights.each().zip(present.each()))
            .map(|((name, _), (after, before))| (*name, after - before))
            .collect();
        moved.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
        moved.truncate(5);
        Self {
            weights,
            held_out: held_out.len(),
            before,
            after,
            moved,
        }
    }

    /// More of the held-out requests are found right; with as many, they are better told apart.
    fn better(&self) -> bool {
        let of = |quality: &Quality| quality.two_tiers + quality.three_tiers;
        (of(&self.before), self.before.auc) < (of(&self.after), self.after.auc)
    }

    fn told(&self, labelled: &Labelled) -> String {
        let Labelled {
            examples,
            lines,
            judged,
            feedback,
            strangers,
            stand_ins,
            silent,
            unknown,
        } = labelled;
        let tiers = by_tier(&examples.iter().map(|one| one.tier));
        let mut out = format!(
            "records     {judged} judged, of {lines} lines\n\
             feedback    {feedback} lines; {strangers} of no such record, {stand_ins} of answers by a stand-in, {silent} that say nothing of the tier\n\
             labelled    {} ({tiers}); {} of them held out\n\n\
             held out          present  fitted\n",
            examples.len(),
            self.held_out
        );
        let (before, after) = (&self.before, &self.after);
        for (name, before, after) in [
            ("two tiers", before.two_tiers, after.two_tiers),
            ("three tiers", before.three_tiers, after.three_tiers),
        ] {
            out.push_str(&format!("{name:<18}{:>6.1}% {:>6.1}%\n", before * 100.0, after * 100.0));
        }
        out.push_str(&format!("{:<18}{:>7.3} {:>7.3}\n\nmoved most: ", "AUC", before.auc, after.auc));
        let moved = self.moved.iter().map(|(name, by)| format!("{name} {by:+.2}"));
        out.push_str(&moved.collect::<Vec<_>>().join(", "));
        if 0 < *unknown {
            out.push_str(&format!("\nleft out: {unknown} values of features that this version does not have"));
        }
        let verdict = if self.better() { "better" } else { "no better" };
        out.push_str(&format!("\nthe fitted weights are {verdict} than the present ones\n"));
        out
    }

    fn json(&self, labelled: &Labelled) -> String {
        let quality = |quality: &Quality| {
            json!({
                "two_tiers": rounded(quality.two_tiers), "three_tiers": rounded(quality.three_tiers), "auc": rounded(quality.auc),
                "confusion": quality.confusion,
            })
        };
        let told = json!({
            "records": labelled.judged, "feedback": labelled.feedback, "labelled": labelled.examples.len(), "held_out": self.held_out,
            "without_record": labelled.strangers, "stand_ins": labelled.stand_ins, "silent": labelled.silent,
            "present": quality(&self.before), "fitted": quality(&self.after), "better": self.better(),
        });
        format!("{told:#}\n")
    }
}

const HEAD: &str = "\
Weights of the complexity router, fitted to records and feedback by `tollgate router train`. The config names this file under
`router: { weights: file:PATH }`. [figures] are of requests that these weights were not fitted to.";

/// Writes the file whole or not at all.
fn write(path: &Path, weights: &Weights) -> Result<(), String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    std::fs::write(&beside, weights.file(HEAD)).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
