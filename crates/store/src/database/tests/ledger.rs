//! The ledger's part of the suite.

use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Extension, Hold, Opened, Party, Posting, Settlement, UsageSource};
use tollgate_policy::money::NanoUsd;
use tollgate_wire::usage::Usage;

use super::super::Database;
use super::super::ledger::{Applied, Dimension, Flaw, Interval, Ledger, Page, Position, SpendQuery, Watch};
use super::stage::Stage;

const JOURNAL: &str = "here";
/// 2026-11-20T13:00:00Z.
const START_MS: u64 = 1_795_179_600_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const BUDGET: AccountId = AccountId(0xfedc_ba98_7654_3210_0000_0000_0000_0001);

fn nobody(_: &Opened, _: i64) -> Option<Watch> {
    None
}

async fn apply(database: &Database, batch: &[(Position, Entry)]) -> Applied {
    database.apply(JOURNAL, batch, &nobody).await.unwrap()
}

/// Places entries one after the other from a position on.
fn placed(first: i64, entries: impl IntoIterator<Item = Entry>) -> Vec<(Position, Entry)> {
    let numbered = entries.into_iter().zip(first..);
    numbered
        .map(|(entry, number)| (Position(number / 10, number % 10), entry))
        .collect()
}

fn opened() -> Entry {
    Entry::Opened(Opened {
        account: BUDGET,
        rule: "team-budget".into(),
        scope: vec![("team".into(), "red".into())],
    })
}

fn charge(window: i64, amount: i64) -> Charge {
    Charge {
        account: BUDGET,
        window,
        amount,
    }
}

fn posting(attempt: u32, model: &str, cost: i64) -> Posting {
    Posting {
        attempt,
        provider: "acme".into(),
        model: model.into(),
        usage: Usage {
            input: 100,
            output: 20,
            cache_read: 30,
            cache_write_5m: 4,
            cache_write_1h: 5,
            reasoning: 6,
            ..Usage::default()
        },
        source: UsageSource::Provider,
        cost: NanoUsd(cost),
        price_version: "p1".into(),
    }
}

fn party(team: &str) -> Party {
    Party {
        team: team.into(),
        user: Some("eve".into()),
        key: None,
        feature: Some("chat".into()),
        route: "main".into(),
    }
}

fn settled(request: &str, at_ms: u64, team: &str, cost: i64) -> Settlement {
    Settlement {
        request: request.into(),
        at_ms,
        party: party(team),
        ended: Ended::Posted,
        postings: vec![posting(1, "acme/large", cost)],
        charges: vec![charge(0, cost)],
        overrun: false,
        late: false,
    }
}

fn end(request: &str, at_ms: u64, team: &str, cost: i64) -> Entry {
    Entry::Settlement(settled(request, at_ms, team, cost))
}

fn hold(request: &str) -> Hold {
    Hold {
        request: request.into(),
        at_ms: START_MS,
        expires_ms: START_MS + 60_000,
        party: party("red"),
        model: "acme/large".into(),
        amount: NanoUsd(50),
        input_tokens: 10,
        charges: vec![charge(0, 50)],
    }
}

async fn posted(database: &Database) -> i64 {
    let balances = database.balances(0).await.unwrap();
    balances.iter().map(|balance| balance.posted).sum()
}

fn all() -> SpendQuery {
    SpendQuery {
        to_ms: i64::MAX / 2,
        ..SpendQuery::default()
    }
}

async fn spent(database: &Database) -> i64 {
    let spend = database.spend(&all()).await.unwrap();
    spend.iter().map(|line| line.totals.cost).sum()
}

async fn sound(database: &Database) -> u64 {
    let verified = database.verify().await.unwrap();
    assert_eq!(verified.flaw, None);
    verified.rows
}

