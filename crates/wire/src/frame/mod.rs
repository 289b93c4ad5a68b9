//! How events are framed on the wire, below any dialect.

pub mod sse;
