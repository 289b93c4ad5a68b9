//! What is allowed and chosen: decisions. Pure: no I/O, no clock, no dice of its own; time and dice are arguments.

pub mod accounts;
pub mod affinity;
pub mod budgets;
pub mod compare;
pub mod complexity;
pub mod estimate;
pub mod health;
pub mod identity;
pub mod key;
pub mod labels;
pub mod ledger;
pub mod limits;
pub mod loops;
pub mod money;
pub mod patterns;
pub mod plan;
pub mod prices;
pub mod release;
pub mod resorts;
pub mod retry;
pub mod rules;
pub mod scopes;
pub mod strategies;
pub mod switches;
pub mod vitals;
pub mod windows;
