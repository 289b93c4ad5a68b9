//! One pass over the text of a request: words with their cues, signs and lines. What the user wants stands at the beginning or the end of a
//! text, mostly in a paragraph of its own; the rest is material, and so is what is quoted, fenced, or stands behind the colon of a simple
//! task ("translate: …"). The words of material ask for nothing.

use super::cues::{Cue, Word};

/// So much of the beginning and of the end is taken for what the user wants, in bytes.
const WISH_BYTES: usize = 400;
/// A last paragraph that is longer is material.
const LAST_BYTES: usize = 300;
/// A colon among so many first words ends a simple task's name.
const COLON_WORDS: u32 = 14;
/// The first words, which mostly name the task.
const LEAD_WORDS: u32 = 7;

/// What one pass counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Words by cue, in what the user wants; a sum of the first word is not kept apart.
    pub(super) wish: [u16; Cue::COUNT],
    /// The same of the first words alone.
    pub(super) lead: [u16; Cue::COUNT],
    /// The same of the material.
    pub(super) material: [u16; Cue::COUNT],
    pub(super) words: u32,
    /// Of them: words of what the user wants.
    pub(super) wish_words: u32,
    pub(super) letters: u32,
    /// Letters outside of the Latin script.
    pub(super) foreign: u32,
    pub(super) digits: u32,
    /// Signs of mathematics.
    pub(super) maths: u32,
    /// Signs of programs.
    pub(super) code: u32,
    /// Fences of code: three backticks.
    pub(super) fences: u32,
    pub(super) questions: u32,
    pub(super) lines: u32,
    /// Lines that begin with a number or a dash.
    pub(super) items: u32,
    pub(super) bytes: u32,
}

impl Counts {
    pub(super) fn wish(&self, cue: Cue) -> u16 {
        self.wish.get(cue as usize).copied().unwrap_or(0)
    }

    pub(super) fn lead(&self, cue: Cue) -> u16 {
        self.lead.get(cue as usize).copied().unwrap_or(0)
    }

    pub(super) fn material(&self, cue: Cue) -> u16 {
        self.material.get(cue as usize).copied().unwrap_or(0)
    }

    /// Reads a text. `begins`: it is the beginning of what the user wrote; `ends`: its end.
    pub(super) fn read(&mut self, text: &str, begins: bool, ends: bool) {
        let mut pass = Pass {
            counts: self,
            word: Word::EMPTY,
            before: 0,
            lead: begins,
            wish: begins,
            quoted: false,
            fenced: false,
            behind_colon: false,
        };
        let (wish_until, wish_from) = wishes(text, begins, ends);
        pass.line(text.as_bytes());
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            if byte.is_ascii_alphabetic() {
                pass.word.push(u32::from(byte.to_ascii_lowercase()));
                at += 1;
                continue;
            }
            if byte.is_ascii() {
                pass.sign(byte, bytes.get(at + 1..).unwrap_or_default());
                pass.wish = pass.asks() && (at < wish_until || wish_from <= at);
                at += 1;
                continue;
            }
            let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            pass.foreign(character);
            at += character.len_utf8();
        }
        pass.end_of_word();
        self.bytes += u32::try_from(text.len()).unwrap_or(u32::MAX);
    }
}

/// Where what the user wants ends at the beginning of a text, and where it begins at its end.
fn wishes(text: &str, begins: bool, ends: bool) -> (usize, usize) {
    let (first, last) = (text.find("\n\n"), text.rfind("\n\n"));
    let until = match first {
        _ if !begins => 0,
        Some(at) => at.clamp(1, WISH_BYTES),
        None => WISH_BYTES,
    };
    let from = match last {
        _ if !ends => usize::MAX,
        Some(at) if text.len() - at <= LAST_BYTES => at,
        Some(_) => usize::MAX,
        None => text.len().saturating_sub(WISH_BYTES),
    };
    (until, from)
}

struct Pass<'a> {
    counts: &'a mut Counts,
    word: Word,
    /// The character before, of a script that does not part its words.
    before: u32,
    lead: bool,
    wish: bool,
    quoted: bool,
    fenced: bool,
    behind_colon: bool,
}

