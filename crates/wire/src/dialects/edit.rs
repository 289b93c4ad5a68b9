//! Edits of the fields of one JSON object by their spans, as a vendor wants them: some go, with the comma that would be left over,
//! some get another name. What is not edited stays byte for byte. Shared by the dialects; knows none of them.

use crate::envelope::Field;
use crate::loss::Loss;
use crate::patch::Patch;
use crate::target::Target;

/// The fields of an object that is being edited.
pub(super) struct Edit<'b> {
    /// The object's own bytes, into which the fields' spans point.
    object: &'b [u8],
    /// Where the object begins in the body that is patched.
    at: usize,
    fields: &'b [Field],
    gone: Vec<bool>,
}

impl<'b> Edit<'b> {
    /// The fields of the object that begins at `at` in the body.
    pub(super) fn new(object: &'b [u8], at: usize, fields: &'b [Field]) -> Self {
        Self {
            object,
            at,
            fields,
            gone: vec![false; fields.len()],
        }
    }

    /// A field that is there, is to stay, and says something.
    pub(super) fn said(&self, name: &str) -> Option<(&'b Field, &'b str)> {
        // By its name first: the text of another one is not looked at, for it may be a whole conversation.
        let named = self
            .fields
            .iter()
            .zip(&self.gone)
            .filter(|(field, gone)| !**gone && field.name == name);
        named
            .map(|(field, _)| (field, field.text(self.object)))
            .find(|(_, text)| *text != "null")
    }

    /// Removes a field; true when it said something.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let said = self.said(name).is_some();
        for (field, gone) in self.fields.iter().zip(&mut self.gone) {
            *gone |= field.name == name;
        }
        said
    }

    /// Writes another value.
    pub(super) fn replace(&self, field: &Field, value: impl Into<Vec<u8>>, patch: &mut Patch) {
        patch.replace(self.at + field.value.start..self.at + field.value.end, value);
    }

    /// Writes a string.
    pub(super) fn replace_string(&self, field: &Field, value: &str, patch: &mut Patch) {
        patch.replace_string(self.at + field.value.start..self.at + field.value.end, value);
    }

    /// What is refused goes, and so does all but the first of what excludes each other.
    pub(super) fn refuse(&mut self, target: &Target, loss: &mut Loss) {
        for name in &target.quirks.drop {
            if self.remove(name) {
                loss.add(name);
            }
        }
        let one_of = &target.facts.one_of;
        let first = one_of.iter().position(|name| self.said(name).is_some());
        for name in one_of.iter().skip(first.map_or(one_of.len(), |first| first + 1)) {
            if self.remove(name) {
                loss.add(name);
            }
        }
    }

    /// Fields get the vendor's names. One that is there under that name too goes instead: a key must not stand twice.
    pub(super) fn rename(&mut self, names: &[(String, String)], patch: &mut Patch) {
        for (ours, theirs) in names {
            if self.fields.iter().any(|field| field.name == *theirs) {
                self.remove(ours);
            }
        }
        for (field, _) in self.fields.iter().zip(&self.gone).filter(|(_, gone)| !**gone) {
            if let Some((_, theirs)) = names.iter().find(|(ours, _)| *ours == field.name) {
                patch.replace_string(self.at + field.key.start..self.at + field.key.end, theirs);
            }
        }
    }

    /// Cuts what goes: each run of neighbours with the comma behind it, or, at the end of the object, with the one before it.
    pub(super) fn cut(self, patch: &mut Patch) {
        let mut kept: Option<&Field> = None;
        let mut run: Option<(usize, usize)> = None;
        for (field, gone) in self.fields.iter().zip(&self.gone) {
            if *gone {
                let start = run.map_or(field.key.start, |(start, _)| start);
                run = Some((start, field.value.end));
                continue;
            }
            if let Some((start, _)) = run.take() {
                patch.replace(self.at + start..self.at + field.key.start, Vec::new());
            }
            kept = Some(field);
        }
        if let Some((start, end)) = run {
            let start = kept.map_or(start, |kept| kept.value.end);
            patch.replace(self.at + start..self.at + end, Vec::new());
        }
    }
}
