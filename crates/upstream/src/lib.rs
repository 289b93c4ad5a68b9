//! Who answers: the door to the providers — connections, credentials, and the addresses and signatures of each vendor.
//!
//! Nothing else in the product opens a connection to a provider, and nothing here knows what is said over it: formats
//! live in `wire`, the choice of a provider in `policy`. Reading order: [`client`] (the door), [`tls`] (who is trusted),
//! [`credentials`] (whose key, and for which origin), [`auth`] (how a vendor wants to see it).

pub mod attempt;
pub mod auth;
pub mod client;
pub mod credentials;
pub mod deployment;
pub mod providers;
pub mod retries;
pub mod tls;
