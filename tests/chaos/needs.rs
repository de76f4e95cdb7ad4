//! Extensions that hand a value to each other, and one that cannot be created.

use gatewright::prelude::*;

/// Hands a value on, or reads it.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Nothing {}

/// The value that is handed on.
#[derive(Debug)]
struct Token;

/// Stores a value for others.
#[derive(Debug)]
pub(crate) struct Giver;

impl Extension for Giver {
    const NAME: &'static str = "giver";
    const PROVIDES: &'static [&'static str] = &["chaos.token"];
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for Giver {
    async fn on_request(&self, _: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        cx.put(Token);
        Ok(Flow::Continue)
    }
}

/// Reads the value, and fails where it is not there.
#[derive(Debug)]
pub(crate) struct Taker;

impl Extension for Taker {
    const NAME: &'static str = "taker";
    const NEEDS: &'static [&'static str] = &["chaos.token"];
    type Config = Nothing;

    async fn create(_: Nothing, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[async_trait]
impl RequestTransform for Taker {
    async fn on_request(&self, _: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        cx.get::<Token>().map(|_| Flow::Continue).ok_or_else(|| ExtError::new("nobody gave it the token"))
    }
}

/// How to break.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Break {
    /// Whether to panic instead of saying what is wrong.
    panics: bool,
}

/// Cannot be created.
#[derive(Debug)]
pub(crate) struct Brittle;

impl Extension for Brittle {
    const NAME: &'static str = "brittle";
    type Config = Break;

    async fn create(settings: Break, _: ExtEnv) -> Result<Self, BuildError> {
        assert!(!settings.panics, "brittle, as it was asked for");
        Err(BuildError::at("panics", "neither true nor false will do; leave the instance out"))
    }
}

#[async_trait]
impl RequestTransform for Brittle {
    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        Ok(Flow::Continue)
    }
}

gatewright::register!(Giver => RequestTransform);
gatewright::register!(Taker => RequestTransform);
gatewright::register!(Brittle => RequestTransform);
