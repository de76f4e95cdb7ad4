//! What one exchange holds in all rules, from its admission to its settlement.

use std::sync::Arc;

use gatewright::FailureKind;
use gatewright::prelude::*;
use gatewright::service::limits::{Claim, Claimed, Dimension, Held, Limits};
use parking_lot::Mutex;

use crate::settings::Overrun;

/// The most output tokens that are reserved at once for a stream that goes on.
const TOP_UP_TOKENS_MAX: u64 = 1024;

/// The claims of one exchange.
pub(crate) struct Spending {
    limits: Arc<dyn Limits>,
    accounts: Vec<Account>,
    held: Vec<Box<dyn Held>>,
    /// Where a request for more leaves what it got.
    more: Arc<Mutex<Option<Box<dyn Held>>>>,
    /// How many output tokens are reserved.
    output: u64,
    overrun: Overrun,
    /// There was no room for more: the rest becomes debt.
    is_exhausted: bool,
    cost: Option<Money>,
}

/// One bucket and what is held in it.
struct Account {
    claim: Claim,
    pools: Vec<Pool>,
}

/// A part of a claim that is not used yet.
struct Pool {
    /// Which of the held claims, and which claim in there.
    held: usize,
    index: usize,
    left: u64,
}

impl Spending {
    pub(crate) fn new(
        limits: Arc<dyn Limits>,
        claims: Vec<Claim>,
        held: Box<dyn Held>,
        output: u64,
        overrun: Overrun,
    ) -> Self {
        let account = |(index, claim): (usize, Claim)| {
            let pools = vec![Pool { held: 0, index, left: claim.need }];
            Account { claim, pools }
        };
        Self {
            limits,
            accounts: claims.into_iter().enumerate().map(account).collect(),
            held: vec![held],
            more: Arc::default(),
            output,
            overrun,
            is_exhausted: false,
            cost: None,
        }
    }

    /// The claims that grow with the output.
    fn growing(&self) -> impl Iterator<Item = (usize, &Claim)> {
        let accounts = self.accounts.iter().map(|account| &account.claim).enumerate();
        accounts.filter(|(_, claim)| {
            matches!(claim.key.dimension, Dimension::OutputTokens | Dimension::TotalTokens)
        })
    }

    /// How many output tokens to ask for: a tenth of the smallest limit, so that small limits serve too.
    fn step(&self) -> u64 {
        let tenth = self.growing().map(|(_, claim)| (claim.limit / 10).max(1)).min();
        tenth.unwrap_or(u64::MAX).min(TOP_UP_TOKENS_MAX)
    }

    fn ask_for_more(&self) -> Progress {
        let step = self.step();
        let claims: Vec<Claim> =
            self.growing().map(|(_, claim)| Claim { need: step, ..claim.clone() }).collect();
        let (limits, more) = (Arc::clone(&self.limits), Arc::clone(&self.more));
        Progress::TopUp(Box::pin(async move {
            match limits.claim(&claims).await {
                Ok(Claimed::Held(held, _)) => {
                    *more.lock() = Some(held);
                    TopUp::Granted(step)
                }
                Ok(Claimed::Refused(_) | Claimed::Unknown { .. }) | Err(_) => TopUp::Refused,
            }
        }))
    }

    fn take_more(&mut self, held: Box<dyn Held>, step: u64) {
        self.output = self.output.saturating_add(step);
        let place = self.held.len();
        self.held.push(held);
        let growing: Vec<usize> = self.growing().map(|(account, _)| account).collect();
        for (index, account) in growing.into_iter().enumerate() {
            if let Some(account) = self.accounts.get_mut(account) {
                account.pools.push(Pool { held: place, index, left: step });
            }
        }
    }

    /// Counts what was used: from what is held, and beyond it as debt.
    fn spend(&mut self, usage: &Usage) {
        let cost = self.cost.and_then(|cost| u64::try_from(cost.nanos()).ok());
        for account in &self.accounts {
            let mut amount = match account.claim.key.dimension {
                Dimension::Requests | Dimension::Concurrent => 1,
                Dimension::InputTokens => usage.prompt_tokens(),
                Dimension::OutputTokens => usage.output,
                Dimension::TotalTokens => usage.total_tokens(),
                // An exchange whose price nobody knows costs what was expected.
                Dimension::Cost => cost.unwrap_or(account.claim.need),
            };
            let last = account.pools.len().saturating_sub(1);
            for (place, pool) in account.pools.iter().enumerate() {
                let part = if place == last { amount } else { amount.min(pool.left) };
                if let Some(held) = self.held.get_mut(pool.held).filter(|_| part > 0) {
                    held.spend(pool.index, part);
                }
                amount -= part;
            }
        }
    }
}

impl Reservation for Spending {
    fn progress(&mut self, so_far: &Usage) -> HookResult<Progress> {
        if so_far.output <= self.output || self.is_exhausted || self.growing().next().is_none() {
            return Ok(Progress::Continue);
        }
        Ok(self.ask_for_more())
    }

    fn topped_up(&mut self, answer: TopUp) -> HookResult<Progress> {
        let held = self.more.lock().take();
        match (answer, held, self.overrun) {
            (TopUp::Granted(step), Some(held), _) => self.take_more(held, step),
            (_, _, Overrun::Debt) => self.is_exhausted = true,
            (_, _, Overrun::Cut) => {
                let message = "the answer is longer than the token limit has room for; try again later";
                let failure = Failure::new(gatewright::Side::Gateway, FailureKind::RateLimited, message);
                return Ok(Progress::Cut(Box::new(failure.with_code("token_limit_exceeded"))));
            }
        }
        Ok(Progress::Continue)
    }

    fn charge(&mut self, cost: Option<Money>) {
        self.cost = cost;
    }

    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        if !matches!(outcome, Outcome::NotSent) {
            self.spend(&outcome.usage());
        }
        self.held.into_iter().for_each(Held::finish);
        None
    }
}
