//! What the accounts admit, refuse, post and give back. Whether money is conserved over long runs is `cargo xtask simulate`'s to say.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::budgets::{Budget, OnBudget};
use crate::ledger::{Ended, Entry, Hold, Party, Settlement};
use crate::limits::{Limit, Rate};
use crate::scopes::{Dimension, Subject};
use crate::windows::Window;

/// 2026-11-20T12:00:00Z.
const NOON: u64 = 1_795_176_000_000;
const DAY: u64 = 86_400_000;

fn team_day(dollars: i64) -> Budget {
    Budget {
        per: vec![Dimension::Team],
        ..Budget::new("team day", NanoUsd::usd(dollars), Window::parse("day").unwrap())
    }
}

fn limit(name: &str, per: &[Dimension]) -> Limit {
    Limit {
        name: name.to_owned(),
        per: per.to_vec(),
        ..Limit::default()
    }
}

fn cents(cents: i64) -> Demand {
    Demand {
        input_tokens: 100,
        output_tokens: 50,
        money: NanoUsd(cents * 10_000_000),
    }
}

fn subject<'a>(team: &'a str, model: Option<&'a str>) -> Subject<'a> {
    Subject {
        team: Some(team),
        model,
        provider: model.and_then(|model| model.split('/').next()),
        ..Subject::default()
    }
}

/// Enters and reserves for a team, and a model if there is one.
fn try_hold(
    accounts: &mut Accounts,
    now: u64,
    rules: &RuleSet,
    caller: &Subject<'_>,
    demand: Demand,
) -> Result<(Entered, Reserved), Denied> {
    let call = rules.scoped(caller, Part::Call, |_| true);
    let attempt = rules.scoped(caller, Part::Attempt, |_| true);
    let entered = accounts.enter(now, &call)?;
    match accounts.reserve(now, &entered, &[&call, &attempt], demand, now + 60_000) {
        Ok(reserved) => Ok((entered, reserved)),
        Err(denied) => {
            accounts.leave(entered);
            Err(denied)
        }
    }
}

