//! An authenticator that lets everybody in, so that the trouble stands alone.

use std::sync::Arc;

use gatewright::prelude::*;

/// There is nothing to set.
#[gatewright::config]
#[derive(Debug)]
pub(crate) struct Settings {}

/// Lets everybody in.
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
    async fn authenticate(&self, _: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        Ok(AuthVerdict::Accept(Arc::new(Principal::new("acme".into(), "everybody"))))
    }
}

gatewright::register!(OpenDoor => Authenticator);
