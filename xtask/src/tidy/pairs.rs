//! No pair of dialects is named anywhere in `wire`: N formats are N folders and one language, never N×M. Only the registry,
//! `dialects/mod.rs`, may name more than one.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::rust::{Keep, blank, without_tests};
use super::tree::File;

const DIALECTS: &str = "crates/wire/src/dialects/";

/// Files of `wire` that know two dialects: by a name in code or in a text, or by standing in the folder of one.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let dialects: BTreeSet<&str> = files.iter().filter_map(|file| owner(&file.path)).collect();
    let looked_at = files.iter().filter(|file| {
        let registry = file.path.strip_prefix(DIALECTS) == Some("mod.rs");
        file.path.starts_with("crates/wire/src/") && file.is_rust() && !file.is_test() && !registry
    });
    looked_at
        .filter_map(|file| {
            let named = named(file, &dialects);
            let message = || {
                let names: Vec<&str> = named.iter().copied().collect();
                format!(
                    "names the dialects {}; what two need belongs into the language, or into a module that names none",
                    names.join(" and ")
                )
            };
            (named.len() > 1).then(|| Finding::new(&file.path, 0, message()))
        })
        .collect()
}

/// The dialect in whose folder the file stands.
fn owner(path: &str) -> Option<&str> {
    path.strip_prefix(DIALECTS)?.split_once('/').map(|(folder, _)| folder)
}

fn named<'a>(file: &'a File, dialects: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let code = without_tests(&blank(file.text(), Keep::Literals));
    let words: BTreeSet<String> = code
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .map(|word| word.replace('_', "").to_lowercase())
        .collect();
    let mentions = |dialect: &&&str| words.contains(&dialect.replace('_', ""));
    dialects.iter().filter(mentions).copied().chain(owner(&file.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(path: &str, text: &str) -> bool {
        let other = |name: &str| File::new(&format!("{DIALECTS}{name}/mod.rs"), "");
        let files = [other("openai_chat"), other("anthropic"), File::new(path, text)];
        !check(&files).is_empty()
    }

    #[test]
    fn a_planted_pair_is_found() {
        let rows = [
            (
                "crates/wire/src/translate.rs",
                "match (from, to) { (OpenAiChat, Anthropic) => {} }",
                true,
            ),
            (
                "crates/wire/src/translate.rs",
                "if name == \"anthropic\" { openai_chat::f() }",
                true,
            ),
            (
                "crates/wire/src/dialects/anthropic/request.rs",
                "use super::super::openai_chat::Message;",
                true,
            ),
            (
                "crates/wire/src/dialects/anthropic/request.rs",
                "// as openai_chat has it\nlet d = Anthropic;",
                false,
            ),
            (
                "crates/wire/src/dialects/anthropic/request.rs",
                "let v = \"anthropic_version\";",
                false,
            ),
            ("crates/wire/src/dialects/anthropic/tests.rs", "openai_chat", false),
            ("crates/wire/src/dialects/mod.rs", "&[&OpenAiChat, &Anthropic]", false),
            ("crates/gateway/src/explain.rs", "OpenAiChat Anthropic", false),
        ];
        for (path, text, expected) in rows {
            assert_eq!(wrong(path, text), expected, "{path}: {text}");
        }
    }
}
