//! Proofs about the crate as a whole: what must hold for any bytes (shared with `fuzz/`), and what the recorded exchanges show.
//! Tests of one file stand beside that file.

pub(crate) mod corpus;
pub(crate) mod dice;
mod fuzzed;
mod smoke;
pub(crate) mod spelling;
