//! Turning calls away when there are too many of them (FAULTS L4, F43): for want of a processor, of places, or of memory. Each worker
//! measures how long its own queue is; who is turned away is decided in `policy::overload`. A call pays for two numbers that it reads and
//! one that it writes; nobody measures while nobody calls.

pub mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tollgate_policy::overload::{self, CLASSES, Controller, Cut, INTERVAL, Memory};
use tollgate_wire::fault::{Fault, FaultKind};

use crate::clock::{self, Now};
use crate::config::raw;

/// How often a worker looks how long its queue is.
const LOOK: Duration = Duration::from_millis(25);
/// And how often at least before anything changes.
const LOOKS_MIN: u32 = 3;

/// What all workers share.
#[derive(Debug, Default)]
pub struct Pressure {
    sheds: bool,
    calls_max: u32,
    memory: AtomicU8,
}

/// One worker's valve.
#[derive(Debug, Default)]
pub struct Valve {
    cut: AtomicU32,
    /// Calls since the last interval, by class. Only this worker's thread writes.
    offered: [AtomicU32; CLASSES],
    asleep: AtomicBool,
    wake: Notify,
}

/// Which room a call may have.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    /// From 0 to 9.
    pub priority: u8,
    /// Calls that are under way, this one included.
    pub open: i64,
    /// When it came.
    pub now: Now,
}

impl Pressure {
    /// With those bounds.
    #[must_use]
    pub fn new(bounds: &raw::Overload) -> Self {
        Self {
            sheds: bounds.shed,
            calls_max: bounds.calls,
            memory: AtomicU8::new(0),
        }
    }

    /// How short of memory the process is.
    #[must_use]
    pub fn memory(&self) -> Memory {
        match self.memory.load(Ordering::Relaxed) {
            0 => Memory::Enough,
            1 => Memory::Short,
            _ => Memory::Full,
        }
    }

    /// It was looked at.
    pub fn set_memory(&self, memory: Memory) {
        self.memory.store(memory as u8, Ordering::Relaxed);
    }
}

