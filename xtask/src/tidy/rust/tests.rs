//! Rows for the look at Rust text.

use super::*;

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    let rows = [
        ("a(); // \"x\" }\nb();", "a();         \nb();"),
        ("a /* { /* } */ } */ b", "a                   b"),
        (r#"f("}\"", 1)"#, r"f(     , 1)"),
        (r##"f(r#"a"b"#, 2)"##, "f(        , 2)"),
        ("x(b\"}\")", "x(b   )"),
        ("m('{', '\\'', '\\u{7f}')", "m(   ,     ,         )"),
        ("fn f<'a>(x: &'a str, y: &'a u8) {}", "fn f<'a>(x: &'a str, y: &'a u8) {}"),
        ("let r#type = r;", "let r#type = r;"),
        ("bar(\"é\")", "bar(    )"),
    ];
    for (input, expected) in rows {
        assert_eq!(blank(input, Keep::Code), expected, "{input}");
    }
}

#[test]
fn literals_stay_when_asked_for() {
    assert_eq!(blank("f(\"a // b\") // c", Keep::Literals), "f(\"a // b\")     ");
}

#[test]
fn inline_test_modules_are_left_out() {
    let rows = [
        (
            "a;\n#[cfg(test)]\nmod tests { fn x() { y(); } }\nb;",
            "a;\n            \n                             \nb;",
        ),
        ("a;\n#[cfg(test)]\nmod tests;\nb;", "a;\n            \n          \nb;"),
    ];
    for (input, expected) in rows {
        let seen = without_tests(input);
        assert_eq!(
            seen.lines().map(str::trim_end).collect::<Vec<_>>(),
            expected.lines().map(str::trim_end).collect::<Vec<_>>()
        );
    }
}

#[test]
fn functions_are_found_with_their_size() {
    let rows = [
        ("fn a() {}", "a", 1, 1, 0),
        (
            "\npub async fn b(&self, x: Map<A, B>, y: (u8, u8)) -> Vec<[u8; 2]> {\n\n}\n",
            "b",
            2,
            3,
            2,
        ),
        (
            "fn c<F: Fn(u8, u8) -> u8>(f: F, &mut g: &mut G,) where F: Send {\n if x { y }\n}",
            "c",
            1,
            3,
            2,
        ),
        ("trait T { fn d(self: Box<Self>, n: fn(u8, u8) -> u8); }", "d", 1, 1, 1),
        ("fn e<'a>(&'a mut self, q: &'a str) -> &'a str { q }", "e", 1, 1, 1),
    ];
    for (code, name, line, lines, arguments) in rows {
        let expected = vec![Function {
            name: name.to_owned(),
            line,
            lines,
            arguments,
        }];
        assert_eq!(functions(code), expected, "{code}");
    }
}
