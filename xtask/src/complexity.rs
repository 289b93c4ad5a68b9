//! `cargo xtask router-train`: fits the complexity router's weights to the prompts of `catalog/complexity/data.toml`, tells how good they are on
//! families that they have not seen, and writes `catalog/complexity/weights.toml`. The same data gives the same file.

mod data;

use std::process::ExitCode;

use clap::Parser;
use tollgate_policy::complexity::Weights;
use tollgate_policy::complexity::fit::{Example, Quality, Scores, fit};

use data::{Data, Prompt};

const DATA: &str = "catalog/complexity/data.toml";
const WEIGHTS: &str = "catalog/complexity/weights.toml";

/// How strongly weights are held towards 0.
const RIDGE: f64 = 2.0;
/// Of so many parts each is held out once.
const FOLDS: usize = 5;

const HEAD: &str = "\
The weights of the complexity router, built into the binary. Made by `cargo xtask router-train` from data.toml, which says what the prompts are
and what they are not: synthetic, labelled by judgement. Edit those, or fit your own with `tollgate router train` and name the file under
`router: { weights: file:PATH }`; do not edit this one.

[figures] are of five-fold cross-validation in which whole families of prompts are held out: two_tiers is the share of simple and complex
prompts found right, three_tiers that of all prompts, auc the chance that a complex prompt scores higher than a simple one. The weights
themselves are fitted to all prompts. The lists of words were written with these prompts in sight, and families share passages and names: expect
less of your own traffic, and measure it with `tollgate router train`.";

#[derive(Parser)]
#[command(name = "cargo xtask router-train", about = "Fit the complexity router's weights")]
struct Arguments {
    /// The version that the file gets, such as the day: 2026-11-20
    #[arg(long, value_name = "DAY", required_unless_present = "print")]
    date: Option<String>,
    /// Print the prompts as JSON lines, and change nothing
    #[arg(long)]
    print: bool,
}

/// Fits, tells and writes.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let name = "cargo xtask router-train".to_owned();
    let arguments = match Arguments::try_parse_from(std::iter::once(&name).chain(arguments)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)));
        }
    };
    let prompts = prompts()?;
    if arguments.print {
        for prompt in &prompts {
            println!("{}", prompt.line());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let trained = train(&prompts);
    println!("{}", told(&prompts, &trained));
    let weights = trained.named(&arguments.date.unwrap_or_default(), &prompts);
    std::fs::write(WEIGHTS, weights.file(HEAD)).map_err(|error| format!("{WEIGHTS}: {error}"))?;
    println!("wrote {WEIGHTS}");
    Ok(ExitCode::SUCCESS)
}

fn prompts() -> Result<Vec<Prompt>, String> {
    let text = std::fs::read_to_string(DATA).map_err(|error| format!("{DATA}: {error}; run it at the repository's root"))?;
    Data::parse(&text)?.prompts()
}

/// What comes of it.
struct Trained {
    weights: Weights,
    quality: Quality,
    /// What was furthest from its label: tier, score, family, text.
    misses: Vec<String>,
}

fn train(prompts: &[Prompt]) -> Trained {
    let mut scores = Scores::default();
    let mut misses: Vec<(f64, String)> = Vec::new();
    for fold in 0..FOLDS {
        let seen: Vec<Example> = prompts
            .iter()
            .filter(|prompt| prompt.fold % FOLDS != fold)
            .map(|prompt| prompt.example)
            .collect();
        let weights = fit(&seen, &Weights::zero(), RIDGE);
        for prompt in prompts.iter().filter(|prompt| prompt.fold % FOLDS == fold) {
            scores.add(&weights, &prompt.example);
            let score = weights.score(&prompt.example.features);
            if weights.tier(score, true) != prompt.example.tier {
                let far = (score - (prompt.example.tier as u8 as f64) / 2.0).abs();
                let text: String = prompt.text.chars().take(90).map(|c| if c.is_control() { ' ' } else { c }).collect();
                misses.push((far, format!("{} {score:.2} {}: {text}", prompt.example.tier.name(), prompt.family)));
            }
        }
    }
    misses.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let all: Vec<Example> = prompts.iter().map(|prompt| prompt.example).collect();
    Trained {
        weights: fit(&all, &Weights::zero(), RIDGE),
        quality: scores.quality(),
        misses: misses.into_iter().map(|(_, miss)| miss).collect(),
    }
}

impl Trained {
    fn named(&self, date: &str, prompts: &[Prompt]) -> Weights {
        let mut families: Vec<&str> = prompts.iter().map(|prompt| prompt.family.as_str()).collect();
        families.dedup();
        let rounded = |share: f64| (share * 1000.0).round() / 1000.0;
        let figures = [
            ("two_tiers", self.quality.two_tiers),
            ("three_tiers", self.quality.three_tiers),
            ("auc", self.quality.auc),
        ];
        let mut weights = self.weights.clone();
        weights.version = date.into();
        weights.data = format!("{} synthetic prompts of {} families: {DATA}", prompts.len(), families.len());
        weights.figures = figures.map(|(name, share)| (name.to_owned(), rounded(share))).into();
        weights
    }
}

fn told(prompts: &[Prompt], trained: &Trained) -> String {
    let Trained { quality, misses, .. } = trained;
    let mut out = format!(
        "{} prompts, each held out once with its family\n\
         two tiers {:.1}%, three tiers {:.1}%, AUC {:.3}\n\n\
         label \\ verdict    simple  medium  complex\n",
        prompts.len(),
        quality.two_tiers * 100.0,
        quality.three_tiers * 100.0,
        quality.auc
    );
    for (name, row) in ["simple", "medium", "complex"].iter().zip(quality.confusion) {
        let [simple, medium, complex] = row;
        out.push_str(&format!("{name:<18}{simple:>7}{medium:>8}{complex:>9}\n"));
    }
    out.push_str("\nfurthest from their label:\n");
    misses.iter().take(25).for_each(|miss| out.push_str(&format!("  {miss}\n")));
    out
}

#[cfg(test)]
mod tests;
