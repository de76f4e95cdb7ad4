//! Masks what matches patterns, in prompts and in answers, whole and streamed, and restores in the answer
//! what it masked in the prompt, where that is wanted.
//!
//! The patterns are compiled once per instance. In a stream the host releases text exactly: nothing that
//! could still become part of a match, and everything that cannot.

mod placeholder;
mod preset;
mod restore;
mod settings;
mod vault;

use std::borrow::Cow;
use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::text::{MatchEdit, PatternMatch};

pub use crate::preset::Preset;
use crate::restore::{Restorer, Restoring};
pub use crate::settings::{LaneName, OwnPattern, Settings};
use crate::vault::Vault;

/// Masks by patterns.
#[derive(Debug)]
pub struct Mask {
    patterns: TextPatterns,
    lanes: LaneMask,
    restoring: Option<Arc<Restoring>>,
}

impl Extension for Mask {
    const NAME: &'static str = "mask";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        let named = config.named()?;
        let restoring = config.restoring(&named)?.map(Arc::new);
        let patterns = settings::compiled(named.into_iter().map(|named| named.pattern))?;
        Ok(Self { patterns, lanes: config.lanes(), restoring })
    }
}

#[async_trait]
impl RequestTransform for Mask {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        match &self.restoring {
            // An answer without text restores nothing, so its prompt keeps to one text for each pattern.
            Some(restoring) if request.operation() != Operation::Embedding => {
                restoring.hide(&self.patterns, request, cx)?;
            }
            Some(_) | None => {
                request.edit_texts(&mut |part| edited(&self.patterns, part, &mut |_, _| MatchEdit::Mask))?;
            }
        }
        Ok(Flow::Continue)
    }
}

/// A piece of a prompt after `decide` has said what becomes of each match; none where that is nothing.
fn edited(
    patterns: &TextPatterns,
    part: TextPart<'_>,
    decide: &mut dyn FnMut(&PatternMatch<'_>, &str) -> MatchEdit,
) -> Option<String> {
    let edited = match part.kind {
        TextKind::ToolArguments => patterns.replace_all_json_by(part.text, decide),
        TextKind::Content | TextKind::ToolDescription | TextKind::Input => {
            patterns.replace_all_by(part.text, decide)
        }
    };
    match edited {
        Cow::Borrowed(_) => None,
        Cow::Owned(edited) => Some(edited),
    }
}

impl ResponseFilter for Mask {
    fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
        match &self.restoring {
            Some(restoring) => {
                let hold = restoring.with_masks.hold_back();
                FilterPlan::Text(hold.with_lanes(self.lanes | restoring.lanes))
            }
            None if self.lanes == LaneMask::ALL => FilterPlan::Patterns(self.patterns.clone()),
            None => FilterPlan::Text(self.patterns.hold_back().with_lanes(self.lanes)),
        }
    }

    fn open(&self, _head: &ResponseHead, cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(match &self.restoring {
            None => Box::new(Masking(self.patterns.clone())),
            Some(restoring) => Box::new(Restorer {
                masks: self.patterns.clone(),
                mask_lanes: self.lanes,
                restoring: Arc::clone(restoring),
                vault: Arc::clone(cx.local::<Arc<Vault>>()),
            }),
        })
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
