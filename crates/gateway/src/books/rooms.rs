//! Where calls wait for room: one queue for each rule and each set of its values, fair between teams, within a team by priority, bounded.
//! Nothing is held while a call waits, and whoever leaves is gone from the queue at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tollgate_policy::accounts::Denied;

/// Calls that wait for one room.
const WAITING_CALLS_MAX: usize = 1_000;
/// Bytes of the bodies that wait in all rooms.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// All queues.
#[derive(Default)]
pub struct Rooms {
    state: Arc<Mutex<State>>,
    /// A call has ended somewhere: whoever is first may try again.
    left: Arc<Notify>,
}

#[derive(Default)]
struct State {
    lines: HashMap<String, Line>,
    bytes: usize,
    last_ticket: u64,
}

/// Who waits for one room: teams in turn, and within a team by priority, then whoever came first.
#[derive(Default)]
struct Line {
    teams: VecDeque<(String, VecDeque<Place>)>,
}

/// A place within a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    priority: u8,
    number: u64,
}

/// A place in a queue, given up when this is dropped.
pub struct Ticket {
    state: Arc<Mutex<State>>,
    left: Arc<Notify>,
    room: String,
    number: u64,
    bytes: usize,
}

impl Rooms {
    /// Takes a place behind one's own team. `None`: there is none left.
    #[must_use]
    pub fn join(&self, denied: &Denied, (team, priority): (&str, u8), bytes: usize) -> Option<Ticket> {
        let room = room_of(denied);
        let mut state = lock(&self.state);
        let waiting: usize = state
            .lines
            .get(&room)
            .map_or(0, |line| line.teams.iter().map(|(_, tickets)| tickets.len()).sum());
        if waiting >= WAITING_CALLS_MAX || state.bytes.saturating_add(bytes) > WAITING_BYTES_MAX {
            return None;
        }
        state.last_ticket += 1;
        state.bytes += bytes;
        let number = state.last_ticket;
        let line = state.lines.entry(room.clone()).or_default();
        match line.teams.iter_mut().find(|(name, _)| name == team) {
            Some((_, tickets)) => {
                let before = tickets.iter().take_while(|other| other.priority >= priority).count();
                tickets.insert(before, Place { priority, number });
            }
            None => line
                .teams
                .push_back((team.to_owned(), VecDeque::from([Place { priority, number }]))),
        }
        Some(Ticket {
            state: Arc::clone(&self.state),
            left: Arc::clone(&self.left),
            room,
            number,
            bytes,
        })
    }

    /// A call has ended.
    pub fn somebody_left(&self) {
        self.left.notify_waiters();
    }
}

impl Ticket {
    /// Whether it is this one's turn.
    #[must_use]
    pub fn is_first(&self) -> bool {
        let state = lock(&self.state);
        let first = state.lines.get(&self.room).and_then(|line| line.teams.front()?.1.front().copied());
        first.is_some_and(|place| place.number == self.number)
    }

    /// Waits until something has ended, or for that long.
    pub async fn pause(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.left.notified()).await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.bytes = state.bytes.saturating_sub(self.bytes);
        if let Some(line) = state.lines.get_mut(&self.room) {
            line.remove(self.number);
            if line.teams.is_empty() {
                state.lines.remove(&self.room);
            }
        }
        drop(state);
        self.left.notify_waiters();
    }
}

impl Line {
    /// Whoever was first and goes gives the turn to the next team.
    fn remove(&mut self, number: u64) {
        let Some(at) = self
            .teams
            .iter()
            .position(|(_, tickets)| tickets.iter().any(|place| place.number == number))
        else {
            return;
        };
        let Some((name, mut tickets)) = self.teams.remove(at) else { return };
        let was_first = at == 0 && tickets.front().is_some_and(|place| place.number == number);
        tickets.retain(|place| place.number != number);
        if tickets.is_empty() {
            return;
        }
        if was_first {
            self.teams.push_back((name, tickets));
        } else {
            self.teams.insert(at, (name, tickets));
        }
    }
}

fn room_of(denied: &Denied) -> String {
    let values = denied.scope.iter().map(|(name, value)| format!("\u{1f}{name}\u{1e}{value}"));
    std::iter::once(denied.name.clone()).chain(values).collect()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tollgate_policy::accounts::{Measure, Refusal, RuleAt};

    fn denied() -> Denied {
        Denied {
            refusal: Refusal::Rate,
            rule: RuleAt::Limit(0),
            name: "l".into(),
            measure: Measure::Requests,
            scope: vec![],
            limit: 1,
            used: 1,
            reserved: 0,
            asked: 1,
            resets_at_ms: None,
            retry_after_ms: Some(5),
        }
    }

    #[test]
    fn teams_take_turns_and_who_leaves_is_gone() {
        let rooms = Rooms::default();
        let join = |team: &str| rooms.join(&denied(), (team, 0), 1).unwrap();
        let (a1, a2, a3, b1) = (join("a"), join("a"), join("a"), join("b"));
        assert!(a1.is_first() && !a2.is_first() && !b1.is_first());
        drop(a2); // left in the middle: nobody's turn changes
        assert!(a1.is_first());
        drop(a1);
        assert!(b1.is_first(), "the other team is next, though team a has one more");
        drop(b1);
        assert!(a3.is_first());
        drop(a3);
        assert!(lock(&rooms.state).lines.is_empty());
    }

    #[test]
    fn within_a_team_priority_goes_before_and_never_before_other_teams() {
        let rooms = Rooms::default();
        let join = |team: &str, priority| rooms.join(&denied(), (team, priority), 1).unwrap();
        let (a_low, b_low, a_high, a_high_too) = (join("a", 0), join("b", 0), join("a", 9), join("a", 9));
        assert!(a_high.is_first());
        drop(a_high);
        assert!(b_low.is_first());
        drop(b_low);
        assert!(a_high_too.is_first());
        drop(a_high_too);
        assert!(a_low.is_first());
    }

    #[test]
    fn a_room_is_bounded_by_calls_and_all_by_bytes() {
        let rooms = Rooms::default();
        let tickets: Vec<Ticket> = (0..WAITING_CALLS_MAX)
            .map(|_| rooms.join(&denied(), ("a", 0), 1).unwrap())
            .collect();
        assert!(rooms.join(&denied(), ("b", 0), 1).is_none());
        drop(tickets);
        let large = rooms.join(&denied(), ("a", 0), WAITING_BYTES_MAX).unwrap();
        assert!(rooms.join(&denied(), ("a", 0), 1).is_none());
        drop(large);
        assert!(rooms.join(&denied(), ("a", 0), 1).is_some());
    }
}