/// The budget of a dollar: a hundred calls of a cent, however many come at once, and nothing is left pending.
#[test]
fn r_c1_a_budget_lets_exactly_its_amount_pass() {
    let rules = RuleSet::new(1, Vec::new(), vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let held: Vec<_> = (0..2000)
        .filter_map(|_| try_hold(&mut accounts, NOON, &rules, &caller, cents(1)).ok())
        .collect();
    assert_eq!(held.len(), 100);
    let denied = try_hold(&mut accounts, NOON, &rules, &caller, cents(1)).unwrap_err();
    assert_eq!(
        (denied.refusal, denied.reserved, denied.retry_after_ms),
        (Refusal::BudgetReserved, 1_000_000_000, Some(1000))
    );
    for (entered, reserved) in held {
        accounts.leave(entered);
        assert!(!accounts.settle(NOON, reserved, cents(1)).unwrap().overrun);
    }
    let denied = try_hold(&mut accounts, NOON, &rules, &caller, cents(1)).unwrap_err();
    assert_eq!(
        (denied.refusal, denied.used, denied.reserved),
        (Refusal::BudgetExceeded, 1_000_000_000, 0)
    );
    assert_eq!((denied.resets_at_ms, denied.retry_after_ms), (Some(NOON + DAY / 2), Some(DAY / 2)));
    assert_eq!(denied.scope, [("team".to_owned(), "a".to_owned())]);
    assert!(
        try_hold(&mut accounts, NOON, &rules, &subject("b", None), cents(1)).is_ok(),
        "another team has its own"
    );
    assert!(
        try_hold(&mut accounts, NOON + DAY / 2, &rules, &caller, cents(1)).is_ok(),
        "and tomorrow is another day"
    );
}

#[test]
fn each_refusal_says_why() {
    let rate = |text| Rate::parse(text);
    let requests = Limit {
        requests: rate("2/second"),
        ..limit("requests", &[])
    };
    let tokens = Limit {
        tokens: rate("400/hour"),
        ..limit("tokens", &[Dimension::Team])
    };
    let small = Limit {
        tokens: rate("149/hour"),
        ..limit("small", &[])
    };
    let open = Limit {
        concurrent: Some(2),
        ..limit("open", &[])
    };
    let model = Limit {
        output_tokens: rate("120/minute"),
        ..limit("model", &[Dimension::Model])
    };
    let capped = Budget {
        per_request: Some(NanoUsd(9_999_999)),
        ..team_day(100)
    };
    let announced = Budget {
        on_exceed: OnBudget::Announce,
        ..team_day(0)
    };
    // A rule, after how many calls of a cent which refusal follows.
    let rows = [
        (vec![requests.clone()], vec![], Some((2, Refusal::Rate))),
        (vec![tokens.clone()], vec![], Some((2, Refusal::Rate))),
        (vec![small], vec![], Some((0, Refusal::RequestExceedsLimit))),
        (vec![open], vec![], Some((2, Refusal::Concurrency))),
        (vec![model], vec![], Some((2, Refusal::Rate))),
        (vec![], vec![capped], Some((0, Refusal::RequestExceedsBudget))),
        (vec![], vec![team_day(0)], Some((0, Refusal::BudgetExceeded))),
        (vec![], vec![announced], None),
        // Two at once: the one that stands longer in the way is named.
        (vec![requests, tokens], vec![], Some((2, Refusal::Rate))),
    ];
    for (limits, budgets, expected) in rows {
        let rules = RuleSet::new(1, limits, budgets);
        let mut accounts = Accounts::new();
        let caller = subject("a", Some("p/m"));
        let outcomes: Vec<_> = (0..5).map(|_| try_hold(&mut accounts, NOON, &rules, &caller, cents(1))).collect();
        let first = outcomes
            .iter()
            .enumerate()
            .find_map(|(at, outcome)| outcome.as_ref().err().map(|denied| (at, denied.refusal)));
        assert_eq!(first, expected, "{rules:?}");
    }
}

#[test]
fn a_refused_hold_moves_nothing() {
    let rules = RuleSet::new(
        1,
        vec![],
        vec![team_day(10), Budget::new("all", NanoUsd(15_000_000), Window::Never)],
    );
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let held = try_hold(&mut accounts, NOON, &rules, &caller, cents(1)).unwrap();
    assert_eq!(try_hold(&mut accounts, NOON, &rules, &caller, cents(1)).unwrap_err().name, "all");
    let call = rules.scoped(&caller, Part::Call, |_| true);
    let pending: Vec<_> = accounts.budgets(NOON, &[&call]).iter().map(|standing| standing.pending.0).collect();
    assert_eq!(pending, [10_000_000, 10_000_000]);
    assert_eq!(accounts.void(NOON, held.1).unwrap().charges, []);
    assert!(
        accounts
            .budgets(NOON, &[&call])
            .iter()
            .all(|standing| standing.pending == NanoUsd::ZERO)
    );
}

#[test]
fn a_hold_is_settled_in_the_window_that_admitted_it() {
    let rules = RuleSet::new(1, vec![], vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &caller, cents(90)).unwrap();
    let tomorrow = NOON + DAY;
    let held = try_hold(&mut accounts, tomorrow, &rules, &caller, cents(90));
    assert!(held.is_ok(), "what today holds is nothing to tomorrow");
    let settled = accounts.settle(tomorrow, reserved, cents(120)).unwrap();
    let start = i64::try_from((NOON - DAY / 2) / 1000).unwrap();
    assert_eq!(
        settled
            .charges
            .iter()
            .map(|charge| (charge.window, charge.amount))
            .collect::<Vec<_>>(),
        [(start, 1_200_000_000)]
    );
    assert!(settled.overrun, "in full, though it is more than was held");
    let call = rules.scoped(&caller, Part::Call, |_| true);
    assert_eq!(accounts.budgets(tomorrow, &[&call]).first().unwrap().posted, NanoUsd::ZERO);
}

#[test]
fn what_expires_is_posted_and_corrected_by_its_end() {
    let rules = RuleSet::new(1, vec![], vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &caller, cents(30)).unwrap();
    assert_eq!(accounts.expire(NOON + 59_999), []);
    let expired = accounts.expire(NOON + 60_000);
    assert_eq!(
        expired.iter().map(|one| (one.id, one.held)).collect::<Vec<_>>(),
        [(reserved.id(), cents(30).money)]
    );
    assert_eq!((accounts.expire(NOON + 70_000), accounts.open_holds()), (Vec::new(), 0));
    let settled = accounts.settle(NOON + 80_000, reserved, cents(20)).unwrap();
    assert!(settled.late);
    assert_eq!(
        settled.charges.iter().map(|charge| charge.amount).collect::<Vec<_>>(),
        [-100_000_000]
    );
    let call = rules.scoped(&caller, Part::Call, |_| true);
    assert_eq!(accounts.budgets(NOON, &[&call]).first().unwrap().posted, cents(20).money);
}

#[test]
fn another_attempt_takes_the_hold_along() {
    let model = Limit {
        tokens: Rate::parse("200/hour"),
        concurrent: Some(1),
        ..limit("model", &[Dimension::Model])
    };
    let rules = RuleSet::new(1, vec![model], vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let (one, two) = (subject("a", Some("p/one")), subject("a", Some("q/two")));
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &one, cents(40)).unwrap();
    let next = rules.scoped(&two, Part::Attempt, |_| true);
    let denied = accounts.switch(NOON, &reserved, &next, (cents(10), cents(95))).unwrap_err();
    assert_eq!(
        (denied.refusal, denied.asked),
        (Refusal::RequestExceedsBudget, 1_050_000_000),
        "it is priced anew"
    );
    assert!(
        try_hold(&mut accounts, NOON, &rules, &one, cents(1)).is_err(),
        "and nothing has moved"
    );
    let spent = Demand {
        input_tokens: 60,
        output_tokens: 0,
        money: NanoUsd(100_000_000),
    };
    let moved = accounts.switch(NOON, &reserved, &next, (spent, cents(50))).unwrap();
    assert_eq!((moved.amount, moved.opened.len()), (NanoUsd(200_000_000), 1));
    assert!(
        try_hold(&mut accounts, NOON, &rules, &two, cents(1)).is_err(),
        "the second model is taken"
    );
    assert!(
        try_hold(
            &mut accounts,
            NOON,
            &rules,
            &one,
            Demand {
                input_tokens: 141,
                ..Demand::default()
            }
        )
        .is_err(),
        "60 tokens were used"
    );
    let settled = accounts.settle(NOON, reserved, spent + cents(30)).unwrap();
    let mut amounts: Vec<i64> = settled.charges.iter().map(|charge| charge.amount).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [60, 150, 400_000_000]);
}

