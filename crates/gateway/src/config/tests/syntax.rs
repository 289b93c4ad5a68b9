//! What is not YAML, or not plain data.

use expect_test::expect;

use super::check;

#[test]
fn an_empty_file() {
    check(
        "",
        &expect![[r#"
        1:1 the file is empty; copy tollgate.example.yaml, or start without a config file
    "#]],
    );
}

#[test]
fn a_file_of_comments() {
    check(
        "# nothing here

# yet
",
        &expect![[r#"
    1:1 the file is empty; copy tollgate.example.yaml, or start without a config file
"#]],
    );
}

#[test]
fn an_empty_document() {
    check(
        "---
",
        &expect![[r#"
    1:1 the file is empty; copy tollgate.example.yaml, or start without a config file
"#]],
    );
}

#[test]
fn a_list_at_the_root() {
    check(
        "- listen: 127.0.0.1:8080
",
        &expect![[r#"
    1:1 expected a map of settings, found a list; write keys with their values, as in listen: 127.0.0.1:8080, with a space behind each colon
"#]],
    );
}

#[test]
fn a_text_at_the_root() {
    check(
        "listen 127.0.0.1:8080
",
        &expect![[r#"
    1:1 expected a map of settings, found text; write keys with their values, as in listen: 127.0.0.1:8080, with a space behind each colon
"#]],
    );
}

#[test]
fn a_tab_as_indentation() {
    check(
        "providers:\n\topenai: {}\n",
        &expect![[r#"
        2:2 this is not YAML: tabs disallowed within this context (block indentation); indent with spaces; YAML takes no tabs
    "#]],
    );
}

#[test]
fn a_key_indented_wrong() {
    check(
        "admin:
  listen: 127.0.0.1:8081
 listen: 127.0.0.1:8080
",
        &expect![[r#"
    3:2 this is not YAML: while parsing a block mapping, did not find expected key; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_list_item_indented_wrong() {
    check(
        "keys:
  - name: a
   team: b
",
        &expect![[r#"
    3:4 this is not YAML: while parsing a block collection, did not find expected '-' indicator; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_missing_colon() {
    check(
        "admin:
  listen 127.0.0.1:8081
  data_dir: x
",
        &expect![[r#"
    3:11 this is not YAML: mapping values are not allowed in this context; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_missing_space_behind_the_colon() {
    check(
        "listen:127.0.0.1:8080
",
        &expect![[r#"
    1:1 expected a map of settings, found text; write keys with their values, as in listen: 127.0.0.1:8080, with a space behind each colon
"#]],
    );
}

#[test]
fn a_quote_that_does_not_end() {
    check(
        r#"data_dir: "./data
listen: 127.0.0.1:8080
"#,
        &expect![[r#"
    2:1 this is not YAML: invalid indentation in multiline quoted scalar; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_brace_that_does_not_close() {
    check(
        "admin: { listen: 127.0.0.1:8081
listen: 127.0.0.1:8080
",
        &expect![[r#"
    2:7 this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_bracket_that_closes_too_often() {
    check(
        "keys: []]
",
        &expect![[r#"
    1:9 this is not YAML: misplaced bracket; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_half_written_file() {
    check(
        "listen: 127.0.0.1:8080
providers:
  openai: { credentials: [env:OPENAI",
        &expect![[r#"
      3:26 this is not YAML: unclosed bracket '['; look at the indentation, the colons, the quotes and the brackets here and just above
  "#]],
    );
}

#[test]
fn a_file_cut_within_a_key() {
    check(
        "listen: 127.0.0.1:8080
provid",
        &expect![[r#"
    2:1 this is not YAML: simple key expected ':'; look at the indentation, the colons, the quotes and the brackets here and just above
"#]],
    );
}

#[test]
fn a_lone_star() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
teams:
  a: { models: [*] }
",
        &expect![[r#"
    3:17 this is not YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric character; put a text that begins with * in quotes, as in "*"
"#]],
    );
}

#[test]
fn a_star_behind_text() {
    check(
        "providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
teams:
  a: { models: [*-mini] }
",
        &expect![[r#"
    3:17 this is not YAML: while parsing node, found unknown anchor; put a text that begins with * in quotes, as in "*"
"#]],
    );
}

#[test]
fn an_at_sign() {
    check(
        "data_dir: @here
",
        &expect![[r#"
    1:11 this is not YAML: unexpected character: `@'; put a text that begins with @ or ` in quotes
"#]],
    );
}

#[test]
fn duplicate_keys() {
    check(
        "listen: 127.0.0.1:8080
admin: { listen: 127.0.0.1:8081, listen: 127.0.0.1:8082 }
listen: 127.0.0.1:8083
providers: { openai: { credentials: [env:OPENAI_API_KEY] } }
models: { a: { provider: openai } }
guardrails: []
",
        &expect![[r#"
            2:34 the key "listen" is here a second time; it was first on line 2; keep one of the two
            3:1 the key "listen" is here a second time; it was first on line 1; keep one of the two
            6:1 guardrails: "guardrails" is not yet supported; leave it out for now
        "#]],
    );
}

#[test]
fn two_documents() {
    check(
        "listen: 127.0.0.1:8080
---
listen: 127.0.0.1:8081
",
        &expect![[r#"
    2:1 a second document begins here; keep one document in the file
"#]],
    );
}

#[test]
fn a_tag() {
    check(
        "data_dir: !env HOME
",
        &expect![[r#"
    1:16 the tag !env is not supported; leave the tag out; a secret is written env:NAME or file:PATH
"#]],
    );
}

#[test]
fn a_core_tag() {
    check(
        "data_dir: !!str 12
",
        &expect![[r#"
    1:17 the tag !!str is not supported; leave the tag out; a secret is written env:NAME or file:PATH
"#]],
    );
}

#[test]
fn a_template_placeholder() {
    check(
        "data_dir: {{ data_dir }}
",
        &expect![[r#"
    1:12 a key must be plain text; put text that holds {, [ or * in quotes
"#]],
    );
}

#[test]
fn a_list_as_a_key() {
    check(
        "[a, b]: c
",
        &expect![[r#"
    1:1 a key must be plain text; put text that holds {, [ or * in quotes
"#]],
    );
}

#[test]
fn an_unknown_anchor() {
    check(
        "data_dir: *home
",
        &expect![[r#"
    1:11 this is not YAML: while parsing node, found unknown anchor; put a text that begins with * in quotes, as in "*"
"#]],
    );
}

#[test]
fn an_alias_within_what_it_names() {
    check(
        "providers: &a { openai: *a }
",
        &expect![[r#"
    1:25 the alias stands inside of what it names; write the value out
"#]],
    );
}

#[test]
fn a_merge_of_text() {
    check(
        "admin:
  <<: hello
",
        &expect![[r#"
    2:3 << takes a map; name an anchor of a map, as in <<: *defaults
"#]],
    );
}

#[test]
fn a_number_beyond_all_floats() {
    check(
        "server: { workers: 1e999 }
",
        &expect![[r#"
    ~1:1 providers: there are no providers, so that no call can be answered; add one, such as openai: { credentials: [env:OPENAI_API_KEY] }
    1:20 server.workers: expected a whole number, found text
"#]],
    );
}

#[test]
fn control_characters() {
    check(
        "data_dir: \u{0}\u{7}\n",
        &expect![[r#"
        1:11 this is not YAML: unexpected character: `\u{0}'; look at the indentation, the colons, the quotes and the brackets here and just above
    "#]],
    );
}
