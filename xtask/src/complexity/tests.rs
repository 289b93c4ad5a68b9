//! The weights in the catalog are those of the data in the catalog, and as good as they say.
#![expect(clippy::unwrap_used, reason = "tests")]

use tollgate_policy::complexity::Tier;

use super::*;

fn all() -> Vec<Prompt> {
    Data::parse(include_str!("../../../catalog/complexity/data.toml"))
        .unwrap()
        .prompts()
        .unwrap()
}

#[test]
fn the_file_of_weights_is_that_of_the_data() {
    let prompts = all();
    let built_in = Weights::built_in().unwrap();
    let trained = train(&prompts).named(&built_in.version, &prompts);
    for (name, figure) in &trained.figures {
        let stated = built_in.figures[name];
        assert!((stated - figure).abs() < 0.003, "{name}: {stated} is stated, {figure} is true");
    }
    assert_eq!(trained.data, built_in.data, "run `cargo xtask router-train --date DAY`");
    for prompt in &prompts {
        let (ours, theirs) = (trained.score(&prompt.example.features), built_in.score(&prompt.example.features));
        assert!((ours - theirs).abs() < 0.01, "{}: {ours} {theirs}", prompt.text);
    }
}

#[test]
fn there_are_prompts_enough_of_every_tier_and_none_twice() {
    let prompts = all();
    assert!(prompts.len() >= 1_500, "{}", prompts.len());
    for tier in Tier::ALL {
        let count = prompts.iter().filter(|prompt| prompt.example.tier == tier).count();
        assert!(count * 5 >= prompts.len(), "{} of {}", count, tier.name());
    }
    let mut texts: Vec<&str> = prompts.iter().map(|prompt| prompt.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), prompts.len());
}

#[test]
fn what_is_wrong_with_the_data_is_named() {
    let whole = include_str!("../../../catalog/complexity/data.toml");
    let bad = |from: &str, to: &str| match Data::parse(&whole.replacen(from, to, 1)) {
        Ok(data) => data.prompts().err().unwrap(),
        Err(reason) => reason,
    };
    assert!(bad("tier = \"simple\"", "tier = \"easy\"").contains("no tier is called easy"));
    assert!(bad("{review}", "{reviews}").contains("no slot is called reviews"));
    assert!(bad("take = 24", "takes = 24").contains("takes"));
}
