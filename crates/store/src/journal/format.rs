//! The bytes of a segment: its header, its records, and how a torn end is told from damage. Pure; no file is opened here.
//!
//! ```text
//! header   magic 8 · version u32 · segment u32 · journal u128 · length of the segment before u32 · its SHA-256 · CRC32C u32
//! record   kind u8 and length u24 · link u32 · CRC32C of the payload u32 · CRC32C of these twelve bytes u32 · payload · end mark u8
//! ```
//!
//! Little-endian. A record's `link` is the header's CRC of the record before (of the first one: the segment header's), so that no record
//! can be missing, repeated or moved; the SHA-256 in the next header holds the segments together. The end mark is never zero, so that
//! zeros at a file's end are pages that were never written.

/// The bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 72;
/// The bytes of a record without its payload.
pub(super) const RECORD_BYTES: usize = HEAD_BYTES + 1;
/// The bytes of a record before its payload.
pub(super) const HEAD_BYTES: usize = 16;
/// The longest payload of a record.
pub(super) const PAYLOAD_BYTES_MAX: usize = (1 << 24) - 1;

const MAGIC: [u8; 8] = *b"TGJRNL\r\n";
/// Of segments and of what stands in a payload: `postcard` does not describe itself, so a changed `Entry` is a new version.
const VERSION: u32 = 1;
/// A record that holds an entry of the ledger.
const ENTRY: u8 = 1;
/// The last byte of every record.
const END_MARK: u8 = 0xA5;
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What stands at the beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The journal's id: random, made with the first segment.
    pub(super) journal: u128,
    /// The segment's number, from 1.
    pub(super) segment: u32,
    /// How long the segment before is; 0: there is none.
    pub(super) before_bytes: u32,
    /// The SHA-256 of the segment before; zeros: there is none.
    pub(super) before_sha256: [u8; 32],
}

impl Header {
    /// The header's bytes.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let fields: [&[u8]; 6] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.segment.to_le_bytes(),
            &self.journal.to_le_bytes(),
            &self.before_bytes.to_le_bytes(),
            &self.before_sha256,
        ];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let (here, behind) = rest.split_at_mut(field.len());
            here.copy_from_slice(field);
            rest = behind;
        }
        let (summed, crc) = bytes.split_at_mut(HEADER_BYTES - 4);
        crc.copy_from_slice(&crc32c::crc32c(summed).to_le_bytes());
        bytes
    }

    /// Reads a header, or says why it is none.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, String> {
        let mut fields = Fields(bytes);
        let (magic, version, segment) = (fields.take::<8>(), fields.u32(), fields.u32());
        let header = Self {
            journal: u128::from_le_bytes(fields.take()),
            segment,
            before_bytes: fields.u32(),
            before_sha256: fields.take(),
        };
        let crc = fields.u32();
        if magic != MAGIC {
            return Err("it does not begin like a segment of a journal".to_owned());
        }
        if crc != Self::link_of(bytes) {
            return Err("its header is damaged".to_owned());
        }
        if version != VERSION {
            return Err(format!("it has format {version}, and this version of tollgate reads {VERSION}"));
        }
        Ok(header)
    }

    /// What the first record's `link` must be.
    pub(super) fn link_of(bytes: &[u8; HEADER_BYTES]) -> u32 {
        crc32c::crc32c(bytes.get(..HEADER_BYTES - 4).unwrap_or_default())
    }
}

/// Begins a record at the end of `buffer`; the payload is appended behind it, then [`close`] is called with what this gave.
pub(super) fn open(buffer: &mut Vec<u8>) -> usize {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; HEAD_BYTES]);
    at
}

/// Ends the record that begins at `at`. Its link is not known yet. `None`: the payload is too long.
pub(super) fn close(buffer: &mut Vec<u8>, at: usize) -> Option<()> {
    let (head, payload) = buffer.get_mut(at..)?.split_at_mut_checked(HEAD_BYTES)?;
    if PAYLOAD_BYTES_MAX < payload.len() {
        return None;
    }
    let bytes = u32::try_from(payload.len()).ok()?;
    let kind_and_bytes = bytes << 8 | u32::from(ENTRY);
    head.get_mut(..4)?.copy_from_slice(&kind_and_bytes.to_le_bytes());
    head.get_mut(8..12)?.copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    buffer.push(END_MARK);
    Some(())
}

/// Links closed records, one behind the other, to what stands before them; the link of what follows.
pub(super) fn link(mut records: &mut [u8], mut link: u32) -> u32 {
    while let Some((head, rest)) = records.split_first_chunk_mut::<HEAD_BYTES>() {
        let mut fields = Fields(head.as_slice());
        let payload_bytes = (fields.u32() >> 8) as usize;
        let (summed, crc) = head.split_at_mut(HEAD_BYTES - 4);
        if let Some(place) = summed.get_mut(4..8) {
            place.copy_from_slice(&link.to_le_bytes());
        }
        link = crc32c::crc32c(summed);
        crc.copy_from_slice(&link.to_le_bytes());
        records = rest.get_mut(payload_bytes + 1..).unwrap_or_default();
    }
    link
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A record that is whole.
    Record {
        /// The payload.
        payload: &'a [u8],
        /// What it says that the record before has as its sum.
        link: u32,
        /// Its own sum, which the next record must name.
        next_link: u32,
    },
    /// The bytes end within a record: it takes so many in all, as far as can be said.
    Short(usize),
    /// No record, or a damaged one.
    Bad(&'static str),
}

/// Reads the record that begins `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Parsed::Short(RECORD_BYTES);
    };
    let mut fields = Fields(head.as_slice());
    let (kind_and_bytes, link, payload_crc, next_link) = (fields.u32(), fields.u32(), fields.u32(), fields.u32());
    if crc32c::crc32c(head.get(..HEAD_BYTES - 4).unwrap_or_default()) != next_link {
        return Parsed::Bad("the head of a record is damaged");
    }
    let payload_bytes = (kind_and_bytes >> 8) as usize;
    let Some((&end_mark, payload)) = rest.get(..=payload_bytes).and_then(<[u8]>::split_last) else {
        return Parsed::Short(RECORD_BYTES + payload_bytes);
    };
    if crc32c::crc32c(payload) != payload_crc || end_mark != END_MARK {
        return Parsed::Bad("a record is damaged");
    }
    if kind_and_bytes.to_le_bytes().first() != Some(&ENTRY) {
        return Parsed::Bad("a record is of a kind that this version of tollgate does not know");
    }
    Parsed::Record { payload, link, next_link }
}

/// Whether the last bytes of a file, which begin at `offset` where no record is, are what a power cut leaves of a write: pages that were
/// never written, which are zeros from the begin of a sector on. A record that was whole once never ends with a zero.
pub(super) fn is_unwritten(tail: &[u8], offset: u64) -> bool {
    let written = tail.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let position = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(written);
    // Nothing at all was written of it, or nothing from a sector on.
    written < tail.len() && (written == 0 || position.next_multiple_of(SECTOR_BYTES) - position < tail.len() - written)
}

/// Fixed fields, read one behind the other; missing bytes are zeros, which no sum agrees with.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((here, rest)) = self.0.split_first_chunk::<N>() else {
            return [0; N];
        };
        self.0 = rest;
        *here
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}
