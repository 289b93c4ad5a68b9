//! The simulator over real sockets: every behaviour in every dialect, every fault, the bill. One binary, one link.
//! What a gateway makes of the faults is tested elsewhere.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod behaviours;
mod bill;
mod corpus;
mod faults;
mod strictness;
mod support;
