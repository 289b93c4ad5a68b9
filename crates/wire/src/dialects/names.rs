//! Names of tools and ids of calls in a dialect's alphabet and length. Shared by the dialects.

use std::borrow::Cow;

/// The room for the hash behind a name that was changed.
const HASH_BYTES: usize = 17;
/// The longest id that is made up of one that does not fit.
const ID_BYTES_MAX: usize = 128;

/// A name that fits, kept where it does; others change the same way everywhere.
pub(super) fn fit(name: &str, bytes_max: usize) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.len() <= bytes_max && name.bytes().all(fits) {
        return Cow::Borrowed(name);
    }
    // FNV-1a: stable over versions and machines, so that a conversation's prefix stays the same (WIRE 0.3). It tells apart what
    // would become alike.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let kept = name
        .chars()
        .map(|c| u8::try_from(c).ok().filter(|byte| fits(*byte)).map_or('_', char::from));
    let kept: String = kept.take(bytes_max.min(ID_BYTES_MAX) - HASH_BYTES).collect();
    Cow::Owned(format!("{kept}_{hash:016x}"))
}
