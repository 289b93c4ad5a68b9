//! A sliding window that never counts too little: a ring of buckets, of which the oldest counts whole until all of it has left the window.
//! Empty buckets take no room. Deliberately not a token bucket, which lets nearly twice its amount pass in the first window.

use std::collections::VecDeque;

/// A window is cut into at least so many buckets.
pub const BUCKETS_MIN: u64 = 96;

/// The counts of a sliding window. Times are in milliseconds since 1970 and never go back: its owner clamps the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    window_ms: i64,
    /// The width of a bucket: whole seconds where it is longer than one, so that the ledger can name it.
    bucket_ms: i64,
    /// The start of each bucket with something in it, and how much; oldest first.
    buckets: VecDeque<(i64, i64)>,
    sum: i64,
}

impl Ring {
    /// An empty one. A window shorter than 96 ms is taken for one of that length.
    #[must_use]
    pub fn new(window_ms: u64) -> Self {
        let window_ms = window_ms.clamp(BUCKETS_MIN, 1 << 42);
        let width = window_ms / BUCKETS_MIN;
        let width = if width >= 1000 { width / 1000 * 1000 } else { width };
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Self {
            window_ms: signed(window_ms),
            bucket_ms: signed(width),
            buckets: VecDeque::new(),
            sum: 0,
        }
    }

    /// The window's length in milliseconds.
    #[must_use]
    pub const fn window_ms(&self) -> i64 {
        self.window_ms
    }

    /// The start of the bucket of an instant.
    #[must_use]
    pub const fn bucket(&self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.bucket_ms) * self.bucket_ms
    }

    /// True when a bucket's start is a whole second, and what is counted outlives the process.
    #[must_use]
    pub const fn lasting(&self) -> bool {
        self.bucket_ms >= 1000
    }

    /// When a bucket leaves the window: when its last instant is as old as the window is long.
    const fn leaves(&self, bucket: i64) -> i64 {
        bucket + self.bucket_ms + self.window_ms
    }

    /// Forgets what has left the window, and says how much is in it.
    pub fn sum(&mut self, now_ms: i64) -> i64 {
        while let Some((start, amount)) = self.buckets.front().copied() {
            if now_ms < self.leaves(start) {
                break;
            }
            self.buckets.pop_front();
            self.sum = self.sum.saturating_sub(amount);
        }
        self.sum
    }

    /// Counts an amount, which may be negative, in the bucket of an instant; nothing happens when it has left the window.
    pub fn add(&mut self, now_ms: i64, at_ms: i64, amount: i64) {
        let bucket = self.bucket(at_ms);
        if amount == 0 || self.leaves(bucket) <= now_ms {
            return;
        }
        self.sum = self.sum.saturating_add(amount);
        // What is posted was admitted a moment ago: the search ends at once.
        let after = self.buckets.iter().rev().take_while(|(start, _)| *start > bucket).count();
        let at = self.buckets.len() - after;
        match at.checked_sub(1).and_then(|last| self.buckets.get_mut(last)) {
            Some((start, held)) if *start == bucket => *held = held.saturating_add(amount),
            _ => self.buckets.insert(at, (bucket, amount)),
        }
    }

    /// When enough has left the window for an excess to be gone; `None`: never, it is not the window that is too full.
    #[must_use]
    pub fn free_at(&self, excess: i64) -> Option<i64> {
        let mut left = excess;
        for (start, amount) in &self.buckets {
            left = left.saturating_sub(*amount);
            if left <= 0 {
                return Some(self.leaves(*start));
            }
        }
        None
    }

    /// When it is empty, if nothing more comes.
    #[must_use]
    pub fn empty_at(&self) -> Option<i64> {
        self.buckets.back().map(|(start, _)| self.leaves(*start))
    }

    /// What is counted, each amount at the last instant of its bucket: another window that takes it over forgets nothing too early.
    pub fn counts(&self) -> impl Iterator<Item = (i64, i64)> {
        self.buckets.iter().map(|(start, amount)| (start + self.bucket_ms - 1, *amount))
    }
}
