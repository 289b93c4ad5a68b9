//! One account: what is posted in its window and what open holds keep. It counts; whether something fits is asked in `accounts.rs`.

use smallvec::SmallVec;

use super::meters::Gauge;
use crate::scopes::Family;
use crate::windows::{Period, Ring, Window, Zone};

/// The count of one meter for one set of values.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) family: Family,
    /// The journal has been told whose it is.
    pub(super) named: bool,
    /// The dimensions of the rule with their values here.
    pub(super) scope: Vec<(String, String)>,
    /// Of the rule set that decided how it counts.
    version: u64,
    counter: Counter,
}

#[derive(Debug, Clone)]
enum Counter {
    Level { open: i64 },
    Sliding { ring: Ring, pending: i64 },
    Periods(Box<Spans>),
}

#[derive(Debug, Clone)]
struct Spans {
    window: Window,
    zone: Zone,
    current: Span,
    /// Ended, and kept until the end of a period in which their last hold ended.
    ended: SmallVec<[Span; 1]>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    serial: u32,
    period: Period,
    posted: i64,
    pending: i64,
}

/// Where something is held: it is settled there, whatever time it is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The start of the window or bucket, in milliseconds since 1970.
    pub(super) window_ms: i64,
    serial: u32,
    /// It outlives the process, and belongs into the journal.
    pub(super) lasting: bool,
}

/// What an account holds at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) posted: i64,
    pub(super) pending: i64,
}

impl Account {
    /// Opens it, with what is known of it from before a restart: pairs of a window's start in seconds and an amount.
    pub(super) fn new(
        now_ms: i64,
        (family, version): (Family, u64),
        gauge: &Gauge,
        scope: Vec<(String, String)>,
        before: &[(i64, i64)],
    ) -> Self {
        let before = before.iter().map(|(start_s, amount)| (start_s.saturating_mul(1000), *amount));
        Self {
            family,
            named: false,
            scope,
            version,
            counter: Counter::new(now_ms, gauge, 0, 0, before),
        }
    }

    /// Comes to `now`: an ended period is left, a newer rule set decides how to count.
    pub(super) fn refresh(&mut self, now_ms: i64, version: u64, gauge: &Gauge) {
        if self.version < version {
            self.version = version;
            self.adopt(now_ms, gauge);
        }
        self.turn(now_ms);
    }

    /// Leaves a period that has ended.
    pub(super) fn turn(&mut self, now_ms: i64) {
        if let Counter::Periods(spans) = &mut self.counter
            && !spans.current.period.contains(now_ms.div_euclid(1000))
        {
            spans.turn(now_ms.div_euclid(1000));
        }
    }

    /// An edit of the window takes over what is counted; an edit of the zone alone waits for the end of the period.
    fn adopt(&mut self, now_ms: i64, gauge: &Gauge) {
        match (&mut self.counter, gauge) {
            (Counter::Level { .. }, Gauge::Level) => {}
            (Counter::Sliding { ring, .. }, Gauge::Sliding(window_ms)) if ring.window_ms() == Ring::new(*window_ms).window_ms() => {}
            (Counter::Periods(spans), Gauge::Periods(window, zone)) if spans.window == *window => spans.zone = zone.clone(),
            (Counter::Periods(spans), Gauge::Periods(window, zone)) => spans.replace(now_ms.div_euclid(1000), *window, zone),
            (counter, gauge) => {
                let (counts, pending, serial) = counter.counts();
                *counter = Counter::new(now_ms, gauge, pending, serial, counts.into_iter());
            }
        }
    }

    /// What is counted against the limit now.
    pub(super) fn balance(&mut self, now_ms: i64) -> Balance {
        match &mut self.counter {
            Counter::Level { open } => Balance { posted: 0, pending: *open },
            Counter::Sliding { ring, pending } => Balance {
                posted: ring.sum(now_ms),
                pending: *pending,
            },
            Counter::Periods(spans) => spans.current.balance(),
        }
    }

    /// What is counted in the window that something is held in.
    pub(super) fn balance_at(&mut self, now_ms: i64, place: Place) -> Balance {
        match &self.counter {
            Counter::Periods(spans) => spans.span(place.serial).balance(),
            _ => self.balance(now_ms),
        }
    }

    /// Where something that is admitted now is counted.
    pub(super) fn place(&self, now_ms: i64) -> Place {
        match &self.counter {
            Counter::Level { .. } => Place {
                window_ms: 0,
                serial: 0,
                lasting: false,
            },
            Counter::Sliding { ring, .. } => Place {
                window_ms: ring.bucket(now_ms),
                serial: 0,
                lasting: ring.lasting(),
            },
            Counter::Periods(spans) => Place {
                window_ms: spans.current.period.start.saturating_mul(1000),
                serial: spans.current.serial,
                lasting: true,
            },
        }
    }

    /// Holds more, or less.
    pub(super) fn hold(&mut self, place: Place, amount: i64) {
        match &mut self.counter {
            Counter::Level { open } => *open = open.saturating_add(amount),
            Counter::Sliding { pending, .. } => *pending = pending.saturating_add(amount),
            Counter::Periods(spans) => spans.hold(place.serial, amount),
        }
    }

    /// Posts an amount where it was held; in memory only as long as that window counts for something.
    pub(super) fn post(&mut self, now_ms: i64, place: Place, amount: i64) {
        match &mut self.counter {
            Counter::Level { .. } => {}
            Counter::Sliding { ring, .. } => ring.add(now_ms, place.window_ms, amount),
            Counter::Periods(spans) => spans.post(place, amount),
        }
    }

