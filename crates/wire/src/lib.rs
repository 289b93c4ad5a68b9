//! What is said: the wire formats, and the one language between them. Pure: no I/O, no clock, no dice, no tokio.
//!
//! In reading order: the language (`request`, `event`, `usage`, `fault`, `loss`), what we need to know of a body without
//! parsing it (`envelope`, `patch`), the N×M of translation (`translate`), framing (`frame`), and the formats (`dialects`).

pub mod dialects;
pub mod envelope;
pub mod event;
pub mod fault;
pub mod frame;
pub mod json;
pub mod loss;
pub mod outline;
pub mod patch;
pub mod request;
pub mod sizes;
pub mod tap;
pub mod target;
pub mod translate;
pub mod usage;

pub use dialects::{DIALECTS, Dialect, Operation};

// The checks that `fuzz/` shares with our tests name this crate as others do.
#[cfg(test)]
extern crate self as tollgate_wire;
#[cfg(test)]
mod tests;
