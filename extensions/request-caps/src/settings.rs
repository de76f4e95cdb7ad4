//! The settings, and their checks.

use std::collections::BTreeMap;

use gatewright::prelude::*;

use crate::parameter::{Parameter, ParameterSettings};
use crate::rule::Rule;

/// Bounds what a request may ask for, per model: its size, counts, parameters and fields.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The rules; a request has to keep all that concern its model, and they are gone through in this order.
    pub rules: Vec<RuleSettings>,
}

/// The bounds of requests for some models. What is not given has no bound.
#[gatewright::config]
#[derive(Clone, Debug)]
pub struct RuleSettings {
    /// The models, by the name that callers use; `*` stands for any run of characters. Default: all.
    #[serde(default = "any_model")]
    pub models: Vec<String>,
    /// The largest body, in bytes.
    #[serde(default)]
    pub body_bytes: Option<usize>,
    /// The most prompt tokens, by the gateway's own estimate, which is rough.
    #[serde(default)]
    pub prompt_tokens: Option<u64>,
    /// The most messages of a conversation.
    #[serde(default)]
    pub messages: Option<usize>,
    /// The most prompts, or texts to make vectors of, in one request.
    #[serde(default)]
    pub inputs: Option<usize>,
    /// The most tools that are offered to the model.
    #[serde(default)]
    pub tools: Option<usize>,
    /// The most images in messages.
    #[serde(default)]
    pub images: Option<usize>,
    /// The most sounds, films and documents in messages.
    #[serde(default)]
    pub files: Option<usize>,
    /// Bounds of parameters by name: `temperature`, or `reasoning.effort` for a member of an object.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterSettings>,
    /// Fields that a request must have.
    #[serde(default)]
    pub required: Vec<String>,
    /// Fields that a request must not have.
    #[serde(default)]
    pub forbidden: Vec<String>,
}

fn any_model() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Fields that routing reads, which an extension leaves alone.
const RESERVED: &[&str] = &["model", "messages", "stream"];

impl Settings {
    pub(crate) fn rules(self) -> Result<Vec<Rule>, BuildError> {
        if self.rules.is_empty() {
            return Err(BuildError::at("rules", "give at least one rule"));
        }
        let rule = |(index, caps): (usize, RuleSettings)| {
            let at = |path: &str| format!("rules[{index}].{path}");
            let mut parameters = Vec::new();
            for (name, bounds) in &caps.parameters {
                let parameter = Parameter { name: name.clone(), bounds: bounds.clone() };
                let path = at(&format!("parameters.{name}"));
                if name.split('.').any(str::is_empty) || RESERVED.contains(&name.as_str()) {
                    return Err(BuildError::at(path, "this is no parameter that can be bounded"));
                }
                parameter.check().map_err(|error| error.under(path))?;
                parameters.push(parameter);
            }
            if caps.is_empty() {
                return Err(BuildError::at(format!("rules[{index}]"), "it bounds nothing; give a bound"));
            }
            if let Some(name) = caps.required.iter().find(|name| caps.forbidden.contains(name)) {
                return Err(BuildError::at(at("required"), format!("`{name}` is forbidden as well")));
            }
            Ok(Rule { caps, parameters })
        };
        self.rules.into_iter().enumerate().map(rule).collect()
    }
}

impl RuleSettings {
    fn is_empty(&self) -> bool {
        let counts = [self.body_bytes, self.messages, self.inputs, self.tools, self.images, self.files];
        counts.iter().all(Option::is_none)
            && self.prompt_tokens.is_none()
            && self.parameters.is_empty()
            && self.required.is_empty()
            && self.forbidden.is_empty()
    }
}