pub(super) async fn an_entry_counts_once_however_batches_overlap(stage: Stage) {
    let database = &stage.database;
    assert_eq!(database.position(JOURNAL).await.unwrap(), None);
    let entries = (1..=30).map(|number| end(&format!("r{number}"), START_MS, "red", number));
    let batch = placed(1, std::iter::once(opened()).chain(entries));
    for (range, fresh) in [(0..10, 10), (0..10, 0), (5..20, 10), (19..20, 0), (0..31, 11), (31..31, 0)] {
        assert_eq!(apply(database, &batch[range.clone()]).await.entries, fresh, "{range:?}");
    }
    assert_eq!(database.position(JOURNAL).await.unwrap(), Some(Position(3, 1)));
    let sum = (1..=30).sum::<i64>();
    assert_eq!((posted(database).await, spent(database).await), (sum, sum));
    assert_eq!(sound(database).await, 30);
    let again = Database::open(&stage.source).await.unwrap();
    assert_eq!(
        (posted(&again).await, again.position(JOURNAL).await.unwrap()),
        (sum, Some(Position(3, 1)))
    );
    again.close().await;
}

pub(super) async fn rows_carry_what_was_posted(stage: Stage) {
    let two = Settlement {
        postings: vec![posting(1, "acme/large", 7), posting(3, "acme/small", 5)],
        charges: vec![charge(0, 12), charge(600, 12)],
        overrun: true,
        ..settled("two", START_MS, "red", 0)
    };
    let nothing = Settlement {
        ended: Ended::Voided,
        postings: Vec::new(),
        charges: Vec::new(),
        ..settled("nothing", START_MS + 1, "red", 0)
    };
    let late = Settlement {
        late: true,
        ..settled("two", START_MS + 2, "red", 1)
    };
    let entries = [two, nothing, late].map(Entry::Settlement);
    apply(&stage.database, &placed(1, entries)).await;

    let page = Page {
        limit: 3,
        ..Page::default()
    };
    let rows = stage.database.rows(&page).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let totals = (row.totals.requests, row.totals.input, row.totals.reasoning, row.totals.cost);
            (
                row.seq,
                row.request.as_str(),
                row.attempt,
                row.model.as_str(),
                totals,
                row.ended.as_str(),
                row.overrun,
                row.late,
            )
        })
        .collect();
    let expected = [
        (4, "two", 1, "acme/large", (0, 100, 6, 1), "posted", false, true),
        (3, "nothing", 0, "", (0, 0, 0, 0), "voided", false, false),
        (2, "two", 3, "acme/small", (1, 100, 6, 5), "posted", true, false),
    ];
    assert_eq!(told, expected);
    let rest = Page {
        before: Some(2),
        ..page.clone()
    };
    let rest = stage.database.rows(&rest).await.unwrap();
    assert_eq!(rest.len(), 1);
    let row = &rest[0];
    assert_eq!(
        (row.user.as_str(), row.key.as_str(), row.source.as_str(), row.at_ms),
        ("eve", "", "provider", START_MS as i64)
    );
    let account = "fedcba98765432100000000000000001";
    assert_eq!(row.charges, format!("[[\"{account}\",0,12],[\"{account}\",600,12]]"));
    let of_request = Page {
        request: Some("two".into()),
        limit: 10,
        before: None,
    };
    assert_eq!(stage.database.rows(&of_request).await.unwrap().len(), 3);
    assert_eq!(sound(&stage.database).await, 4);
}

pub(super) async fn a_hold_stays_open_until_its_end(stage: Stage) {
    let database = &stage.database;
    let held = |request| Entry::Hold(hold(request));
    let other = Charge {
        account: AccountId(2),
        window: 0,
        amount: 25,
    };
    let grown = Entry::Extension(Extension {
        request: "b".into(),
        at_ms: START_MS + 1,
        amount: NanoUsd(25),
        charges: vec![charge(0, -50), other],
    });
    let batches = [
        (
            placed(1, [held("a"), end("a", START_MS, "red", 5), held("b"), held("c")]),
            vec!["b", "c"],
        ),
        (placed(5, [grown, end("c", START_MS, "red", 5)]), vec!["b"]),
        (placed(7, [end("b", START_MS, "red", 5)]), vec![]),
    ];
    for (batch, open) in batches {
        apply(database, &batch).await;
        let holds = database.open_holds(JOURNAL).await.unwrap();
        let names: Vec<&str> = holds.iter().map(|hold| hold.request.as_str()).collect();
        assert_eq!(names, open);
        if open == ["b"] {
            let expected = Hold {
                amount: NanoUsd(75),
                charges: vec![other],
                ..hold("b")
            };
            assert_eq!(holds, [expected]);
        }
    }
}

