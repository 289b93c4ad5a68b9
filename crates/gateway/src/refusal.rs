//! What a caller is told whom a limit or a budget refuses: which one, whose, how full, until when, and whether waiting helps (GOVERNANCE
//! section 7).

use std::time::Duration;

use tollgate_policy::accounts::{Denied, Headroom, Measure, Refusal, Room};
use tollgate_policy::money::NanoUsd;
use tollgate_wire::fault::{Exceeded, Fault, FaultKind, Retry};

use crate::books::NotReserved;
use crate::clock::Now;
use crate::config::spending::BudgetStatus;

/// The fault of a call that was not let in or got nothing reserved.
#[must_use]
pub fn fault(refusal: &NotReserved, status: BudgetStatus) -> Fault {
    match refusal {
        NotReserved::Denied(denied) => denied_fault(denied, status),
        NotReserved::Waited(denied) => {
            let mut fault = denied_fault(denied, status).with_code("queue_timeout");
            fault.message = format!("there was no room in all the time that this call waited: {}", fault.message);
            fault
        }
        NotReserved::Ended(fault) => (**fault).clone(),
        NotReserved::Nothing => Fault::gateway(FaultKind::Unavailable, "no provider could be tried").with_code("upstream_unavailable"),
        NotReserved::Journal(error) => {
            let message = "what this call would spend cannot be written down just now, so it is not sent; try again in a moment";
            let mut fault = Fault::gateway(FaultKind::Unavailable, message)
                .with_code("ledger_unavailable")
                .with_cause(error.to_string());
            fault.retry = Retry::Same;
            fault.retry_after = Some(Duration::from_secs(1));
            fault
        }
    }
}

/// The fault of a refusal.
#[must_use]
pub fn denied_fault(denied: &Denied, status: BudgetStatus) -> Fault {
    let (kind, code) = match denied.refusal {
        Refusal::Concurrency | Refusal::Rate => (FaultKind::RateLimited, "rate_limit_exceeded"),
        Refusal::RequestExceedsLimit => (FaultKind::RateLimited, "request_exceeds_limit"),
        Refusal::BudgetReserved => (FaultKind::RateLimited, "budget_reserved"),
        Refusal::BudgetExceeded => (FaultKind::QuotaExceeded, "budget_exceeded"),
        Refusal::RequestExceedsBudget => (FaultKind::QuotaExceeded, "request_exceeds_budget"),
    };
    let mut fault = Fault::gateway(kind, message(denied))
        .with_code(code)
        .with_exceeded(exceeded(denied, status));
    fault.retry_after = denied.retry_after_ms.map(Duration::from_millis);
    let passes = matches!(denied.refusal, Refusal::Concurrency | Refusal::Rate | Refusal::BudgetReserved);
    fault.retry = if passes { Retry::Same } else { Retry::Never };
    fault
}

/// What the refusing limit still lets pass.
#[must_use]
pub fn headroom(denied: &Denied, now: Now) -> Headroom {
    let now_ms = u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX);
    let room = Room {
        limit: denied.limit,
        remaining: denied.limit.saturating_sub(denied.used).saturating_sub(denied.reserved).max(0),
        reset_ms: denied.resets_at_ms.map_or(0, |at| at.saturating_sub(now_ms)),
    };
    match denied.measure {
        Measure::Requests => Headroom {
            requests: Some(room),
            tokens: None,
        },
        Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => Headroom {
            requests: None,
            tokens: Some(room),
        },
        Measure::Concurrent | Measure::Money => Headroom::default(),
    }
}

fn message(denied: &Denied) -> String {
    let whose = whose(denied);
    let name = &denied.name;
    let (limit, used, asked) = (
        amount(denied, denied.limit),
        amount(denied, denied.used),
        amount(denied, denied.asked),
    );
    let until = resets_at(denied).map_or_else(String::new, |at| format!("; it starts anew at {at}"));
    match denied.refusal {
        Refusal::Rate => format!("the limit \"{name}\" ({limit}) is reached{whose}; wait, or ask who runs this gateway for more"),
        Refusal::Concurrency => format!("the limit \"{name}\" of {limit} at a time is reached{whose}; wait for one to end"),
        Refusal::RequestExceedsLimit => {
            format!(
                "this request may take {asked}, more than the limit \"{name}\" ever lets pass ({limit}){whose}; send a smaller one, or lower max_tokens"
            )
        }
        Refusal::BudgetReserved => {
            format!("open calls hold the rest of the budget \"{name}\" ({limit}){whose}; try again when they have ended")
        }
        Refusal::BudgetExceeded => format!("the budget \"{name}\" ({limit}) is spent{whose}{until}"),
        Refusal::RequestExceedsBudget => {
            format!(
                "this request may cost {asked}, more than the budget \"{name}\" has left{whose} ({used} of {limit} are spent); lower max_tokens{until}"
            )
        }
    }
}

/// `, for team "search"`, or nothing where all are counted together.
fn whose(denied: &Denied) -> String {
    if denied.scope.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = denied.scope.iter().map(|(name, value)| format!("{name} \"{value}\"")).collect();
    format!(", for {}", parts.join(", "))
}

fn amount(denied: &Denied, amount: i64) -> String {
    match denied.measure {
        Measure::Money => format!("{} USD", NanoUsd(amount)),
        Measure::Requests => format!("{amount} requests"),
        Measure::Concurrent => format!("{amount} calls"),
        Measure::Tokens => format!("{amount} tokens"),
        Measure::InputTokens => format!("{amount} input tokens"),
        Measure::OutputTokens => format!("{amount} output tokens"),
    }
}

fn exceeded(denied: &Denied, status: BudgetStatus) -> Exceeded {
    let number = |amount: i64| match denied.measure {
        Measure::Money => NanoUsd(amount).to_string(),
        _ => amount.to_string(),
    };
    let join = |part: fn(&(String, String)) -> &str| denied.scope.iter().map(part).collect::<Vec<_>>().join(",");
    Exceeded {
        rule: denied.name.clone(),
        scope: join(|(name, _)| name),
        scope_id: join(|(_, value)| value),
        unit: match denied.measure {
            Measure::Money => "usd",
            Measure::Requests => "requests",
            Measure::Concurrent => "calls",
            Measure::Tokens | Measure::InputTokens | Measure::OutputTokens => "tokens",
        },
        limit: number(denied.limit),
        used: number(denied.used),
        reserved: number(denied.reserved),
        resets_at: resets_at(denied),
        as_rate_limit: status == BudgetStatus::TooManyRequests && denied.measure == Measure::Money,
    }
}

fn resets_at(denied: &Denied) -> Option<String> {
    let at = i64::try_from(denied.resets_at_ms?).ok()?;
    jiff::Timestamp::from_millisecond(at).ok().map(|time| time.to_string())
}
