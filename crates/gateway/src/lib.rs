//! The gateway process as a library: the binary `tollgate` is thin over it. It holds no wire format and no policy; those are crates of
//! their own. `exchange` is the walk of one request; the files beside it are its stages, in the order in which it names them.

pub mod admin;
pub mod admit;
pub mod alerts;
pub mod books;
pub mod call;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod crossing;
pub mod declassify;
pub mod exchange;
pub mod explain;
pub mod facts;
pub mod idempotency;
pub mod identify;
pub mod ingress;
pub mod ledger;
pub mod live;
pub mod loops;
pub mod record;
pub mod refusal;
pub mod release;
pub mod reliability;
pub mod reply;
pub mod resort;
pub mod route;
pub mod server;
pub mod shadow;
pub mod stream;
pub mod switchboard;
pub mod tail;
pub mod telemetry;
pub mod unpack;
