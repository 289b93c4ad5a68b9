//! What is remembered. For now: the keys (held in memory, from config), and the few files of the data folder.

pub mod directory;
pub mod files;
pub mod journal;
