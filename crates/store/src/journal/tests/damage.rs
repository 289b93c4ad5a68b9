//! Torn ends are cut off, whatever their length; damage is found, whatever bit it is, and named.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::format::{self, Parsed};
use super::super::{Cut, HEADER_BYTES};
use super::*;

const ONE_SEGMENT: Settings = Settings {
    segment_bytes: 1 << 30,
    ..SMALL
};

/// A segment with these entries, and where each of them ends.
fn one_segment(entries: &[Entry]) -> (Folder, Vec<usize>, Vec<u8>) {
    let folder = Folder::new();
    let journal = Journal::open(&folder.0, ONE_SEGMENT).unwrap().0;
    let ends = append_all(&journal, entries)
        .iter()
        .map(|position| position.offset as usize)
        .collect();
    drop(journal);
    let bytes = fs::read(folder.segment(1)).unwrap();
    (folder, ends, bytes)
}

/// Opens, reads, writes one more, and reads again.
fn reopened(folder: &Folder) -> Result<(Vec<Entry>, Option<Cut>), JournalError> {
    let (journal, recovery) = Journal::open(&folder.0, ONE_SEGMENT)?;
    let entries = rest(&mut journal.read(Position::START)?)?;
    journal.append(&[opened(99)])?;
    assert_eq!(rest(&mut journal.read(recovery.end)?)?, [opened(99)]);
    Ok((entries, recovery.cut))
}

#[test]
fn f3_4_a_file_cut_at_any_byte_keeps_what_stands_before() {
    let entries = exchanges(110);
    let (folder, ends, bytes) = one_segment(&entries);
    assert!(65_536 < bytes.len(), "{}", bytes.len());
    // Every byte of the last 64 KiB: the record that is cut is seen as cut.
    let mut begin = HEADER_BYTES;
    for &end in &ends {
        for cut in begin.max(bytes.len() - 65_536)..end {
            assert!(
                matches!(format::parse(&bytes[begin..cut]), Parsed::Short(wanted) if cut - begin < wanted),
                "{begin} {cut}"
            );
        }
        begin = end;
    }
    // The whole way, from the file on, at every byte of the last record, of a first one and of the header, and here and there.
    let mut dice = StdRng::seed_from_u64(1);
    let last = ends[ends.len() - 2]..bytes.len();
    let somewhere = (0..60).map(|_| dice.random_range(0..bytes.len()));
    for cut in last.step_by(3).chain((0..HEADER_BYTES + 30).step_by(2)).chain(somewhere) {
        fs::write(folder.segment(1), &bytes[..cut]).unwrap();
        let whole = ends.iter().take_while(|&&end| end <= cut).count();
        let (found, gone) = reopened(&folder).unwrap();
        assert_eq!(found, entries[..whole], "cut at {cut}");
        let kept = if whole == 0 { HEADER_BYTES } else { ends[whole - 1] };
        assert_eq!(gone.map_or(0, |gone| gone.bytes), cut.saturating_sub(kept) as u64);
    }
}

#[test]
fn pages_that_a_power_cut_left_unwritten_are_cut_off() {
    // The last record begins in one sector and ends in another.
    let crosses = |entries: &Vec<Entry>| {
        let (_, ends, bytes) = one_segment(entries);
        ends[ends.len() - 2].next_multiple_of(512) < bytes.len()
    };
    let entries = (1..).map(exchanges).find(crosses).unwrap();
    let (folder, ends, bytes) = one_segment(&entries);
    let last = ends[ends.len() - 2];
    for kept in [last, last.next_multiple_of(512), bytes.len()] {
        let mut torn = bytes[..kept].to_vec();
        torn.resize(bytes.len() + 4_096, 0);
        fs::write(folder.segment(1), torn).unwrap();
        let (found, cut) = reopened(&folder).unwrap();
        assert_eq!(
            found.len(),
            if kept == bytes.len() { entries.len() } else { entries.len() - 1 },
            "{kept}"
        );
        assert!(cut.is_some(), "{kept}");
    }
    // Not even the header was written.
    fs::write(folder.segment(1), [0; 4_096]).unwrap();
    assert_eq!(reopened(&folder).unwrap().0, []);
}

#[test]
fn f3_4_ten_thousand_bits_that_flip_are_all_found() {
    let folder = Folder::new();
    append_all(&open(&folder), &exchanges(4));
    let files: Vec<PathBuf> = (1..)
        .map(|number| folder.segment(number))
        .take_while(|path| path.exists())
        .collect();
    assert!(3 <= files.len());
    let open_files: Vec<_> = files
        .iter()
        .map(|path| OpenOptions::new().write(true).open(path).unwrap())
        .collect();
    let before: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    let total: usize = before.iter().map(Vec::len).sum();
    let mut dice = StdRng::seed_from_u64(2);
    for round in 0..10_000 {
        let (mut at, bit, mut file) = (dice.random_range(0..total), dice.random_range(0..8), 0);
        while before[file].len() <= at {
            at -= before[file].len();
            file += 1;
        }
        open_files[file].write_all_at(&[before[file][at] ^ 1 << bit], at as u64).unwrap();
        let found = read_offline(&folder.0);
        assert!(found.is_err(), "{round}: bit {bit} of byte {at} of segment {}: {found:?}", file + 1);
        if round % 100 == 0 {
            let opened = Journal::open(&folder.0, SMALL).and_then(|(journal, _)| journal.recover(Position::START, |_| ()));
            assert!(opened.is_err(), "bit {bit} of byte {at} of segment {}", file + 1);
        }
        open_files[file].write_all_at(&[before[file][at]], at as u64).unwrap();
    }
    assert!(read_offline(&folder.0).is_ok());
}

