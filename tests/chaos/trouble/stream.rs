//! Trouble with an answer on its way, and with claims on limits.

use std::any::Any;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gatewright::prelude::*;
use gatewright::{Failure, FailureKind, Side};

use super::grenade::Grenade;
use super::{Act, Hook, Settings, Trouble, denial};

/// A claim on nothing.
pub(super) struct Claim {
    settings: Arc<Settings>,
    topped_up: bool,
    _end: Option<Grenade>,
}

impl Claim {
    pub(super) fn of(settings: &Arc<Settings>) -> Self {
        let _end = Grenade::of(settings, Hook::DropClaim);
        Self { settings: Arc::clone(settings), topped_up: false, _end }
    }
}

impl Reservation for Claim {
    fn progress(&mut self, _: &Usage) -> HookResult<Progress> {
        let settings = Arc::clone(&self.settings);
        if matches!(settings.at, Hook::TopUp | Hook::ToppedUp) && !self.topped_up {
            self.topped_up = true;
            return Ok(Progress::TopUp(Box::pin(async move {
                if settings.act_async(Hook::TopUp).await.is_ok() { TopUp::Granted(1) } else { TopUp::Refused }
            })));
        }
        Ok(match settings.act(Hook::Progress)? {
            Some(Act::Deny) => {
                let failure = Failure::new(Side::Gateway, FailureKind::RateLimited, "trouble says no");
                Progress::Cut(Box::new(failure.with_code("trouble")))
            }
            Some(Act::Pause) => Progress::TopUp(Box::pin(async { TopUp::Granted(1) })),
            Some(Act::Hang) => Progress::TopUp(Box::pin(pending())),
            _ => Progress::Continue,
        })
    }

    fn topped_up(&mut self, _: TopUp) -> HookResult<Progress> {
        self.settings.act(Hook::ToppedUp)?;
        Ok(Progress::Continue)
    }

    fn settle(self: Box<Self>, _: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        if self.settings.at == Hook::SettleLater {
            let settings = Arc::clone(&self.settings);
            return Some(Box::pin(async move { settings.act_async(Hook::SettleLater).await.map(drop) }));
        }
        match self.settings.act(Hook::Settle) {
            Ok(Some(Act::Hang)) => Some(Box::pin(pending())),
            Ok(_) => None,
            Err(error) => Some(Box::pin(async { Err(error) })),
        }
    }
}

#[async_trait]
impl ResponseFilter for Trouble {
    fn plan(&self, _: &ResponseHead, cx: &RequestCx) -> FilterPlan {
        if !self.settings.concerns(cx.client_headers()) {
            return FilterPlan::Skip;
        }
        self.settings.act_blindly(Hook::Plan);
        match self.settings.at {
            Hook::Text => FilterPlan::Text(HoldBack::bytes(4)),
            Hook::Whole => FilterPlan::Whole { max_bytes: 64 * 1024 },
            Hook::Observe => FilterPlan::Observe,
            Hook::Plan
            | Hook::Open
            | Hook::Event
            | Hook::Awaited
            | Hook::Resume
            | Hook::End
            | Hook::DropFilter
            | Hook::DropAwaited => FilterPlan::Events,
            _ => FilterPlan::Skip,
        }
    }

    async fn on_response(&self, _: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        let denies =
            self.settings.concerns(cx.client_headers()) && self.settings.act_async(Hook::Whole).await?;
        Ok(if denies { Flow::Deny(denial()) } else { Flow::Continue })
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        self.settings.act(Hook::Open)?;
        let _end = Grenade::of(&self.settings, Hook::DropFilter);
        Ok(Box::new(Watch { settings: Arc::clone(&self.settings), pieces: 0, _end }))
    }
}

/// One answer. The trouble comes with its third piece of text, once; a no is repeated from there on.
struct Watch {
    settings: Arc<Settings>,
    pieces: u32,
    _end: Option<Grenade>,
}

impl Watch {
    fn flow(&mut self, hook: Hook) -> HookResult<StreamFlow> {
        self.pieces += 1;
        if self.pieces < 3 || self.pieces > 3 && self.settings.act != Act::Deny {
            return Ok(StreamFlow::Continue);
        }
        let settings = Arc::clone(&self.settings);
        if matches!(settings.at, Hook::Awaited | Hook::Resume | Hook::DropAwaited) {
            let grenade = Grenade::of(&settings, Hook::DropAwaited);
            return Ok(StreamFlow::Await(Box::pin(Held { grenade, settings })));
        }
        Ok(match settings.act(hook)? {
            Some(Act::Deny) => StreamFlow::Cut(denial()),
            Some(Act::Pause | Act::Withhold) => StreamFlow::Await(Box::pin(async {
                let nothing: Box<dyn Any + Send> = Box::new(());
                tokio::task::yield_now().await;
                Ok(nothing)
            })),
            Some(Act::Hang) => StreamFlow::Await(Box::pin(pending())),
            _ => StreamFlow::Continue,
        })
    }
}

/// A wait that keeps what it has until it is dropped.
struct Held {
    grenade: Option<Grenade>,
    settings: Arc<Settings>,
}

impl Future for Held {
    type Output = Result<Box<dyn Any + Send>, ExtError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let act = match self.settings.act(Hook::Awaited) {
            Err(error) => return Poll::Ready(Err(error)),
            Ok(act) => act,
        };
        let waits = act == Some(Act::Hang) || self.grenade.is_some() && self.settings.act == Act::Hang;
        if waits { Poll::Pending } else { Poll::Ready(Ok(Box::new(()))) }
    }
}

impl StreamFilter for Watch {
    fn on_event(&mut self, event: &mut StreamEvent, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        if event.text().is_none() { Ok(StreamFlow::Continue) } else { self.flow(Hook::Event) }
    }

    fn on_text(&mut self, _: &mut TextWindow<'_>, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.flow(Hook::Text)
    }

    fn observe(&mut self, event: &StreamEvent, _: &mut StreamCx<'_>) {
        if event.text().is_some() {
            // One that only sees cannot fail.
            drop(self.flow(Hook::Observe));
        }
    }

    fn resume(&mut self, _: Box<dyn Any + Send>, _: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.settings.act(Hook::Resume)?;
        Ok(if self.settings.act == Act::Withhold { StreamFlow::Drop } else { StreamFlow::Continue })
    }

    fn on_end(&mut self, _: &Outcome, _: &mut StreamCx<'_>) {
        self.settings.act_blindly(Hook::End);
    }
}
