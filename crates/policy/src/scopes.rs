//! Who is counted together: the dimensions of a rule's `per`, and the values that a call has in them.

use std::fmt;

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::ledger::AccountId;

/// Something that calls can differ in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The team.
    Team,
    /// The user; a service key has none.
    User,
    /// The key.
    Key,
    /// The application or use case.
    Feature,
    /// The route, or the model's name where one was asked for directly.
    Route,
    /// `provider/upstream-model` of the attempt under way.
    Model,
    /// The provider of the attempt under way.
    Provider,
    /// A tag that the caller or its key carries.
    Tag(String),
}

/// The values of a call. What it lacks is `None`, and a rule that counts by it does not apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The team.
    pub team: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// The id of the key.
    pub key: Option<&'a str>,
    /// The feature.
    pub feature: Option<&'a str>,
    /// The route.
    pub route: Option<&'a str>,
    /// `provider/upstream-model` of the attempt under way; `None` before there is one.
    pub model: Option<&'a str>,
    /// The provider of the attempt under way; `None` before there is one.
    pub provider: Option<&'a str>,
    /// The tags.
    pub tags: &'a [(&'a str, &'a str)],
}

/// The values of a rule's dimensions, in the order of its `per`.
pub type Values<'a> = SmallVec<[&'a str; 4]>;

/// The identity of what a rule counts: the rule's name and its kind, without values. The ids of its accounts follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family([u8; 16]);

impl Dimension {
    /// Reads `team`, `user`, `key`, `feature`, `route`, `model`, `provider` or `tag:NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "team" => Self::Team,
            "user" => Self::User,
            "key" => Self::Key,
            "feature" => Self::Feature,
            "route" => Self::Route,
            "model" => Self::Model,
            "provider" => Self::Provider,
            other => Self::Tag(other.strip_prefix("tag:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// True when an attempt decides the value, and another attempt may change it.
    #[must_use]
    pub const fn of_attempt(&self) -> bool {
        matches!(self, Self::Model | Self::Provider)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Team => "team",
            Self::User => "user",
            Self::Key => "key",
            Self::Feature => "feature",
            Self::Route => "route",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Tag(name) => return write!(f, "tag:{name}"),
        })
    }
}

impl<'a> Subject<'a> {
    /// The call's value in a dimension.
    #[must_use]
    pub fn value(&self, dimension: &Dimension) -> Option<&'a str> {
        match dimension {
            Dimension::Team => self.team,
            Dimension::User => self.user,
            Dimension::Key => self.key,
            Dimension::Feature => self.feature,
            Dimension::Route => self.route,
            Dimension::Model => self.model,
            Dimension::Provider => self.provider,
            Dimension::Tag(name) => self.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| *value),
        }
    }

    /// The values of all dimensions; `None` when the call lacks one.
    #[must_use]
    pub fn values(&self, per: &[Dimension]) -> Option<Values<'a>> {
        per.iter().map(|dimension| self.value(dimension)).collect()
    }
}

impl Family {
    /// Of a rule's name, what it counts, and by which dimensions.
    #[must_use]
    pub fn new(rule: &str, kind: &str, per: &[Dimension]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"tollgate-account-1");
        let names = per.iter().map(ToString::to_string);
        for part in [rule.to_owned(), kind.to_owned()].into_iter().chain(names) {
            add(&mut hash, &part);
        }
        Self(first_half(hash))
    }

    /// The account of some values. Every part has its length in front, so that no two lists read the same.
    #[must_use]
    pub fn account(self, values: &[&str]) -> AccountId {
        let mut hash = Sha256::new();
        hash.update(self.0);
        for value in values {
            add(&mut hash, value);
        }
        AccountId(u128::from_be_bytes(first_half(hash)))
    }

    /// The account that all values share for which there is no room. Its input is shorter than a length, so no values have this id.
    #[must_use]
    pub fn others(self) -> AccountId {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(b"*");
        AccountId(u128::from_be_bytes(first_half(hash)))
    }
}

fn add(hash: &mut Sha256, part: &str) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(part.as_bytes());
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn dimensions_are_read_and_shown() {
        for text in [
            "team",
            "user",
            "key",
            "feature",
            "route",
            "model",
            "provider",
            "tag:x",
            "tag:cost center",
        ] {
            assert_eq!(Dimension::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "tag", "tag:", "Team", "teams", "org"] {
            assert_eq!(Dimension::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_rule_does_not_apply_to_a_call_that_lacks_a_value() {
        let tags = [("x", "1")];
        let service = Subject {
            team: Some("a"),
            tags: &tags,
            ..Subject::default()
        };
        let rows: [(&[&str], Option<&[&str]>); 5] = [
            (&[], Some(&[])),
            (&["team"], Some(&["a"])),
            (&["team", "tag:x"], Some(&["a", "1"])),
            (&["team", "user"], None),
            (&["tag:y"], None),
        ];
        for (per, expected) in rows {
            let per: Vec<Dimension> = per.iter().map(|text| Dimension::parse(text).unwrap()).collect();
            assert_eq!(service.values(&per).as_deref(), expected, "{per:?}");
        }
    }

    #[test]
    fn no_two_lists_of_values_share_an_account() {
        let per = [Dimension::Team, Dimension::User];
        let family = Family::new("day", "money", &per);
        let lists: [&[&str]; 8] = [
            &["ab", "c"],
            &["a", "bc"],
            &["abc", ""],
            &["", "abc"],
            &["abc"],
            &[],
            &["*"],
            &["c", "ab"],
        ];
        let mut ids: Vec<AccountId> = lists.iter().map(|values| family.account(values)).collect();
        ids.push(family.others());
        for other in [
            Family::new("da", "ymoney", &per),
            Family::new("day", "tokens", &per),
            Family::new("day", "money", &[Dimension::Team]),
        ] {
            ids.push(other.account(&["ab", "c"]));
            ids.push(other.others());
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    /// Balances in databases are kept under these ids: they may never change.
    #[test]
    fn an_account_keeps_its_id_for_ever() {
        let id = Family::new("team month", "money", &[Dimension::Team]).account(&["search"]);
        assert_eq!(format!("{:032x}", id.0), "3a9807fadddaba23b4cfda1b522725cf");
    }
}
