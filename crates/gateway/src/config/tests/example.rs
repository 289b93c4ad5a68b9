//! The example that we ship, and 20,000 mutations of it.

use expect_test::expect;

use super::super::raw::{SecretRef, Strategy};
use super::{check, checked};

const EXAMPLE: &str = include_str!("../../../../../tollgate.example.yaml");

#[test]
fn the_example_is_right() {
    check(EXAMPLE, &expect![[""]]);
}

#[test]
fn the_example_means_what_it_says() {
    let raw = checked(EXAMPLE).raw.unwrap();
    let route = &raw.routes["support-chat"];
    assert_eq!(route.strategy, Strategy::Weighted);
    assert_eq!(route.targets.iter().map(|target| target.weight).collect::<Vec<_>>(), [95, 5, 1, 1]);
    assert_eq!(route.timeouts.total.get().as_secs(), 300);
    assert_eq!(raw.routes["demo"].retry.attempts, 3, "what is left out has its default");
    assert_eq!(
        raw.providers["anthropic"].credentials[1],
        SecretRef::Env("ANTHROPIC_API_KEY_2".to_owned())
    );
    assert!(raw.keys[1].allow_ips.as_ref().unwrap()[1].contains("10.1.2.3".parse().unwrap()));
}

#[test]
fn the_example_written_as_json_is_the_same_config() {
    let raw = checked(EXAMPLE).raw.unwrap();
    // JSON is YAML, too.
    let json = serde_json::to_string(&raw).unwrap();
    assert_eq!(checked(&json).raw.unwrap(), raw);
}

#[test]
fn the_example_shows_every_setting() {
    let schema = super::super::schema();
    let nodes = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for property in nodes
        .filter_map(|node| node["properties"].as_object())
        .flat_map(|properties| properties.keys())
    {
        assert!(
            EXAMPLE.contains(&format!("{property}:")),
            "{property} is not in tollgate.example.yaml"
        );
    }
}

/// Damages the example in a way of its own: bytes changed, taken out or put in, lines moved, pieces of YAML put in.
fn mutate(seed: u64) -> String {
    const PIECES: [&str; 26] = [
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!int ",
        "<<: *a",
        "\t",
        "\n",
        "  ",
        "\"",
        "'",
        "|\n",
        ">\n",
        "#",
        "~",
        "null",
        "é𝄞",
        "99999999999999999999",
        "-1",
        "---\n",
        "env:",
        "\u{0}",
    ];
    // SplitMix64: the same mutations in every run.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |limit: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % u64::try_from(limit.max(1)).unwrap()).unwrap()
    };
    // Without its comments, where damage does nothing.
    let mut lines: Vec<String> = EXAMPLE
        .lines()
        .map(|line| line.split('#').next().unwrap().trim_end().to_owned())
        .collect();
    lines.retain(|line| !line.is_empty());
    for _ in 0..=below(3) {
        let line = below(lines.len());
        let chars: Vec<char> = lines[line].chars().collect();
        let at = below(chars.len() + 1);
        let (before, behind): (String, String) = (chars[..at].iter().collect(), chars[at..].iter().collect());
        match below(7) {
            0 => lines[line] = before,
            1 => lines[line] = behind,
            2 => lines[line] = format!("{before}{}{behind}", PIECES[below(PIECES.len())]),
            3 => lines[line] = format!("{before}{}", behind.chars().skip(1).collect::<String>()),
            4 => lines[line] = format!(" {}", lines[line]),
            5 => {
                let moved = lines.remove(line);
                let to = below(lines.len());
                lines.insert(to, moved);
            }
            _ => lines.truncate(line + 1),
        }
    }
    lines.join("\n")
}

#[test]
fn a_damaged_example_is_a_config_or_an_error() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..20_000 {
        let yaml = mutate(seed);
        let checked = checked(&yaml);
        let errors = checked
            .problems
            .iter()
            .filter(|problem| problem.severity == super::super::Severity::Error)
            .count();
        assert_eq!(checked.raw.is_none(), errors != 0, "seed {seed}:\n{yaml}");
        for problem in &checked.problems {
            let shown = problem.to_string();
            assert!(!shown.contains("bug of tollgate"), "seed {seed}: {shown}\n{yaml}");
            assert!(
                1 <= problem.line && problem.line <= yaml.lines().count() + 1,
                "seed {seed}: {shown}"
            );
        }
        if errors == 0 { right += 1 } else { wrong += 1 }
    }
    assert!(
        1_000 < right && 10_000 < wrong,
        "the mutations shall reach both sides: {right} right, {wrong} wrong"
    );
}
