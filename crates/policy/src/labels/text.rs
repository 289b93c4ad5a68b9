//! Labels as text, as in a header and in a record: `confidential; compartments=hr,legal; regions=eu; processors=lab`.

use std::fmt;

use super::{Bounds, Clearance, Label, Level, Names, is_name};

/// The most names in one list of a label that is read.
const NAMES_MAX: usize = 32;

/// Why a text is no label; it says what is wrong with it, and quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotALabel {
    /// It begins with no level.
    Level,
    /// It has another part than the three, or one of them twice.
    Part,
    /// A list is empty or too long.
    List,
    /// A name has characters that a name cannot have.
    Name,
}

impl fmt::Display for NotALabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Level => "a label begins with public, internal, confidential or restricted",
            Self::Part => "behind the level of a label stand compartments=…, regions=… and processors=… alone, each once",
            Self::List => "a list in a label has 1 to 32 names with commas between",
            Self::Name => "a name in a label has up to 64 of the characters a-z 0-9 . _ -",
        })
    }
}

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotALabel> {
        let mut parts = text.split(';').map(str::trim);
        let level = parts.next().and_then(Level::parse).ok_or(NotALabel::Level)?;
        let (mut compartments, mut regions, mut processors) = (None, None, None);
        for part in parts {
            let (key, list) = part.split_once('=').ok_or(NotALabel::Part)?;
            let place = match key.trim() {
                "compartments" => &mut compartments,
                "regions" => &mut regions,
                "processors" => &mut processors,
                _ => return Err(NotALabel::Part),
            };
            if place.replace(names(list)?).is_some() {
                return Err(NotALabel::Part);
            }
        }
        let compartments = compartments.unwrap_or_default();
        Ok(Self::new(
            level,
            Bounds {
                compartments,
                regions,
                processors,
            },
        ))
    }
}

fn names(list: &str) -> Result<Names, NotALabel> {
    let names = || list.split(',').map(str::trim);
    if names().count() > NAMES_MAX || names().any(str::is_empty) {
        return Err(NotALabel::List);
    }
    if names().all(is_name) {
        Ok(Names::new(names()))
    } else {
        Err(NotALabel::Name)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.level.name())?;
        let Some(bounds) = self.bounds() else { return Ok(()) };
        let compartments = Some(&bounds.compartments).filter(|names| !names.is_empty());
        for (key, names) in [
            ("compartments", compartments),
            ("regions", bounds.regions.as_ref()),
            ("processors", bounds.processors.as_ref()),
        ] {
            let Some(names) = names else { continue };
            write!(f, "; {key}=")?;
            for (at, name) in names.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { "," })?;
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Clearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
