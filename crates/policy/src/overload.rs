//! Who is turned away when a worker cannot keep up, so that the others are served in time. The sign is the smallest wait in the worker's
//! queue during an interval, as in CoDel (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012): a burst passes, a queue that
//! stands does not. What follows is as in WeChat's DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018): the
//! number of calls that are let in shrinks by a share per interval while the queue stands and grows by one while it does not, and from
//! what was offered by each class comes the line below which calls are turned away. Pure: waits and dice are arguments.

use std::time::Duration;

/// Priorities of calls, 0 to 9.
pub const CLASSES: usize = 10;
/// From this priority on a call is critical: some room is kept for those alone, and only want of places or memory turns one away.
pub const CRITICAL: u8 = 8;
/// The share of all room that only critical calls get, in percent (Stripe, "Scaling your API with rate limiters", 2017).
pub const RESERVE_PERCENT: u64 = 20;
/// A queue that is never shorter than this during an interval stands.
pub const TARGET: Duration = Duration::from_millis(10);
/// How long is looked before anything changes.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// A queue that has stood for fewer intervals than these is a burst, and nobody is turned away for it: a second is less than any caller's
/// patience with a model.
const BURST: u32 = 10;

/// Of a hundred calls that are let in: how many fewer after an interval with a standing queue, with a long one, and how many more otherwise.
const FEWER_PERCENT: u64 = 5;
const MANY_FEWER_PERCENT: u64 = 20;
const MORE_PERCENT: u64 = 5;
/// A queue this many times longer than the target is long.
const LONG: u32 = 10;
/// Parts of a call: the offer is averaged over intervals.
const PARTS: u64 = 1_000;
/// How much of an average comes from the last interval, in tenths.
const NEWS_TENTHS: u64 = 3;

/// The line below which calls are turned away: a class, and within that a share of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut(u32);

impl Cut {
    /// Parts of a class.
    const CLASS: u32 = 1_000;
    /// Critical calls and no others.
    const BELOW_CRITICAL: Self = Self(CRITICAL as u32 * Self::CLASS);

    /// Whether a call of that priority is let in; `dice` below 1000 decides within the class that is cut.
    #[must_use]
    pub fn admits(self, priority: u8, dice: u32) -> bool {
        u32::from(priority) * Self::CLASS + dice.min(Self::CLASS - 1) >= self.0
    }

    /// As a number, to be shared.
    #[must_use]
    pub fn to_bits(self) -> u32 {
        self.0
    }

    /// From [`Cut::to_bits`].
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The share of a class that is let in, in thousandths.
    fn admitted(self, class: usize) -> u64 {
        let floor = u32::try_from(class).unwrap_or(u32::MAX).saturating_mul(Self::CLASS);
        u64::from(Self::CLASS - self.0.saturating_sub(floor).min(Self::CLASS))
    }
}

/// The controller of one worker.
#[derive(Debug, Clone, Default)]
pub struct Controller {
    cut: Cut,
    /// Calls per interval, in thousandths.
    offered: [u64; CLASSES],
    /// For so many intervals more the queue has stood of late than it has not.
    standing: u32,
}

impl Controller {
    /// An interval is over: the smallest wait in it, and the calls that were offered. Gives the line for the next one.
    pub fn step(&mut self, shortest_wait: Duration, offered: &[u32; CLASSES]) -> Cut {
        for (average, news) in self.offered.iter_mut().zip(offered) {
            *average = (*average * (10 - NEWS_TENTHS) + u64::from(*news) * PARTS * NEWS_TENTHS) / 10;
        }
        self.standing = if shortest_wait > TARGET {
            (self.standing + 1).min(2 * BURST)
        } else {
            self.standing.saturating_sub(1)
        };
        if self.cut == Cut::default() && self.standing < BURST {
            return self.cut;
        }
        let total: u64 = self.offered.iter().sum();
        let classes = self.offered.iter().enumerate();
        let admitted: u64 = classes
            .map(|(class, calls)| calls * self.cut.admitted(class) / u64::from(Cut::CLASS))
            .sum();
        let goal = match shortest_wait {
            wait if wait > TARGET * LONG => admitted * (100 - MANY_FEWER_PERCENT) / 100,
            wait if wait > TARGET => admitted * (100 - FEWER_PERCENT) / 100,
            _ => admitted * (100 + MORE_PERCENT) / 100 + PARTS,
        };
        // Where the others are gone, a queue that still stands is none that turning critical calls away would shorten.
        self.cut = if goal >= total {
            Cut::default()
        } else {
            self.line(goal).min(Cut::BELOW_CRITICAL)
        };
        self.cut
    }

    /// The line above which there are so many calls, the most urgent first.
    fn line(&self, mut goal: u64) -> Cut {
        for (class, calls) in self.offered.iter().enumerate().rev() {
            if *calls > goal {
                let turned_away = u64::from(Cut::CLASS) - goal * u64::from(Cut::CLASS) / calls;
                let floor = u32::try_from(class).unwrap_or(0) * Cut::CLASS;
                return Cut(floor + u32::try_from(turned_away).unwrap_or(Cut::CLASS));
            }
            goal -= calls;
        }
        Cut::default()
    }
}

/// Whether there is room for one more call among so many, of which some is kept for the critical ones.
#[must_use]
pub fn has_room(open: u64, most: u64, priority: u8) -> bool {
    let most = if priority >= CRITICAL {
        most
    } else {
        most.saturating_mul(100 - RESERVE_PERCENT) / 100
    };
    open < most
}

