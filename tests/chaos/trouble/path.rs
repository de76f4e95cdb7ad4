//! Trouble on the way to the provider.

use std::future::pending;
use std::time::Duration;

use gatewright::prelude::*;
use gatewright::{Candidate, CredentialQuery, CredentialScope, Found, Shown, Try};

use super::grenade::Grenade;
use super::stream::Claim;
use super::{Hook, Trouble, denial};

#[async_trait]
impl Authenticator for Trouble {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let denies =
            self.settings.concerns(head.headers) && self.settings.act_async(Hook::Authenticate).await?;
        Ok(if denies { AuthVerdict::Reject(denial()) } else { AuthVerdict::Abstain })
    }
}

#[async_trait]
impl RequestTransform for Trouble {
    fn phase(&self) -> TransformPhase {
        self.settings.act_blindly(Hook::Phase);
        if self.settings.at == Hook::Attempt { TransformPhase::Attempt } else { TransformPhase::Client }
    }

    fn wants(&self, _: &LlmRequest, cx: &RequestCx) -> bool {
        let wanted = self.settings.concerns(cx.client_headers());
        if wanted {
            self.settings.act_blindly(Hook::Wants);
        }
        wanted
    }

    async fn on_request(&self, _: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        if let Some(_grenade) = Grenade::of(&self.settings, Hook::DropFuture) {
            pending::<()>().await;
        }
        if let Some(grenade) = Grenade::of(&self.settings, Hook::DropKept) {
            *cx.local::<Option<Grenade>>() = Some(grenade);
        }
        let hook = if self.settings.at == Hook::Attempt { Hook::Attempt } else { Hook::Request };
        let denies = self.settings.act_async(hook).await?;
        Ok(if denies { Flow::Deny(denial()) } else { Flow::Continue })
    }
}

#[async_trait]
impl Limiter for Trouble {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        if !self.settings.concerns(cx.client_headers()) {
            return Ok(Admission::Skip);
        }
        let denies = self.settings.act_async(Hook::Reserve).await?;
        let claim = || Claim::of(&self.settings);
        Ok(if denies { Admission::Deny(denial(), None) } else { Admission::Admit(Box::new(claim()), None) })
    }
}

#[async_trait]
impl CredentialProvider for Trouble {
    async fn credential(&self, query: &CredentialQuery<'_>) -> HookResult<Option<Found>> {
        if self.settings.is_named_in(query.model) {
            self.settings.act_async(Hook::Credential).await?;
        }
        let credential = Shown::ApiKey(Secret::new("from-trouble".to_owned()));
        Ok(Some(Found { credential, scope: CredentialScope::Everyone, keep: Duration::ZERO }))
    }

    fn refused(&self, _: &CredentialQuery<'_>) {
        self.settings.act_blindly(Hook::Refused);
    }
}

impl TargetPicker for Trouble {
    fn pick(&self, _: &[Candidate], _: &LlmRequest, cx: &RequestCx) -> HookResult<Option<usize>> {
        if self.settings.concerns(cx.client_headers()) {
            self.settings.act(Hook::Pick)?;
        }
        Ok(None)
    }

    fn observe(&self, tried: &Try<'_>) {
        if self.settings.is_named_in(tried.model) {
            self.settings.act_blindly(Hook::Tried);
        }
    }
}

impl TokenEstimator for Trouble {
    fn input_tokens(&self, request: &LlmRequest, _: &str) -> HookResult<Option<u64>> {
        if !self.settings.marked || request.contains("mark:estimate") {
            self.settings.act(Hook::Estimate)?;
        }
        Ok(None)
    }
}
