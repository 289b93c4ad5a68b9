//! What is remembered: the keys (held in memory, from config), the few files of the data folder, and the database.

pub mod database;
pub mod directory;
pub mod files;
pub mod journal;