    /// When it starts anew, or is empty if nothing more comes, in milliseconds since 1970.
    pub(super) fn resets_at(&self) -> Option<i64> {
        match &self.counter {
            Counter::Level { .. } => None,
            Counter::Sliding { ring, .. } => ring.empty_at(),
            Counter::Periods(spans) => Some(spans.current.period.end)
                .filter(|end| *end != i64::MAX)
                .map(|end| end.saturating_mul(1000)),
        }
    }

    /// When an excess over the limit will have left the window, in milliseconds since 1970.
    pub(super) fn free_at(&self, excess: i64) -> Option<i64> {
        match &self.counter {
            Counter::Sliding { ring, .. } => ring.free_at(excess),
            _ => self.resets_at(),
        }
    }

    /// The period that it counts in, unless it slides.
    pub(super) fn period(&self) -> Option<Period> {
        match &self.counter {
            Counter::Periods(spans) => Some(spans.current.period),
            _ => None,
        }
    }

    /// What all open holds keep here, of ended windows too.
    pub(super) fn pending(&self) -> i64 {
        match &self.counter {
            Counter::Level { open } => *open,
            Counter::Sliding { pending, .. } => *pending,
            Counter::Periods(spans) => spans
                .ended
                .iter()
                .fold(spans.current.pending, |sum, span| sum.saturating_add(span.pending)),
        }
    }

    /// True when forgetting it changes nothing.
    pub(super) fn idle(&mut self, now_ms: i64) -> bool {
        let over = self.period().is_some_and(|period| period.end <= now_ms.div_euclid(1000));
        self.pending() == 0 && (over || self.balance(now_ms).posted == 0)
    }
}

impl Counter {
    fn new(now_ms: i64, gauge: &Gauge, pending: i64, serial: u32, before: impl Iterator<Item = (i64, i64)>) -> Self {
        match gauge {
            Gauge::Level => Self::Level { open: pending },
            Gauge::Sliding(window_ms) => {
                let mut ring = Ring::new(*window_ms);
                before.for_each(|(at_ms, amount)| ring.add(now_ms, at_ms.min(now_ms), amount));
                Self::Sliding { ring, pending }
            }
            Gauge::Periods(window, zone) => {
                let period = period(*window, zone, now_ms.div_euclid(1000));
                let inside = before.filter(|(at_ms, _)| period.contains(at_ms.div_euclid(1000)));
                let posted = inside.fold(0, |sum: i64, (_, amount)| sum.saturating_add(amount));
                Self::Periods(Box::new(Spans {
                    window: *window,
                    zone: zone.clone(),
                    current: Span {
                        serial,
                        period,
                        posted,
                        pending,
                    },
                    ended: SmallVec::new(),
                }))
            }
        }
    }

    /// What is counted, with its times in milliseconds; what is held; and a serial that no span has had.
    fn counts(&self) -> (Vec<(i64, i64)>, i64, u32) {
        match self {
            Self::Level { open } => (Vec::new(), *open, 0),
            Self::Sliding { ring, pending } => (ring.counts().collect(), *pending, 0),
            Self::Periods(spans) => {
                let held = spans
                    .ended
                    .iter()
                    .fold(spans.current.pending, |sum, span| sum.saturating_add(span.pending));
                let start_ms = spans.current.period.start.saturating_mul(1000);
                (vec![(start_ms, spans.current.posted)], held, spans.current.serial)
            }
        }
    }
}

impl Spans {
    /// Leaves the period that has ended.
    fn turn(&mut self, now_s: i64) {
        self.begin(period(self.window, &self.zone, now_s), 0);
    }

    /// Another kind of window: what was counted since its start goes along.
    fn replace(&mut self, now_s: i64, window: Window, zone: &Zone) {
        (self.window, self.zone) = (window, zone.clone());
        let new = period(window, zone, now_s);
        if new.contains(self.current.period.start) {
            self.current.period = new;
        } else {
            self.begin(new, 0);
        }
    }

    fn begin(&mut self, period: Period, posted: i64) {
        let next = Span {
            serial: self.current.serial.wrapping_add(1),
            period,
            posted,
            pending: 0,
        };
        self.ended.retain(|span| span.pending != 0);
        let last = std::mem::replace(&mut self.current, next);
        if last.pending != 0 {
            self.ended.push(last);
        }
    }

    fn span(&self, serial: u32) -> &Span {
        self.ended.iter().find(|span| span.serial == serial).unwrap_or(&self.current)
    }

    fn hold(&mut self, serial: u32, amount: i64) {
        let span = self
            .ended
            .iter_mut()
            .find(|span| span.serial == serial)
            .unwrap_or(&mut self.current);
        span.pending = span.pending.saturating_add(amount);
    }

    fn post(&mut self, place: Place, amount: i64) {
        // By its time and not by its serial: the account may have been forgotten and opened again since a hold was given up.
        let spans = self.ended.iter_mut().chain([&mut self.current]);
        let start = place.window_ms.div_euclid(1000);
        if let Some(span) = spans.into_iter().find(|span| span.period.contains(start)) {
            span.posted = span.posted.saturating_add(amount);
        }
    }
}

impl Span {
    const fn balance(&self) -> Balance {
        Balance {
            posted: self.posted,
            pending: self.pending,
        }
    }
}

fn period(window: Window, zone: &Zone, now_s: i64) -> Period {
    match window {
        Window::Calendar(calendar) => calendar.period(zone, now_s),
        Window::Rolling(_) | Window::Never => Period::ALWAYS,
    }
}
