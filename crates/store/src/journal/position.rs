//! A place in the journal, between two records: what the database remembers of how far it has come.

use std::fmt;
use std::str::FromStr;

/// A place between two records. Later places are greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment's number, from 1; 0 with `offset` 0: before everything.
    pub segment: u32,
    /// Bytes from the segment's begin.
    pub offset: u32,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { segment: 0, offset: 0 };

    /// As one number, in the same order: for a database. Negative from segment 2³¹ on, which takes 2³¹ times 64 MiB.
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.packed().cast_signed()
    }

    /// What [`Self::to_i64`] gave.
    #[must_use]
    pub const fn from_i64(number: i64) -> Self {
        Self::unpacked(number.cast_unsigned())
    }

    pub(super) const fn packed(self) -> u64 {
        (self.segment as u64) << 32 | self.offset as u64
    }

    pub(super) const fn unpacked(packed: u64) -> Self {
        Self {
            segment: (packed >> 32) as u32,
            offset: (packed & 0xFFFF_FFFF) as u32,
        }
    }
}

/// `00000001:72`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}:{}", self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = |(segment, offset): (&str, &str)| Some((segment.parse().ok()?, offset.parse().ok()?));
        text.split_once(':')
            .and_then(read)
            .map(|(segment, offset)| Self { segment, offset })
            .ok_or_else(|| format!("\"{text}\" is not a place in the journal; it is written SEGMENT:OFFSET, as in 00000001:72"))
    }
}