#[test]
fn a_hold_grows_or_stays_as_it_is() {
    let rules = RuleSet::new(1, vec![], vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &caller, cents(80)).unwrap();
    assert!(accounts.extend(NOON, &reserved, &rules, cents(20)).is_ok());
    assert_eq!(
        accounts.extend(NOON, &reserved, &rules, cents(1)).unwrap_err().refusal,
        Refusal::RequestExceedsBudget
    );
    assert!(!accounts.settle(NOON, reserved, cents(100)).unwrap().overrun);
}

/// Made-up values fill no memory and raise no ceiling.
#[test]
fn values_beyond_the_bound_share_an_account() {
    let tagged = Limit {
        requests: Rate::parse("2/hour"),
        ..limit("tagged", &[Dimension::Tag("x".to_owned())])
    };
    let rules = RuleSet::new(1, vec![tagged], vec![]);
    let mut accounts = Accounts::with_capacity(10);
    let mut passed = 0;
    for value in 0..1000 {
        let text = value.to_string();
        let tags = [("x", text.as_str())];
        let caller = Subject {
            tags: &tags,
            ..Subject::default()
        };
        passed += usize::from(try_hold(&mut accounts, NOON, &rules, &caller, cents(0)).is_ok());
    }
    assert_eq!((passed, accounts.len()), (12, 11));
    accounts.sweep(NOON + DAY);
    assert_eq!(accounts.len(), 0);
}

#[test]
fn an_edit_keeps_what_is_used() {
    let caller = subject("a", None);
    let mut accounts = Accounts::new();
    let old = RuleSet::new(1, vec![], vec![team_day(10)]);
    let (_, reserved) = try_hold(&mut accounts, NOON, &old, &caller, cents(50)).unwrap();
    accounts.settle(NOON, reserved, cents(50)).unwrap();
    let month = Budget {
        window: Window::parse("month").unwrap(),
        ..team_day(10)
    };
    let rolling = Budget {
        window: Window::Rolling(86_400),
        ..team_day(10)
    };
    let zoned = Budget {
        zone: crate::windows::Zone::parse("Asia/Tokyo").unwrap(),
        ..team_day(10)
    };
    // What a month holds may be from any day of it: a shorter window that is not the month's first begins with nothing.
    let rows = [
        (2, team_day(5), 50),
        (3, zoned, 50),
        (4, rolling, 50),
        (5, month, 50),
        (6, team_day(5), 0),
    ];
    for (version, budget, expected) in rows {
        let rules = RuleSet::new(version, vec![], vec![budget]);
        let call = rules.scoped(&caller, Part::Call, |_| true);
        let posted = accounts.budgets(NOON, &[&call]).first().unwrap().posted;
        assert_eq!(posted, cents(expected).money, "version {version}");
    }
}

