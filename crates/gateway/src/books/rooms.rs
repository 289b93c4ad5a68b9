//! Where calls wait for room: one queue for each rule and each set of its values, fair between teams, within a team by priority, bounded.
//! Nothing is held while a call waits, and whoever leaves is gone from the queue at once.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// Calls that wait in all rooms: with none, nobody has to look whether others wait.
    waiting: Arc<AtomicUsize>,
    /// A call has ended somewhere: whoever is first may try again.
    left: Arc<Notify>,
}

#[derive(Default)]
struct State {
    lines: HashMap<Room, Line>,
    bytes: usize,
    last_ticket: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Room(String);

/// When a call asks: who has been let in does not queue with those who have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// To be let in.
    Entrance,
    /// For tokens, money, or an attempt.
    Hold,
}

/// Who waits for one room: teams in turn, and within a team by priority, then whoever came first.
#[derive(Default)]
struct Line {
    /// What the last one was told who was refused here.
    denied: Option<Denied>,
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
    waiting: Arc<AtomicUsize>,
    room: Room,
    number: u64,
    bytes: usize,
}

impl Rooms {
    /// Takes a place behind one's own team. `None`: there is none left.
    #[must_use]
    pub fn join(&self, (room, denied): (Room, Option<&Denied>), (team, priority): (&str, u8), bytes: usize) -> Option<Ticket> {
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
        line.denied = denied.cloned();
        match line.teams.iter_mut().find(|(name, _)| name == team) {
            Some((_, tickets)) => {
                let before = tickets.iter().take_while(|other| other.priority >= priority).count();
                tickets.insert(before, Place { priority, number });
            }
            None => line
                .teams
                .push_back((team.to_owned(), VecDeque::from([Place { priority, number }]))),
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Ticket {
            state: Arc::clone(&self.state),
            left: Arc::clone(&self.left),
            waiting: Arc::clone(&self.waiting),
            room,
            number,
            bytes,
        })
    }

    /// Nobody waits anywhere.
    #[must_use]
    pub fn are_empty(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// What those were told who wait for that room; `None`: nobody does.
    #[must_use]
    pub fn waited_for(&self, room: &Room) -> Option<Denied> {
        lock(&self.state).lines.get(room)?.denied.clone()
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
        self.waiting.fetch_sub(1, Ordering::Relaxed);
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

impl Room {
    /// Of a rule and the values that a call is counted by.
    #[must_use]
    pub fn of_rule(stage: Stage, rule: &str, scope: &[(String, String)]) -> Self {
        let stage = if stage == Stage::Entrance { "in\u{1f}" } else { "hold\u{1f}" };
        let values = scope.iter().map(|(name, value)| format!("\u{1f}{name}\u{1e}{value}"));
        Self([stage, rule].into_iter().map(str::to_owned).chain(values).collect())
    }

    /// Of a route whose models are all ill.
    #[must_use]
    pub fn of_route(name: &str) -> Self {
        Self(format!("ill\u{1f}{name}"))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tollgate_policy::accounts::{Measure, Refusal, RuleAt};

    fn room() -> (Room, Option<&'static Denied>) {
        (Room::of_rule(Stage::Hold, "l", &[]), None)
    }

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
        let join = |team: &str| rooms.join(room(), (team, 0), 1).unwrap();
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
    fn who_comes_later_sees_that_others_wait_and_for_what() {
        let rooms = Rooms::default();
        let scope = [("team".to_owned(), "a".to_owned())];
        let room = |stage| Room::of_rule(stage, "l", &scope);
        assert!(rooms.are_empty());
        let ticket = rooms.join((room(Stage::Entrance), Some(&denied())), ("a", 0), 1).unwrap();
        assert!(!rooms.are_empty());
        assert_eq!(rooms.waited_for(&room(Stage::Entrance)), Some(denied()));
        assert_eq!(
            rooms.waited_for(&room(Stage::Hold)),
            None,
            "who is in does not queue with who is not"
        );
        assert_eq!(rooms.waited_for(&Room::of_rule(Stage::Entrance, "l", &[])), None);
        drop(ticket);
        assert!(rooms.are_empty() && rooms.waited_for(&room(Stage::Entrance)).is_none());
    }

    #[test]
    fn within_a_team_priority_goes_before_and_never_before_other_teams() {
        let rooms = Rooms::default();
        let join = |team: &str, priority| rooms.join(room(), (team, priority), 1).unwrap();
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
        let tickets: Vec<Ticket> = (0..WAITING_CALLS_MAX).map(|_| rooms.join(room(), ("a", 0), 1).unwrap()).collect();
        assert!(rooms.join(room(), ("b", 0), 1).is_none());
        drop(tickets);
        let large = rooms.join(room(), ("a", 0), WAITING_BYTES_MAX).unwrap();
        assert!(rooms.join(room(), ("a", 0), 1).is_none());
        drop(large);
        assert!(rooms.join(room(), ("a", 0), 1).is_some());
    }
}
