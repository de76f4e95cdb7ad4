//! Adds headers, labels and a disclaimer to answers, by rules over the model, the provider and the labels.
//!
//! A disclaimer goes to the end of each choice that a person reads, once, in whole answers and in streams:
//! not into tool calls, and not into answers that were asked for as JSON.

mod rule;
mod settings;

use std::sync::Arc;

use gatewright::prelude::*;

use crate::rule::Rule;
pub use crate::settings::{Condition, RuleSettings, Settings};

/// Where requests say that the answer is to be JSON.
const FORMATS: [&str; 2] = ["/response_format", "/text/format"];

/// Adds to answers.
#[derive(Debug)]
pub struct ResponseTag {
    rules: Vec<Rule>,
}

/// What this instance knows of the request when the answer comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// The instance did not see the request.
    #[default]
    Unknown,
    /// A text.
    Text,
    /// JSON, by whatever schema.
    Json,
}

impl Extension for ResponseTag {
    const NAME: &'static str = "response-tag";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { rules: config.rules()? })
    }
}

#[async_trait]
impl RequestTransform for ResponseTag {
    fn wants(&self, _request: &LlmRequest, _cx: &RequestCx) -> bool {
        self.rules.iter().any(|rule| rule.disclaimer.is_some())
    }

    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let is_json = |pointer: &&str| {
            let kinds = request.fields(&format!("{pointer}/type"));
            kinds.iter().any(|kind| kind != "null" && kind != r#""text""#)
        };
        *cx.local() = if FORMATS.iter().any(is_json) { Asked::Json } else { Asked::Text };
        Ok(Flow::Continue)
    }
}

impl ResponseFilter for ResponseTag {
    fn plan(&self, head: &ResponseHead, cx: &RequestCx) -> FilterPlan {
        let mut rules = self.rules.iter().filter(|rule| rule.concerns(head, cx)).peekable();
        if rules.peek().is_none() {
            return FilterPlan::Skip;
        }
        if rules.all(|rule| rule.disclaimer.is_none()) {
            return FilterPlan::Observe;
        }
        // Nothing is held: the disclaimer follows the text, and arguments only tell that a tool is called.
        FilterPlan::Text(HoldBack::bytes(0).with_lanes(LaneMask::CONTENT | LaneMask::TOOL_ARGUMENTS))
    }

    fn open(&self, head: &ResponseHead, cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        let mut disclaimer = String::new();
        for rule in self.rules.iter().filter(|rule| rule.concerns(head, cx)).collect::<Vec<_>>() {
            rule.apply(head, cx)?;
            disclaimer.push_str(rule.disclaimer.as_deref().unwrap_or_default());
        }
        let makes_text = matches!(head.operation, Operation::Chat | Operation::Completion);
        let is_read = makes_text && *cx.local::<Asked>() == Asked::Text;
        let disclaimer = if is_read { Arc::from(disclaimer) } else { Arc::default() };
        Ok(Box::new(Closing { disclaimer, calls: Vec::new() }))
    }
}

/// One answer and what is to stand at its end.
struct Closing {
    disclaimer: Arc<str>,
    /// The choices that call tools: a program reads them, not a person.
    calls: Vec<u32>,
}

impl StreamFilter for Closing {
    fn on_text(&mut self, window: &mut TextWindow<'_>, _cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let Lane { choice, kind } = window.lane();
        if matches!(kind, LaneKind::ToolArguments { .. }) && !self.calls.contains(&choice) {
            self.calls.push(choice);
        }
        let is_end = window.is_last() && kind == LaneKind::Content && !self.calls.contains(&choice);
        if is_end && !self.disclaimer.is_empty() {
            let end = window.text().len();
            window.replace(end..end, &*self.disclaimer);
        }
        Ok(StreamFlow::Continue)
    }
}

gatewright::register!(ResponseTag => RequestTransform, ResponseFilter);

#[cfg(test)]
mod tests;