impl Pass<'_> {
    /// What stands here may be what the user wants.
    fn asks(&self) -> bool {
        !self.quoted && !self.fenced && !self.behind_colon
    }

    fn end_of_word(&mut self) {
        if self.word.chars == 0 {
            return;
        }
        let cues = self.word.cues();
        self.counts.words += 1;
        self.counts.wish_words += u32::from(self.wish);
        self.counts.letters += self.word.chars;
        self.word = Word::EMPTY;
        self.note(cues);
    }

    fn note(&mut self, mut cues: u16) {
        let lead = self.lead && self.wish && self.counts.words <= LEAD_WORDS;
        while cues != 0 {
            let cue = cues.trailing_zeros() as usize;
            cues &= cues - 1;
            let zone = if self.wish {
                &mut self.counts.wish
            } else {
                &mut self.counts.material
            };
            count(zone, cue);
            if lead {
                count(&mut self.counts.lead, cue);
            }
        }
    }

    fn sign(&mut self, byte: u8, rest: &[u8]) {
        // Within a word a dash or a plus stays: "trade-offs", "c++".
        if self.word.chars > 0 && (byte == b'-' || byte == b'+' || byte == b'/') && rest.first().is_some_and(u8::is_ascii_alphabetic) {
            self.word.push(u32::from(byte));
            return;
        }
        if byte == b'+' && self.word.chars == 1 && rest.first() == Some(&b'+') {
            self.word.push(u32::from(byte));
            self.word.push(u32::from(byte));
        }
        self.end_of_word();
        let counts = &mut *self.counts;
        match byte {
            b'0'..=b'9' => counts.digits += 1,
            b'?' => counts.questions += 1,
            b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';' | b'_' => counts.code += 1,
            b'=' | b'<' | b'>' => {
                counts.code += 1;
                counts.maths += 1;
            }
            b'+' | b'^' | b'*' | b'$' | b'\\' | b'%' => counts.maths += 1,
            b'`' if rest.starts_with(b"``") => {
                counts.fences += 1;
                self.fenced = !self.fenced;
            }
            b'"' => self.quoted = !self.quoted,
            b':' => self.behind_colon |= self.names_simple_task(),
            b'\n' => {
                self.quoted = false;
                self.behind_colon &= rest.first() != Some(&b'\n');
                self.line(rest);
            }
            _ => {}
        }
    }

    /// The first words name a task that is simple whatever it is about.
    fn names_simple_task(&self) -> bool {
        let lead = |cue| self.counts.lead(cue) > 0;
        self.lead && self.counts.words <= COLON_WORDS && lead(Cue::Simple) && !lead(Cue::Reason) && !lead(Cue::Build)
    }

    /// A line begins.
    fn line(&mut self, rest: &[u8]) {
        self.counts.lines += 1;
        let text = rest.trim_ascii_start();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let item = match text.get(digits) {
            Some(b'.' | b')') => 0 < digits && text.get(digits + 1) == Some(&b' '),
            Some(b'-' | b'*') => digits == 0 && text.get(1) == Some(&b' '),
            _ => false,
        };
        self.counts.items += u32::from(item);
    }

    fn foreign(&mut self, character: char) {
        if character.is_alphabetic() {
            let latin = character < '\u{250}';
            self.counts.foreign += u32::from(!latin);
            if !parts_no_words(character) {
                character.to_lowercase().for_each(|lower| self.word.push(u32::from(lower)));
                return;
            }
            // A script without spaces: every two characters may be a word.
            self.end_of_word();
            self.counts.letters += 1;
            self.counts.words += u32::from(self.counts.letters.is_multiple_of(2));
            let mut pair = Word::EMPTY;
            pair.push(self.before);
            pair.push(u32::from(character));
            self.before = u32::from(character);
            self.note(pair.cues());
            return;
        }
        self.end_of_word();
        self.before = 0;
        match character {
            '？' => self.counts.questions += 1,
            '∀'..='⋿' | '×' | '÷' | '±' | '²' | '³' | '→' | '⇒' => self.counts.maths += 1,
            _ => {}
        }
    }
}

fn count(zone: &mut [u16; Cue::COUNT], cue: usize) {
    if let Some(count) = zone.get_mut(cue) {
        *count = count.saturating_add(1);
    }
}

/// Chinese, Japanese, Korean: read by pairs of characters.
fn parts_no_words(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}')
}
