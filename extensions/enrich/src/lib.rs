//! Adds headers, fields, labels and an instruction to requests, from templates over the caller and the
//! request's labels.
//!
//! Templates are compiled when the instance is made, so an unknown placeholder is an error of the
//! settings, not of a request.

mod field;
mod settings;
mod template;

use gatewright::EditError;
use gatewright::http::{HeaderName, HeaderValue};
use gatewright::prelude::*;

use crate::field::Field;
pub use crate::settings::{Place, Settings};
use crate::template::Template;

/// Adds to requests what the templates make of their caller.
#[derive(Debug)]
pub struct Enrich {
    tags: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    fields: Vec<(Field, Template)>,
    system: Option<(Placement, Template)>,
}

impl Extension for Enrich {
    const NAME: &'static str = "enrich";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self {
            tags: config.tags()?,
            headers: config.headers()?,
            fields: config.fields()?,
            system: config.system()?,
        })
    }
}

#[async_trait]
impl RequestTransform for Enrich {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        for (name, template) in &self.tags {
            let value = template.render(cx);
            if !value.is_empty() && !cx.tags.set(name, &value) {
                return Err(ExtError::new(format!("the value for the label `{name}` cannot be one")));
            }
        }
        for (name, template) in &self.headers {
            let value = template.render(cx);
            if !value.is_empty() {
                let value = HeaderValue::from_bytes(value.as_bytes())?;
                cx.upstream_headers.insert(name.clone(), value);
            }
        }
        for (field, template) in &self.fields {
            let value = template.render(cx);
            if !value.is_empty()
                && let Err(denial) = field.put(request, &value)?
            {
                return Ok(Flow::Deny(denial));
            }
        }
        self.instruct(request, cx)
    }
}

impl Enrich {
    fn instruct(&self, request: &mut LlmRequest, cx: &RequestCx) -> HookResult {
        let Some((placement, template)) = &self.system else { return Ok(Flow::Continue) };
        let text = template.render(cx);
        if text.is_empty() {
            return Ok(Flow::Continue);
        }
        match request.insert_text(Role::System, *placement, &text) {
            // A request for vectors has no instructions; what it is sent with stays as it came.
            Ok(()) | Err(EditError::NoPlace { .. }) => Ok(Flow::Continue),
            Err(error) => Err(error.into()),
        }
    }
}

gatewright::register!(Enrich => RequestTransform);

#[cfg(test)]
mod tests;
