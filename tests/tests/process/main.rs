//! The real process over real sockets: every fault, bad input and promise of the design that can be seen from outside. One file per
//! subject; the name of a test begins with the id of its requirement (FAULTS.md). What one process can show in a unit test is not
//! repeated here, and a panic (F45) cannot be asked for from outside: its tests stand beside the code.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests, which print the figures that they measure"
)]

mod breaker;
mod complexity;
mod crash;
mod descriptors;
mod explain;
mod fallback;
mod faults_below_http;
mod faults_of_answers;
mod faults_of_connections;
mod floods;
mod fuzz;
mod graceful;
mod headers;
mod hedge;
mod http_surface;
mod idempotency;
mod identity;
mod input;
mod key_pools;
mod labels;
mod leaving;
mod matrix;
mod memory;
mod money;
mod overdue;
mod overload;
mod record;
mod regressions;
mod release;
mod reload;
mod resilience;
mod resorts;

mod reviews;
mod secrets;
mod smuggling;
mod strategies;
mod switches;
