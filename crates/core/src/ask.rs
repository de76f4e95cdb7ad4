//! A further question to the model from inside an exchange: a repair, a judgement, a summary.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{BoxFuture, Failure, LlmRequest, LlmResponse, ModelName, Principal, RequestId, RouteName, Usage};

/// The most further questions of one exchange.
pub const ASKS_MAX: u32 = 4;

/// Carries out further questions; the host implements it.
#[doc(hidden)]
pub trait AskHost: Send + Sync + 'static {
    /// Asks, on behalf of an exchange.
    fn ask(
        self: Arc<Self>,
        exchange: AskExchange,
        request: LlmRequest,
    ) -> BoxFuture<'static, Result<LlmResponse, Failure>>;
}

/// The exchange on whose behalf a question is asked.
#[doc(hidden)]
#[derive(Clone)]
pub struct AskExchange {
    /// The exchange.
    pub id: RequestId,
    /// The caller, who pays.
    pub principal: Arc<Principal>,
    /// The route of the exchange.
    pub route: RouteName,
    /// The public model name that is asked.
    pub model: ModelName,
    /// The configuration that the exchange runs under.
    pub snapshot: Arc<dyn Any + Send + Sync>,
    /// Which question of the exchange it is, from 1.
    pub number: u32,
    /// What the questions of the exchange consumed.
    pub bill: Arc<Bill>,
}

impl std::fmt::Debug for AskExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AskExchange")
            .field("id", &self.id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// What the further questions of one exchange consumed.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Bill {
    asked: AtomicU32,
    input: std::sync::atomic::AtomicU64,
    cache_read: std::sync::atomic::AtomicU64,
    output: std::sync::atomic::AtomicU64,
}

impl Bill {
    /// Takes one of the questions that are left; returns its number from 1.
    pub fn take(&self) -> Option<u32> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        (asked <= ASKS_MAX).then_some(asked)
    }

    /// Adds what a question consumed.
    pub fn add(&self, usage: &Usage) {
        let prompt = usage.prompt_tokens().saturating_sub(usage.cache_read);
        self.input.fetch_add(prompt, Ordering::Relaxed);
        self.cache_read.fetch_add(usage.cache_read, Ordering::Relaxed);
        self.output.fetch_add(usage.output, Ordering::Relaxed);
    }

    /// What all questions consumed.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            input: self.input.load(Ordering::Relaxed),
            cache_read: self.cache_read.load(Ordering::Relaxed),
            output: self.output.load(Ordering::Relaxed),
            ..Usage::default()
        }
    }
}
