//! Masks what matches patterns, in prompts and in answers, whole and streamed.
//!
//! The patterns are compiled once per instance. In a stream the host releases text exactly: nothing that
//! could still become part of a match, and everything that cannot.

mod preset;
mod settings;

use gatewright::prelude::*;
use gatewright::text::LaneMask;

pub use crate::preset::Preset;
pub use crate::settings::{LaneName, OwnPattern, Settings};

/// Masks by patterns.
#[derive(Debug)]
pub struct Mask {
    patterns: TextPatterns,
    lanes: LaneMask,
}

impl Extension for Mask {
    const NAME: &'static str = "mask";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { patterns: config.patterns()?, lanes: config.lanes() })
    }
}

#[async_trait]
impl RequestTransform for Mask {
    async fn on_request(&self, request: &mut LlmRequest, _cx: &mut RequestCx) -> HookResult {
        request.edit_texts(&mut |part| {
            let masked = match part.kind {
                TextKind::ToolArguments => self.patterns.replace_all_json(part.text),
                TextKind::Content | TextKind::ToolDescription | TextKind::Input => {
                    self.patterns.replace_all(part.text)
                }
            };
            match masked {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(masked) => Some(masked),
            }
        })?;
        Ok(Flow::Continue)
    }
}

impl ResponseFilter for Mask {
    fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
        if self.lanes == LaneMask::ALL {
            return FilterPlan::Patterns(self.patterns.clone());
        }
        FilterPlan::Text(self.patterns.hold_back().with_lanes(self.lanes))
    }

    fn open(&self, _head: &ResponseHead, _cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(Masking(self.patterns.clone())))
    }
}

/// Masks one answer, where only some of its lanes are wanted.
struct Masking(TextPatterns);

impl StreamFilter for Masking {
    fn on_text(&mut self, window: &mut TextWindow<'_>, _cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        window.mask(&self.0);
        Ok(StreamFlow::Continue)
    }
}

gatewright::register!(Mask => RequestTransform, ResponseFilter);

#[cfg(test)]
mod tests;