/// How short the process is of memory (FAULTS F43).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Memory {
    /// There is enough.
    #[default]
    Enough,
    /// Connections are closed when their exchange is over, and nothing is kept that can be had again.
    Short,
    /// Nothing new is begun.
    Full,
}

/// What so many bytes of so many mean.
#[must_use]
pub fn memory(used: u64, limit: u64) -> Memory {
    match used.saturating_mul(100).checked_div(limit) {
        Some(95..) => Memory::Full,
        Some(92..) => Memory::Short,
        _ => Memory::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that serves so many calls per interval, with a queue for the rest that waits in it.
    struct Worker {
        controller: Controller,
        serves: u32,
        queue: u32,
        cut: Cut,
    }

    impl Worker {
        fn new(serves: u32) -> Self {
            Self {
                controller: Controller::default(),
                serves,
                queue: 0,
                cut: Cut::default(),
            }
        }

        /// One interval; how many calls of each class were let in.
        fn interval(&mut self, offered: [u32; CLASSES]) -> [u32; CLASSES] {
            let mut let_in = [0; CLASSES];
            for (class, calls) in offered.iter().enumerate() {
                let priority = u8::try_from(class).unwrap_or(9);
                let admitted = (0..*calls).filter(|call| self.cut.admits(priority, call * 1000 / calls)).count();
                if let Some(one) = let_in.get_mut(class) {
                    *one = u32::try_from(admitted).unwrap_or(0);
                }
            }
            let waiting = self.queue + let_in.iter().sum::<u32>();
            self.queue = waiting.saturating_sub(self.serves);
            // What is left over at the end of an interval waits for as long as it takes to serve it.
            let wait = INTERVAL * self.queue / self.serves;
            self.cut = self.controller.step(wait, &offered);
            let_in
        }
    }

    impl Worker {
        fn serve_for(&mut self, intervals: std::ops::Range<u32>, offered: [u32; CLASSES]) {
            for _ in intervals {
                self.interval(offered);
            }
        }
    }

    fn offer(normal: u32, critical: u32) -> [u32; CLASSES] {
        [normal, 0, 0, 0, 0, 0, 0, 0, critical, 0]
    }

    #[test]
    fn below_saturation_nobody_is_turned_away() {
        let mut worker = Worker::new(100);
        for _ in 0..100 {
            assert_eq!(worker.interval(offer(80, 10)), offer(80, 10));
        }
    }

    #[test]
    fn l4_at_three_times_saturation_the_worker_stays_busy_and_the_critical_are_served() {
        let mut worker = Worker::new(100);
        // What came before it was seen is worked off first.
        worker.serve_for(0..150, offer(280, 20));
        let (mut served, mut critical, mut longest) = (0, 0, 0);
        for _ in 0..300 {
            let let_in = worker.interval(offer(280, 20));
            served += let_in.iter().sum::<u32>();
            critical += let_in.iter().skip(usize::from(CRITICAL)).sum::<u32>();
            longest = longest.max(worker.queue);
        }
        assert!((27_000..=31_000).contains(&served), "{served} of 30,000 that can be served");
        assert!(critical >= 5_940, "{critical} of 6,000 critical ones");
        assert!(longest <= 100, "the queue grew to {longest}");
    }

    #[test]
    fn l4_after_an_overload_everybody_is_served_again_within_five_seconds() {
        let mut worker = Worker::new(100);
        worker.serve_for(0..300, offer(900, 0));
        let intervals = (1..=200).find(|_| worker.interval(offer(60, 0)) == offer(60, 0) && worker.queue == 0);
        assert!(intervals.is_some_and(|intervals| intervals <= 50), "{intervals:?}");
    }

    #[test]
    fn a_burst_in_one_interval_turns_few_away() {
        let mut worker = Worker::new(100);
        worker.serve_for(0..20, offer(50, 0));
        worker.interval(offer(120, 0));
        assert!(worker.interval(offer(50, 0)).iter().sum::<u32>() >= 45);
    }

    #[test]
    fn critical_calls_are_never_cut() {
        let mut worker = Worker::new(100);
        worker.queue = 2_000;
        for _ in 0..300 {
            let let_in = worker.interval(offer(500, 50));
            assert_eq!(let_in.iter().skip(8).sum::<u32>(), 50, "an old queue is worked off");
        }
        assert!(worker.queue < 100, "{}", worker.queue);
    }

    #[test]
    fn calls_are_cut_from_the_least_urgent_up() {
        let line = Cut(3_500);
        assert!(!line.admits(3, 499) && line.admits(3, 500) && line.admits(4, 0) && !line.admits(0, 999));
        assert!(Cut::default().admits(0, 0));
        assert_eq!(Cut::from_bits(line.to_bits()), line);
    }

    #[test]
    fn a_fifth_of_the_room_is_kept_for_critical_calls() {
        let rows = [
            (79, 0, true),
            (80, 0, false),
            (80, 7, false),
            (80, 8, true),
            (99, 9, true),
            (100, 9, false),
        ];
        for (open, priority, expected) in rows {
            assert_eq!(has_room(open, 100, priority), expected, "{open} {priority}");
        }
    }

    #[test]
    fn f43_the_ladder_of_memory() {
        let rows = [
            (91, 100, Memory::Enough),
            (92, 100, Memory::Short),
            (95, 100, Memory::Full),
            (u64::MAX, u64::MAX, Memory::Enough),
            (5, 0, Memory::Enough),
            (300, 256, Memory::Full),
        ];
        for (used, limit, expected) in rows {
            assert_eq!(memory(used, limit), expected, "{used} of {limit}");
        }
    }
}
