//! An extension at every point that does what its settings say at the hook that they name, and nothing elsewhere.
#![expect(clippy::panic, reason = "panicking on demand is what this extension is for")]

use std::any::Any;
use std::future::pending;
use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::{Failure, FailureKind, Side};

/// A hook of one of the points.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hook {
    /// Of an authenticator.
    Authenticate,
    /// Of a transform, once per request.
    Request,
    /// Of a transform, once per attempt.
    Attempt,
    /// Of a limiter.
    Reserve,
    /// Of a claim, while the answer flows.
    Progress,
    /// Of a claim, at the end.
    Settle,
    /// Of a filter, when it chooses how to see the answer.
    Plan,
    /// Of a filter, at the beginning of an answer.
    Open,
    /// Of a filter, for each event.
    Event,
    /// Of a filter, for text.
    Text,
    /// Of a filter, for a whole answer.
    Whole,
    /// Of a filter, at the end of an answer.
    End,
    /// Of a sink.
    Deliver,
}

/// What to do there.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Panic.
    Panic,
    /// Return an error.
    Fail,
    /// Never return; other exchanges go on.
    Hang,
    /// Never return, and keep the thread.
    Block,
    /// Say no.
    Deny,
    /// Ask for time, then go on.
    Pause,
}

/// Where to do what.
#[gatewright::config]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// The hook.
    pub(crate) at: Hook,
    /// The deed.
    pub(crate) act: Act,
}

impl Extension for Trouble {
    const NAME: &'static str = "trouble";
    type Config = Self;

    async fn create(config: Self, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(config)
    }
}

impl Trouble {
    /// What to do at this hook; nothing at any other than the one of the settings.
    fn act(&self, hook: Hook) -> HookResult<Option<Act>> {
        if self.at != hook {
            return Ok(None);
        }
        match self.act {
            Act::Panic => panic!("trouble, as it was asked for"),
            Act::Fail => Err(ExtError::new("trouble, as it was asked for")),
            Act::Block => loop {
                std::thread::park();
            },
            other => Ok(Some(other)),
        }
    }

    /// The same in a hook that may wait. Returns whether to say no.
    async fn act_async(&self, hook: Hook) -> HookResult<bool> {
        match self.act(hook)? {
            Some(Act::Hang) => pending().await,
            found => Ok(found == Some(Act::Deny)),
        }
    }
}

fn denial() -> Box<Denial> {
    Box::new(Denial::forbidden("trouble", "trouble says no"))
}

#[async_trait]
impl Authenticator for Trouble {
    async fn authenticate(&self, _: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let denies = self.act_async(Hook::Authenticate).await?;
        Ok(if denies { AuthVerdict::Reject(denial()) } else { AuthVerdict::Abstain })
    }
}

#[async_trait]
impl RequestTransform for Trouble {
    fn phase(&self) -> TransformPhase {
        if self.at == Hook::Attempt { TransformPhase::Attempt } else { TransformPhase::Client }
    }

    async fn on_request(&self, _: &mut LlmRequest, _: &mut RequestCx) -> HookResult {
        let hook = if self.at == Hook::Attempt { Hook::Attempt } else { Hook::Request };
        let denies = self.act_async(hook).await?;
        Ok(if denies { Flow::Deny(denial()) } else { Flow::Continue })
    }
}

#[async_trait]
impl Limiter for Trouble {
    async fn reserve(
        &self,
        _: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        _: &mut RequestCx,
    ) -> HookResult<Admission> {
        let denies = self.act_async(Hook::Reserve).await?;
        Ok(if denies {
            Admission::Deny(denial(), None)
        } else {
            Admission::Admit(Box::new(Claim(*self)), None)
        })
    }
}

struct Claim(Trouble);

impl Reservation for Claim {
    fn progress(&mut self, _: &Usage) -> HookResult<Progress> {
        Ok(match self.0.act(Hook::Progress)? {
            Some(Act::Deny) => {
                let failure = Failure::new(Side::Gateway, FailureKind::RateLimited, "trouble says no");
                Progress::Cut(Box::new(failure.with_code("trouble")))
            }
            Some(Act::Pause) => Progress::TopUp(Box::pin(async { TopUp::Granted(1) })),
            Some(Act::Hang) => Progress::TopUp(Box::pin(pending())),
            _ => Progress::Continue,
        })
    }

    fn settle(self: Box<Self>, _: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        match self.0.act(Hook::Settle) {
            Ok(Some(Act::Hang)) => Some(Box::pin(pending())),
            Ok(_) => None,
            Err(error) => Some(Box::pin(async { Err(error) })),
        }
    }
}

#[async_trait]
impl ResponseFilter for Trouble {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        // A plan cannot fail, so of all deeds only the panic is left.
        let _deed = self.act(Hook::Plan);
        match self.at {
            Hook::Text => FilterPlan::Text(HoldBack::bytes(4)),
            Hook::Whole => FilterPlan::Whole { max_bytes: 64 * 1024 },
            Hook::Plan | Hook::Open | Hook::Event | Hook::End => FilterPlan::Events,
            _ => FilterPlan::Skip,
        }
    }

    async fn on_response(&self, _: &mut LlmResponse, _: &mut RequestCx) -> HookResult {
        let denies = self.act_async(Hook::Whole).await?;
        Ok(if denies { Flow::Deny(denial()) } else { Flow::Continue })
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        self.act(Hook::Open)?;
        Ok(Box::new(Watch { trouble: *self, pieces: 0 }))
    }
}

/// One answer. The trouble comes with its third piece of text, once.
struct Watch {
    trouble: Trouble,
    pieces: u32,
}

impl Watch {
    fn flow(&mut self, hook: Hook) -> HookResult<StreamFlow> {
        self.pieces += 1;
        if self.pieces != 3 {
            return Ok(StreamFlow::Continue);
        }
        Ok(match self.trouble.act(hook)? {
            Some(Act::Deny) => StreamFlow::Cut(denial()),
            Some(Act::Pause) => StreamFlow::Await(Box::pin(async {
                let nothing: Box<dyn Any + Send> = Box::new(());
                tokio::task::yield_now().await;
                Ok(nothing)
            })),
            Some(Act::Hang) => StreamFlow::Await(Box::pin(pending())),
            _ => StreamFlow::Continue,
        })
    }
}

impl StreamFilter for Watch {
    fn on_event(&mut self, event: &mut StreamEvent, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        if event.text().is_none() { Ok(StreamFlow::Continue) } else { self.flow(Hook::Event) }
    }

    fn on_text(&mut self, _: &mut TextWindow<'_>, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.flow(Hook::Text)
    }

    fn on_end(&mut self, _: &Outcome, _: &mut StreamCx<'_>) {
        // An end cannot fail, so of all deeds only the panic is left.
        let _deed = self.trouble.act(Hook::End);
    }
}

#[async_trait]
impl UsageSink for Trouble {
    async fn deliver(&self, _: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        self.act_async(Hook::Deliver).await.map(drop)
    }
}

gatewright::register!(Trouble => Authenticator, RequestTransform, Limiter, ResponseFilter, UsageSink);