pub(super) async fn spend_is_split_cut_and_filtered(stage: Stage) {
    let database = &stage.database;
    let rows = [
        (0, "red", 1),
        (0, "blue", 2),
        (HOUR_MS, "red", 4),
        (DAY_MS, "red", 8),
        (DAY_MS, "blue", 16),
    ];
    let entries = rows
        .iter()
        .enumerate()
        .map(|(n, (later, team, cost))| end(&n.to_string(), START_MS + later, team, *cost));
    apply(database, &placed(1, entries)).await;
    let at = |later: u64| (START_MS + later) as i64;
    let day = at(0) - at(0) % DAY_MS as i64;
    let team = vec![Dimension::Team];
    let red = vec![(Dimension::Team, vec!["red".to_owned(), "green".to_owned()])];
    let cases = [
        (vec![], Interval::None, all(), vec![(0, "", 31)]),
        (team.clone(), Interval::None, all(), vec![(0, "blue", 18), (0, "red", 13)]),
        (
            vec![],
            Interval::Hour,
            all(),
            vec![(at(0), "", 3), (at(HOUR_MS), "", 4), (at(DAY_MS), "", 24)],
        ),
        (vec![], Interval::Day, all(), vec![(day, "", 7), (day + DAY_MS as i64, "", 24)]),
        (
            team.clone(),
            Interval::None,
            SpendQuery { filters: red, ..all() },
            vec![(0, "red", 13)],
        ),
        (
            team.clone(),
            Interval::None,
            SpendQuery {
                filters: vec![(Dimension::Model, vec![])],
                ..all()
            },
            vec![],
        ),
        (
            vec![],
            Interval::None,
            SpendQuery {
                from_ms: at(HOUR_MS) + 5,
                to_ms: at(DAY_MS) + 1,
                ..all()
            },
            vec![(0, "", 28)],
        ),
        (
            vec![],
            Interval::None,
            SpendQuery {
                to_ms: at(HOUR_MS),
                ..all()
            },
            vec![(0, "", 3)],
        ),
    ];
    for (by, interval, query, expected) in cases {
        let query = SpendQuery { by, interval, ..query };
        let lines = database.spend(&query).await.unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.from_ms, line.values.first().map_or("", String::as_str), line.totals.cost))
            .collect();
        assert_eq!(told, expected, "{query:?}");
    }
    let both = SpendQuery {
        by: vec![Dimension::Model, Dimension::Team],
        ..all()
    };
    let lines = database.spend(&both).await.unwrap();
    assert_eq!(lines[0].values, ["acme/large", "blue"], "in the order asked for");
    assert_eq!(
        (lines[0].totals.requests, lines[0].totals.input, lines[0].totals.cache_write_1h),
        (2, 200, 10)
    );
}

pub(super) async fn r_c11_an_alert_is_due_once_per_account_window_and_threshold(stage: Stage) {
    let watched = |opened: &Opened, window: i64| {
        assert_eq!((opened.rule.as_str(), opened.scope.len()), ("team-budget", 1));
        (window == 0).then(|| Watch {
            limit: 100,
            percents: vec![50, 80, 100],
            rolling_s: None,
        })
    };
    let steps = [(49, 0), (1, 1), (1, 0), (60, 2), (-100, 0), (100, 0)];
    let mut number = 2;
    apply(&stage.database, &placed(1, [opened()])).await;
    for (cost, alerts) in steps {
        let batch = placed(number, [end(&number.to_string(), START_MS, "red", cost)]);
        let applied = stage.database.apply(JOURNAL, &batch, &watched).await.unwrap();
        assert_eq!(applied.alerts, alerts, "{cost}");
        number += 1;
    }
}