impl Valve {
    /// Lets a call in, or turns it away at once.
    ///
    /// # Errors
    /// Overloaded.
    pub fn admit(&self, pressure: &Pressure, asks: Asks) -> Result<(), Fault> {
        let Asks { priority, open, now } = asks;
        let spread = now.unix.subsec_micros() % 1_000;
        if let Some(offered) = self.offered.get(usize::from(priority)) {
            // One thread writes: no need for the bus.
            offered.store(offered.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
            self.wake.notify_one();
        }
        let before = u64::try_from(open.saturating_sub(1)).unwrap_or(0);
        if !overload::has_room(before, pressure.calls_max.into(), priority) {
            return Err(turned_away("as many calls are under way as this gateway takes", spread));
        }
        if pressure.memory() == Memory::Full {
            return Err(turned_away("this gateway is short of memory", spread));
        }
        if !Cut::from_bits(self.cut.load(Ordering::Relaxed)).admits(priority, spread) {
            return Err(turned_away("this gateway has more calls than it can serve in time", spread));
        }
        Ok(())
    }

    /// Measures, for the life of the worker.
    pub async fn measure(self: Arc<Self>, pressure: Arc<crate::exchange::Shared>, stop: CancellationToken) {
        if !pressure.pressure.sheds {
            return;
        }
        let mut controller = Controller::default();
        while stop.run_until_cancelled(self.interval(&mut controller)).await.is_some() {}
    }

    async fn interval(&self, controller: &mut Controller) {
        let (began, mut shortest, mut looks) = (clock::instant(), Duration::MAX, 0);
        // One stall is no queue: several looks must have met it.
        while looks < LOOKS_MIN || clock::instant().saturating_duration_since(began) < INTERVAL {
            looks += 1;
            let at = clock::instant();
            tokio::time::sleep(LOOK).await;
            // The timer put this task behind all that were ready: what it is late by is how long they took.
            let late = clock::instant().saturating_duration_since(at).saturating_sub(LOOK);
            shortest = shortest.min(late);
        }
        let mut offered = [0; CLASSES];
        for (count, class) in offered.iter_mut().zip(&self.offered) {
            *count = class.load(Ordering::Relaxed);
            class.store(0, Ordering::Relaxed);
        }
        let cut = controller.step(shortest, &offered);
        self.cut.store(cut.to_bits(), Ordering::Relaxed);
        if cut == Cut::default() && offered.iter().all(|calls| *calls == 0) {
            self.asleep.store(true, Ordering::Relaxed);
            self.wake.notified().await;
        }
    }
}

/// The refusal: at once, and with a time to come back that is not the same for all.
fn turned_away(why: &str, spread: u32) -> Fault {
    let mut fault = Fault::gateway(FaultKind::Overloaded, format!("{why}; try again in a moment")).with_code("overloaded");
    fault.retry_after = Some(Duration::from_millis(1_000 + 2 * u64::from(spread)));
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(priority: u8, open: i64) -> Asks {
        Asks {
            priority,
            open,
            now: clock::now(),
        }
    }

    #[test]
    fn l4_places_memory_and_the_line_each_turn_a_call_away_with_a_time_to_come_back() {
        let pressure = Pressure::new(&raw::Overload {
            calls: 100,
            ..raw::Overload::default()
        });
        let valve = Valve::default();
        assert!(valve.admit(&pressure, asks(0, 80)).is_ok());
        let rows = [
            (valve.admit(&pressure, asks(0, 81)), "under way"),
            {
                valve.cut.store(9_999, Ordering::Relaxed);
                (valve.admit(&pressure, asks(8, 1)), "in time")
            },
            {
                pressure.set_memory(Memory::Full);
                (valve.admit(&pressure, asks(9, 1)), "memory")
            },
        ];
        for (refused, why) in rows {
            let fault = refused.err().unwrap_or_else(|| Fault::gateway(FaultKind::Internal, "let in"));
            assert!(fault.message.contains(why), "{}", fault.message);
            assert_eq!((fault.kind, fault.code.as_deref()), (FaultKind::Overloaded, Some("overloaded")));
            assert!(fault.retry_after.is_some_and(|wait| (1..=3).contains(&wait.as_secs())));
        }
        pressure.set_memory(Memory::Short);
        valve.cut.store(0, Ordering::Relaxed);
        assert!(
            valve.admit(&pressure, asks(8, 100)).is_ok(),
            "a critical call has the fifth that is kept"
        );
    }

    /// A worker whose thread is kept busy sees its queue stand; when it is idle again, everybody is let in.
    #[tokio::test]
    async fn l4_a_queue_that_stands_is_noticed_and_forgotten() {
        let valve = Arc::new(Valve::default());
        let pressure = Pressure::new(&raw::Overload::default());
        let mut controller = Controller::default();
        let mut refused = 0;
        let busy = async {
            let end = clock::instant() + Duration::from_millis(3_500);
            while clock::instant() < end {
                for _ in 0..20 {
                    refused += u32::from(valve.admit(&pressure, asks(0, 1)).is_err());
                }
                std::thread::sleep(Duration::from_millis(40));
                tokio::task::yield_now().await;
            }
        };
        let measuring = async {
            loop {
                valve.interval(&mut controller).await;
            }
        };
        tokio::select! {
            () = busy => {}
            () = measuring => {}
        }
        assert!(refused > 0, "a wait of 40 ms each time, and nobody was turned away");
        let mut rest = Controller::default();
        // Nobody calls any more: when it has seen that, it sleeps until somebody does.
        let _ = tokio::time::timeout(3 * INTERVAL, valve.interval(&mut rest)).await;
        assert!(valve.admit(&pressure, asks(0, 1)).is_ok());
    }
}
