//! The settings, and the prompts that they make.

use std::collections::{BTreeMap, BTreeSet};

use gatewright::prelude::*;

use crate::template::{Prompt, Template};
use crate::variable::VariableSettings;

/// Puts named prompts with typed parameters in where a caller refers to one.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The prompts by name.
    pub templates: BTreeMap<String, TemplateSettings>,
    /// The member of a request by which a caller refers to a prompt, as in
    /// `"prompt_template": {"name": "support", "variables": {"product": "Falcon"}}`. It is taken out
    /// before the request goes on.
    #[serde(default = "default_member")]
    pub member: String,
    /// Whether a request without a reference is refused, so that callers use these prompts only.
    #[serde(default)]
    pub required: bool,
}

/// A prompt. It has `system`, `user`, or both. In each `{{name}}` stands for a variable, and `{{{{` for two
/// braces.
#[gatewright::config]
#[derive(Debug)]
pub struct TemplateSettings {
    /// The instruction, in the role that the dialect has for it, after the caller's own instructions.
    #[serde(default)]
    pub system: Option<String>,
    /// A message of the user.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the message of the user goes among the caller's own.
    #[serde(default)]
    pub user_at: Place,
    /// The variables by name; each has to be used.
    #[serde(default)]
    pub variables: BTreeMap<String, VariableSettings>,
}

/// Where a message goes.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before the caller's own messages.
    #[default]
    First,
    /// After the caller's own messages.
    Last,
}

fn default_member() -> String {
    "prompt_template".to_owned()
}

/// Members that every request has, or that the gateway itself reads.
const RESERVED: &[&str] = &["model", "messages", "prompt", "input", "stream", "stream_options", "n"];

impl Settings {
    pub(crate) fn member(&self) -> Result<String, BuildError> {
        let is_plain = |name: &str| !name.is_empty() && !name.contains(['/', '~', '.']);
        if RESERVED.contains(&self.member.as_str()) || !is_plain(&self.member) {
            return Err(BuildError::at(
                "member",
                "choose a name that no request has otherwise, without / ~ .",
            ));
        }
        Ok(self.member.clone())
    }

    pub(crate) fn prompts(&self) -> Result<BTreeMap<String, Prompt>, BuildError> {
        if self.templates.is_empty() {
            return Err(BuildError::at("templates", "give at least one prompt"));
        }
        let prompt = |(name, settings): (&String, &TemplateSettings)| {
            let prompt = settings.prompt().map_err(|error| error.under(format!("templates.{name}")))?;
            Ok((name.clone(), prompt))
        };
        self.templates.iter().map(prompt).collect()
    }
}

impl TemplateSettings {
    fn prompt(&self) -> Result<Prompt, BuildError> {
        let user_at = match self.user_at {
            Place::First => Placement::First,
            Place::Last => Placement::Last,
        };
        let sources = [
            ("system", Role::System, Placement::Last, &self.system),
            ("user", Role::User, user_at, &self.user),
        ];
        let mut texts = Vec::new();
        let mut used = BTreeSet::new();
        for (field, role, place, source) in sources {
            let Some(source) = source else { continue };
            let template = Template::parse(source).map_err(|message| BuildError::at(field, message))?;
            if let Some(name) = template.variables().find(|name| !self.variables.contains_key(*name)) {
                return Err(BuildError::at(field, format!("`{{{{{name}}}}}` is not among the variables")));
            }
            used.extend(template.variables().map(str::to_owned));
            texts.push((role, place, template));
        }
        if texts.is_empty() {
            return Err(BuildError::new("give `system`, `user`, or both"));
        }
        for (name, variable) in &self.variables {
            variable.check().map_err(|error| error.under(format!("variables.{name}")))?;
            if !used.contains(name) {
                return Err(BuildError::at(format!("variables.{name}"), "no text of the prompt uses it"));
            }
        }
        let variables = self.variables.iter().map(|(name, variable)| (name.clone(), variable.clone()));
        Ok(Prompt { texts, variables: variables.collect() })
    }
}
