//! How a problem looks on a terminal, in a log and as JSON, and that none of them shows a secret.

use expect_test::expect;

use super::super::document::Mark;
use super::{Problem, Severity};

fn problem(line: usize, column: usize) -> Problem {
    Problem {
        path: "routes.chat.fallbacks[1]".to_owned(),
        line,
        column,
        severity: Severity::Error,
        reason: "no model \"gtp-4o\"".to_owned(),
        remedy: Some("did you mean \"gpt-4o\"?".to_owned()),
        excerpt: None,
    }
}

/// The line as it is shown to somebody whose problem stands at its first character.
fn masked(line: &str, secrets: &[Mark]) -> String {
    let shown = problem(1, 1).with_excerpt(&[line], secrets).to_string();
    shown
        .lines()
        .nth(3)
        .map_or_else(String::new, |line| line.trim_start_matches("1 | ").to_owned())
}

#[test]
fn a_terminal_sees_the_line_and_a_caret() {
    let lines: Vec<&str> = "\n\n\n\n\n\n\n\n\n    fallbacks: [é, gtp-4o]\n".lines().collect();
    expect![[r#"
        error: routes.chat.fallbacks[1]: no model "gtp-4o"; did you mean "gpt-4o"?
          --> line 10, column 20
           |
        10 |     fallbacks: [é, gtp-4o]
           |                    ^
    "#]]
    .assert_eq(&format!("{}\n", problem(10, 20).with_excerpt(&lines, &[])));
}

#[test]
fn a_long_line_is_shown_in_part() {
    let line = format!("a: [{} gtp-4o ]", "filler, ".repeat(500));
    let shown = problem(1, 4_006).with_excerpt(&[&line], &[]).to_string();
    let (text, caret) = (shown.lines().nth(3).unwrap(), shown.lines().nth(4).unwrap());
    let at = caret.find('^').unwrap();
    assert!(text.chars().count() < 130 && text[at..].starts_with("gtp-4o"), "{shown}");
}

#[test]
fn a_place_outside_of_the_file_has_no_line() {
    for (line, column) in [(0, 0), (1, 0), (9, 9), (1, 900)] {
        let shown = problem(line, column).with_excerpt(&["a: b"], &[]).to_string();
        assert!(shown.contains("no model"), "{shown}");
    }
}

#[test]
fn secrets_on_the_line_are_masked() {
    let rows = [
        ("  listen: 127.0.0.1:8080", "  listen: 127.0.0.1:8080"),
        (
            "  openai: { credentials: [env:OPENAI_API_KEY] }",
            "  openai: { credentials: [env:OPENAI_API_KEY] }",
        ),
        (
            "  - { name: support-backend, team: support, secret: correct-horse }",
            "  - { name: support-backend, team: support, secret: ************* }",
        ),
        ("  - sk-proj-0123456789abcdef  # ours", "  - ************************  # ours"),
        ("api_key: \"correct-horse\"", "api_key: \"*************\""),
        (
            "models: [anthropic/claude-sonnet-4-5-20250929]",
            "models: [anthropic/claude-sonnet-4-5-20250929]",
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(masked(line, &[]), expected);
    }
    let secret = Mark { line: 1, column: 5 };
    assert_eq!(
        masked("  - correct-horse", &[secret]),
        "  - ***",
        "a place that is known to hold one"
    );
}

#[test]
fn json_holds_no_line_of_the_file() {
    let problem = problem(1, 1).with_excerpt(&["secret: hunter2"], &[]);
    expect![[r#"{"path":"routes.chat.fallbacks[1]","line":1,"column":1,"severity":"error","reason":"no model \"gtp-4o\"","remedy":"did you mean \"gpt-4o\"?"}"#]]
        .assert_eq(&serde_json::to_string(&problem).unwrap());
    assert_eq!(
        problem.line_for_logs(),
        "line 1: routes.chat.fallbacks[1]: no model \"gtp-4o\"; did you mean \"gpt-4o\"?"
    );
}
