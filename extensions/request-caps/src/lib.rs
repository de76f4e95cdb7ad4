//! Bounds what a request may ask for, per model: its size, its counts, its parameters and fields.
//!
//! A refusal is a 400 that names the field. A parameter over its bound is refused or set to the bound.

mod parameter;
mod rule;
mod settings;

use gatewright::prelude::*;

pub use crate::parameter::{Excess, ParameterSettings};
use crate::rule::Rule;
pub use crate::settings::{RuleSettings, Settings};

/// The label with the names of the parameters that were set to their bound.
const TAG: &str = "clamped";

/// Bounds requests.
#[derive(Debug)]
pub struct RequestCaps {
    rules: Vec<Rule>,
}

impl Extension for RequestCaps {
    const NAME: &'static str = "request-caps";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { rules: config.rules()? })
    }
}

#[async_trait]
impl RequestTransform for RequestCaps {
    fn wants(&self, _request: &LlmRequest, cx: &RequestCx) -> bool {
        self.rules.iter().any(|rule| rule.concerns(cx.model()))
    }

    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let mut clamped = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.concerns(cx.model())) {
            if let Err(denial) = rule.check(request).and_then(|()| rule.bound(request, &mut clamped)) {
                return Ok(Flow::Deny(denial));
            }
        }
        if !clamped.is_empty() {
            // A label that does not fit is left out; the request is bounded all the same.
            let _is_taken = cx.tags.set(TAG, &clamped.join(","));
        }
        Ok(Flow::Continue)
    }
}

gatewright::register!(RequestCaps => RequestTransform);

#[cfg(test)]
mod tests;
