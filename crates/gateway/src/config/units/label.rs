//! Names of compartments, regions and processors.

use std::fmt;

use tollgate_policy::labels::{NAME_BYTES_MAX, is_name};

use super::{Complaint, text_format};

/// A compartment, a region or a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelName(String);

text_format!(
    LabelName,
    "label-name",
    "a compartment, a region or a processor: up to 64 of the characters a-z 0-9 . _ -",
    ["eu"]
);

impl LabelName {
    /// Reads a name.
    ///
    /// # Errors
    /// When it has other characters, or too many.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Complaint::new(
            "this cannot be a name in a label",
            format!("use up to {NAME_BYTES_MAX} of the characters a-z 0-9 . _ -"),
        ))
    }
}

impl AsRef<str> for LabelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
