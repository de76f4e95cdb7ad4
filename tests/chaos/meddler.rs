//! An extension that changes all that it can reach, to show what of it is felt.

use gatewright::http::HeaderName;
use gatewright::http::HeaderValue;
use gatewright::prelude::*;
use std::sync::Arc;

/// What is different about an instance.
#[gatewright::config]
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How it wants to see answers.
    #[serde(default)]
    plan: Plan,
    /// Whether it only reports what it finds, instead of leaving anything.
    #[serde(default)]
    reads: bool,
    /// Whether it asks the model.
    #[serde(default)]
    asks: bool,
    /// Whether it fails after it changed a request or a whole answer.
    #[serde(default)]
    fails: bool,
}

/// How to see answers.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// Event by event.
    #[default]
    Events,
    /// As text.
    Text,
    /// As text, all of which it holds and replaces, and never whole.
    Replace,
    /// Whole.
    Whole,
}

/// Meddles.
pub(crate) struct Meddler(Settings);

/// A value that instances hand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left(&'static str);

impl Extension for Meddler {
    const NAME: &'static str = "meddler";
    type Config = Settings;

    async fn create(settings: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(settings))
    }
}

impl Meddler {
    /// Leaves a trace in everything that a context has.
    fn meddle(&self, hook: &'static str, cx: &mut RequestCx) {
        if self.0.reads {
            let found = cx.get::<Left>().map_or("nothing", |left| left.0);
            cx.tags.set("found", found);
            return;
        }
        cx.tags.set(&format!("meddled-{hook}"), "yes");
        let value = HeaderValue::from_static("yes");
        if let Ok(name) = HeaderName::try_from(format!("x-meddled-{hook}")) {
            cx.upstream_headers.insert(name.clone(), value.clone());
            cx.response_headers.insert(name, value);
        }
        cx.put(Left(hook));
    }
}

#[async_trait]
impl Authenticator for Meddler {
    async fn authenticate(&self, _: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        if self.0.reads {
            return Ok(AuthVerdict::Abstain);
        }
        Ok(AuthVerdict::Accept(Arc::new(Principal::new("meddler".into(), "meddler"))))
    }
}

#[async_trait]
impl RequestTransform for Meddler {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        self.meddle("request", cx);
        if self.0.asks {
            let answered = cx.ask(request.clone()).await.is_ok();
            tracing::info!(answered, "Asked");
        }
        if !self.0.reads {
            request.insert_text(Role::System, Placement::First, "meddled")?;
        }
        if self.0.fails {
            return Err(ExtError::new("too late"));
        }
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Limiter for Meddler {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        self.meddle("reserve", cx);
        Ok(Admission::Skip)
    }
}

#[async_trait]
impl ResponseFilter for Meddler {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        match self.0.plan {
            Plan::Events => FilterPlan::Events,
            Plan::Text => FilterPlan::Text(HoldBack::bytes(8)),
            Plan::Replace => FilterPlan::Text(HoldBack::bytes(4096)),
            Plan::Whole => FilterPlan::Whole { max_bytes: 64 * 1024 },
        }
    }

    fn open(&self, _: &ResponseHead, cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        self.meddle("open", cx);
        Ok(Box::new(Watch(Self(self.0.clone()))))
    }

    async fn on_response(&self, response: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        self.meddle("response", cx);
        if !self.0.reads && !matches!(self.0.plan, Plan::Replace) {
            response.edit_texts(&mut |_, text| Some(format!("{text} meddled")))?;
        }
        if self.0.fails {
            return Err(ExtError::new("too late"));
        }
        Ok(Flow::Continue)
    }
}

struct Watch(Meddler);

impl StreamFilter for Watch {
    fn on_event(&mut self, event: &mut StreamEvent, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.0.meddle("event", cx);
        if !self.0.0.reads && event.text().is_some() {
            event.replace_text("meddled");
        }
        Ok(StreamFlow::Continue)
    }

    fn on_text(&mut self, window: &mut TextWindow<'_>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.0.meddle("text", cx);
        if window.is_last() && !self.0.0.reads {
            let all = 0..window.text().len();
            window.replace(all, "meddled");
        }
        Ok(StreamFlow::Continue)
    }

    fn on_end(&mut self, _: &Outcome, cx: &mut StreamCx<'_>) {
        self.0.meddle("end", cx);
    }
}

gatewright::register!(Meddler => Authenticator, RequestTransform, Limiter, ResponseFilter);
