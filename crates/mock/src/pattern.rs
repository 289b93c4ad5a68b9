//! Patterns of names with figures in them (`status-{n}-retry-{n}`, `slow-first-byte-{d}`), shared by behaviours and faults.
//! One pattern is at once the parser and what the manual prints. It knows no alternatives; a variant is another row.
//! A pattern begins with a letter, never with a figure.

/// The figures of a name that fits the pattern: `{n}` a number, `{d}` a duration (`250ms`, `2s`, `1m`) in milliseconds.
pub(crate) fn figures(pattern: &str, name: &str) -> Option<Vec<u64>> {
    // Nearly all of the rows that a name is tried on end here.
    if pattern.as_bytes().first() != name.as_bytes().first() {
        return None;
    }
    let mut figures = Vec::new();
    let (mut pattern, mut name) = (pattern, name);
    while let Some((literal, rest)) = pattern.split_once('{') {
        let (kind, after) = rest.split_once('}')?;
        name = name.strip_prefix(literal)?;
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = name.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (figure, tail) = if kind == "d" { milliseconds(number, tail)? } else { (number, tail) };
        figures.push(figure);
        (pattern, name) = (after, tail);
    }
    (pattern == name).then_some(figures)
}

fn milliseconds(number: u64, tail: &str) -> Option<(u64, &str)> {
    for (unit, factor) in [("ms", 1), ("s", 1_000), ("m", 60_000)] {
        if let Some(rest) = tail.strip_prefix(unit) {
            return Some((number.checked_mul(factor)?, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::figures;

    #[test]
    fn rows() {
        let rows: [(&str, &str, Option<&[u64]>); 10] = [
            ("echo", "echo", Some(&[])),
            ("echo", "echo-2", None),
            ("lorem-{n}", "lorem-200", Some(&[200])),
            ("lorem-{n}", "lorem-", None),
            ("lorem-{n}", "lorem-2x", None),
            ("stream-{n}-{d}", "stream-40-20ms", Some(&[40, 20])),
            ("slow-first-byte-{d}", "slow-first-byte-2s", Some(&[2000])),
            ("slow-first-byte-{d}", "slow-first-byte-2", None),
            ("cut-after-{n}-chunks", "cut-after-5-chunks", Some(&[5])),
            ("lorem-{n}", "lorem-99999999999999999999", None),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(figures(pattern, name).as_deref(), expected, "{pattern} {name}");
        }
    }
}
