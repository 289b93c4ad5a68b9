//! What the accounts admit, refuse, post and give back.
#![expect(clippy::unwrap_used, reason = "tests")]
