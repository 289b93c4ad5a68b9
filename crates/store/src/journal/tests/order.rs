//! What was written is read, in order, from any place, over segments and restarts.

use proptest::prelude::*;

use super::*;

#[test]
fn entries_come_back_in_order_over_segments_and_restarts() {
    let (folder, entries) = (Folder::new(), exchanges(20));
    let mut positions = Vec::new();
    for part in entries.chunks(7) {
        let journal = open(&folder);
        positions.extend(append_all(&journal, part));
    }
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    let (journal, recovery) = Journal::open(&folder.0, SMALL).unwrap();
    assert_eq!((Some(&recovery.end), recovery.cut), (positions.last(), None));
    assert!(5 < journal.state().segments, "{:?}", journal.state());
    assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap(), entries);
    // From behind each of them the others follow.
    for (index, &position) in positions.iter().enumerate() {
        let mut reader = journal.read(position).unwrap();
        assert_eq!(rest(&mut reader).unwrap(), entries[index + 1..]);
        assert_eq!(reader.position(), *positions.last().unwrap());
    }
    drop(journal);
    assert_eq!(read_offline(&folder.0).unwrap(), entries);
}

#[test]
fn a_reader_goes_on_when_more_is_written() {
    let folder = Folder::new();
    let journal = open(&folder);
    let mut reader = journal.read(Position::START).unwrap();
    for entry in exchanges(10) {
        assert_eq!(reader.next().unwrap(), None);
        journal.append(std::slice::from_ref(&entry)).unwrap();
        assert_eq!(reader.next().unwrap(), Some(entry));
        assert_eq!(reader.position(), journal.written());
    }
}

#[test]
fn segments_are_forgotten_from_the_oldest_and_never_the_live_one() {
    let (folder, entries) = (Folder::new(), exchanges(20));
    let journal = open(&folder);
    let positions = append_all(&journal, &entries);
    let (all, last) = (journal.state(), *positions.last().unwrap());
    // A hold in the third segment is open: it and what follows stays.
    let index = positions.iter().position(|position| position.segment == 3).unwrap();
    assert_eq!(journal.forget_before(last, Some(positions[index])).unwrap(), 2);
    assert!(!folder.segment(2).exists() && folder.segment(3).exists());
    assert_eq!(journal.state().segments, all.segments - 2);
    assert_eq!(journal.forget_before(positions[0], None).unwrap(), 0);
    assert!(matches!(journal.read(Position::START), Err(JournalError::Missing { .. })));
    // The end of the segment that is gone is as good as the begin of the next.
    let behind = positions.iter().rfind(|position| position.segment == 2).unwrap();
    assert_eq!(rest(&mut journal.read(*behind).unwrap()).unwrap(), entries[index..]);
    assert_eq!(journal.forget_before(last, None).unwrap(), all.segments - 3);
    assert_eq!(journal.state().segments, 1);
    assert_eq!(
        journal.state().bytes,
        std::fs::metadata(folder.segment(last.segment)).unwrap().len()
    );
    // It goes on from there, also after a restart.
    drop(journal);
    let journal = open(&folder);
    let mut reader = journal.read(last).unwrap();
    append_all(&journal, &entries);
    assert_eq!(rest(&mut reader).unwrap(), entries);
}

#[test]
fn a_full_journal_refuses_holds_and_takes_their_ends() {
    let folder = Folder::new();
    let settings = Settings {
        total_bytes_max: 400,
        ..SMALL
    };
    let (journal, _) = Journal::open(&folder.0, settings).unwrap();
    append_all(&journal, &[hold(1), hold(2)]);
    let error = journal.append(&[hold(3)]).unwrap_err();
    assert!(error.to_string().contains("bring the database back"), "{error}");
    append_all(&journal, &[settlement(1), settlement(2)]);
    assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap().len(), 4);
}

#[test]
fn one_process_at_a_time() {
    let folder = Folder::new();
    let journal = open(&folder);
    let Err(error) = Journal::open(&folder.0, SMALL) else {
        unreachable!()
    };
    let text = error.to_string();
    assert!(
        text.contains(&format!("(process {})", std::process::id())) && text.contains("`data_dir` of its own"),
        "{text}"
    );
    let id = journal.id();
    drop(journal);
    assert_eq!(open(&folder).id(), id);
    assert_ne!(open(&Folder::new()).id(), id);
}

#[test]
fn positions_are_written_and_read() {
    for position in [
        Position::START,
        Position { segment: 1, offset: 72 },
        Position {
            segment: 123_456_789,
            offset: u32::MAX,
        },
    ] {
        assert_eq!(position.to_string().parse(), Ok(position));
        assert_eq!(Position::from_i64(position.to_i64()), position);
    }
    assert_eq!(Position { segment: 1, offset: 72 }.to_string(), "00000001:72");
    assert!("12".parse::<Position>().unwrap_err().contains("SEGMENT:OFFSET"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_entries_in_any_groups_come_back(
        groups in prop::collection::vec((0_u64..50, prop::collection::vec(0_u8..4, 0..6)), 0..12),
        segment_bytes in 1_u32..4_000,
        name in "\\PC{0,40}",
    ) {
        let folder = Folder::new();
        let settings = Settings { segment_bytes, ..SMALL };
        let mut written = Vec::new();
        for (number, kinds) in &groups {
            let (journal, recovery) = Journal::open(&folder.0, settings).unwrap();
            prop_assert_eq!(recovery.cut, None);
            let mut entries: Vec<Entry> = kinds.iter().map(|kind| match kind {
                0 => opened(*number),
                1 => hold(*number),
                2 => extension(*number),
                _ => settlement(*number),
            }).collect();
            if let Some(Entry::Hold(hold)) = entries.first_mut() {
                hold.party.feature = Some(name.clone());
            }
            prop_assert_eq!(journal.append(&entries).unwrap(), journal.written());
            written.extend(entries);
        }
        let journal = Journal::open(&folder.0, settings).unwrap().0;
        prop_assert_eq!(rest(&mut journal.read(Position::START).unwrap()).unwrap(), written);
    }
}
