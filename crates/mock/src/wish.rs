//! Reads a model name as what is wished for: a behaviour and faults, joined by `+`.
//! A name of no behaviour is the name of a real model, played by the assistant.

use crate::{behaviours, faults, pattern};

/// What a model name asks for.
#[derive(Debug)]
pub(crate) struct Wish {
    /// How to answer.
    pub(crate) behaviour: &'static behaviours::Row,
    /// The figures of its name.
    pub(crate) figures: Vec<u64>,
    /// What goes wrong, with the figures of each.
    pub(crate) faults: Vec<(&'static faults::Row, Vec<u64>)>,
}

impl Wish {
    /// Reads a model name; the error is the segment that is neither behaviour nor fault.
    pub(crate) fn read(model: &str) -> Result<Self, String> {
        let mut wish = Self {
            behaviour: &behaviours::ASSISTANT,
            figures: Vec::new(),
            faults: Vec::new(),
        };
        for (at, segment) in model.split('+').enumerate() {
            let named_fault = segment.strip_prefix("fault-");
            if let Some(fault) = fault(named_fault.unwrap_or(segment)) {
                wish.faults.push(fault);
            } else if named_fault.is_some() {
                return Err(segment.to_owned());
            } else if let Some((row, figures)) = behaviour(segment) {
                (wish.behaviour, wish.figures) = (row, figures);
            } else if at != 0 {
                return Err(segment.to_owned());
            }
        }
        Ok(wish)
    }
}

fn behaviour(name: &str) -> Option<(&'static behaviours::Row, Vec<u64>)> {
    behaviours::ROWS
        .iter()
        .find_map(|row| Some((row, pattern::figures(row.pattern, name)?)))
}

/// The fault of this name.
pub(crate) fn fault(name: &str) -> Option<(&'static faults::Row, Vec<u64>)> {
    faults::rows().find_map(|row| Some((row, pattern::figures(row.pattern, name)?)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let rows = [
            ("gpt-4o", "any other name | "),
            ("", "any other name | "),
            ("echo", "echo | "),
            ("lorem-20", "lorem-{n} | "),
            ("status-429-retry-3", "any other name | status-{n}-retry-{n}"),
            ("fault-status-503", "any other name | status-{n}"),
            ("echo+slow-first-byte-2s+usage-zero", "echo | slow-first-byte-{d},usage-zero"),
            ("gpt-4o+no-terminator", "any other name | no-terminator"),
        ];
        for (model, expected) in rows {
            let wish = Wish::read(model).unwrap();
            let faults: Vec<_> = wish.faults.iter().map(|(row, _)| row.pattern).collect();
            assert_eq!(format!("{} | {}", wish.behaviour.pattern, faults.join(",")), expected);
        }
    }

    #[test]
    fn a_misspelt_wish_is_not_ignored() {
        assert_eq!(Wish::read("fault-status-abc").unwrap_err(), "fault-status-abc");
        assert_eq!(Wish::read("echo+slow-frist-byte-2s").unwrap_err(), "slow-frist-byte-2s");
    }

    #[test]
    fn every_pattern_reads_itself() {
        for row in faults::rows() {
            let name = row.pattern.replace("{n}", "500").replace("{d}", "5ms");
            let found = fault(&name).unwrap();
            assert_eq!(found.0.pattern, row.pattern, "{name}");
        }
    }
}
