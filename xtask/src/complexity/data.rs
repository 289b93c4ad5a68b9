//! `catalog/complexity/data.toml` as labelled prompts: templates filled, and what stands around a prompt drawn, from dice that always fall alike.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tollgate_policy::complexity::fit::Example;
use tollgate_policy::complexity::{Ask, Features, Tier};
use tollgate_policy::plan::Dice;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    frames: Frames,
    slots: BTreeMap<String, Vec<String>>,
    family: Vec<Family>,
}

/// How often something stands around a prompt, by tier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frames {
    system: [f64; 3],
    turns: [f64; 3],
    tools: [f64; 3],
    json: [f64; 3],
    reasoning: [f64; 3],
    small_output: [f64; 3],
    large_output: [f64; 3],
    images: [f64; 3],
    task: [f64; 3],
    tasks_simple: Vec<String>,
    tasks_medium: Vec<String>,
    tasks_complex: Vec<String>,
}

/// Prompts of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    name: String,
    tier: String,
    /// How many prompts are made of it; every text once, when absent.
    take: Option<usize>,
    texts: Vec<String>,
}

/// A labelled prompt.
pub(super) struct Prompt {
    pub(super) family: String,
    pub(super) text: String,
    /// Which part it is held out with: its family's number within its tier.
    pub(super) fold: usize,
    pub(super) example: Example,
}

impl Prompt {
    /// It as a line of JSON.
    pub(super) fn line(&self) -> String {
        let features: BTreeMap<&str, u16> = self.example.features.named().collect();
        serde_json::json!({"family": self.family, "tier": self.example.tier.name(), "features": features, "text": self.text}).to_string()
    }
}

impl Data {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Every prompt.
    pub(super) fn prompts(&self) -> Result<Vec<Prompt>, String> {
        let mut prompts = Vec::new();
        let mut of_tier = [0; 3];
        for (number, family) in (0_u64..).zip(&self.family) {
            let tier = Tier::by_name(&family.tier).ok_or_else(|| format!("family {}: no tier is called {}", family.name, family.tier))?;
            let fold = of_tier.get_mut(tier as usize).map_or(0, |count: &mut usize| {
                *count += 1;
                *count - 1
            });
            let mut dice = Dice::new(number);
            let mut known = BTreeSet::new();
            let take = family.take.unwrap_or(family.texts.len());
            // A template that is drawn alike twice is drawn anew, some times.
            for at in 0..take * 4 {
                if known.len() == take {
                    break;
                }
                let Some(template) = family.texts.get(at % family.texts.len().max(1)) else {
                    continue;
                };
                let text = self
                    .filled(template, &mut dice)
                    .map_err(|reason| format!("family {}: {reason}", family.name))?;
                let example = Example {
                    features: self.seen(&text, tier, &mut dice),
                    tier,
                    weight: 1.0,
                };
                if known.insert(text.clone()) {
                    prompts.push(Prompt {
                        family: family.name.clone(),
                        text,
                        fold,
                        example,
                    });
                }
            }
        }
        Ok(prompts)
    }

    fn filled(&self, template: &str, dice: &mut Dice) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("a brace does not close")?;
            out.push_str(before);
            if name == "long" {
                let passages: Vec<&str> = (0..3 + dice.below(22))
                    .map(|_| self.slot("passage", dice))
                    .collect::<Result<_, _>>()?;
                out.push_str(&passages.join("\n\n"));
            } else {
                out.push_str(self.slot(name, dice)?);
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn slot(&self, name: &str, dice: &mut Dice) -> Result<&str, String> {
        let values = self.slots.get(name).ok_or_else(|| format!("no slot is called {name}"))?;
        Ok(one_of(values, dice).trim())
    }

    /// The features of a prompt with something around it.
    fn seen(&self, text: &str, tier: Tier, dice: &mut Dice) -> Features {
        let Frames {
            tasks_simple,
            tasks_medium,
            tasks_complex,
            ..
        } = &self.frames;
        let happens = |shares: &[f64; 3], dice: &mut Dice| {
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let point = dice.below(10_000) as f64 / 10_000.0;
            shares.get(tier as usize).is_some_and(|share| point < *share)
        };
        let frames = &self.frames;
        let mut ask = Ask::about(text);
        ask.turns = 1;
        if happens(&frames.system, dice) {
            ask.system_bytes = 60 << dice.below(8);
        }
        if happens(&frames.turns, dice) {
            ask.turns = 3 + 2 * dice.below(8);
        }
        if happens(&frames.tools, dice) {
            ask.tools = 1 + dice.below(4 + 8 * tier as u64);
            ask.tool_results = dice.below(3 + 4 * tier as u64);
        }
        ask.json = happens(&frames.json, dice);
        ask.reasoning = happens(&frames.reasoning, dice);
        ask.max_tokens = if happens(&frames.small_output, dice) {
            Some(8 << dice.below(5))
        } else if happens(&frames.large_output, dice) {
            Some(2048 << dice.below(4))
        } else {
            None
        };
        ask.images = u64::from(happens(&frames.images, dice));
        if happens(&frames.task, dice) {
            ask.task = match tier {
                Tier::Simple => one_of(tasks_simple, dice),
                Tier::Medium => one_of(tasks_medium, dice),
                Tier::Complex => one_of(tasks_complex, dice),
            };
        }
        Features::of(&ask)
    }
}

fn one_of<'a>(values: &'a [String], dice: &mut Dice) -> &'a str {
    let at = usize::try_from(dice.below(values.len() as u64)).unwrap_or(0);
    values.get(at).map_or("", String::as_str)
}
