//! Templates: text with `{{name}}` for parameters, compiled once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gatewright::prelude::*;

use crate::reference::Reference;
use crate::variable::VariableSettings;

/// A prompt: its texts and what they take.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) texts: Vec<(Role, Placement, Template)>,
    pub(crate) variables: BTreeMap<String, VariableSettings>,
}

/// A text and where it goes.
type Placed = (Role, Placement, String);

/// A compiled text.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Variable(String),
}

impl Prompt {
    /// The texts with the caller's values, or a denial that names the field at fault.
    pub(crate) fn render(&self, member: &str, reference: &Reference) -> Result<Vec<Placed>, Box<Denial>> {
        if let Some(name) = reference.variables.keys().find(|name| !self.variables.contains_key(*name)) {
            return Err(denied(
                member,
                name,
                "unknown_variable",
                "is not a variable of this prompt template",
            ));
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &self.variables {
            let Some(value) = reference.variables.get(name).or(variable.default.as_ref()) else {
                return Err(denied(member, name, "missing_variable", "is missing and has no default"));
            };
            let text = variable.text(value);
            let text = text.map_err(|message| denied(member, name, "invalid_variable", &message))?;
            values.insert(name.as_str(), text);
        }
        let render =
            |(role, place, template): &(Role, Placement, Template)| (*role, *place, template.render(&values));
        Ok(self.texts.iter().map(render).collect())
    }
}

fn denied(member: &str, variable: &str, code: &'static str, message: &str) -> Box<Denial> {
    let field = format!("{member}.variables.{variable}");
    let message = format!("`{field}` {message}");
    Box::new(Denial::invalid(field, code, message))
}

impl Template {
    /// Compiles a text, or says what is wrong with it. `{{{{` stands for two braces.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((text, after)) = rest.split_once("{{") {
            parts.push(Part::Text(text.to_owned()));
            rest = match after.strip_prefix("{{") {
                Some(after) => {
                    parts.push(Part::Text("{{".to_owned()));
                    after
                }
                None => {
                    let (name, after) = placeholder(after)?;
                    parts.push(Part::Variable(name.to_owned()));
                    after
                }
            };
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The parameters that the text takes.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    fn render(&self, values: &BTreeMap<&str, Cow<'_, str>>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(name) => values.get(name.as_str()).cloned().unwrap_or_default().into_owned(),
        };
        self.0.iter().map(part).collect()
    }
}

/// The name at the beginning of the text, which ends with `}}`, and what follows.
fn placeholder(text: &str) -> Result<(&str, &str), String> {
    let found = text.split_once("}}").map(|(name, after)| (name.trim(), after));
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    found.filter(|(name, _)| is_name(name)).ok_or_else(|| {
        "a `{{` without a name and `}}`; write `{{name}}`, or `{{{{` for the characters".to_owned()
    })
}
