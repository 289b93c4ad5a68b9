//! Simulated providers: real sockets, real event sequences, scripted faults, and a bill of what was served.
//!
//! The answer is decided by the request alone: the model name picks a behaviour (`echo`, `lorem-200`, `tool-caller`)
//! and may ask for faults (`echo+slow-first-byte-2s`, `status-429-retry-3`). `GET /` prints the manual of both,
//! generated from the registries `behaviours` and `faults`; a script file ([`Script`]) can ask for faults as well.
//!
//! It deliberately shares no code with the gateway: a simulator built on the gateway's encoders could not catch
//! their mistakes. It is as strict as the vendors are, so that a wrong translation is an error here too.
//!
//! ```no_run
//! # async fn demo() -> std::io::Result<()> {
//! let mock = tollgate_mock::Mock::start(tollgate_mock::MockSettings::default()).await?;
//! println!("http://{}/openai/v1/chat/completions", mock.addr());
//! mock.stop().await;
//! # Ok(()) }
//! ```
//!
//! Adding a dialect is a folder in `dialects/` and a line in its registry; a behaviour or a fault is a row.

mod answer;
mod behaviours;
mod bill;
mod dialects;
mod faults;
mod io;
mod manual;
mod pattern;
mod question;
mod recorder;
mod reply;
mod schema;
mod script;
mod server;
mod service;
mod text;
mod wish;

pub use script::{Rule, Script, ScriptError};
pub use server::{Mock, MockSettings, OnAccept, refusing_address, serve};
