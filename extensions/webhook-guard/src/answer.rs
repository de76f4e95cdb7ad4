//! One answer under guard: its text is held until the webhook has judged it, window by window.

use std::any::Any;
use std::sync::Arc;

use gatewright::prelude::*;

use crate::call::{Judge, Question, Verdict};

/// The state for one answer.
pub(crate) struct Guarded {
    judge: Arc<Judge>,
    window_bytes: usize,
    /// What the webhook said of the text that is shown next.
    verdict: Option<Verdict>,
    /// The end of what was judged of each lane.
    before: Vec<(Lane, String)>,
}

impl Guarded {
    pub(crate) fn new(judge: Arc<Judge>, window_bytes: usize) -> Self {
        Self { judge, window_bytes, verdict: None, before: Vec::new() }
    }

    fn ask(&self, window: &TextWindow<'_>, cx: &RequestCx) -> StreamFlow {
        let lane = window.lane();
        let before = self.before.iter().find(|(known, _)| *known == lane);
        let before = before.map(|(_, text)| text.as_str()).unwrap_or_default();
        let question = Question::answer(cx, lane, before, window.text(), window.is_last());
        let judge = Arc::clone(&self.judge);
        StreamFlow::Await(Box::pin(async move {
            let verdict = judge.ask(&question).await?;
            Ok(Box::new(verdict) as Box<dyn Any + Send>)
        }))
    }

    /// Keeps the end of a text that was judged, for the next window.
    fn remember(&mut self, lane: Lane, text: &str) {
        self.before.retain(|(known, _)| *known != lane);
        let from = text.ceil_char_boundary(text.len().saturating_sub(self.judge.context_bytes()));
        self.before.push((lane, text.get(from..).unwrap_or_default().to_owned()));
    }
}

impl StreamFilter for Guarded {
    fn on_text(&mut self, window: &mut TextWindow<'_>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        match self.verdict.take() {
            None if window.text().is_empty() => Ok(StreamFlow::Continue),
            None if window.text().len() < self.window_bytes && !window.is_last() => {
                window.hold_from(0);
                Ok(StreamFlow::Continue)
            }
            None => Ok(self.ask(window, cx)),
            Some(Verdict::Deny(denial)) => Ok(StreamFlow::Cut(denial)),
            Some(verdict) => {
                self.remember(window.lane(), window.text());
                if let Verdict::Replace(texts) = verdict
                    && let Some(new) = texts.into_iter().next().flatten()
                {
                    window.replace(0..window.text().len(), new);
                }
                Ok(StreamFlow::Continue)
            }
        }
    }

    fn resume(&mut self, answer: Box<dyn Any + Send>, _cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let verdict = answer.downcast::<Verdict>().map_err(|_| ExtError::new("that was not asked for"))?;
        self.verdict = Some(*verdict);
        Ok(StreamFlow::Continue)
    }
}
