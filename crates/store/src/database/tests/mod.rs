//! One suite for every database: each test below runs on SQLite, and on PostgreSQL where `TOLLGATE_POSTGRES` has its address
//! (`cargo xtask test` starts one).
#![expect(clippy::unwrap_used, reason = "tests")]

mod ledger;
mod stage;

/// The suite: a line per test, each a function that is given an empty database.
macro_rules! conformance {
    ($($module:ident :: $name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::stage::on_sqlite(stringify!($name), super::$module::$name); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::stage::on_postgres(stringify!($name), super::$module::$name); })*
        }
    };
}

conformance! {
    ledger::an_entry_counts_once_however_batches_overlap,
    ledger::rows_carry_what_was_posted,
    ledger::a_hold_stays_open_until_its_end,
    ledger::spend_is_split_cut_and_filtered,
    ledger::r_c11_an_alert_is_due_once_per_account_window_and_threshold,
    ledger::r_c11_a_rolling_window_is_told_about_once_in_its_length,
    ledger::r_a1_text_of_callers_stays_text,
    ledger::verify_finds_every_change,
    ledger::retention_drops_whole_months_and_the_rest_verifies,
    ledger::several_journals_share_one_ledger,
    ledger::a_thousand_random_batches_add_up,
}