pub(super) async fn r_c11_a_rolling_window_is_told_about_once_in_its_length(stage: Stage) {
    let watched = |_: &Opened, _: i64| {
        Some(Watch {
            limit: 100,
            percents: vec![100],
            rolling_s: Some(100),
        })
    };
    // Buckets of 10 s; the amounts of the last 100 s count together, and those of the bucket in which that time began.
    let steps = [
        (1000, 60, 0),
        (1050, 39, 0),
        (1090, 1, 1),
        (1095, 50, 0),
        (1100, 20, 1),
        (1110, 9, 0),
        (1400, 99, 0),
        (1500, 1, 1),
        (1710, 99, 0),
        (1820, 1, 0),
    ];
    apply(&stage.database, &placed(1, [opened()])).await;
    for (number, (window, amount, alerts)) in (2..).zip(steps) {
        let settlement = Settlement {
            charges: vec![charge(window, amount)],
            ..settled(&number.to_string(), START_MS, "red", amount)
        };
        let batch = placed(number, [Entry::Settlement(settlement)]);
        let applied = stage.database.apply(JOURNAL, &batch, &watched).await.unwrap();
        assert_eq!(applied.alerts, alerts, "{window}");
    }
}

pub(super) async fn r_a1_text_of_callers_stays_text(stage: Stage) {
    let texts = [
        "'; DROP TABLE ledger; --",
        "\"]]",
        "$1",
        "a\0b",
        "\u{1f600}",
        "%_\\",
        "\u{7}",
        "007",
        "null",
    ];
    for (number, text) in (1..).zip(texts) {
        let settlement = Settlement {
            party: Party {
                user: Some(text.into()),
                ..party(text)
            },
            ..settled(text, START_MS, "", 1)
        };
        apply(&stage.database, &placed(number, [Entry::Settlement(settlement)])).await;
        let query = SpendQuery {
            by: vec![Dimension::User],
            filters: vec![(Dimension::Team, vec![text.replace('\0', "\u{fffd}")])],
            ..all()
        };
        let lines = stage.database.spend(&query).await.unwrap();
        assert_eq!(lines.len(), 1, "{text:?}");
        assert_eq!(lines[0].values, [text.replace('\0', "\u{fffd}")]);
    }
    assert_eq!(sound(&stage.database).await, texts.len() as u64);
}

pub(super) async fn verify_finds_every_change(stage: Stage) {
    let entries = (1..=20).map(|number| end(&number.to_string(), START_MS + number, "red", 10));
    apply(&stage.database, &placed(1, entries)).await;
    let hour = (START_MS / HOUR_MS) as i64;
    let account = || "fedcba98765432100000000000000001".to_owned();
    let tampered = [
        (
            "UPDATE ledger SET cost = 9 WHERE seq = 5",
            "UPDATE ledger SET cost = 10 WHERE seq = 5",
            Flaw::Changed(5),
        ),
        (
            "UPDATE ledger SET team = 'blue' WHERE seq = 1",
            "UPDATE ledger SET team = 'red' WHERE seq = 1",
            Flaw::Changed(1),
        ),
        (
            "UPDATE ledger SET late = 1 WHERE seq = 7",
            "UPDATE ledger SET late = 0 WHERE seq = 7",
            Flaw::Changed(7),
        ),
        (
            "UPDATE ledger SET seq = 30 WHERE seq = 9",
            "UPDATE ledger SET seq = 9 WHERE seq = 30",
            Flaw::Missing(9),
        ),
        (
            "UPDATE ledger SET seq = 30 WHERE seq = 20",
            "UPDATE ledger SET seq = 20 WHERE seq = 30",
            Flaw::Missing(20),
        ),
        (
            "UPDATE spend SET cost = cost + 1",
            "UPDATE spend SET cost = cost - 1",
            Flaw::Spend { hour },
        ),
        (
            "UPDATE spend SET hour = hour + 1",
            "UPDATE spend SET hour = hour - 1",
            Flaw::Spend { hour },
        ),
        (
            "UPDATE balances SET posted = posted + 1",
            "UPDATE balances SET posted = posted - 1",
            Flaw::Balance {
                account: account(),
                window: 0,
            },
        ),
        (
            "UPDATE chains SET seq = 21 WHERE name = 'ledger'",
            "UPDATE chains SET seq = 20 WHERE name = 'ledger'",
            Flaw::Truncated(20, 21),
        ),
        ("DELETE FROM ledger WHERE seq = 20", "", Flaw::Truncated(19, 20)),
    ];
    assert_eq!(sound(&stage.database).await, 20);
    for (change, undo, flaw) in tampered {
        assert_eq!(stage.tamper(change).await, 1, "{change}");
        assert_eq!(stage.database.verify().await.unwrap().flaw, Some(flaw), "{change}");
        if !undo.is_empty() {
            stage.tamper(undo).await;
            sound(&stage.database).await;
        }
    }
}

