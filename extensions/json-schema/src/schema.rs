//! A compiled schema, and what it says of a text.

use std::fmt;

use gatewright::serde_json::{self, Value};
use jsonschema::{PatternOptions, Validator};

/// The largest schema of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// The most parts of a request's schema, each counted as often as it is referred to: checking takes a
/// multiple of that.
const REQUEST_PARTS_MAX: usize = 10_000;
/// The most violations that are told.
const VIOLATIONS_MAX: usize = 10;
/// The longest text of a violation, in characters.
const VIOLATION_MAX: usize = 200;

/// A schema.
pub(crate) struct Schema(Validator);

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// What the model is told: it quotes the answer.
    pub(crate) detail: String,
    /// What the caller and the log are told: the places in answer and schema.
    pub(crate) place: String,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}

impl Schema {
    /// Compiles a schema, or says what is wrong with it. Nothing is fetched, and patterns take linear time.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        options.build(schema).map(Self).map_err(|error| error.to_string())
    }

    /// Compiles the schema that a request brought, within bounds on what a caller may let us compute.
    pub(crate) fn compile_foreign(source: &str) -> Result<Self, String> {
        if source.len() > REQUEST_BYTES_MAX {
            return Err(format!("it has {} bytes, {REQUEST_BYTES_MAX} are allowed", source.len()));
        }
        let schema = serde_json::from_str(source).map_err(|_| "it is no JSON".to_owned())?;
        let mut walk = Walk { root: &schema, path: Vec::new(), parts: 0 };
        walk.visit(&schema)?;
        Self::compile(&schema)
    }

    /// What is wrong with a text; nothing if it is JSON that fits.
    pub(crate) fn check(&self, text: &str) -> Vec<Violation> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                let place = "it is not JSON".to_owned();
                return vec![Violation { detail: format!("it is not JSON: {error}"), place }];
            }
        };
        let violation = |error: jsonschema::ValidationError<'_>| Violation {
            detail: format!("at {}: {error}", shown(error.instance_path().as_str()))
                .chars()
                .take(VIOLATION_MAX)
                .collect(),
            place: format!("{} does not fit {}", shown(error.instance_path().as_str()), error.schema_path()),
        };
        self.0.iter_errors(&value).take(VIOLATIONS_MAX).map(violation).collect()
    }
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "the top" } else { path }
}

/// Walks through a foreign schema as often as its references lead there.
struct Walk<'s> {
    root: &'s Value,
    /// The targets of the references on the way here.
    path: Vec<&'s str>,
    parts: usize,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, part: &'s Value) -> Result<(), String> {
        self.parts += 1;
        if self.parts > REQUEST_PARTS_MAX {
            return Err(format!("it has more than {REQUEST_PARTS_MAX} parts to check"));
        }
        match part {
            Value::Object(members) => members.iter().try_for_each(|(key, value)| match (&**key, value) {
                ("$ref", Value::String(target)) => self.follow(target),
                ("$dynamicRef" | "$recursiveRef" | "$id" | "id", Value::String(_)) => {
                    Err(format!("`{key}` is not supported"))
                }
                _ => self.visit(value),
            }),
            Value::Array(elements) => elements.iter().try_for_each(|element| self.visit(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn follow(&mut self, target: &'s str) -> Result<(), String> {
        let pointer =
            target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let found = pointer.and_then(|pointer| self.root.pointer(pointer));
        let found = found.ok_or_else(|| format!("`{target}` leads nowhere in it"))?;
        if self.path.contains(&target) || std::ptr::eq(found, self.root) {
            return Err(format!("`{target}` refers to itself, and recursion is not supported"));
        }
        self.path.push(target);
        self.visit(found)?;
        self.path.pop();
        Ok(())
    }
}
