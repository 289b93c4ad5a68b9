//! Breakers over time: what opens them, how long, and what closes them.

#![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]
use super::*;

const USUAL: Settings = Settings::USUAL;

fn ill(now: Instant) -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..USUAL.consecutive_failures {
        breaker.failure(now, &USUAL);
    }
    breaker
}

#[test]
fn f24_opens_after_five_failures_and_lets_one_probe_through() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut breaker = Breaker::default();
    for _ in 0..4 {
        assert!(!breaker.failure(at(0), &USUAL));
        assert_eq!(breaker.ask(at(0)), Gate::Closed);
    }
    assert!(breaker.failure(at(0), &USUAL));
    assert_eq!(breaker.ask(at(400)), Gate::Open(Duration::from_millis(600)));
    assert!(
        !breaker.failure(at(500), &USUAL),
        "a late failure of an earlier call changes nothing"
    );
    assert!(breaker.would_admit(at(1000)));
    assert_eq!(breaker.ask(at(1000)), Gate::Probe);
    assert!(!breaker.would_admit(at(1001)), "one probe at a time");
    assert!(matches!(breaker.ask(at(1001)), Gate::Open(_)));
    assert!(breaker.failure(at(1100), &USUAL));
    assert_eq!(breaker.ask(at(1100)), Gate::Open(Duration::from_secs(2)));
    assert_eq!(breaker.ask(at(3100)), Gate::Probe);
    breaker.success(at(3101));
    assert_eq!(breaker.ask(at(3101)), Gate::Closed);
}

#[test]
fn a_success_forgets_earlier_failures() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    for _ in 0..20 {
        for _ in 0..4 {
            breaker.failure(now, &USUAL);
        }
        breaker.success(now);
    }
    assert_eq!(breaker.ask(now), Gate::Closed);
}

#[test]
fn a_probe_that_never_reported_is_given_up() {
    let start = Instant::now();
    let mut breaker = ill(start);
    let later = start + USUAL.open_for;
    assert_eq!(breaker.ask(later), Gate::Probe);
    assert!(matches!(breaker.ask(later + Duration::from_secs(59)), Gate::Open(_)));
    assert_eq!(breaker.ask(later + PROBE_MAX), Gate::Probe);
}

#[test]
fn an_abandoned_probe_leaves_the_way_to_the_next() {
    let start = Instant::now();
    let mut breaker = ill(start);
    let later = start + USUAL.open_for;
    assert_eq!(breaker.ask(later), Gate::Probe);
    breaker.abandon();
    assert_eq!(breaker.ask(later), Gate::Probe);
    breaker.success(later);
    breaker.abandon();
    assert_eq!(breaker.ask(later), Gate::Closed);
}

#[test]
fn the_wait_doubles_up_to_a_minute() {
    let mut now = Instant::now();
    let mut breaker = ill(now);
    for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(breaker.ask(now), Gate::Open(Duration::from_secs(expected)));
        now += Duration::from_secs(expected);
        assert_eq!(breaker.ask(now), Gate::Probe);
        breaker.failure(now, &USUAL);
    }
}

#[test]
fn settings_say_how_many_failures_and_how_long() {
    let start = Instant::now();
    let settings = Settings {
        consecutive_failures: 2,
        open_for: Duration::from_secs(90),
        ..USUAL
    };
    let mut breaker = Breaker::default();
    assert!(!breaker.failure(start, &settings));
    assert!(breaker.failure(start, &settings));
    for _ in 0..2 {
        assert_eq!(breaker.ask(start), Gate::Open(Duration::from_secs(90)));
    }
    let later = start + Duration::from_secs(90);
    assert_eq!(breaker.ask(later), Gate::Probe);
    breaker.failure(later, &settings);
    assert_eq!(
        breaker.ask(later),
        Gate::Open(Duration::from_secs(90)),
        "what was asked for is its most"
    );
}

/// Calls by turns: so many well, so many failed.
fn storm(breaker: &mut Breaker, settings: &Settings, now: Instant, (well, failed): (u32, u32)) -> bool {
    let mut opened = false;
    for _ in 0..well {
        breaker.success(now);
    }
    for _ in 0..failed {
        opened |= breaker.failure(now, settings);
    }
    opened
}

