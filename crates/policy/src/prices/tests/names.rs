//! Under which names a price is found, and what its version says.

use super::*;

const LIST: &str = "date = 2026-11-20
[anthropic]
claude-a claude-a-20250929 = input 3 output 15
[bedrock]
anthropic.claude-a-v1:0 = input 3 output 15
eu.anthropic.claude-a-v1:0 = input 3.3 output 16.5
[gemini]
gemini-p = input 1 output 2
[mock]
* = input 1 output 2
[openai]
ft:gpt-a-2024-08-06 = input 3.75 output 15
gpt-a gpt-a-2024-08-06 = input 2.5 output 10
gpt-b = input 2.5 output 10
gpt-b-2024-05-13 = input 5 output 15
gpt-b-mini = input 9 output 9
image-a = image 0.04
embed-a = input 0.02
";

#[test]
fn a_model_is_found_by_the_names_it_goes_by() {
    let list = PriceList::index(LIST);
    // Provider, model, the price of a million tokens of input in USD; none: unpriced.
    let rows = [
        ("openai", "gpt-a", Some("2.5")),
        ("openai", "gpt-a-2024-08-06", Some("2.5")),
        ("openai", "openai/gpt-a", Some("2.5")),
        // A snapshot that we do not know, of a family whose snapshots cost what it costs.
        ("openai", "gpt-a-2027-01-01", Some("2.5")),
        ("openai", "gpt-a-latest", Some("2.5")),
        ("anthropic", "claude-a-20270101", Some("3")),
        ("anthropic", "claude-a@20270101", Some("3")),
        // One of a family whose snapshots have cost this and that: nobody knows.
        ("openai", "gpt-b-2024-05-13", Some("5")),
        ("openai", "gpt-b-2027-01-01", None),
        // Not every digit is a date, and a longer name is another model.
        ("openai", "gpt-a-12345678", None),
        ("openai", "gpt-a-mini", None),
        ("openai", "gpt", None),
        ("openai", "ft:gpt-a-2024-08-06:acme::9Xk2", Some("3.75")),
        ("openai", "ft:gpt-b:acme::9Xk2", None),
        ("gemini", "models/gemini-p", Some("1")),
        ("gemini", "Gemini-P", Some("1")),
        ("bedrock", "anthropic.claude-a-v1:0", Some("3")),
        ("bedrock", "eu.anthropic.claude-a-v1:0", Some("3.3")),
        // A region that the list lacks: the dearest that it has.
        ("bedrock", "us.anthropic.claude-a-v1:0", Some("3.3")),
        ("mock", "any-name", Some("1")),
        // A provider of which the catalog knows nothing, whatever its models are called.
        ("lab", "gpt-a", None),
        ("", "gpt-a", None),
        ("openai", "", None),
        // By the piece, or one way alone: not for a conversation.
        ("openai", "image-a", None),
        ("openai", "embed-a", None),
    ];
    for (provider, model, input) in rows {
        let found = list.find(provider, model).map(|price| price.base.of(Kind::Input));
        assert_eq!(found, input.and_then(per_million), "{provider} {model}");
    }
    assert!(list.find_any("openai", "image-a").is_some() && list.find_any("openai", "embed-a").is_some());
}

#[test]
fn real_names_are_priced() {
    let list = PriceList::built_in();
    let rows = [
        ("openai", "gpt-4o", "2.5"),
        ("openai", "gpt-4o-2024-05-13", "5"),
        ("openai", "gpt-4o-2024-08-06", "2.5"),
        ("openai", "gpt-4o-mini", "0.15"),
        ("anthropic", "claude-haiku-4-5", "1"),
        ("anthropic", "claude-haiku-4-5-20251001", "1"),
        ("gemini", "gemini-2.5-pro", "1.25"),
        ("deepseek", "deepseek-chat", "0.28"),
        ("mock", "mock-model", "1"),
    ];
    for (provider, model, input) in rows {
        let found = list.find(provider, model).map(|price| price.base.of(Kind::Input));
        assert_eq!(found, per_million(input), "{provider} {model}");
    }
}

#[test]
fn a_version_follows_from_all_that_the_price_is_made_of() {
    let base = price("input 1 output 2");
    assert!(
        base.version().starts_with("2026-11-20-") && base.version().len() == 19,
        "{}",
        base.version()
    );
    assert_eq!(base.version(), price(" input 1 output 2").version());
    let mut stated = Stated::default();
    stated.set(Kind::Input, per_million("1"));
    assert_eq!(Price::own(&stated, &[]), None, "a price without output is none");
    stated.set(Kind::Output, per_million("2"));
    let own = Price::own(&stated, &[]).unwrap();
    assert!(own.version().starts_with("config-"));
    let others = [
        price("input 1 output 3"),
        price("input 1 output 2 | batch: input 0.5"),
        base.clone().adjusted(500, 0),
        base.clone().adjusted(0, 500),
        Price::own(&stated, &[(Unit::Call, PicoUsd(1))]).unwrap(),
        own,
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(other.version(), base.version());
        assert!(others.iter().skip(index + 1).all(|later| later.version() != other.version()));
    }
    assert_eq!(base.clone().adjusted(0, 0), base);
}

#[test]
fn only_decimals_are_prices() {
    for text in [
        "",
        ".5",
        "5.",
        "-1",
        "+1",
        "1e3",
        "0.0000001",
        "1,5",
        "1_000",
        "99999999999999999999",
        "NaN",
    ] {
        assert_eq!(per_million(text), None, "{text}");
    }
    assert_eq!(per_million("0.000001"), Some(PicoUsd(1)));
    assert_eq!(each("0.000000000001"), Some(PicoUsd(1)));
    for text in [
        "input",
        "input x",
        "speed 1",
        "input 1 input 2",
        "input 1 | 5: input 2",
        "input 1 | above x: input 2",
        "input 1 | batch: image 2",
    ] {
        assert_eq!(row::read("", text), None, "{text}");
    }
}
