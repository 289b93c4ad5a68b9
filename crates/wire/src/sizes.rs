//! How large a request is, by what its parts weigh: text in bytes, images, sound and documents apart, so that a picture in base64 is not
//! taken for a million letters. One walk over the raw body, which has been found to be JSON before; no tree, no tokens, no prices.

use serde::{Deserialize, Serialize};

/// Deeper than the envelope lets through.
const DEPTH_MAX: usize = crate::envelope::DEPTH_MAX;

/// What a request's body weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Every byte of the body that is not payload in base64: text with its JSON around it, so more than the text alone.
    pub text_bytes: u64,
    /// Entries of `messages`.
    pub messages: u64,
    /// Images, carried within or named by an address.
    pub images: u64,
    /// Sound, as bytes before base64.
    pub audio_bytes: u64,
    /// Documents carried within, as bytes before base64.
    pub document_bytes: u64,
    /// Documents, carried within or named by an address or an id.
    pub documents: u64,
    /// Of `documents`: those named by an address or an id, whose size is not known.
    pub documents_unseen: u64,
    /// Whether the one-hour class of prompt-cache writes is asked for.
    pub cache_1h: bool,
}

/// What a string or object stands under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Messages,
    Type,
    Ttl,
    Url,
    Data,
    ImageUrl,
    InputAudio,
    File,
    FileData,
    FileId,
    Source,
}

impl Key {
    fn of(name: &[u8]) -> Self {
        match name {
            b"messages" => Self::Messages,
            b"type" => Self::Type,
            b"ttl" => Self::Ttl,
            b"url" => Self::Url,
            b"data" => Self::Data,
            b"image_url" => Self::ImageUrl,
            b"input_audio" => Self::InputAudio,
            b"file" => Self::File,
            b"file_data" => Self::FileData,
            b"file_id" => Self::FileId,
            b"source" => Self::Source,
            _ => Self::Other,
        }
    }
}

/// What an object says of itself with `type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Type {
    #[default]
    Other,
    Image,
    Document,
    Base64,
    Reference,
}

/// An open object or array.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    /// What it stands under; that of an array counts for its elements.
    under: Key,
    object: bool,
    /// The key whose value comes next.
    key: Key,
    kind: Type,
    /// The payload of its `data`: length in base64, and whether it is a PDF. What it is worth is known when the object ends, for `type` may
    /// come after it.
    data: Option<(u64, bool)>,
}

/// Weighs a body. Of text that is no JSON everything counts as text.
#[must_use]
pub fn scan(body: &[u8]) -> Sizes {
    let mut walk = Walk {
        sizes: Sizes::default(),
        frames: Vec::with_capacity(16),
        deeper: 0,
        payload: 0,
    };
    let mut at = 0;
    let mut held: Option<&[u8]> = None; // a string whose role shows with the next byte: key or value
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let end = string_end(body, at);
                held = Some(body.get(at..end).unwrap_or_default());
                at = end + 1;
                continue;
            }
            b' ' | b'\n' | b'\r' | b'\t' => continue,
            b':' => walk.key(held.take().unwrap_or_default()),
            b'{' | b'[' => walk.open(*byte == b'{'),
            b',' | b'}' | b']' => {
                if let Some(text) = held.take() {
                    walk.string(text);
                }
                if *byte != b',' {
                    walk.close();
                }
            }
            _ => {}
        }
    }
    let total = u64::try_from(body.len()).unwrap_or(u64::MAX);
    Sizes {
        text_bytes: total.saturating_sub(walk.payload),
        ..walk.sizes
    }
}

/// Where the string that begins at `at` has its closing quote; the end of the body, where it has none.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(found) = body.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if body.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    body.len()
}

struct Walk {
    sizes: Sizes,
    frames: Vec<Frame>,
    /// Opened beyond what `frames` may hold.
    deeper: usize,
    /// Bytes of the body that are base64.
    payload: u64,
}