pub(super) async fn retention_drops_whole_months_and_the_rest_verifies(stage: Stage) {
    let database = &stage.database;
    // Two rows a day over 150 days, each on a budget that never resets and on one by the day.
    let entries = (0..300_u64).map(|number| {
        let at_ms = START_MS + number * DAY_MS / 2;
        let day = (at_ms - at_ms % DAY_MS) / 1_000;
        Entry::Settlement(Settlement {
            charges: vec![charge(0, 3), charge(day as i64, 3)],
            ..settled(&number.to_string(), at_ms, "red", 3)
        })
    });
    apply(database, &placed(1, entries)).await;
    // The clock went back: this row comes with the last ones, whatever it says.
    apply(database, &placed(400, [end("back", START_MS, "red", 3)])).await;
    let before_ms = (START_MS + 120 * DAY_MS) as i64;
    let mut calls = 0;
    while database.retain(before_ms).await.unwrap() {
        calls += 1;
        sound(database).await;
    }
    assert!(calls >= 1);
    let verified = database.verify().await.unwrap();
    // 20 November to 1 March: 10.5 + 31 + 31 + 28 days, twice a day, and the first of March before noon stays.
    assert_eq!((verified.flaw, verified.dropped, verified.rows), (None, 201, 100));
    let never: Vec<i64> = database
        .balances(i64::MAX)
        .await
        .unwrap()
        .iter()
        .map(|balance| balance.posted)
        .collect();
    assert_eq!(never, [903], "what was dropped still counts");
    assert_eq!(spent(database).await, 903);
    assert!(!database.retain(before_ms).await.unwrap());
    apply(database, &placed(500, [end("next", START_MS + 151 * DAY_MS, "red", 1)])).await;
    assert_eq!(sound(database).await, 101);
}

pub(super) async fn several_journals_share_one_ledger(stage: Stage) {
    let other = Database::open(&stage.source).await.unwrap();
    let batches = |prefix: &str| -> Vec<Vec<(Position, Entry)>> {
        (0..20_i64)
            .map(|n| placed(n, [end(&format!("{prefix}{n}"), START_MS, "red", 1)]))
            .collect()
    };
    let feed = async |database: &Database, journal: &str| {
        for batch in batches(journal) {
            assert_eq!(database.apply(journal, &batch, &nobody).await.unwrap().entries, 1);
        }
    };
    tokio::join!(feed(&stage.database, "a"), feed(&other, "b"));
    assert_eq!((posted(&other).await, sound(&other).await), (40, 40));
    other.close().await;
}

pub(super) async fn a_thousand_random_batches_add_up(stage: Stage) {
    // A small generator of our own: the same run every time.
    let mut state = 7_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut sum = 0;
    let entries: Vec<Entry> = (0..2_000)
        .map(|number| {
            let cost = i64::try_from(next(1_000_000)).unwrap();
            sum += cost;
            let team = ["red", "green", "blue"][usize::try_from(next(3)).unwrap()];
            end(&number.to_string(), START_MS + next(40 * DAY_MS), team, cost)
        })
        .collect();
    let batch = placed(0, entries);
    let mut from = 0;
    for _ in 0..100 {
        let to = (from + usize::try_from(next(60)).unwrap()).min(batch.len());
        // Begins before the end of the last one: a shipper that died before it noted its progress.
        let begin = from.saturating_sub(usize::try_from(next(10)).unwrap());
        let applied = apply(&stage.database, &batch[begin..to]).await;
        assert_eq!(applied.entries, to - from);
        from = to;
    }
    apply(&stage.database, &batch).await;
    assert_eq!((posted(&stage.database).await, spent(&stage.database).await), (sum, sum));
    assert_eq!(sound(&stage.database).await, 2_000);
}