#[test]
fn answers_say_what_is_left() {
    let fair = Limit {
        requests: Rate::parse("10/hour"),
        tokens: Rate::parse("1000/hour"),
        ..limit("fair", &[])
    };
    let clamped = Budget {
        clamp_to_budget: true,
        ..team_day(1)
    };
    let rules = RuleSet::new(1, vec![fair], vec![clamped]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let call = rules.scoped(&caller, Part::Call, |_| true);
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &caller, cents(96)).unwrap();
    let headroom = accounts.headroom(NOON, &[&call]);
    assert_eq!(headroom.requests.map(|room| (room.limit, room.remaining)), Some((10, 9)));
    assert_eq!(headroom.tokens.map(|room| (room.limit, room.remaining)), Some((1000, 850)));
    assert!(accounts.is_strict(NOON, &[&call]), "4 % are left");
    assert_eq!(accounts.affordable(NOON, &[&call]), Some(cents(4).money));
    accounts.settle(NOON, reserved, cents(80)).unwrap();
    assert_eq!(accounts.budgets(NOON, &[&call]).first().map(BudgetStanding::percent), Some(80));
    assert!(!accounts.is_strict(NOON, &[&call]));
}

#[test]
fn a_clock_that_goes_back_is_not_believed() {
    let hourly = Limit {
        requests: Rate::parse("1/hour"),
        ..limit("hourly", &[])
    };
    let rules = RuleSet::new(1, vec![hourly], vec![]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    assert!(try_hold(&mut accounts, NOON, &rules, &caller, cents(0)).is_ok());
    assert!(try_hold(&mut accounts, NOON - DAY, &rules, &caller, cents(0)).is_err());
    let denied = try_hold(&mut accounts, NOON + 60_000, &rules, &caller, cents(0)).unwrap_err();
    let wait = denied.retry_after_ms.unwrap();
    assert!(try_hold(&mut accounts, NOON + 60_000 + wait - 1, &rules, &caller, cents(0)).is_err());
    assert!(
        try_hold(&mut accounts, NOON + 60_000 + wait, &rules, &caller, cents(0)).is_ok(),
        "the wait is exact"
    );
}

#[test]
fn a_restart_posts_what_was_held_once() {
    let rules = RuleSet::new(1, vec![], vec![team_day(1)]);
    let mut accounts = Accounts::new();
    let caller = subject("a", None);
    let (_, reserved) = try_hold(&mut accounts, NOON, &rules, &caller, cents(30)).unwrap();
    let hold = Hold {
        request: "r1".to_owned(),
        at_ms: NOON,
        expires_ms: NOON + 60_000,
        party: Party::default(),
        model: "p/m".to_owned(),
        amount: cents(30).money,
        input_tokens: 100,
        charges: reserved.charges.clone(),
    };
    let mut recovery = Recovery::new([], []);
    recovery.apply(&Entry::Hold(hold.clone()));
    let crashed = recovery.crashed(NOON);
    assert_eq!(
        crashed.iter().map(|one| (one.ended, one.cost())).collect::<Vec<_>>(),
        [(Ended::Crashed, cents(30).money)]
    );
    let again = |settlement: &Settlement| Entry::Settlement(settlement.clone());
    crashed.iter().for_each(|one| recovery.apply(&again(one)));
    crashed.iter().for_each(|one| recovery.apply(&again(one)));
    recovery.apply(&Entry::Hold(hold));
    assert_eq!((recovery.repeated(), recovery.crashed(NOON).len()), (2, 0));
    let call = rules.scoped(&caller, Part::Call, |_| true);
    let posted = recovery.accounts().budgets(NOON, &[&call]).first().unwrap().posted;
    assert_eq!(posted, cents(30).money);
}