impl Walk {
    fn key(&mut self, name: &[u8]) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Key::of(name);
        }
    }

    fn open(&mut self, object: bool) {
        let parent = self.frames.last().copied().unwrap_or_default();
        let under = if parent.object { parent.key } else { parent.under };
        if object && self.frames.len() == 2 && !parent.object && under == Key::Messages {
            self.sizes.messages = self.sizes.messages.saturating_add(1);
        }
        if object && under == Key::ImageUrl {
            self.sizes.images += 1;
        }
        if self.frames.len() < DEPTH_MAX {
            self.frames.push(Frame {
                under,
                object,
                ..Frame::default()
            });
        } else {
            self.deeper += 1;
        }
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let Some(frame) = self.frames.pop() else { return };
        if !frame.object || frame.under != Key::Source {
            return;
        }
        let holder = self.frames.last().map(|parent| parent.kind).unwrap_or_default();
        match (frame.kind, frame.data) {
            (Type::Base64, Some((base64, pdf))) => {
                self.payload = self.payload.saturating_add(base64);
                if pdf || holder == Type::Document {
                    self.document(base64);
                } else {
                    self.sizes.images += 1;
                }
            }
            (Type::Reference, _) if holder == Type::Image => self.sizes.images += 1,
            (Type::Reference, _) => self.unseen(),
            // Plain text, or nothing that we know: it has been counted as text.
            _ => {}
        }
    }

    fn string(&mut self, text: &[u8]) {
        let Some(frame) = self.frames.last_mut() else { return };
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        match (frame.key, frame.under) {
            _ if !frame.object => {}
            (Key::Type, _) => frame.kind = kind(text),
            // Whatever is not the short class, however it is written, may be the long one.
            (Key::Ttl, _) => self.sizes.cache_1h |= text != b"5m",
            (Key::Data, Key::Source) => frame.data = Some((length, text.starts_with(b"JVBERi"))),
            (Key::Data, Key::InputAudio) => {
                self.payload = self.payload.saturating_add(length);
                self.sizes.audio_bytes = self.sizes.audio_bytes.saturating_add(decoded(length));
            }
            (Key::Url, Key::ImageUrl) => self.payload = self.payload.saturating_add(data_url(text)),
            // Some clients write the address without the object around it.
            (Key::ImageUrl, _) => {
                self.sizes.images += 1;
                self.payload = self.payload.saturating_add(data_url(text));
            }
            (Key::FileData, Key::File) => {
                self.payload = self.payload.saturating_add(length);
                self.document(length);
            }
            (Key::FileId, Key::File) => self.unseen(),
            _ => {}
        }
    }

    fn document(&mut self, base64: u64) {
        self.sizes.documents = self.sizes.documents.saturating_add(1);
        self.sizes.document_bytes = self.sizes.document_bytes.saturating_add(decoded(base64));
    }

    fn unseen(&mut self) {
        self.sizes.documents = self.sizes.documents.saturating_add(1);
        self.sizes.documents_unseen = self.sizes.documents_unseen.saturating_add(1);
    }
}

fn kind(text: &[u8]) -> Type {
    match text {
        b"image" => Type::Image,
        b"document" => Type::Document,
        b"base64" => Type::Base64,
        b"url" | b"file" => Type::Reference,
        _ => Type::Other,
    }
}

/// The length of the payload of an address that is a picture itself; of any other address 0. Escapes (`\/`) do not hide it.
fn data_url(text: &[u8]) -> u64 {
    let payload = text.starts_with(b"data:").then(|| memchr::memmem::find(text, b"base64,")).flatten();
    payload.map_or(0, |at| u64::try_from(text.len().saturating_sub(at)).unwrap_or(u64::MAX))
}

fn decoded(base64: u64) -> u64 {
    (base64 / 4).saturating_add(1).saturating_mul(3)
}

#[cfg(test)]
mod tests;
