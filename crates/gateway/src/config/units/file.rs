//! References to files that hold no secret.

use std::fmt;
use std::path::PathBuf;

use super::{Complaint, text_format};
use crate::config::World;

/// `file:PATH`: a text file. A relative path starts at the config file's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRef(pub PathBuf);

text_format!(
    FileRef,
    "file-reference",
    "a text file: file:PATH; a relative path starts at the config file's folder",
    ["file:router-weights.toml"]
);

impl FileRef {
    /// Reads `file:PATH`.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() && !path.contains('\0') => Ok(Self(PathBuf::from(path))),
            _ => Err(Complaint::new(
                "expected a reference to a file",
                "write for example file:router-weights.toml",
            )),
        }
    }

    /// What the file holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, world: &World<'_>) -> Result<String, Complaint> {
        (world.file)(&self.0).map_err(|error| {
            Complaint::new(
                format!("cannot read {}: {}", self.0.display(), super::secret::describe(&error)),
                "name a file that this user may read",
            )
        })
    }
}

impl fmt::Display for FileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file:{}", self.0.display())
    }
}
