//! A transform that wants every request and fails on some.

use gatewright::prelude::*;

/// There is nothing to set.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Settings {}

/// Fails on requests that are marked as poison.
pub(crate) struct Picky;

impl Extension for Picky {
    const NAME: &'static str = "picky";
    type Config = Settings;

    async fn create(_: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for Picky {
    async fn on_request(&self, _: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        if cx.client_headers().get("x-trouble").is_some_and(|mark| mark == "poison") {
            return Err(ExtError::new("it cannot be swallowed"));
        }
        Ok(Flow::Continue)
    }
}

gatewright::register!(Picky => RequestTransform);
