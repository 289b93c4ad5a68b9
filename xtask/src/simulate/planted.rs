//! The planted bugs: what other gateways got wrong, and what a hurried change of ours could. Each spoils what `desk.rs` does around the
//! accounts, and the seeds of `make test` must find each.

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    AbortIsForgotten,
    AbortIsFree,
    AttemptNotReserved,
    ClockRunsAhead,
    CrashForgetsHolds,
    CrashPostsTwice,
    EditForgetsUsage,
    EditReachesNobody,
    EntersTwice,
    ExpiryNever,
    ExtensionNotHeld,
    ExtensionNotJournaled,
    HoldNotJournaled,
    LateSettleDropped,
    LateSettleDoubled,
    LeaveForgotten,
    NamesNotJournaled,
    OverrunForgiven,
    RefusalStaysOpen,
    ReplayFromTheStart,
    ReplaySkipsOne,
    ReserveNothing,
    RoundsDown,
    SettleInTodaysWindow,
    SettleJournaledTwice,
    SettleNotJournaled,
    SettlesTheHold,
    SpentForgotten,
    SwitchNotRepriced,
    SwitchStaysPut,
    TokensSwapped,
    UserIgnored,
}

/// Each with its name and what it does.
pub(crate) const ALL: &[(Planted, &str, &str)] = &[
    (
        Planted::AbortIsForgotten,
        "abort-is-forgotten",
        "a caller that leaves takes the hold with it",
    ),
    (Planted::AbortIsFree, "abort-is-free", "a stream that is broken off costs nothing"),
    (
        Planted::AttemptNotReserved,
        "attempt-not-reserved",
        "limits of model and provider are not asked",
    ),
    (
        Planted::ClockRunsAhead,
        "clock-runs-ahead",
        "holds are taken in the window of tomorrow",
    ),
    (
        Planted::CrashForgetsHolds,
        "crash-forgets-holds",
        "what was held when the process died is given back",
    ),
    (
        Planted::CrashPostsTwice,
        "crash-posts-twice",
        "what was held when the process died is posted twice",
    ),
    (Planted::EditForgetsUsage, "edit-forgets-usage", "an edit of a limit starts it anew"),
    (
        Planted::EditReachesNobody,
        "edit-reaches-nobody",
        "an edit of a limit is read, and not used",
    ),
    (Planted::EntersTwice, "enters-twice", "a request is counted twice"),
    (Planted::ExpiryNever, "expiry-never", "lost holds are held for ever"),
    (Planted::ExtensionNotHeld, "extension-not-held", "a stream grows without asking"),
    (
        Planted::ExtensionNotJournaled,
        "extension-not-journaled",
        "the journal does not know what a stream grew by",
    ),
    (
        Planted::HoldNotJournaled,
        "hold-not-journaled",
        "a call starts before the journal knows it",
    ),
    (
        Planted::LateSettleDropped,
        "late-settle-dropped",
        "what comes after the expiry is not posted",
    ),
    (
        Planted::LateSettleDoubled,
        "late-settle-doubled",
        "what comes after the expiry is posted beside the hold",
    ),
    (Planted::LeaveForgotten, "leave-forgotten", "an answered call stays open"),
    (
        Planted::NamesNotJournaled,
        "names-not-journaled",
        "nobody can tell whose an account is",
    ),
    (Planted::OverrunForgiven, "overrun-forgiven", "no more is posted than was held"),
    (
        Planted::RefusalStaysOpen,
        "refusal-stays-open",
        "a call that is refused its hold stays open",
    ),
    (
        Planted::ReplayFromTheStart,
        "replay-from-the-start",
        "what the database has is replayed again",
    ),
    (
        Planted::ReplaySkipsOne,
        "replay-skips-one",
        "the first entry behind the applied position is passed over",
    ),
    (
        Planted::ReserveNothing,
        "reserve-nothing",
        "holds are empty, and all is charged afterwards",
    ),
    (Planted::RoundsDown, "rounds-down", "costs are cut to whole thousandths of a cent"),
    (
        Planted::SettleInTodaysWindow,
        "settle-in-todays-window",
        "the ledger posts in the window in which a call ends",
    ),
    (
        Planted::SettleJournaledTwice,
        "settle-journaled-twice",
        "the journal says twice that a call ended",
    ),
    (
        Planted::SettleNotJournaled,
        "settle-not-journaled",
        "a call ends, and the journal does not know",
    ),
    (
        Planted::SettlesTheHold,
        "settles-the-hold",
        "the estimate is posted, not what was used",
    ),
    (
        Planted::SpentForgotten,
        "spent-forgotten",
        "what a failed attempt cost is not charged to its model",
    ),
    (
        Planted::SwitchNotRepriced,
        "switch-not-repriced",
        "a dearer substitute runs on the hold of the first",
    ),
    (
        Planted::SwitchStaysPut,
        "switch-stays-put",
        "a substitute is charged to the first attempt's model",
    ),
    (Planted::TokensSwapped, "tokens-swapped", "input is posted as output"),
    (Planted::UserIgnored, "user-ignored", "the limits of a user are not asked"),
];

impl Planted {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    pub(crate) fn name(self) -> &'static str {
        ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}
