//! The way there and back: values become placeholders in a prompt, and placeholders values in an answer.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::text::{MatchEdit, PatternMatch, as_read};

use crate::edited;
use crate::placeholder::Labels;
use crate::vault::Vault;

/// What brings masked values back.
#[derive(Debug)]
pub(crate) struct Restoring {
    /// The texts of an answer in which values are restored.
    pub(crate) lanes: LaneMask,
    pub(crate) values_max: usize,
    pub(crate) labels: Labels,
    /// Finds placeholders.
    pub(crate) alone: TextPatterns,
    /// Finds placeholders, then what is to be masked.
    pub(crate) with_masks: TextPatterns,
}

/// Where both sets have the pattern of placeholders.
const PLACEHOLDER: usize = 0;

impl Restoring {
    /// Puts placeholders into a prompt and remembers in the exchange what they stand for.
    pub(crate) fn hide(
        &self,
        masks: &TextPatterns,
        request: &mut LlmRequest,
        cx: &mut RequestCx,
    ) -> Result<(), ExtError> {
        let vault = Arc::make_mut(cx.local::<Arc<Vault>>());
        request.for_each_text(&mut |part| self.avoid_in(part.text, vault))?;
        // What is no text of the conversation, such as the schema of a tool, can be repeated as well.
        self.avoid_in(&String::from_utf8_lossy(&request.to_body()), vault);
        let mut hide = |found: &PatternMatch<'_>, value: &str| {
            let placeholder = self
                .labels
                .of(found.index)
                .and_then(|label| vault.placeholder(label, value, self.values_max));
            placeholder.map_or(MatchEdit::Mask, |placeholder| MatchEdit::With(placeholder.to_owned()))
        };
        request.edit_texts(&mut |part| edited(masks, part, &mut hide))?;
        Ok(())
    }

    fn avoid_in(&self, text: &str, vault: &mut Vault) {
        for placeholder in self.labels.placeholders_in(&as_read(text)) {
            vault.avoid(placeholder);
        }
    }
}

/// What restores one answer, and masks it, each where it is wanted.
pub(crate) struct Restorer {
    pub(crate) masks: TextPatterns,
    pub(crate) mask_lanes: LaneMask,
    pub(crate) restoring: Arc<Restoring>,
    pub(crate) vault: Arc<Vault>,
}

impl StreamFilter for Restorer {
    fn on_text(&mut self, window: &mut TextWindow<'_>, _cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let kind = window.lane().kind;
        let vault = &self.vault;
        let mut decide = |found: &PatternMatch<'_>, text: &str| {
            if found.index == PLACEHOLDER { restored(vault, text) } else { MatchEdit::Mask }
        };
        match (self.mask_lanes.contains(kind), self.restoring.lanes.contains(kind)) {
            (true, true) => window.mask_by(&self.restoring.with_masks, &mut decide),
            (true, false) => window.mask(&self.masks),
            (false, true) => window.mask_by(&self.restoring.alone, &mut decide),
            (false, false) => 0,
        };
        Ok(StreamFlow::Continue)
    }
}

/// The value in place of its placeholder; one that this exchange does not know stays.
fn restored(vault: &Vault, placeholder: &str) -> MatchEdit {
    match vault.value(&as_read(placeholder)) {
        Some(value) => MatchEdit::With(value.expose().to_owned()),
        None => MatchEdit::Keep,
    }
}
