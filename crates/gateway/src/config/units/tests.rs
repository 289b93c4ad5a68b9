//! Scalars: what is read, how it is written again, and what is complained about.

use std::time::Duration;

use super::{
    Address, Auth, BaseUrl, Complaint, Dimension, IpRange, Moment, Money, Period, Rate, SecretRef, Share, Size, Window, Zone,
    looks_like_secret, shown,
};

/// What a text is read as and written again, or the complaint.
fn text<T: ToString>(parsed: Result<T, Complaint>) -> String {
    parsed.map_or_else(|complaint| format!("! {}", complaint.reason), |value| value.to_string())
}

#[test]
fn durations() {
    let rows = [
        ("250ms", "250ms"),
        ("30s", "30s"),
        ("60s", "1m"),
        ("90s", "90s"),
        ("24h", "1d"),
        ("0s", "0s"),
        ("5", "! the duration 5 has no unit"),
        ("5 s", "! \"s\" is not a unit of duration: d, h, m, s, ms"),
        ("5S", "! \"S\" is not a unit of duration: d, h, m, s, ms"),
        ("s", "! \"s\" is not a duration"),
        ("", "! \"\" is not a duration"),
        ("-5s", "! \"-5s\" is not a duration"),
        ("1.5h", "! \"1.5h\" is not a duration"),
        ("1h30m", "! \"h30m\" is not a unit of duration: d, h, m, s, ms"),
        ("213503982334602d", "! the duration 213503982334602d is too large"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Period::parse(given)), expected, "{given}");
    }
    assert_eq!(Period::parse("5m").unwrap().get(), Duration::from_secs(300));
}

#[test]
fn sizes() {
    let rows = [
        ("20MiB", "20MiB"),
        ("1024KiB", "1MiB"),
        ("5MB", "5MB"),
        ("7B", "7B"),
        ("0MiB", "0B"),
        ("20", "! the size 20 has no unit"),
        ("20mb", "! \"mb\" is not a unit of size: GiB, GB, MiB, MB, KiB, KB, B"),
        ("99999999999GiB", "! the size 99999999999GiB is too large"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Size::parse(given)), expected, "{given}");
    }
    assert_eq!(Size::parse("20MiB").unwrap().bytes(), 20 * 1024 * 1024);
}

#[test]
fn instants() {
    let rows = [
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("2027-01-31T09:00:00+01:00", "2027-01-31T08:00:00Z"),
        ("2027-02-29", "! \"2027-02-29\" is not an instant"),
        ("tomorrow", "! \"tomorrow\" is not an instant"),
        ("20270131", "! \"20270131\" is not an instant"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Moment::parse(given)), expected, "{given}");
    }
}

#[test]
fn addresses() {
    let rows = [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("[::1]:0", "[::1]:0"),
        ("8080", "! \"8080\" is not an IP address and a port"),
        ("*:8080", "! \"*:8080\" is not an IP address and a port"),
        ("127.0.0.1:99999", "! \"127.0.0.1:99999\" is not an IP address and a port"),
        ("::1", "! ::1 has no port"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Address::parse(given)), expected, "{given}");
    }
    for (address, public) in [
        ("127.8.8.8:1", false),
        ("[::1]:1", false),
        ("[::ffff:127.0.0.1]:1", false),
        ("10.0.0.1:1", true),
        ("[::]:1", true),
    ] {
        assert_eq!(Address::parse(address).unwrap().is_public(), public, "{address}");
    }
}

#[test]
fn base_urls() {
    for (url, unencrypted) in [
        ("https://api.openai.com/v1", false),
        ("http://10.0.0.5:8000/v1", true),
        ("http://127.0.0.1:8000", false),
        ("http://[::1]:8000", false),
        ("http://LOCALHOST", false),
    ] {
        assert_eq!(BaseUrl::parse(url).unwrap().is_unencrypted(), unencrypted, "{url}");
    }
    let complaint = BaseUrl::parse("https://api.openai.com/v1/chat/completions").unwrap_err();
    assert_eq!(complaint.remedy.unwrap(), "write https://api.openai.com/v1");
}

#[test]
fn ways_to_send_a_credential() {
    assert_eq!(Auth::parse("header:X-Api-Key").unwrap(), Auth::Header("x-api-key".to_owned()));
    assert_eq!(text(Auth::parse("bearer")), "bearer");
    assert_eq!(text(Auth::parse("none")), "none");
    assert_eq!(text(Auth::parse("header:")), "! \"\" is not the name of a header");
    assert_eq!(text(Auth::parse("gcp")), "! auth \"gcp\" is not yet supported");
}

