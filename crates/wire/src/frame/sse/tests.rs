//! Framing rows, and the same events however the bytes are cut.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn events(chunks: &[&[u8]]) -> Result<Vec<(String, String)>, Malformed> {
    let mut splitter = Splitter::default();
    let mut found = Vec::new();
    let mut each = |event: &[u8]| {
        if let Some(event) = read(event)? {
            found.push((event.name.to_owned(), event.data.into_owned()));
        }
        Ok(())
    };
    for chunk in chunks {
        splitter.push(chunk, &mut each)?;
    }
    let rest = splitter.take_rest();
    if !rest.is_empty() {
        each(&rest)?;
    }
    Ok(found)
}

fn pair(name: &str, data: &str) -> (String, String) {
    (name.to_owned(), data.to_owned())
}

#[test]
fn frames_are_read_as_the_specification_says() {
    let rows: &[(&str, &[(&str, &str)])] = &[
        ("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]),
        ("data:a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]),
        ("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]),
        ("event: ping\ndata: {}\n\n", &[("ping", "{}")]),
        (": OPENROUTER PROCESSING\n\ndata: a\n\n", &[("", "a")]),
        ("data: a\ndata: b\n\n", &[("", "a\nb")]),
        ("id: 7\nretry: 10\ndata: a\n\n", &[("", "a")]),
        ("\u{feff}data: a\n\n", &[("", "a")]),
        ("\n\n\ndata: a\n\n\n\n", &[("", "a")]),
        ("data\n\n", &[("", "")]),
        ("data: a", &[("", "a")]),
        ("event: e\n\n", &[("e", "")]),
    ];
    for (text, expected) in rows {
        let expected: Vec<_> = expected.iter().map(|(name, data)| pair(name, data)).collect();
        assert_eq!(events(&[text.as_bytes()]).unwrap(), expected, "{text:?}");
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            assert_eq!(events(&[left, right]).unwrap(), expected, "{text:?} cut at {cut}");
        }
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(events(&single).unwrap(), expected, "{text:?} byte by byte");
    }
}

#[test]
fn f17_an_endless_line_is_cut_at_one_mebibyte() {
    let line = [b"data: ".as_slice(), &vec![b'x'; EVENT_BYTES_MAX]].concat();
    assert!(events(&[&line]).unwrap_err().message.contains("longer than 1 MiB"));
}

#[test]
fn f18_invalid_utf8_is_refused_never_replaced() {
    assert!(events(&[b"data: \xff\n\n"]).unwrap_err().message.contains("UTF-8"));
}

#[test]
fn a_line_that_is_no_field_is_a_broken_frame() {
    assert!(events(&[b"<html>oops</html>\n\n"]).is_err());
}

#[test]
fn r_d1_any_chunking_gives_the_same_events() {
    let text = "event: a\r\ndata: 😀 été\r\n\r\n: c\n\ndata: {\"x\":\"\\n\"}\n\ndata: 1\ndata: 2\r\rdata: [DONE]\n\n";
    let whole = events(&[text.as_bytes()]).unwrap();
    let mut seed: u64 = 7;
    for _ in 0..10_000 {
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let take = 1 + usize::try_from(seed >> 33).unwrap() % 9;
            let (left, right) = rest.split_at(take.min(rest.len()));
            chunks.push(left);
            rest = right;
        }
        assert_eq!(events(&chunks).unwrap(), whole);
    }
}
