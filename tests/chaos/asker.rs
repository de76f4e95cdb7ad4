//! An extension that asks the model further questions.

use gatewright::http::HeaderValue;
use gatewright::prelude::*;

/// When and how often it asks.
#[gatewright::config]
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Before the request is sent.
    #[serde(default)]
    before: u32,
    /// When the whole answer is there.
    #[serde(default)]
    after: u32,
}

/// Asks what the caller asks, and puts what it hears into the answer.
pub(crate) struct Asker(Settings);

impl Extension for Asker {
    const NAME: &'static str = "asker";
    type Config = Settings;

    async fn create(settings: Settings, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self(settings))
    }
}

/// Asks so many times; returns what came of it, as texts.
async fn ask(times: u32, request: &LlmRequest, cx: &mut RequestCx) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..times {
        heard.push(match cx.ask(request.clone()).await {
            Ok(answer) => {
                let mut all = String::new();
                answer.for_each_text(&mut |_, text| all.push_str(text));
                all
            }
            Err(failure) => format!("failed: {:?}: {}", failure.kind, failure.message),
        });
    }
    heard
}

#[async_trait]
impl RequestTransform for Asker {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let heard = ask(self.0.before, request, cx).await.join("|");
        if !heard.is_empty() {
            cx.response_headers.insert("x-heard", HeaderValue::try_from(heard)?);
        }
        *cx.local::<Option<LlmRequest>>() = Some(request.clone());
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl ResponseFilter for Asker {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        if self.0.after > 0 { FilterPlan::Whole { max_bytes: 64 * 1024 } } else { FilterPlan::Skip }
    }

    async fn on_response(&self, response: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        let Some(request) = cx.local::<Option<LlmRequest>>().take() else { return Ok(Flow::Continue) };
        if self.0.after > 0 {
            let heard = ask(self.0.after, &request, cx).await.join("|");
            response.edit_texts(&mut |_, _| Some(heard.clone()))?;
        }
        Ok(Flow::Continue)
    }
}

gatewright::register!(Asker => RequestTransform, ResponseFilter);
