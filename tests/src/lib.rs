//! What the tests of the real process are made of: the process itself (`gateway`), callers (`caller`), what they read (`read`),
//! providers that misbehave below HTTP (`provider`) or wait (`gate`), and the ledger afterwards (`ledger`). It asserts nothing about the product: that is done in `tests/process`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on must stop the test"
)]

pub mod caller;
pub mod gate;
pub mod gateway;
pub mod http2;
pub mod keyed;
pub mod ledger;
pub mod provider;
pub mod read;
pub mod rig;

pub use caller::{Answer, Caller, Live};
pub use gateway::{Gateway, Settings};
pub use read::Dialect;
pub use rig::Rig;
