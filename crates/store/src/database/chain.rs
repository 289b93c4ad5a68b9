//! Records that name their predecessor: `h_i = SHA-256(domain ‖ h_{i−1} ‖ canonical bytes)`. Finds accidents and clumsy hands; against somebody
//! who can write everything only a signed checkpoint helps (`audit`).

use aws_lc_rs::digest::{Context, SHA256};

use super::error::Error;

/// The hash of one record, over all before it. The first record's predecessor is zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Link(pub(crate) [u8; 32]);

impl Link {
    /// The next record's hash.
    pub(crate) fn next(self, domain: &str, record: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(domain.as_bytes());
        context.update(&self.0);
        context.update(record);
        let mut link = Self::default();
        for (to, from) in link.0.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        link
    }

    /// As it stands in a table; empty before the first record.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| Error::Damaged("a hash is not 64 hexadecimal digits".into()))
    }

    /// For a table.
    pub(crate) fn text(self) -> String {
        hex(&self.0)
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

/// The same behind another text.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or('0'));
        }
    }
}

/// The bytes of a hexadecimal text.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}
