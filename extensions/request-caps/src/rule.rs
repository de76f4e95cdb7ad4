//! One rule: the bounds of the requests for some models.

use gatewright::http::StatusCode;
use gatewright::matches_pattern;
use gatewright::prelude::*;

use crate::parameter::{Parameter, pointer};
use crate::settings::RuleSettings;

/// A rule that was checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) caps: RuleSettings,
    pub(crate) parameters: Vec<Parameter>,
}

impl Rule {
    pub(crate) fn concerns(&self, model: &ModelName) -> bool {
        self.caps.models.iter().any(|pattern| matches_pattern(pattern, model.as_str()))
    }

    /// Checks size, counts and fields.
    pub(crate) fn check(&self, request: &LlmRequest) -> Result<(), Box<Denial>> {
        let caps = &self.caps;
        let bytes = request.to_body().len();
        if let Some(max) = caps.body_bytes
            && bytes > max
        {
            let message = format!("the request has {bytes} bytes, {max} are allowed");
            let denial = Denial::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message);
            return Err(Box::new(denial));
        }
        let counts = request.counts();
        let subject = if counts.inputs > 0 { "input" } else { "messages" };
        let table = [
            (counts.messages, caps.messages, "messages", "too_many_messages", "messages"),
            (counts.inputs, caps.inputs, "input", "too_many_inputs", "inputs"),
            (counts.tools, caps.tools, "tools", "too_many_tools", "tools"),
            (counts.images, caps.images, "messages", "too_many_images", "images"),
            (counts.files, caps.files, "messages", "too_many_files", "files"),
        ];
        for (count, max, field, code, what) in table {
            if let Some(max) = max
                && count > max
            {
                let message = format!("the request has {count} {what}, {max} are allowed");
                return Err(Box::new(Denial::invalid(field, code, message)));
            }
        }
        let tokens = request.document().estimate_input_tokens();
        if let Some(max) = caps.prompt_tokens
            && tokens > max
        {
            let message = format!("the prompt has about {tokens} tokens, {max} are allowed; shorten it");
            return Err(Box::new(Denial::invalid(subject, "prompt_too_long", message)));
        }
        self.check_fields(request)
    }

    fn check_fields(&self, request: &LlmRequest) -> Result<(), Box<Denial>> {
        let is_given = |name: &str| request.fields(&pointer(name)).iter().any(|text| text != "null");
        if let Some(name) = self.caps.required.iter().find(|name| !is_given(name)) {
            let message = format!("`{name}` is missing; requests for this model need it");
            return Err(Box::new(Denial::invalid(name.clone(), "missing_required_parameter", message)));
        }
        if let Some(name) = self.caps.forbidden.iter().find(|name| is_given(name)) {
            let message = format!("`{name}` is not allowed for this model; send the request without it");
            return Err(Box::new(Denial::invalid(name.clone(), "forbidden_parameter", message)));
        }
        Ok(())
    }

    /// Bounds the parameters, and notes which of them were set to a bound.
    pub(crate) fn bound(
        &self,
        request: &mut LlmRequest,
        clamped: &mut Vec<String>,
    ) -> Result<(), Box<Denial>> {
        for parameter in &self.parameters {
            if parameter.bound(request)? {
                clamped.push(parameter.name.clone());
            }
        }
        Ok(())
    }
}
