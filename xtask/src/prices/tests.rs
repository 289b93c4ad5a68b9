//! From the list's form to ours, on lines as the list has them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;

#[test]
fn numbers_are_moved_as_text_and_rounded_up() {
    let rows = [
        ("0.5", PER_MILLION, Ok(500_000), "0.5"),
        ("10", PER_MILLION, Ok(10_000_000), "10"),
        ("0", PER_MILLION, Ok(0), "0"),
        ("1.5e-05", EACH, Ok(15_000_000), "0.000015"),
        ("0.0002833333333333333", EACH, Ok(283_333_334), "0.000283333334"),
        ("1e3", PER_MILLION, Ok(1_000_000_000), "1000"),
        ("-1", PER_MILLION, Err("-1 is no price".to_owned()), ""),
    ];
    for (text, places, expected, shown) in rows {
        assert_eq!(decimal::picos(text, places), expected, "{text}");
        if let Ok(picos) = expected {
            assert_eq!(written(picos, places), shown);
        }
    }
}

#[test]
fn a_list_becomes_ours() {
    let lines = [
        r#"{"provider":"xai","model":"grok","mode":"chat","usd_per_million_tokens":{"output":2,"input":1.5},"above_context_tokens":{"200000":{"input":3}}}"#,
        r#"{"provider":"together_ai","model":"b","mode":"chat","usd_per_million_tokens":{"input":1,"output":2},"service_tier":{"batch":{"input":0.5}}}"#,
        r#"{"provider":"together_ai","model":"b-2026-01-02","mode":"chat","usd_per_million_tokens":{"input":1,"output":2},"service_tier":{"batch":{"input":0.5}}}"#,
        r#"{"provider":"together_ai","model":"b","mode":"chat","usd_per_million_tokens":{"input":0.5,"output":2}}"#,
        r#"{"provider":"together_ai","model":"b-2026-01-01","mode":"chat","usd_per_million_tokens":{"input":9,"output":9}}"#,
        r#"{"provider":"together_ai","model":"free","mode":"chat","usd_per_million_tokens":{"input":1,"output":0}}"#,
        r#"{"provider":"together_ai","model":"unknown","mode":"image_generation"}"#,
        r#"{"provider":"anthropic","model":"c","mode":"chat","usd_per_million_tokens":{"input":1,"output":2},"abilities":["web_search"]}"#,
        r#"{"provider":"azure","model":"embed","mode":"embedding","usd_per_million_tokens":{"input":0.02,"output":0},"usd_per_unit":{"image_in":6e-05}}"#,
    ];
    let list = list(&lines.join("\n"), "2026-11-20").unwrap();
    let (head, rows) = list.split_once("\ndate = ").unwrap();
    assert_eq!(head, HEAD);
    let expected = "2026-11-20

[anthropic]
c = input 1 output 2 web_search 0.01

[azure]
embed = input 0.02 image_in 0.00006

[mock]
* = input 1 output 2 cache_read 0.1 cache_write_5m 1.25 cache_write_1h 2

[together]
b b-2026-01-02 = input 1 output 2 | batch: input 0.5
b-2026-01-01 = input 9 output 9

[xai]
grok = input 1.5 output 2 | from 200000: input 3
";
    assert_eq!(rows, expected);
}

#[test]
fn the_file_is_what_this_program_makes_of_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(models) = std::fs::read_to_string(root.join("../../shared/catalog/models.jsonl")) else {
        eprintln!("skipped: shared catalog absent");
        return;
    };
    let file = std::fs::read_to_string(root.join("..").join(FILE)).unwrap();
    let (_, rest) = file.split_once("\ndate = ").unwrap();
    let date = rest.lines().next().unwrap();
    assert!(list(&models, date).unwrap() == file, "run `cargo xtask prices`");
}
