//! Keywords and patterns that prompts and answers are held against, whole and streamed.
//!
//! A rule denies, masks, tags or only counts. In a stream nothing is released that could still become a
//! match, and a rule that denies ends the stream with an error in the caller's dialect.

mod keyword;
mod rule;
mod settings;

use std::borrow::Cow;
use std::sync::Arc;

use gatewright::prelude::*;

use crate::rule::{Rules, Verdict};
pub use crate::settings::{Action, RoleName, RuleSettings, Settings, Side};

/// Judges prompts and answers by rules.
#[derive(Debug)]
pub struct ContentPolicy {
    prompts: Rules,
    answers: Arc<Rules>,
    roles: Vec<RoleName>,
    lanes: LaneMask,
}

impl Extension for ContentPolicy {
    const NAME: &'static str = "content-policy";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let rules = config.rules(&*env.meter)?;
        Ok(Self {
            prompts: Rules::compile(&rules, Side::Prompts)?,
            answers: Arc::new(Rules::compile(&rules, Side::Answers)?),
            lanes: config.lanes.into_iter().collect(),
            roles: config.roles,
        })
    }
}

#[async_trait]
impl RequestTransform for ContentPolicy {
    fn wants(&self, _request: &LlmRequest, _cx: &RequestCx) -> bool {
        !self.prompts.is_empty()
    }

    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let mut verdict = Verdict::default();
        request.edit_texts(&mut |part| {
            if !self.roles.iter().any(|role| role.is(part.role)) {
                return None;
            }
            match self.prompts.judge(&part, &mut verdict) {
                Cow::Borrowed(_) => None,
                Cow::Owned(masked) => Some(masked),
            }
        })?;
        self.prompts.note(&verdict, &mut cx.tags);
        Ok(self.prompts.denial(&verdict, "the request").map_or(Flow::Continue, Flow::deny))
    }
}

impl ResponseFilter for ContentPolicy {
    fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
        if self.answers.is_empty() {
            return FilterPlan::Skip;
        }
        FilterPlan::Text(self.answers.hold_back().with_lanes(self.lanes))
    }

    fn open(&self, _head: &ResponseHead, _cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Answer { rules: Arc::clone(&self.answers), verdict: Verdict::default() }))
    }
}

/// One answer, and what the rules said of it so far.
struct Answer {
    rules: Arc<Rules>,
    verdict: Verdict,
}

impl StreamFilter for Answer {
    fn on_text(&mut self, window: &mut TextWindow<'_>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        if self.rules.watch(window, &mut self.verdict) {
            self.rules.note(&self.verdict, &mut cx.tags);
        }
        let denial = self.rules.denial(&self.verdict, "the answer");
        Ok(denial.map_or(StreamFlow::Continue, |denial| StreamFlow::Cut(Box::new(denial))))
    }
}

gatewright::register!(ContentPolicy => RequestTransform, ResponseFilter);

#[cfg(test)]
mod tests;
