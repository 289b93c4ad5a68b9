//! The manual that `GET /` prints, generated from the registries so that it cannot drift.

use std::fmt::Write as _;

use crate::{behaviours, dialects::DIALECTS, faults};

const HEAD: &str = "\
tollgate mock: simulated providers

The model name picks a behaviour and, joined by `+`, any number of faults:
    \"model\": \"echo\"      \"model\": \"lorem-500+slow-first-byte-2s\"      \"model\": \"status-429-retry-3\"
{n} is a number, {d} a duration (250ms, 2s, 1m). A fault may be written with the prefix `fault-`.
Any API key is right but `bad-key`.
";

const PAGES: &str = "
Pages
    GET /bill               every request with the tokens charged for it (the last 100,000; sums are exact)
    GET /bill?summary=1     only the sums                          DELETE /bill            starts over
    GET /requests/last?n=K  the last K requests as they came       DELETE /requests/last   forgets them
                            (at most 64 and 8 MiB; credentials included: this is a simulator)
    GET /healthz            ok

Script (--script FILE, JSON or TOML): [[rule]] with model and path (globs with *), nth, every, first, after (by count of
matching requests), up_ms and down_ms (by time), and fault (names from below, joined by `+`).
";

/// The whole manual.
pub(crate) fn text() -> String {
    let mut out = HEAD.to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\nDialects");
    for dialect in DIALECTS {
        let _ = writeln!(out, "    {:<14} {}", dialect.name(), dialect.paths().join("  "));
    }
    let _ = writeln!(out, "\nBehaviours");
    for row in behaviours::ROWS.iter().chain([&behaviours::ASSISTANT]) {
        let _ = writeln!(out, "    {:<22} {}", row.pattern, row.summary);
    }
    let _ = writeln!(out, "\nFaults (with their numbers in FAULTS 3.2)");
    for row in faults::rows() {
        let _ = writeln!(out, "    {:<4} {:<30} {}", row.id, row.pattern, row.summary);
    }
    out + PAGES
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_row_is_in_the_manual() {
        let text = super::text();
        assert!(crate::faults::rows().all(|row| text.contains(row.pattern)));
        assert!(text.contains("/anthropic/v1/messages") && text.contains("tool-caller-2"));
    }
}
