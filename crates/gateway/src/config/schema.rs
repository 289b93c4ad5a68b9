//! The config's JSON Schema, and what it finds: every structural problem at once, each turned into our own words, with what is bad pruned
//! from the tree so that the rest can still be read and checked. It judges shapes, not meaning.

use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::document::{Document, Path};
use super::raw::Raw;
use super::suggest::nearest;
use super::units::{FORMATS, SecretRef};

mod words;

use words::Words;

/// The JSON Schema (2020-12) of `tollgate.yaml`, for editors and for the checks here. Besides the standard keywords, `x-not-yet` lists keys
/// and values that later versions bring, and `format` may name one of ours, such as `duration-text`.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(WithoutNull);
    let mut schema = settings.into_generator().into_root_schema_for::<Raw>();
    schema.insert("title".to_owned(), "tollgate.yaml".into());
    schema.to_value()
}

/// Takes `null` out: an absent setting is left out, and a key with nothing behind it is a mistake.
#[derive(Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if schema.get("default") == Some(&Value::Null) {
            schema.remove("default");
        }
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        let Some(Value::Array(any)) = schema.get_mut("anyOf") else { return };
        any.retain(|one| one.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = any.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (keyword, value) in only {
                schema.ensure_object().entry(keyword).or_insert(value);
            }
        }
    }
}

/// A structural problem, before it is given its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Where, as the tree was when it was found.
    pub(super) path: Path,
    /// Whether the key is meant, not the value.
    pub(super) at_key: bool,
    pub(super) reason: String,
    pub(super) remedy: Option<String>,
    /// Whether the value may be a secret that was typed into the file.
    pub(super) secret: bool,
}

/// How often the pruned tree is looked at again. Each round takes out at least one node, and what surrounds it may fail in the next: a
/// bad `model` takes its target with it, and then `targets` when it was the only one.
const ROUNDS_MAX: usize = 16;

/// More than these, and the file is something else: what is left of it is not looked at.
const FINDINGS_MAX: usize = 1_000;

/// Finds every structural problem and prunes what is bad. `None` in place of the config: not even the rest makes sense.
pub(super) fn check(document: &mut Document) -> (Option<Raw>, Vec<Finding>) {
    let Compiled { schema, validator } = match COMPILED.as_ref() {
        Ok(compiled) => compiled,
        Err(error) => return (None, vec![broken(error)]),
    };
    let mut findings = Vec::new();
    for round in 0..ROUNDS_MAX {
        let value = document.value();
        let errors: Vec<ValidationError<'_>> = validator.iter_errors(&value).collect();
        if errors.is_empty() {
            return match serde_json::from_value(value) {
                Ok(raw) => (Some(raw), findings),
                Err(error) => {
                    findings.push(broken(&error.to_string()));
                    (None, findings)
                }
            };
        }
        let words = Words { schema, document };
        let found: Vec<(Finding, Path)> = errors.iter().flat_map(|error| explain(&words, error)).collect();
        let mut bad: Vec<Path> = found.iter().map(|(_, bad)| bad.clone()).collect();
        if round == 0 {
            findings = found.into_iter().map(|(finding, _)| finding).collect();
            if FINDINGS_MAX < findings.len() {
                break;
            }
        }
        // From the end of each list, so that the indices of what is still to go stay right.
        bad.sort_unstable_by(|a, b| b.cmp(a));
        bad.dedup();
        let mut pruned = false;
        for path in &bad {
            pruned |= document.prune(path);
        }
        if !pruned {
            break;
        }
    }
    (None, findings)
}

/// The schema and its validator.
struct Compiled {
    schema: Value,
    validator: Validator,
}

/// Made once: it is the same for every file, and a reload shall not pay for it again.
static COMPILED: LazyLock<Result<Compiled, String>> = LazyLock::new(|| {
    let schema = schema();
    let validator = validator(&schema).map_err(|error| error.to_string())?;
    Ok(Compiled { schema, validator })
});

fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    let mut options = jsonschema::draft202012::options().should_validate_formats(true);
    for (name, check) in FORMATS {
        options = options.with_format(*name, move |text: &str| check(text).is_ok());
    }
    options.build(schema)
}

/// What the tests keep from happening: the schema and the structs disagree.
fn broken(error: &str) -> Finding {
    Finding {
        path: Path::default(),
        at_key: false,
        reason: format!("the config cannot be read: {error}"),
        remedy: Some("report this as a bug of tollgate".to_owned()),
        secret: false,
    }
}

/// One error of the schema in our words, each with the node to prune.
fn explain(words: &Words<'_>, error: &ValidationError<'_>) -> Vec<(Finding, Path)> {
    let path = words.document.path_of(error.instance_path().as_str());
    let schema = words.schema_around(error.schema_path().as_str());
    let instance = error.instance();
    let secret = schema.get("format").is_some_and(|format| format == SecretRef::FORMAT);
    let one = |(reason, remedy): (String, Option<String>)| {
        vec![(
            Finding {
                path: path.clone(),
                at_key: false,
                reason,
                remedy,
                secret,
            },
            path.clone(),
        )]
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|key| {
                let (reason, remedy) = words.unknown_key(schema, key);
                let path = path.key(key);
                (
                    Finding {
                        path: path.clone(),
                        at_key: true,
                        reason,
                        remedy,
                        secret: may_hold_secret(key),
                    },
                    path,
                )
            })
            .collect(),
        Kind::Required { property } => one(words.missing(schema, property)),
        Kind::Type { .. } if path == Path::default() => one(words.wrong_root(instance)),
        Kind::Type { .. } => one(words.wrong_type(schema, instance)),
        Kind::Enum { .. } | Kind::OneOfNotValid { .. } | Kind::Constant { .. } => one(words.not_one_of(schema, instance)),
        Kind::Format { format } => one(words.bad_text(format, instance)),
        Kind::Minimum { .. } | Kind::Maximum { .. } => one(words.out_of_range(schema, instance)),
        Kind::MinItems { .. } => one(("the list is empty".to_owned(), words.example(schema))),
        Kind::MinLength { .. } => one(("the text is empty".to_owned(), words.example(schema))),
        _ => one((error.masked().to_string(), None)),
    }
}

/// Whether an unknown key is called as people call secrets, or nearly so.
fn may_hold_secret(key: &str) -> bool {
    const WORDS: [&str; 6] = ["secret", "credentials", "key", "token", "password", "auth"];
    let lowercase = key.to_lowercase();
    WORDS.iter().any(|word| lowercase.contains(word)) || nearest(key, WORDS.into_iter()).is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