#[test]
fn a_bad_share_of_successes_opens_it_over_half_a_minute_and_twenty_calls() {
    let half = Settings {
        consecutive_failures: 1_000,
        success_below: Some(5_000),
        ..USUAL
    };
    let rows = [
        ((10, 9), false, "too few calls"),
        ((10, 10), false, "half of them went well"),
        ((10, 11), true, "fewer than half"),
        ((0, 19), false, "too few calls"),
        ((0, 20), true, "none"),
    ];
    for (calls, opens, why) in rows {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(storm(&mut breaker, &half, now, calls), opens, "{calls:?}: {why}");
        assert_eq!(breaker.view(now).why, opens.then_some(Why::SuccessRate), "{calls:?}");
    }
    // What is older than the window says nothing.
    let (mut breaker, now) = (Breaker::default(), Instant::now());
    assert!(!storm(&mut breaker, &half, now, (0, 19)));
    assert!(!storm(&mut breaker, &half, now + Duration::from_secs(31), (0, 19)));
    // And after it was closed by a probe it is judged anew.
    assert!(storm(&mut breaker, &half, now + Duration::from_secs(32), (0, 1)));
    let later = now + Duration::from_secs(34);
    assert_eq!(breaker.ask(later), Gate::Probe);
    breaker.success(later);
    assert!(!storm(&mut breaker, &half, later, (0, 18)));
}

#[test]
fn slow_beginnings_open_it_and_a_slow_probe_does_not_close_it() {
    let bound = Settings {
        p95_above: Some(Duration::from_secs(2)),
        ..USUAL
    };
    let (quick, slow) = (Duration::from_millis(300), Duration::from_secs(3));
    let start = Instant::now();
    let mut breaker = Breaker::default();
    for _ in 0..38 {
        assert!(!breaker.began(start, &bound, (quick, true)));
    }
    assert!(!breaker.began(start, &bound, (slow, true)), "1 of 39");
    assert!(!breaker.began(start, &bound, (slow, false)), "2 of 40 are no more than a twentieth");
    assert!(breaker.began(start, &bound, (slow, true)), "3 of 41");
    assert_eq!(breaker.view(start).why, Some(Why::Slow));
    let later = start + USUAL.open_for;
    assert_eq!(breaker.ask(later), Gate::Probe);
    assert!(breaker.began(later, &bound, (slow, true)));
    assert_eq!(breaker.ask(later), Gate::Open(Duration::from_secs(2)));
    let later = later + Duration::from_secs(2);
    assert_eq!(breaker.ask(later), Gate::Probe);
    assert!(!breaker.began(later, &bound, (quick, true)));
    assert_eq!(breaker.ask(later), Gate::Closed);
    assert!(!breaker.began(later, &bound, (slow, true)), "it is judged anew");
}

#[test]
fn the_end_of_a_call_that_began_before_it_opened_does_not_close_it() {
    let bound = Settings {
        p95_above: Some(Duration::from_secs(2)),
        ..USUAL
    };
    let (start, mut breaker) = (Instant::now(), Breaker::default());
    for _ in 0..CALLS_MIN {
        breaker.began(start, &bound, (Duration::from_secs(3), true));
        breaker.success(start);
    }
    assert!(matches!(breaker.ask(start), Gate::Open(_)));
    let mut breaker = ill(start);
    breaker.success(start);
    assert!(matches!(breaker.ask(start), Gate::Open(_)));
}

#[test]
fn f23_a_rest_is_no_failure_and_ends_when_it_was_said_to() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut breaker = Breaker::default();
    for _ in 0..50 {
        breaker.rest(at(30));
    }
    breaker.rest(at(5));
    assert_eq!(breaker.ask(at(10)), Gate::Resting(Duration::from_secs(20)), "the longer one counts");
    assert!(!breaker.would_admit(at(29)));
    assert_eq!(breaker.ask(at(30)), Gate::Closed);
    assert_eq!((breaker.view(at(30)).failures, breaker.view(at(30)).openings), (0, 0));
}

#[test]
fn who_runs_the_gateway_has_the_last_word() {
    let now = Instant::now();
    let mut breaker = ill(now);
    breaker.hold(Override::Closed);
    assert_eq!(breaker.ask(now), Gate::Closed);
    breaker.failure(now, &USUAL);
    assert_eq!(breaker.ask(now), Gate::Closed);
    breaker.hold(Override::Open);
    assert!(matches!(breaker.ask(now), Gate::Open(_)));
    breaker.success(now);
    assert!(!breaker.would_admit(now + Duration::from_secs(3_600)));
    breaker.hold(Override::Auto);
    assert_eq!(breaker.ask(now), Gate::Closed);
    assert_eq!(breaker.view(now).failures, 0);
}

#[test]
fn a_view_says_what_was_seen() {
    let now = Instant::now();
    let mut breaker = Breaker::default();
    for _ in 0..SAMPLES_MIN {
        breaker.began(now, &USUAL, (Duration::from_millis(100), true));
        breaker.success(now);
    }
    breaker.failure(now, &USUAL);
    let view = breaker.view(now);
    assert_eq!(
        (view.gate, view.failures, view.lately.well, view.lately.failed),
        (Gate::Closed, 1, 20, 1)
    );
    assert_eq!(view.p95[0], None);
    assert!(view.p95[1].is_some_and(|p95| (100..=113).contains(&p95.as_millis())));
}
