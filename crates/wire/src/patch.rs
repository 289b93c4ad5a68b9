//! Edits of raw JSON by byte span. What is not edited survives byte for byte.

use std::ops::Range;

/// A list of replacements of spans of one body.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl Patch {
    /// Replaces a span (an empty one inserts). Spans must not overlap; they may be given in any order.
    pub fn replace(&mut self, span: Range<usize>, bytes: impl Into<Vec<u8>>) {
        self.edits.push((span, bytes.into()));
    }

    /// Replaces a span by a JSON string.
    pub fn replace_string(&mut self, span: Range<usize>, text: &str) {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        crate::json::write_string(&mut bytes, text);
        self.edits.push((span, bytes));
    }

    /// True when there is nothing to edit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edited body. Edits that lie outside the body or overlap an earlier one are left out.
    #[must_use]
    pub fn apply(mut self, body: &[u8]) -> Vec<u8> {
        self.edits.sort_by_key(|(span, _)| span.start);
        let grown: usize = self.edits.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut out = Vec::with_capacity(body.len() + grown);
        let mut at = 0;
        for (span, bytes) in &self.edits {
            let (Some(kept), true) = (body.get(at..span.start), span.end <= body.len()) else {
                continue;
            };
            out.extend_from_slice(kept);
            out.extend_from_slice(bytes);
            at = span.end;
        }
        out.extend_from_slice(body.get(at..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests;
