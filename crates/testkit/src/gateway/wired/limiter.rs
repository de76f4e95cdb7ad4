//! Wires around a limiter and its reservations.

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright_pipeline::Hook;

use super::Wired;
use crate::gateway::post::{Post, Settlement};

#[async_trait]
impl Limiter for Wired<dyn Limiter> {
    fn phase(&self) -> LimitPhase {
        self.inner.phase()
    }

    async fn reserve(
        &self,
        estimate: &Estimate,
        request: &LlmRequest,
        ticket: Option<u64>,
        cx: &mut RequestCx,
    ) -> HookResult<Admission> {
        self.post.trip(Hook::Reserve);
        let admission = self.inner.reserve(estimate, request, ticket, cx).await?;
        Ok(match admission {
            Admission::Admit(inner, hint) => {
                self.post.state.lock().reservations.granted += 1;
                let post = Arc::clone(&self.post);
                Admission::Admit(Box::new(WiredReservation { inner: Some(inner), post, cost: None }), hint)
            }
            other => other,
        })
    }
}

struct WiredReservation {
    /// Taken when it is settled.
    inner: Option<Box<dyn Reservation>>,
    post: Arc<Post>,
    cost: Option<Money>,
}

impl Reservation for WiredReservation {
    fn progress(&mut self, so_far: &Usage) -> HookResult<Progress> {
        self.post.trip(Hook::Progress);
        match &mut self.inner {
            Some(inner) => inner.progress(so_far),
            None => Ok(Progress::Continue),
        }
    }

    fn topped_up(&mut self, answer: TopUp) -> HookResult<Progress> {
        self.post.trip(Hook::TopUp);
        match &mut self.inner {
            Some(inner) => inner.topped_up(answer),
            None => Ok(Progress::Continue),
        }
    }

    fn charge(&mut self, cost: Option<Money>) {
        self.cost = cost;
        if let Some(inner) = &mut self.inner {
            inner.charge(cost);
        }
    }

    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        let settlement = Settlement { outcome: outcome.clone(), cost: self.cost };
        self.post.state.lock().reservations.settled.push(settlement);
        let inner = self.inner.take()?;
        self.post.trip(Hook::Settle);
        inner.settle(outcome)
    }
}

impl Drop for WiredReservation {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.post.state.lock().reservations.lost += 1;
        }
    }
}
