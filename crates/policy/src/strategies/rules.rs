//! The models of the first rule whose condition holds, in its order. Those of the other rules are not tried: where none of its models may
//! answer, the next rule is not asked, for a rule may be there to keep calls away from the others. A condition that cannot be worked out does
//! not hold, and the reason says so.

use super::{Entry, Settings, Sight, Strategy};
use crate::plan::{Candidate, DeploymentId, Dice, Reason};
use crate::rules::Condition;

pub(super) const ENTRY: Entry = Entry {
    name: "rules",
    doc: "the models of the first rule whose condition holds",
    build: |settings| Box::new(Rules::new(settings)),
};

/// The longest condition that a reason quotes, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// A rule of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is called, where it has a name.
    pub name: Option<String>,
    /// When it holds; `None`: always.
    pub when: Option<Condition>,
    /// What answers then, in order.
    pub models: Vec<DeploymentId>,
}

struct Rules(Box<[(Rule, String)]>);

impl Rules {
    fn new(settings: &Settings) -> Self {
        let rules = settings.rules.iter().enumerate();
        Self(rules.map(|(at, rule)| (rule.clone(), reason(at + 1, rule))).collect())
    }
}

/// `rule 2 "cheap tasks": task == "classification"`.
fn reason(number: usize, rule: &Rule) -> String {
    let name = rule.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let text = rule.when.as_ref().map_or("always", Condition::text);
    let quoted: String = text
        .chars()
        .take(QUOTED_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let more = if quoted.len() < text.len() { "…" } else { "" };
    format!("rule {number}{name}: {quoted}{more}")
}

impl Strategy for Rules {
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, _dice: &mut Dice) -> Reason {
        let mut facts = sight.facts();
        let mut failed = String::new();
        for (at, (rule, reason)) in self.0.iter().enumerate() {
            facts.candidate = rule.models.first().copied();
            match rule.when.as_ref().map_or(Ok(true), |when| when.holds(&facts)) {
                Ok(false) => {}
                Ok(true) => {
                    let place = |candidate: &Candidate| rule.models.iter().position(|id| *id == candidate.deployment);
                    candidates.retain(|candidate| place(candidate).is_some());
                    candidates.sort_by_key(place);
                    return Reason::Owned(format!("{reason}{failed}"));
                }
                Err(why) => failed.push_str(&format!("; rule {} could not be worked out: {why}", at + 1)),
            }
        }
        candidates.clear();
        Reason::Owned(format!("no rule holds{failed}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::rules::Facts;
    use crate::strategies::tests::{Seen, candidates};

    fn rules(all: &[(Option<&str>, &[u32])]) -> Rules {
        let rule = |(when, models): &(Option<&str>, &[u32])| Rule {
            name: None,
            when: when.map(|when| Condition::compile(when).unwrap()),
            models: models.iter().copied().map(DeploymentId).collect(),
        };
        Rules::new(&Settings {
            rules: all.iter().map(rule).collect(),
            ..Settings::default()
        })
    }

    #[test]
    fn the_first_rule_that_holds_chooses_and_orders() {
        let rules = rules(&[
            (Some("label >= 'confidential'"), &[2]),
            (Some("1000 / input_tokens > 1 && team == 'a'"), &[1, 0]),
            (Some("hour / input_tokens == 9"), &[0]),
            (Some("team == 'b'"), &[3, 2, 1]),
        ]);
        let facts = |label, team, input_tokens| Facts {
            label,
            team,
            input_tokens,
            ..Facts::default()
        };
        let rows: [(Facts<'static>, &[u32], &str); 6] = [
            (facts("restricted", "a", 9), &[2], "rule 1: label >= 'confidential'"),
            (facts("", "a", 9), &[1, 0], "rule 2: 1000 / input_tokens > 1 && team == 'a'"),
            (facts("", "b", 9), &[3, 2, 1], "rule 4: team == 'b'"),
            (
                facts("", "b", 0),
                &[3, 2, 1],
                "rule 4: team == 'b'; rule 3 could not be worked out: a division by zero",
            ),
            (facts("", "c", 9), &[], "no rule holds"),
            (facts("public", "b", 9), &[3, 2, 1], "rule 4: team == 'b'"),
        ];
        for (facts, order, reason) in rows {
            let sight = Seen { facts, ..Seen::default() };
            let mut ranked = candidates(&[1, 1, 1, 1]);
            assert_eq!(rules.rank(&sight, &mut ranked, &mut Dice::new(0)), reason);
            let ids: Vec<u32> = ranked.iter().map(|one| one.deployment.0).collect();
            assert_eq!(ids, order, "{reason}");
        }
    }

    #[test]
    fn a_rule_whose_models_may_not_answer_does_not_hand_on_to_the_next() {
        let rules = rules(&[(Some("label == 'restricted'"), &[0]), (None, &[1])]);
        let sight = Seen {
            facts: Facts {
                label: "restricted",
                ..Facts::default()
            },
            ..Seen::default()
        };
        let mut left = vec![candidates(&[1, 1])[1]];
        assert_eq!(rules.rank(&sight, &mut left, &mut Dice::new(0)), "rule 1: label == 'restricted'");
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_rule_may_ask_what_its_own_first_model_would_cost() {
        let rules = rules(&[
            (Some("price_micro_usd > 0 && price_micro_usd < 500"), &[0]),
            (Some("price_micro_usd > 0 && price_micro_usd < 500"), &[1]),
            (None, &[2]),
        ]);
        for (prices, first) in [([800, 499], 1), ([499, 1], 0), ([0, 500], 2)] {
            let costly = crate::rules::tests::Stub {
                prices_micro_usd: prices.into(),
                ..Default::default()
            };
            let sight = Seen {
                facts: Facts {
                    costly: (&costly).into(),
                    ..Facts::default()
                },
                ..Seen::default()
            };
            let mut ranked = candidates(&[1, 1, 1]);
            rules.rank(&sight, &mut ranked, &mut Dice::new(0));
            assert_eq!(ranked[0].deployment, DeploymentId(first), "{prices:?}");
        }
    }

    #[test]
    fn a_reason_names_the_rule_and_quotes_it_on_one_line() {
        let rule = |name: Option<&str>, when: Option<String>| Rule {
            name: name.map(str::to_owned),
            when: when.map(|when| Condition::compile(&when).unwrap()),
            models: Vec::new(),
        };
        assert_eq!(
            reason(3, &rule(Some("cheap"), Some("team ==\n'a'".to_owned()))),
            "rule 3 \"cheap\": team == 'a'"
        );
        assert_eq!(reason(1, &rule(None, None)), "rule 1: always");
        let long = format!("team == '{}'", "ä".repeat(300));
        let told = reason(1, &rule(None, Some(long)));
        assert!(
            told.ends_with("ä…") && told.chars().count() == "rule 1: ".len() + QUOTED_CHARS_MAX + 1,
            "{told}"
        );
    }
}
