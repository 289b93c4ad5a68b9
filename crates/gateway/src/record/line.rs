//! A record as one line of JSON, written by hand: it is written for every exchange, and a serialiser costs several times as much.

mod complexity;

use std::time::Duration;

use tollgate_policy::labels::Label;
use tollgate_wire::json;

use super::{Attempt, FaultRecord, Record, UsageRecord};
use crate::books::Paid;
use crate::identify::Caller;

/// Appends the record as a JSON object, without a line break. What is not known is left out.
pub fn write(out: &mut Vec<u8>, record: &Record) {
    out.extend_from_slice(b"{\"time\":\"");
    time(out, record.time);
    out.extend_from_slice(b"\",\"request_id\":");
    json::write_string(out, &record.request_id);
    text(out, b",\"trace_id\":", record.trace_id.as_deref());
    text(out, b",\"config\":", Some(&record.config));
    text(out, b",\"dialect\":", Some(record.dialect));
    text(out, b",\"operation\":", Some(record.operation));
    if let Some(caller) = &record.caller {
        self::caller(out, caller);
    }
    if let Some(label) = &record.label {
        self::label(out, b",\"label\":", label);
    }
    text(out, b",\"asked\":", record.asked.as_deref());
    text(out, b",\"route\":", record.route_name());
    if let Some(verdict) = &record.complexity {
        complexity::write(out, verdict);
    }
    text(out, b",\"model\":", record.model_name());
    flag(out, b",\"stream\":", record.stream);
    flag(out, b",\"passthrough\":", record.passthrough);
    out.extend_from_slice(b",\"attempts\":");
    list(out, &record.attempts, attempt);
    text(out, b",\"fallback\":", record.fallback.as_deref());
    text(out, b",\"downgraded\":", record.downgraded.as_deref());
    if record.replayed {
        flag(out, b",\"replayed\":", true);
    }
    if let Some(paid) = &record.paid {
        self::paid(out, paid);
    }
    if !record.loss.is_empty() {
        out.extend_from_slice(b",\"loss\":");
        list(out, &record.loss, |out, feature| json::write_string(out, feature));
    }
    number(out, b",\"status\":", record.status.into());
    text(out, b",\"outcome\":", Some(record.outcome.name()));
    if let Some(fault) = &record.fault {
        out.extend_from_slice(b",\"fault\":");
        self::fault(out, fault);
    }
    text(out, b",\"finish\":", record.finish.as_deref());
    if let Some(usage) = &record.usage {
        self::usage(out, usage);
    }
    text(out, b",\"provider_request_id\":", record.provider_request_id.as_deref());
    number(out, b",\"request_bytes\":", record.request_bytes);
    number(out, b",\"answer_bytes\":", record.answer_bytes);
    if let Some(us) = record.first_byte_us {
        ms(out, b",\"first_byte_ms\":", us);
    }
    ms(out, b",\"total_ms\":", record.total_us);
    if let Some(us) = record.queued_us {
        ms(out, b",\"queued_ms\":", us);
    }
    if let Some(us) = record.overhead_us {
        ms(out, b",\"overhead_ms\":", us);
    }
    out.push(b'}');
}

/// Appends a moment since 1970 as RFC 3339, UTC, with as many of three decimals as say something.
pub fn time(out: &mut Vec<u8>, unix: Duration) {
    let (days, second) = (unix.as_secs() / 86_400, unix.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    digits(out, year, 4);
    for (before, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', second / 3600),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        out.push(before);
        digits(out, value, 2);
    }
    thousandths(out, unix.subsec_millis().into());
    out.push(b'Z');
}

/// The date of a day since 1970 in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin on the first of March, so that the leap day is the last one; counted in eras of 400 years from the year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A whole number with leading zeros.
pub fn digits(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = value;
    for place in out.iter_mut().skip(start).rev() {
        *place += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

/// A point and the decimals of a value below 1000, without the zeros at their end; nothing for 0.
pub fn thousandths(out: &mut Vec<u8>, value: u64) {
    if value == 0 {
        return;
    }
    out.push(b'.');
    digits(out, value, 3);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Dollars as a string: a JSON number would be read as a float.
fn paid(out: &mut Vec<u8>, paid: &Paid) {
    text(out, b",\"cost_usd\":", Some(&paid.cost.to_string()));
    text(out, b",\"price\":", paid.price_version.as_deref());
    if paid.overrun {
        flag(out, b",\"overrun\":", true);
    }
    text(out, b",\"unwritten\":", paid.unwritten.as_deref());
}

fn caller(out: &mut Vec<u8>, caller: &Caller) {
    text(out, b",\"team\":", Some(&caller.team().name));
    text(out, b",\"user\":", caller.user());
    text(out, b",\"key\":", caller.key_id());
    text(out, b",\"end_user\":", caller.end_user());
    if let Some(until) = caller.deprecated_until() {
        out.extend_from_slice(b",\"key_deprecated\":\"");
        time(out, Duration::from_secs(until));
        out.push(b'"');
    }
    if !caller.tags().is_empty() {
        out.extend_from_slice(b",\"tags\":");
        json::object(out, |tags| caller.tags().iter().for_each(|(name, value)| tags.string(name, value)));
    }
    text(out, b",\"feature\":", caller.feature());
    if let Some(lowered) = caller.lowered() {
        label(out, b",\"declassified\":{\"from\":", &lowered.from);
        text(out, b",\"reason\":", Some(&lowered.reason));
        out.push(b'}');
    }
}

/// Most labels are a level and nothing more.
fn label(out: &mut Vec<u8>, key: &[u8], label: &Label) {
    match label.bounds() {
        None => text(out, key, Some(label.level().name())),
        Some(_) => text(out, key, Some(&label.to_string())),
    }
}

fn text(out: &mut Vec<u8>, key: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        json::write_string(out, value);
    }
}

fn flag(out: &mut Vec<u8>, key: &[u8], value: bool) {
    out.extend_from_slice(key);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    json::write_integer(out, value);
}

/// Microseconds, as milliseconds; a whole number of them has one decimal.
fn ms(out: &mut Vec<u8>, key: &[u8], us: u64) {
    number(out, key, us / 1000);
    if us.is_multiple_of(1000) {
        out.extend_from_slice(b".0");
    }
    thousandths(out, us % 1000);
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn attempt(out: &mut Vec<u8>, attempt: &Attempt) {
    text(out, b"{\"deployment\":", Some(&attempt.deployment.name));
    text(out, b",\"outcome\":", Some(attempt.outcome));
    if let Some(status) = attempt.status {
        number(out, b",\"status\":", status.into());
    }
    ms(out, b",\"ms\":", attempt.took_us);
    out.push(b'}');
}

fn fault(out: &mut Vec<u8>, fault: &FaultRecord) {
    text(out, b"{\"kind\":", Some(fault.kind));
    text(out, b",\"origin\":", Some(fault.origin));
    text(out, b",\"code\":", fault.code.as_deref());
    text(out, b",\"cause\":", fault.cause.as_deref());
    out.push(b'}');
}

fn usage(out: &mut Vec<u8>, usage: &UsageRecord) {
    number(out, b",\"usage\":{\"input\":", usage.input);
    number(out, b",\"output\":", usage.output);
    number(out, b",\"cache_read\":", usage.cache_read);
    number(out, b",\"cache_write\":", usage.cache_write);
    number(out, b",\"reasoning\":", usage.reasoning);
    out.push(b'}');
}

#[cfg(test)]
mod tests;
