//! Conditions over the claims of a token. They are of any shape, so here `cel` itself works them out; a token is verified about
//! once a minute, not once a call.

use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Program, Value};
use serde::Serialize;

use super::parse::{parse, position};
use super::{ConditionError, Position};

/// The claims of a verified token.
#[derive(Debug, Clone)]
pub struct Claims(Value);

/// A condition over `claims`, such as `"admins" in claims.groups`.
#[derive(Debug)]
pub struct ClaimCondition {
    text: Box<str>,
    program: Program,
}

impl ClaimCondition {
    /// Reads a condition. Its only name is `claims`.
    ///
    /// # Errors
    /// Bad syntax, or another name.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        let program = parse(text)?;
        let mut strange: Vec<String> = program.references().variables().iter().map(|name| (*name).to_owned()).collect();
        strange.retain(|name| name != "claims" && !is_bound(program.expression(), name));
        if let Some(name) = strange.iter().min() {
            return Err(ConditionError {
                position: place_of(text, name),
                message: format!("no such name \"{name}\"; what a token says is under claims, as in claims.{name}"),
            });
        }
        Ok(Self {
            text: text.into(),
            program,
        })
    }

    /// Whether it holds. A claim that is not there, or is of another shape, makes it not hold.
    #[must_use]
    pub fn holds(&self, claims: &Claims) -> bool {
        let mut context = Context::default();
        context.set_variable_resolver(claims);
        matches!(self.program.execute(&context), Ok(Value::Bool(true)))
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Claims {
    /// Claims as they were read from a token. `None`: they are not an object.
    #[must_use]
    pub fn new(claims: &impl Serialize) -> Option<Self> {
        let value = cel::to_value(claims).ok()?;
        matches!(value, Value::Map(_)).then_some(Self(value))
    }

    /// The text of a claim, or of each entry of a list of texts. A claim is found by its whole name first, dots and all, and then
    /// by the steps of a dotted path.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let found = step(&self.0, name).or_else(|| name.split('.').try_fold(&self.0, step));
        match found {
            Some(Value::String(text)) => vec![text.as_str()],
            Some(Value::List(values)) => {
                let texts = values.iter().map(|value| match value {
                    Value::String(text) => Some(text.as_str()),
                    _ => None,
                });
                texts.collect::<Option<_>>().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

impl VariableResolver for Claims {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "claims" => self.0.clone().try_into().ok().map(CowVal::Owned),
            _ => None,
        }
    }
}

fn step<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(map) => map.get(&cel::objects::KeyRef::String(name)),
        _ => None,
    }
}

/// A macro such as `exists` binds names of its own.
fn is_bound(at: &cel::IdedExpr, name: &str) -> bool {
    use cel::common::ast::Expr;
    match &at.expr {
        Expr::Comprehension(inner) => {
            let own = inner.iter_var == name || inner.iter_var2.as_deref() == Some(name) || inner.accu_var == name;
            own || [&inner.iter_range, &inner.loop_step, &inner.result]
                .iter()
                .any(|part| is_bound(part, name))
        }
        Expr::Call(call) => call.target.iter().any(|target| is_bound(target, name)) || call.args.iter().any(|part| is_bound(part, name)),
        Expr::Select(select) => is_bound(&select.operand, name),
        Expr::List(list) => list.elements.iter().any(|part| is_bound(part, name)),
        _ => false,
    }
}

/// The first place where the word stands alone.
fn place_of(text: &str, name: &str) -> Position {
    let word = |character: char| character.is_alphanumeric() || character == '_' || character == '.';
    let stands_alone = |(at, _): &(usize, &str)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(word) && !after.is_some_and(|character| word(character) && character != '.')
    };
    let at = text.match_indices(name).find(stands_alone).map_or(0, |(at, _)| at);
    position(text, text.get(..at).map_or(0, |before| before.chars().count()))
}
