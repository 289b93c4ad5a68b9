//! The vectors of GOVERNANCE section 5, and the ring against a list of every single event.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// Zone, window, an instant inside, the period's first instant and the first after it.
const PERIODS: &[(&str, &str, &str, &str, &str)] = &[
    // Clocks set back: 25 hours. Set forward: 23.
    (
        "Europe/Berlin",
        "day",
        "2026-10-25T12:00:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T23:00:00Z",
    ),
    (
        "Europe/Berlin",
        "day",
        "2027-03-28T12:00:00Z",
        "2027-03-27T23:00:00Z",
        "2027-03-28T22:00:00Z",
    ),
    (
        "America/New_York",
        "day",
        "2026-11-01T12:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    ),
    // No 00:00: the day begins with the jump to 01:00.
    (
        "Africa/Cairo",
        "day",
        "2027-04-30T12:00:00Z",
        "2027-04-29T22:00:00Z",
        "2027-04-30T21:00:00Z",
    ),
    (
        "Asia/Beirut",
        "day",
        "2027-03-28T12:00:00Z",
        "2027-03-27T22:00:00Z",
        "2027-03-28T21:00:00Z",
    ),
    (
        "America/Santiago",
        "day",
        "2026-09-06T12:00:00Z",
        "2026-09-06T04:00:00Z",
        "2026-09-07T03:00:00Z",
    ),
    // Two 00:00: the first counts, and the second lies in the same day.
    (
        "America/Havana",
        "day",
        "2026-11-01T04:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    ),
    (
        "America/Havana",
        "day",
        "2026-11-01T05:00:00Z",
        "2026-11-01T04:00:00Z",
        "2026-11-02T05:00:00Z",
    ),
    // Half an hour.
    (
        "Australia/Lord_Howe",
        "day",
        "2027-04-03T20:00:00Z",
        "2027-04-03T13:00:00Z",
        "2027-04-04T13:30:00Z",
    ),
    (
        "Australia/Lord_Howe",
        "day",
        "2026-10-03T20:00:00Z",
        "2026-10-03T13:30:00Z",
        "2026-10-04T13:00:00Z",
    ),
    // A date that a zone never had, and clocks set back over midnight: the hour before it comes again in the new day.
    (
        "Pacific/Apia",
        "day",
        "2011-12-30T09:59:59Z",
        "2011-12-29T10:00:00Z",
        "2011-12-30T10:00:00Z",
    ),
    (
        "Pacific/Apia",
        "day",
        "2011-12-30T10:00:00Z",
        "2011-12-30T10:00:00Z",
        "2011-12-31T10:00:00Z",
    ),
    (
        "America/St_Johns",
        "day",
        "2006-10-29T02:45:00Z",
        "2006-10-29T02:30:00Z",
        "2006-10-30T03:30:00Z",
    ),
    // A jump that skips half of the first hour: 23:30 became 00:30.
    (
        "America/Toronto",
        "day",
        "1919-03-31T12:00:00Z",
        "1919-03-31T04:30:00Z",
        "1919-04-01T04:00:00Z",
    ),
    // Months, quarters and years have the length that they have.
    (
        "UTC",
        "month",
        "2028-02-29T23:59:59Z",
        "2028-02-01T00:00:00Z",
        "2028-03-01T00:00:00Z",
    ),
    (
        "UTC",
        "month",
        "2027-02-28T23:59:59Z",
        "2027-02-01T00:00:00Z",
        "2027-03-01T00:00:00Z",
    ),
    ("UTC", "day", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
    (
        "Europe/Berlin",
        "month",
        "2026-10-31T22:59:59Z",
        "2026-09-30T22:00:00Z",
        "2026-10-31T23:00:00Z",
    ),
    (
        "Europe/Berlin",
        "month",
        "2026-12-31T23:00:00Z",
        "2026-12-31T23:00:00Z",
        "2027-01-31T23:00:00Z",
    ),
    (
        "UTC",
        "quarter",
        "2026-12-31T00:00:00Z",
        "2026-10-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    ),
    (
        "UTC",
        "quarter",
        "2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        "2027-04-01T00:00:00Z",
    ),
    (
        "Asia/Kolkata",
        "quarter",
        "2026-06-30T18:30:00Z",
        "2026-06-30T18:30:00Z",
        "2026-09-30T18:30:00Z",
    ),
    (
        "UTC",
        "year",
        "2028-12-31T23:59:59Z",
        "2028-01-01T00:00:00Z",
        "2029-01-01T00:00:00Z",
    ),
    // 2026-11-20 is a Friday.
    (
        "UTC",
        "week",
        "2026-11-20T00:00:00Z",
        "2026-11-16T00:00:00Z",
        "2026-11-23T00:00:00Z",
    ),
    (
        "UTC",
        "week(friday)",
        "2026-11-20T00:00:00Z",
        "2026-11-20T00:00:00Z",
        "2026-11-27T00:00:00Z",
    ),
    (
        "UTC",
        "week(sunday)",
        "2026-11-20T00:00:00Z",
        "2026-11-15T00:00:00Z",
        "2026-11-22T00:00:00Z",
    ),
    (
        "Europe/Berlin",
        "week",
        "2026-10-25T12:00:00Z",
        "2026-10-18T22:00:00Z",
        "2026-10-25T23:00:00Z",
    ),
];

#[test]
fn r_g5_periods_begin_with_the_first_instant_of_a_local_date() {
    for (zone, window, inside, start, end) in PERIODS {
        let zone_read = Zone::parse(zone).unwrap();
        let Some(Window::Calendar(calendar)) = Window::parse(window) else {
            unreachable!("{window}")
        };
        let expected = Period {
            start: at(start),
            end: at(end),
        };
        assert_eq!(calendar.period(&zone_read, at(inside)), expected, "{zone} {window} {inside}");
        for edge in [expected.start, expected.end - 1] {
            assert_eq!(calendar.period(&zone_read, edge), expected, "{zone} {window} {edge}");
        }
        assert_eq!(
            calendar.period(&zone_read, expected.end).start,
            expected.end,
            "{zone} {window}: the next one follows"
        );
    }
}

#[test]
fn windows_are_read_and_shown() {
    let rows = [
        ("day", "day"),
        ("week", "week"),
        ("week(monday)", "week"),
        ("week(sunday)", "week(sunday)"),
        ("month", "month"),
        ("quarter", "quarter"),
        ("year", "year"),
        ("never", "never"),
        ("rolling(30d)", "rolling(2592000s)"),
        ("rolling(90s)", "rolling(90s)"),
    ];
    for (text, shown) in rows {
        let window = Window::parse(text).unwrap();
        assert_eq!(window.to_string(), shown);
        assert_eq!(Window::parse(shown), Some(window));
    }
    for text in [
        "",
        "days",
        "week(someday)",
        "rolling",
        "rolling()",
        "rolling(0s)",
        "rolling(d)",
        "rolling(-1d)",
        "rolling(99999999w)",
    ] {
        assert_eq!(Window::parse(text), None, "{text}");
    }
}

#[test]
fn zones_have_iana_names() {
    for name in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"] {
        assert_eq!(Zone::parse(name).unwrap().name(), name);
    }
    for name in ["", "Europe/Atlantis", "CET+1", "../etc/passwd"] {
        assert_eq!(Zone::parse(name), None, "{name}");
    }
}

/// The zones that change most, at any time until 2100: periods follow each other without a gap.
#[test]
fn periods_tile_time() {
    for zone in [
        "Europe/Berlin",
        "Africa/Cairo",
        "America/Havana",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
    ] {
        let zone = Zone::parse(zone).unwrap();
        for calendar in [Calendar::Day, Calendar::Week(Weekday::Monday), Calendar::Month, Calendar::Quarter] {
            let mut period = calendar.period(&zone, at("2026-01-01T00:00:00Z"));
            for _ in 0..800 {
                let next = calendar.period(&zone, period.end);
                assert_eq!(next.start, period.end);
                assert!(next.end > next.start);
                assert_eq!(calendar.period(&zone, next.end - 1), next);
                period = next;
            }
        }
    }
}

#[test]
fn a_ring_says_when_there_is_room_again() {
    let mut ring = Ring::new(960_000);
    // Buckets of ten seconds.
    ring.add(5_000, 5_000, 3);
    ring.add(25_000, 25_000, 4);
    assert_eq!((ring.bucket(25_000), ring.lasting()), (20_000, true));
    assert_eq!(ring.sum(969_999), 7, "the oldest bucket counts whole");
    assert_eq!(
        [1, 3, 4, 7].map(|excess| ring.free_at(excess)),
        [Some(970_000), Some(970_000), Some(990_000), Some(990_000)]
    );
    assert_eq!((ring.free_at(8), ring.empty_at()), (None, Some(990_000)));
    assert_eq!((ring.sum(970_000), ring.sum(989_999), ring.sum(990_000)), (4, 4, 0));
    ring.add(990_000, 25_000, 9);
    assert_eq!(ring.sum(990_000), 0, "what is posted late counts where it was admitted");
}

proptest! {
    /// Against a list of all events: never less than what truly is in the window, never more than a bucket's width too much.
    #[test]
    fn a_ring_never_counts_too_little(window in 96_u64..200_000, steps in prop::collection::vec((0_i64..5_000, 0_i64..20), 1..200)) {
        let mut ring = Ring::new(window);
        let length = i64::try_from(window).unwrap();
        let (mut now, mut events) = (0, Vec::new());
        for (pause, amount) in steps {
            now += pause;
            ring.add(now, now, amount);
            events.push((now, amount));
            let within = |age: i64| events.iter().filter(|(at, _)| now - at < age).map(|(_, amount)| amount).sum::<i64>();
            let sum = ring.sum(now);
            prop_assert!(within(length) <= sum && sum <= within(length + length / 96 + 1), "{} {} at {}", within(length), sum, now);
        }
    }
}
