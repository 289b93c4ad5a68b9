//! The breaker of one deployment: closed, open, half-open. `now` is an argument. Failures in a row open it (linkerd's failure accrual), and
//! where its settings say so a bad share of successes or slow answers over half a minute; it opens for a while that doubles with each
//! failed probe; when that is over, one request may try. A 429 is no failure: it rests the deployment as long as the provider says. Who
//! runs the gateway may hold a breaker open or closed.

mod digest;
#[cfg(test)]
mod tests;
mod window;

use std::time::{Duration, Instant};

pub use digest::{Digest, SAMPLES_MIN};
pub use window::Counts;
use window::Window;

/// How long it is open at most, unless its settings begin with more.
pub const OPEN_FOR_MAX: Duration = Duration::from_secs(60);
/// A probe that never reported is given up after this time, and another may try.
pub const PROBE_MAX: Duration = Duration::from_secs(60);
/// Fewer calls in the window tell no share.
pub const CALLS_MIN: u32 = 20;
/// What one who is turned away by hand is told to wait.
const HELD_OPEN: Duration = Duration::from_secs(60);
/// A share of one, in the unit of [`Settings::success_below`].
const WHOLE: u64 = 10_000;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// So many failures in a row.
    pub consecutive_failures: u32,
    /// A smaller share of the window's calls went well, in ten-thousandths.
    pub success_below: Option<u32>,
    /// More than a twentieth of the window's calls took longer to begin their answer.
    pub p95_above: Option<Duration>,
    /// How long it is open first.
    pub open_for: Duration,
}

impl Settings {
    /// Five failures in a row, for a second.
    pub const USUAL: Self = Self {
        consecutive_failures: 5,
        success_below: None,
        p95_above: None,
        open_for: Duration::from_secs(1),
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Whether a deployment may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Closed,
    /// It may, once, to see whether it is well again.
    Probe,
    /// It may not, for this long.
    Open(Duration),
    /// It has no room for us for this long, by its own words.
    Resting(Duration),
}

/// What opened a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Failures in a row.
    Failures,
    /// Too few calls went well.
    SuccessRate,
    /// Too many calls began too slowly.
    Slow,
}

impl Why {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failures => "consecutive_failures",
            Self::SuccessRate => "success_below",
            Self::Slow => "p95_above",
        }
    }
}

/// Who decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Override {
    /// The breaker itself.
    #[default]
    Auto,
    /// It is held open: the deployment is not called.
    Open,
    /// It is held closed: the deployment is called whatever happens.
    Closed,
}

/// The breaker of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    /// In a row.
    failures: u32,
    open: Option<Opened>,
    rests_until: Option<Instant>,
    held: Override,
    window: Window,
    /// Until the answer began: whole ones, and streams.
    began: [Digest; 2],
    openings: u64,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    why: Why,
    until: Instant,
    length: Duration,
    probe_since: Option<Instant>,
}

/// A breaker as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Who decides.
    pub held: Override,
    /// What would be answered who asks.
    pub gate: Gate,
    /// What opened it, where it is not closed.
    pub why: Option<Why>,
    /// Failures in a row.
    pub failures: u32,
    /// The calls of the last half minute.
    pub lately: Counts,
    /// How often it opened since the start.
    pub openings: u64,
    /// Within this time nearly all answers lately began: whole ones, and streams.
    pub p95: [Option<Duration>; 2],
}

impl Breaker {
    /// Asks to call. A `Probe` must be followed by `success`, `failure` or `abandon`.
    pub fn ask(&mut self, now: Instant) -> Gate {
        let gate = self.gate(now);
        if gate == Gate::Probe
            && let Some(open) = &mut self.open
        {
            open.probe_since = Some(now);
        }
        gate
    }

    /// Whether it would let a call through now; changes nothing.
    #[must_use]
    pub fn would_admit(&self, now: Instant) -> bool {
        matches!(self.gate(now), Gate::Closed | Gate::Probe)
    }

    fn gate(&self, now: Instant) -> Gate {
        match self.held {
            Override::Closed => return Gate::Closed,
            Override::Open => return Gate::Open(HELD_OPEN),
            Override::Auto => {}
        }
        if let Some(until) = self.rests_until.filter(|until| now < *until) {
            return Gate::Resting(until.duration_since(now));
        }
        let Some(open) = &self.open else { return Gate::Closed };
        if now < open.until {
            return Gate::Open(open.until.duration_since(now));
        }
        match open.probe_since {
            Some(since) if now.duration_since(since) < PROBE_MAX => Gate::Open(Settings::USUAL.open_for),
            _ => Gate::Probe,
        }
    }

