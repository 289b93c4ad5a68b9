//! The tree: where things stand, what scalars mean, and what is bounded.

use serde_json::json;

use super::{Path, read};

fn value(yaml: &str) -> serde_json::Value {
    read(yaml).0.unwrap().value()
}

fn refusal(yaml: &str) -> String {
    let (document, problems) = read(yaml);
    assert!(document.is_none(), "not refused");
    let problem = problems.last().unwrap();
    format!("{}:{} {}", problem.line, problem.column, problem.reason)
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    let rows = [
        ("~", json!(null)),
        ("null", json!(null)),
        ("true", json!(true)),
        ("FALSE", json!(false)),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("12:30", json!("12:30")),
        ("2027-01-31", json!("2027-01-31")),
        ("7", json!(7)),
        ("-7", json!(-7)),
        ("007", json!(7)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("1.5", json!(1.5)),
        ("2.0", json!(2)),
        ("1e3", json!(1000)),
        ("18446744073709551615", json!(u64::MAX)),
        (".inf", json!(".inf")),
        ("1e999", json!("1e999")),
        ("inf", json!("inf")),
        ("1_000", json!("1_000")),
        ("1.2.3", json!("1.2.3")),
        ("'7'", json!("7")),
        ("\"a\\tb\"", json!("a\tb")),
        ("|\n    two\n    lines", json!("two\nlines\n")),
    ];
    for (yaml, expected) in rows {
        assert_eq!(value(&format!("a: {yaml}\n")), json!({ "a": expected }), "{yaml}");
    }
}

#[test]
fn places_are_counted_in_characters_from_one() {
    let yaml = "\u{feff}é: [x, {ü: 1, b: ~}]\r\nlist:\r\n  - name: a\r\n  - - b\r\n";
    let document = read(yaml).0.unwrap();
    let place = |path: &Path| {
        let place = document.place(path);
        format!("{}:{} {}", place.mark.line, place.mark.column, place.path)
    };
    let list = Path::of("list");
    assert_eq!(place(&Path::of("é")), "1:1 é");
    assert_eq!(place(&Path::of("é").index(0)), "1:5 é[0]");
    assert_eq!(place(&Path::of("é").index(1).key("ü")), "1:12 é[1].ü");
    assert_eq!(place(&Path::of("é").index(1).key("b")), "1:15 é[1].b", "nothing stands at its key");
    assert_eq!(place(&list.index(0).key("name")), "3:11 list[0].name");
    assert_eq!(
        place(&list.index(0).key("team")),
        "3:5 list[0].team",
        "what is missing stands where the thing around it does"
    );
    assert_eq!(place(&list.index(1).index(0)), "4:7 list[1][0]");
    assert_eq!(place(&Path::default()), "1:1 ");
}

#[test]
fn pruning_keeps_the_indices_as_written() {
    let mut document = read("a: [x, y, z]\n").0.unwrap();
    let list = Path::of("a");
    assert!(document.is_whole(&list));
    assert!(document.prune(&list.index(0)));
    assert!(!document.prune(&list.index(7)), "there is none");
    assert!(!document.prune(&Path::default()), "the root stays");
    assert!(!document.is_whole(&list));
    assert_eq!(document.value(), json!({"a": ["y", "z"]}));
    assert_eq!(document.place(&list.index(1)).path, "a[2]");
}

#[test]
fn aliases_and_merges_are_expanded() {
    let yaml = "base: &base { a: 1, b: 2 }\none: { <<: *base, b: 3 }\ntwo: { <<: [*base, { c: 4 }] }\nthree: *base\n";
    let expected = json!({
        "base": {"a": 1, "b": 2}, "one": {"a": 1, "b": 3}, "two": {"a": 1, "b": 2, "c": 4}, "three": {"a": 1, "b": 2}
    });
    assert_eq!(value(yaml), expected);
}

#[test]
fn a_bomb_is_refused_before_it_is_built() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        yaml.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(refusal(&yaml), "6:10 more than 100000 values, aliases expanded");
}

#[test]
fn depth_and_width_are_bounded() {
    assert!(refusal(&"[".repeat(100_000)).starts_with("1:33 this is not YAML: "));
    assert!(refusal(&"a: { ".repeat(1_000)).starts_with("1:"));
    let stairs: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(refusal(&stairs).starts_with("33:"), "{}", refusal(&stairs));
    assert_eq!(
        refusal(&format!("a: [{}]", "x, ".repeat(200_000))),
        "1:299996 more than 100000 values, aliases expanded"
    );
}

#[test]
fn a_file_of_100_mib_is_refused_unread() {
    assert_eq!(refusal(&"#".repeat(100 << 20)), "1:1 the file is longer than 4 MiB");
}