#[test]
fn damage_is_named_with_its_place_and_the_remedy_and_nothing_is_skipped() {
    let (folder, ends, mut bytes) = one_segment(&exchanges(3));
    bytes[ends[4] + 40] ^= 1;
    fs::write(folder.segment(1), &bytes).unwrap();
    let Err(error) = Journal::open(&folder.0, SMALL) else {
        unreachable!()
    };
    let text = error.to_string();
    assert!(text.contains(&format!("00000001.seg: damaged at byte {}", ends[4])), "{text}");
    assert!(text.contains("restore the file from a backup"), "{text}");
    assert_eq!(fs::read(folder.segment(1)).unwrap(), bytes, "nothing is changed");
}

/// Spoils a journal, with another one at hand.
type Spoil = fn(&Folder, &Folder);

#[test]
fn segments_that_are_missing_moved_or_replaced_are_found() {
    let fresh = || {
        let folder = Folder::new();
        append_all(&open(&folder), &exchanges(5));
        folder
    };
    let rows: [(&str, Spoil); 5] = [
        ("one is gone", |folder, _| fs::remove_file(folder.segment(2)).unwrap()),
        ("one stands twice", |folder, _| {
            fs::copy(folder.segment(2), folder.segment(3)).unwrap();
        }),
        ("one is of another journal", |folder, other| {
            fs::copy(other.segment(2), folder.segment(2)).unwrap();
        }),
        ("one lost its last record", |folder, _| {
            let file = OpenOptions::new().write(true).open(folder.segment(1)).unwrap();
            let lengths = records(&fs::read(folder.segment(1)).unwrap());
            let kept: usize = lengths[..lengths.len() - 1].iter().sum();
            file.set_len((HEADER_BYTES + kept) as u64).unwrap();
        }),
        ("two records changed places", |folder, _| {
            let bytes = fs::read(folder.segment(1)).unwrap();
            let lengths: Vec<usize> = records(&bytes);
            let (one, other) = bytes[HEADER_BYTES..].split_at(lengths[0]);
            let (other, behind) = other.split_at(lengths[1]);
            fs::write(folder.segment(1), [&bytes[..HEADER_BYTES], other, one, behind].concat()).unwrap();
        }),
    ];
    for (what, spoil) in rows {
        let (folder, other) = (fresh(), fresh());
        spoil(&folder, &other);
        let found = Journal::open(&folder.0, SMALL).and_then(|(journal, _)| journal.recover(Position::START, |_| ()));
        assert!(found.is_err(), "{what}: {found:?}");
        assert!(read_offline(&folder.0).is_err(), "{what}");
    }
}

#[test]
fn records_that_changed_places_in_the_live_segment_are_found() {
    let (folder, ends, bytes) = one_segment(&exchanges(2));
    let [one, other] = [HEADER_BYTES..ends[0], ends[0]..ends[1]].map(|record| &bytes[record]);
    fs::write(folder.segment(1), [&bytes[..HEADER_BYTES], other, one, &bytes[ends[1]..]].concat()).unwrap();
    let found = read_offline(&folder.0);
    assert!(found.unwrap_err().to_string().contains("does not follow the one before it"));
}

#[test]
fn a_segment_that_was_written_anew_with_all_its_sums_is_found() {
    let folder = Folder::new();
    append_all(&open(&folder), &exchanges(5));
    let mut bytes = fs::read(folder.segment(1)).unwrap();
    // One letter of the first record: a team of another name.
    let first = records(&bytes)[0];
    let at = bytes.windows(7).position(|window| window == b"support").unwrap();
    assert!(at < HEADER_BYTES + first);
    bytes[at] = b'x';
    let crc = crc32c::crc32c(&bytes[HEADER_BYTES + format::HEAD_BYTES..HEADER_BYTES + first - 1]);
    bytes[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&crc.to_le_bytes());
    let link = format::Header::link_of(bytes.first_chunk().unwrap());
    format::link(&mut bytes[HEADER_BYTES..], link);
    fs::write(folder.segment(1), bytes).unwrap();
    let found = read_offline(&folder.0);
    assert!(found.unwrap_err().to_string().contains("belongs behind another content"));
}

/// The lengths of a segment's records.
fn records(bytes: &[u8]) -> Vec<usize> {
    let (mut lengths, mut at) = (Vec::new(), HEADER_BYTES);
    while let Parsed::Record { payload, .. } = format::parse(&bytes[at..]) {
        lengths.push(format::RECORD_BYTES + payload.len());
        at += lengths[lengths.len() - 1];
    }
    lengths
}

#[test]
fn a_segment_that_was_only_begun_is_begun_again() {
    let folder = Folder::new();
    let entries = exchanges(2);
    append_all(&open(&folder), &entries);
    let last = (1..).take_while(|&number| folder.segment(number).exists()).last().unwrap();
    for begun in [0, 30, 71] {
        fs::write(folder.segment(last + 1), vec![7; begun]).unwrap();
        let journal = open(&folder);
        assert_eq!(journal.written().segment, last);
        assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap(), entries);
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let folder = Folder::new();
    append_all(&open(&folder), &exchanges(1));
    let right = fs::read(folder.segment(1)).unwrap();
    let mut dice = StdRng::seed_from_u64(3);
    for _ in 0..2_000 {
        // A right beginning, so that more than the header is reached.
        let mut bytes = right[..dice.random_range(0..right.len())].to_vec();
        bytes.extend((0..dice.random_range(0..300)).map(|_| dice.random::<u8>() & dice.random::<u8>()));
        fs::write(folder.segment(1), bytes).unwrap();
        let _ = read_offline(&folder.0);
    }
}