    /// A call ended without saying anything about the deployment (its caller left, or was at fault): another may probe.
    pub fn abandon(&mut self) {
        if let Some(open) = &mut self.open {
            open.probe_since = None;
        }
    }

    /// The provider says that it has no room for us until then (linkerd: a 429 is no failure, but it is honoured).
    pub fn rest(&mut self, until: Instant) {
        self.abandon();
        self.rests_until = Some(self.rests_until.map_or(until, |before| before.max(until)));
    }

    /// An answer began, so long after it was asked for. That closes a breaker that is half-open, unless it came too slowly.
    /// True when this opened the breaker.
    pub fn began(&mut self, now: Instant, settings: &Settings, (took, streamed): (Duration, bool)) -> bool {
        self.time(took, streamed);
        let slow = settings.p95_above.is_some_and(|bound| bound < took);
        let counts = self.window.at(now);
        counts.timed += 1;
        counts.slow += u32::from(slow);
        match &self.open {
            Some(open) if open.probe_since.is_some() && slow => self.open(now, settings, Why::Slow),
            Some(_) => {
                self.answered();
                false
            }
            None if slow && self.is_slow(now) => self.open(now, settings, Why::Slow),
            None => false,
        }
    }

    /// How long an answer took to begin, or that it had not begun by then.
    pub fn time(&mut self, took: Duration, streamed: bool) {
        if let Some(digest) = self.began.get_mut(usize::from(streamed)) {
            digest.record(took);
        }
    }

    /// A call went well.
    pub fn success(&mut self, now: Instant) {
        self.answered();
        self.window.at(now).well += 1;
    }

    /// It answered, if only that the request was wrong: it lives. That closes a breaker that is half-open; what began before it opened says
    /// nothing new.
    pub fn answered(&mut self) {
        self.failures = 0;
        if self.open.is_some_and(|open| open.probe_since.is_some()) {
            self.open = None;
            self.window.reset();
        }
    }

    /// A call failed in a way that speaks against the deployment. True when this opened the breaker.
    pub fn failure(&mut self, now: Instant, settings: &Settings) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.window.at(now).failed += 1;
        match self.open {
            // Calls that began before it opened say nothing new.
            Some(open) if open.probe_since.is_none() => false,
            Some(open) => self.open(now, settings, open.why),
            None if settings.consecutive_failures <= self.failures => self.open(now, settings, Why::Failures),
            None if self.is_failing(now, settings) => self.open(now, settings, Why::SuccessRate),
            None => false,
        }
    }

    /// Who runs the gateway decides. Back to `Auto` it begins closed, with nothing against it.
    pub fn hold(&mut self, held: Override) {
        if held == Override::Auto && self.held != Override::Auto {
            (self.failures, self.open, self.rests_until) = (0, None, None);
            self.window.reset();
        }
        self.held = held;
    }

    /// How it stands.
    #[must_use]
    pub fn view(&self, now: Instant) -> View {
        View {
            held: self.held,
            gate: self.gate(now),
            why: self.open.map(|open| open.why),
            failures: self.failures,
            lately: self.window.sum(now),
            openings: self.openings,
            p95: [self.percentile(95, false), self.percentile(95, true)],
        }
    }

    /// Within this time so many of a hundred answers lately began. `None`: too few are known.
    #[must_use]
    pub fn percentile(&self, percent: u8, streamed: bool) -> Option<Duration> {
        self.began.get(usize::from(streamed))?.percentile(percent)
    }

    /// Opens for as long as the settings say, and after a failed probe for twice as long as before.
    fn open(&mut self, now: Instant, settings: &Settings, why: Why) -> bool {
        let length = match self.open {
            Some(open) => (open.length * 2).min(OPEN_FOR_MAX.max(settings.open_for)),
            None => settings.open_for,
        };
        self.open = Some(Opened {
            why,
            until: now + length,
            length,
            probe_since: None,
        });
        self.openings += 1;
        true
    }

    fn is_failing(&self, now: Instant, settings: &Settings) -> bool {
        let Some(least) = settings.success_below else { return false };
        let lately = self.window.sum(now);
        let calls = lately.well + lately.failed;
        CALLS_MIN <= calls && u64::from(lately.well) * WHOLE < u64::from(least) * u64::from(calls)
    }

    fn is_slow(&self, now: Instant) -> bool {
        let lately = self.window.sum(now);
        // p95 is above a bound when more than one in twenty is.
        CALLS_MIN <= lately.timed && lately.timed < lately.slow.saturating_mul(20)
    }
}
