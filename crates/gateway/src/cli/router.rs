//! `tollgate router`: how hard a request is found to be, and fitting the weights of that to an organisation's own records. Needs no gateway
//! that runs; `train` changes nothing unless it is told to.

mod labels;
#[cfg(test)]
mod tests;
mod train;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use tollgate_policy::complexity::{Ask, Features, Tier, Weights};
use tollgate_wire::{envelope, outline};

use crate::config::text_of;
use crate::route::sight;

/// The largest request that is read.
const REQUEST_BYTES_MAX: u64 = 64 << 20;
/// The largest file of weights.
const WEIGHTS_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum RouterCommand {
    /// Say how hard a request is found to be, and why
    Score(ScoreArguments),
    /// Fit the weights to records and feedback: tells how much better they are, and writes them only when told to
    Train(train::TrainArguments),
}

/// Arguments of `score`.
#[derive(Debug, Args)]
pub(super) struct ScoreArguments {
    /// A request's body in any dialect, or a plain prompt; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// What the caller says of the task (x-tollgate-task)
    #[arg(long, value_name = "TASK", default_value = "")]
    task: String,
    #[command(flatten)]
    present: Present,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which weights are in use.
#[derive(Debug, Args)]
pub(super) struct Present {
    /// The weights in use; those that the config names when absent, else the built-in ones
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The config file, whose router.weights are in use; tollgate.yaml when there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs a command.
///
/// # Errors
/// Files that cannot be read or are none of the kind; too little data; nothing gained.
pub(super) fn run(command: RouterCommand) -> Result<(), String> {
    match command {
        RouterCommand::Score(arguments) => super::print(&score(&arguments)?),
        RouterCommand::Train(arguments) => train::run(&arguments),
    }
}

fn score(arguments: &ScoreArguments) -> Result<String, String> {
    let text = if arguments.file.as_os_str() == "-" {
        bounded(std::io::stdin(), REQUEST_BYTES_MAX).map_err(|why| format!("standard input: {why}"))?
    } else {
        read(&arguments.file, REQUEST_BYTES_MAX)?
    };
    let weights = arguments.present.weights()?;
    let seen = features(&text, &arguments.task)?;
    let (two, three) = (weights.judge(seen, false), weights.judge(seen, true).tier);
    if arguments.json {
        let reasons: Vec<_> = weights
            .contributions(&seen)
            .map(|(name, value, adds)| json!({"feature": name, "value": value, "adds": rounded(adds)}))
            .collect();
        let told = json!({
            "tier": two.tier.name(), "tier_of_three": three.name(), "score": rounded(two.score), "weights": &*weights.version,
            "reasons": reasons,
        });
        return Ok(format!("{told:#}\n"));
    }
    let mut out = format!(
        "{} {:.3}   (of three tiers: {}; weights {})\n\n",
        two.tier.name(),
        two.score,
        three.name(),
        weights.version
    );
    for (name, value, adds) in weights.contributions(&seen) {
        out.push_str(&format!("{name:<16}{value:>6.2}  {adds:>+6.2}\n"));
    }
    Ok(out)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What the router sees of a body, or of a prompt.
fn features(text: &str, task: &str) -> Result<Features, String> {
    if !text.trim_start().starts_with('{') {
        let ask = Ask {
            task,
            ..Ask::about(text.trim_end())
        };
        return Ok(Features::of(&ask));
    }
    let (fields, _) = envelope::scan(text.as_bytes()).map_err(|malformed| format!("the request cannot be read: {}", malformed.message))?;
    let outline = outline::of(text.as_bytes(), &fields);
    if outline.turns == 0 {
        return Err("the request has no messages; send the body of a chat request, or a plain prompt".to_owned());
    }
    Ok(Features::of(&sight::ask(&outline, task)))
}

impl Present {
    /// The weights in use.
    fn weights(&self) -> Result<Arc<Weights>, String> {
        let named = match &self.weights {
            Some(file) => Some(file.clone()),
            None => self.named()?.filter(|file| file.exists()),
        };
        match named {
            None => Weights::built_in().map_err(|error| error.to_string()),
            Some(file) => Weights::parse(&read(&file, WEIGHTS_BYTES_MAX)?)
                .map(Arc::new)
                .map_err(|error| format!("{}: {error}", file.display())),
        }
    }

    /// The file that the config names; `None`: it names none, or there is no config.
    fn named(&self) -> Result<Option<PathBuf>, String> {
        let usual = Path::new("tollgate.yaml");
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if usual.exists() => usual,
            None => return Ok(None),
        };
        let text = text_of(path).map_err(|problem| problem.line_for_logs())?;
        let raw = super::check::raw(path, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(raw.router.weights.map(|file| folder.join(file.0)))
    }
}

fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    bounded(file, bytes_max).map_err(|why| format!("{}: {why}", path.display()))
}

fn bounded(source: impl Read, bytes_max: u64) -> Result<String, String> {
    let mut text = String::new();
    let read = source
        .take(bytes_max + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if bytes_max < read as u64 {
        return Err(format!("larger than {bytes_max} bytes"));
    }
    Ok(text)
}

/// How many there are of each tier, in words.
fn by_tier(tiers: &(impl Iterator<Item = Tier> + Clone)) -> String {
    let counts = Tier::ALL.map(|tier| format!("{} {}", tiers.clone().filter(|one| *one == tier).count(), tier.name()));
    counts.join(", ")
}
