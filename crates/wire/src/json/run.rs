//! How far a JSON string goes on in plain bytes: the one loop that looks at every byte of a prompt.

const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// The number of bytes before the first one that means something in a JSON string: a quote, a backslash, or a control character.
#[must_use]
pub fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut passed = 0;
    for word in words {
        if let Some(at) = first_special(u64::from_le_bytes(*word)) {
            return passed + at;
        }
        passed += 8;
    }
    passed + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Eight bytes in plain arithmetic. A borrow out of a byte can only mark one behind it, and the first mark is what counts.
fn first_special(word: u64) -> Option<usize> {
    let is = |byte: u64| {
        let zero = word ^ (ONES * byte);
        zero.wrapping_sub(ONES) & !zero
    };
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found = (is(0x22) | is(0x5c) | control) & (ONES << 7);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_before_the_first_byte_that_means_something() {
        for length in 0..70 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    bytes[length - 1] = b'"';
                    let expected = bytes.iter().position(|byte| is_special(*byte));
                    assert_eq!(Some(plain_run(&bytes)), expected, "{length} {at} {byte}");
                }
            }
            assert_eq!(plain_run(&vec![0xe9; length]), length);
        }
    }

    #[test]
    fn a_borrow_marks_nothing_before_the_first() {
        for (first, second) in (0..=255).flat_map(|first| (0..=255).map(move |second| (first, second))) {
            for at in 0..7 {
                let mut block = [b'a'; 8];
                (block[at], block[at + 1]) = (first, second);
                let expected = block.iter().position(|byte| is_special(*byte));
                assert_eq!(first_special(u64::from_le_bytes(block)), expected, "{first} {second}");
            }
        }
    }
}
