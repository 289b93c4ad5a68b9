//! The clocks of an exchange. Values only; who watches them is `dial`, `http1`, `http2` and `body`.

use std::time::Duration;

/// How long an exchange may take in each of its phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS together. Not used when a connection is at hand.
    pub connect: Duration,
    /// From the request being handed to a connection to the response head.
    pub first_byte: Duration,
    /// Silence between two chunks of the response body.
    pub idle: Duration,
    /// The whole exchange, over all its attempts. The door takes the `Instant` that this ends at, because only the
    /// caller knows when the exchange began.
    pub total: Duration,
    /// The slowest that a body may come.
    pub min_rate: Option<MinRate>,
}

/// The fewest bytes of a body in each window of time, counted from its head on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinRate {
    /// How many.
    pub bytes: u64,
    /// In which time.
    pub window: Duration,
}

impl Default for Timeouts {
    /// 5 s, 120 s, 60 s and 30 min: a reasoning model may think for two minutes before its first byte.
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
            min_rate: None,
        }
    }
}
