//! Named prompts with typed parameters: a caller refers to one, and the gateway puts it in.
//!
//! Templates are compiled and checked when the instance is made. What a caller sends is checked against
//! the declared parameters, and a mistake is a 400 that names the field.

mod reference;
mod settings;
mod template;
mod variable;

use std::collections::BTreeMap;

use gatewright::EditError;
use gatewright::prelude::*;

pub use crate::settings::{Place, Settings, TemplateSettings};
use crate::template::Prompt;
pub use crate::variable::{Kind, VariableSettings};

/// Puts named prompts into requests.
#[derive(Debug)]
pub struct PromptTemplates {
    prompts: BTreeMap<String, Prompt>,
    /// The member of the request by which a caller refers to a prompt.
    member: String,
    is_required: bool,
}

impl Extension for PromptTemplates {
    const NAME: &'static str = "prompt-templates";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        let prompts = config.prompts()?;
        Ok(Self { prompts, member: config.member()?, is_required: config.required })
    }
}

#[async_trait]
impl RequestTransform for PromptTemplates {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let pointer = format!("/{}", self.member);
        let found = request.fields(&pointer);
        if found.is_empty() && !self.is_required {
            return Ok(Flow::Continue);
        }
        let reference = match reference::read(&self.member, &found) {
            Ok(reference) => reference,
            Err(denial) => return Ok(Flow::Deny(denial)),
        };
        let Some(prompt) = self.prompts.get(&reference.name) else {
            return Ok(Flow::deny(self.unknown(&reference.name)));
        };
        let texts = match prompt.render(&self.member, &reference) {
            Ok(texts) => texts,
            Err(denial) => return Ok(Flow::Deny(denial)),
        };
        request.remove_field(&pointer)?;
        for (role, place, text) in texts {
            match request.insert_text(role, place, &text) {
                Ok(()) => {}
                Err(EditError::NoPlace { .. }) => return Ok(Flow::deny(self.no_messages())),
                Err(error) => return Err(error.into()),
            }
        }
        cx.tags.set("prompt_template", &reference.name);
        Ok(Flow::Continue)
    }
}

impl PromptTemplates {
    fn unknown(&self, name: &str) -> Denial {
        let known: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
        let message = format!("there is no prompt template {name:?}; known are {}", known.join(", "));
        Denial::invalid(format!("{}.name", self.member), "unknown_prompt_template", message)
    }

    fn no_messages(&self) -> Denial {
        let message = format!("a request of this kind has no messages; send it without `{}`", self.member);
        Denial::invalid(self.member.clone(), "prompt_template_without_messages", message)
    }
}

gatewright::register!(PromptTemplates => RequestTransform);

#[cfg(test)]
mod tests;