#[test]
fn networks() {
    let rows = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "203.0.113.9", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
    ];
    for (range, ip, inside) in rows {
        assert_eq!(
            IpRange::parse(range).unwrap().contains(ip.parse().unwrap()),
            inside,
            "{ip} in {range}"
        );
    }
    for bad in ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "10.0.0.1/8", "fe80::1%eth0"] {
        assert!(IpRange::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn references_never_quote_what_is_none() {
    assert_eq!(SecretRef::parse("env:A_1").unwrap(), SecretRef::Env("A_1".to_owned()));
    assert_eq!(text(SecretRef::parse("file:secrets/key.txt")), "file:secrets/key.txt");
    for literal in [
        "hunter2-hunter2",
        "env:hunter2-hunter2",
        "vault:hunter2-hunter2",
        "$hunter2-hunter2",
        "ENV:hunter2-hunter2",
        "file:",
    ] {
        let complaint = SecretRef::parse(literal).unwrap_err();
        assert!(!complaint.to_string().contains("hunter2"), "{complaint}");
    }
}

#[test]
fn what_looks_like_a_secret_is_not_quoted() {
    for secret in ["sk-proj-0123456789abcdef", "x=gsk_0123456789abcdef", "ghp_0123456789abcdefghij"] {
        assert!(looks_like_secret(secret), "{secret}");
        assert_eq!(shown(secret), "***");
    }
    for name in [
        "sk-short",
        "task-runner-for-the-night",
        "openai/gpt-4o",
        "anthropic/claude-sonnet-4-5-20250929",
        "env:OPENAI_API_KEY",
    ] {
        assert!(!looks_like_secret(name), "{name}");
        assert_eq!(shown(name), name);
    }
    assert_eq!(shown("a\nb\u{1b}[31m"), "a\u{fffd}b\u{fffd}[31m");
    assert_eq!(shown(&"x".repeat(200)).chars().count(), 81);
}

#[test]
fn rates() {
    let rows = [
        ("1000/hour", "1k/hour"),
        ("1001/hour", "1001/hour"),
        ("100k/minute", "100k/minute"),
        ("20/10s", "20/10s"),
        ("60/60s", "60/minute"),
        ("5 / second", "5/second"),
        ("2M/month", "2M/month"),
        ("1/30d", "1/month"),
        ("0/day", "0/day"),
        ("1K/day", "! \"1K\" is not a number"),
        ("/day", "! \"\" is not a number"),
        ("1/500ms", "! the window 500ms is not between a second and a month"),
        ("1/31d", "! the window 31d is not between a second and a month"),
        ("1/year", "! \"year\" is not a window: second, minute, hour, day, week, month"),
        ("1000", "! \"1000\" is not a rate"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Rate::parse(given)), expected, "{given}");
    }
    let rate = Rate::parse("100k/hour").unwrap();
    assert_eq!((rate.count(), rate.window().as_secs()), (100_000, 3_600));
}

#[test]
fn money() {
    let rows = [
        ("5 USD", "5 USD"),
        ("0.50 USD", "0.5 USD"),
        ("2000.000000001 USD", "2000.000000001 USD"),
        ("1.0000000000 USD", "1 USD"),
        ("0 USD", "0 USD"),
        (
            "0.0000000001 USD",
            "! the amount 0.0000000001 is finer than a billionth of a dollar",
        ),
        ("5", "! \"5\" is not an amount of money"),
        ("5USD", "! \"5USD\" is not an amount of money"),
        ("-5 USD", "! the amount -5 is negative"),
        ("5 EUR", "! \"EUR\" is not a currency that is counted in; only USD is"),
        (".5 USD", "! \".5\" is not a number"),
        ("5. USD", "! \"5.\" is not a number"),
        ("1,000 USD", "! \"1,000\" is not a number"),
        ("5000000000 USD", "! the amount 5000000000 is too large"),
        ("99999999999999999999 USD", "! \"99999999999999999999\" is not a number"),
    ];
    for (given, expected) in rows {
        assert_eq!(text(Money::parse(given)), expected, "{given}");
    }
    assert_eq!(Money::parse("0.25 USD").unwrap().get().0, 250_000_000);
}

#[test]
fn shares_windows_zones_and_dimensions() {
    let share = |given| text(Share::parse(given));
    assert_eq!([share("80%"), share("2.5%"), share("0.01%")], ["80%", "2.5%", "0.01%"]);
    assert_eq!(
        [share("80"), share("1001%"), share("0.001%")].map(|said| said.starts_with('!')),
        [true; 3]
    );
    assert_eq!(Share::parse("80%").unwrap().per_ten_thousand(), 8_000);
    for given in ["day", "week", "month", "quarter", "never", "request", "rolling 30d"] {
        assert_eq!(text(Window::parse(given)), given);
    }
    assert!(text(Window::parse("30d")).starts_with('!'));
    for given in ["UTC", "Europe/Berlin", "America/Havana"] {
        assert_eq!(text(Zone::parse(given)), given);
    }
    for given in ["", "Etc/Unknown", "CEST", "Europe/Berln", "/etc/passwd", "../UTC"] {
        assert!(text(Zone::parse(given)).starts_with('!'), "{given}");
    }
    for given in ["team", "user", "key", "feature", "route", "model", "provider", "tag:my-tier.1"] {
        assert_eq!(text(Dimension::parse(given)), given);
    }
    for given in ["", "Team", "tag:", "tag:a b", "tag:É"] {
        assert!(text(Dimension::parse(given)).starts_with('!'), "{given}");
    }
}
