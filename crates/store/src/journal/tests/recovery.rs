//! What is open after a start, and what the database has yet to be told.

use super::super::OpenHolds;
use super::*;

#[test]
fn open_holds_and_what_was_not_applied_are_found_and_twice_the_same() {
    let folder = Folder::new();
    let journal = open(&folder);
    let entries = [
        hold(1),
        opened(7),
        hold(2),
        extension(1),
        settlement(2),
        hold(3),
        extension(3),
        extension(3),
        settlement(9),
        hold(4),
        settlement(4),
    ];
    let positions = append_all(&journal, &entries);
    for applied in 0..positions.len() {
        let mut replayed = Vec::new();
        let open = journal.recover(positions[applied], |entry| replayed.push(entry.clone())).unwrap();
        assert_eq!(replayed, entries[applied + 1..]);
        let found: Vec<_> = open
            .iter()
            .map(|open| (Entry::Hold(open.hold.clone()), open.extensions.len()))
            .collect();
        assert_eq!(found, [(hold(1), 1), (hold(3), 2)]);
        assert_eq!(open.iter().nth(1).unwrap().position, positions[4]);
        assert!(open.oldest().unwrap() < positions[0]);
        assert_eq!(journal.recover(positions[applied], |_| ()).unwrap(), open);
    }
    assert_eq!(journal.recover(Position::START, |_| ()).unwrap().len(), 2);
}

#[test]
fn a_database_that_is_ahead_or_too_far_behind_is_told() {
    let folder = Folder::new();
    let journal = open(&folder);
    let positions = append_all(&journal, &exchanges(10));
    let last = *positions.last().unwrap();
    let ahead = Position {
        offset: last.offset + 1,
        ..last
    };
    journal.forget_before(last, None).unwrap();
    for applied in [
        ahead,
        Position {
            segment: last.segment + 1,
            offset: 72,
        },
        Position::START,
        positions[0],
    ] {
        let error = journal.recover(applied, |_| ()).unwrap_err();
        assert!(matches!(error, JournalError::Missing { .. }), "{applied}: {error}");
    }
    // A place within a record is no place.
    let within = Position {
        offset: last.offset - 1,
        ..last
    };
    assert!(journal.recover(within, |_| ()).is_err());
}

/// The end of a segment, or a whole one that was just begun, is lost with the power, and its reader had seen it.
#[test]
fn a_journal_that_lost_what_was_read_goes_on_behind_it() {
    for whole_segment in [false, true] {
        let folder = Folder::new();
        let journal = open(&folder);
        let entries = exchanges(20);
        let positions = append_all(&journal, &entries);
        let reached = *positions.last().unwrap();
        let lost = positions.iter().filter(|at| at.segment == reached.segment).count();
        assert!(1 < reached.segment && lost < positions.len());
        drop(journal);
        if whole_segment {
            std::fs::remove_file(folder.segment(reached.segment)).unwrap();
        } else {
            let file = std::fs::OpenOptions::new()
                .write(true)
                .open(folder.segment(reached.segment))
                .unwrap();
            file.set_len(u64::from(reached.offset) - 10).unwrap();
        }
        let journal = open(&folder);
        assert!(journal.recover(reached, |_| ()).is_err(), "nobody has said yet that this is known");
        let behind = journal.go_on_behind(reached).unwrap().unwrap();
        assert!(reached < behind && behind == journal.written());
        assert_eq!(journal.go_on_behind(reached).unwrap(), None, "once");
        // Nothing new yet; then what is written now, however often the reader begins at the old place.
        for count in 0..3 {
            let mut replayed = Vec::new();
            journal.recover(reached, |entry| replayed.push(entry.clone())).unwrap();
            assert_eq!(replayed, entries[..count]);
            assert_eq!(rest(&mut journal.read(reached).unwrap()).unwrap(), entries[..count]);
            append_all(&journal, &entries[count..=count]);
        }
        drop(journal);
        let kept = if whole_segment { entries.len() - lost } else { entries.len() - 1 };
        let all: Vec<_> = entries[..kept].iter().chain(&entries[..3]).cloned().collect();
        assert_eq!(read_offline(&folder.0).unwrap(), all);
        // A journal that lacks whole segments is not the one that was read.
        let far = Position {
            segment: open(&folder).written().segment + 2,
            offset: 72,
        };
        assert!(matches!(open(&folder).go_on_behind(far), Err(JournalError::Missing { .. })));
    }
}

#[test]
fn nothing_is_open_when_everything_is_settled() {
    let mut open = OpenHolds::default();
    for entry in exchanges(5) {
        open.note(&entry, Position::START);
    }
    assert!(open.is_empty());
    assert_eq!(open.oldest(), None);
}
