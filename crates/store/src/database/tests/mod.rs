//! One suite for every database: each test below runs on SQLite, and on PostgreSQL where `TOLLGATE_POSTGRES` has its address
//! (`cargo xtask test` starts one).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod audit;
mod decisions;
mod ledger;
mod objects;
mod opening;
mod outbox;
mod reviews;
mod shadows;
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
    objects::every_kind_is_read_back_equal,
    objects::a_version_lets_one_of_two_writers_through,
    objects::names_are_taken_until_their_object_is_deleted,
    objects::r_a8_a_search_word_is_no_pattern,
    objects::pages_follow_each_other,
    objects::changes_are_made_together_or_not_at_all,
    objects::sessions_end,
    audit::every_change_is_told_and_no_secret_is,
    audit::checkpoints_come_by_number_and_by_time,
    audit::every_tampering_before_a_checkpoint_is_found,
    outbox::an_alert_goes_to_one_sender_at_a_time,
    reviews::a_review_is_decided_once_and_told_to_the_log_without_its_text,
    reviews::reviews_are_bounded_in_number_and_in_time,
    reviews::one_of_two_sends_what_was_approved,
    decisions::decisions_are_kept_once_and_for_a_while,
    outbox::an_event_is_told_once_however_often_it_is_put,
    shadows::figures_of_shadows_add_up_by_route_and_model,
    opening::a_newer_database_is_left_alone,
    opening::a_second_opening_finds_everything,
}
