//! An authenticator that lets everybody in as whoever they say they are, so that the trouble stands alone.

use std::sync::Arc;

use gatewright::prelude::*;

/// Lets everybody in.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Settings {}

/// Lets everybody in. The headers `x-tenant` and `x-user` say who it is.
#[derive(Debug)]
pub(crate) struct OpenDoor;

impl Extension for OpenDoor {
    const NAME: &'static str = "open-door";
    type Config = Settings;

    async fn create(_: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[async_trait]
impl Authenticator for OpenDoor {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let said = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        if said("x-nobody").is_some() {
            return Ok(AuthVerdict::Abstain);
        }
        let mut caller = Principal::new(said("x-tenant").unwrap_or("acme").into(), "everybody");
        caller.user = said("x-user").map(Arc::from);
        Ok(AuthVerdict::Accept(Arc::new(caller)))
    }
}

gatewright::register!(OpenDoor => Authenticator);
