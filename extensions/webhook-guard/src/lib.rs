//! Asks a webhook about prompts and answers: it allows, denies or replaces.
//!
//! A streamed answer is asked about in windows of text; the stream waits for each verdict, and nothing goes
//! out without one. The instance's deadline and failure policy say what becomes of an exchange whose webhook
//! does not answer.

mod answer;
mod call;
mod settings;

use std::sync::Arc;

use gatewright::prelude::*;

use crate::answer::Guarded;
use crate::call::{Judge, Question, Verdict};
pub use crate::settings::{Prompts, Settings};

/// Lets a webhook judge.
pub struct WebhookGuard {
    judge: Arc<Judge>,
    prompts: Prompts,
    answers: bool,
    lanes: LaneMask,
    window_bytes: usize,
}

impl std::fmt::Debug for WebhookGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookGuard").field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl Extension for WebhookGuard {
    const NAME: &'static str = "webhook-guard";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let judge = Arc::new(Judge::new(&config, env)?);
        let Settings { prompts, answers, lanes, window_bytes, .. } = config;
        Ok(Self { judge, prompts, answers, lanes: lanes.into_iter().collect(), window_bytes })
    }
}

#[async_trait]
impl RequestTransform for WebhookGuard {
    fn wants(&self, _request: &LlmRequest, _cx: &RequestCx) -> bool {
        self.prompts != Prompts::None
    }

    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let mut texts = Vec::new();
        request.for_each_text(&mut |part| {
            if self.prompts.include(part.role) {
                texts.push((part.role, part.text.to_owned()));
            }
        })?;
        if texts.is_empty() {
            return Ok(Flow::Continue);
        }
        match self.judge.ask(&Question::prompt(cx, &texts)).await? {
            Verdict::Allow => Ok(Flow::Continue),
            Verdict::Deny(denial) => Ok(Flow::Deny(denial)),
            Verdict::Replace(new) if new.len() == texts.len() => {
                let mut new = new.into_iter();
                request.edit_texts(&mut |part| {
                    if self.prompts.include(part.role) { new.next().flatten() } else { None }
                })?;
                Ok(Flow::Continue)
            }
            Verdict::Replace(_) => {
                Err(ExtError::new("the webhook gives another number of texts than it got"))
            }
        }
    }
}

impl ResponseFilter for WebhookGuard {
    fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
        if !self.answers {
            return FilterPlan::Skip;
        }
        let held_bytes_max = self.judge.content_bytes_max();
        FilterPlan::Text(HoldBack::bytes(0).with_max_bytes(held_bytes_max).with_lanes(self.lanes))
    }

    fn open(&self, _head: &ResponseHead, _cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Guarded::new(Arc::clone(&self.judge), self.window_bytes)))
    }
}

gatewright::register!(WebhookGuard => RequestTransform, ResponseFilter);

#[cfg(test)]
mod tests;
