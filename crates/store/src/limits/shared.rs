//! Limits that replicas share through Redis or Valkey.
//!
//! Each decision is one script and one round trip, by the server's clock, over all buckets of a call. What was claimed
//! is a ticket in the store: its owner keeps it alive and tells what was spent of it in the background, each part once;
//! a ticket whose owner died is given back by whoever finds it. Where the store is lost, or answers too late, limits of
//! money are closed and the others go on with this replica's share, until it is back.
//!
//! The windows are those of [`MemoryLimits`]: the same commands get the same answers from both.

mod alone;
mod book;
mod keeper;
mod link;
mod place;
mod script;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gatewright::service::limits::{Claim, Claimed, Dimension, Limits, Refusal, Standing};
use gatewright::service::{Clock, Random};
use gatewright::{ExtError, TenantId};
use parking_lot::Mutex;
use redis::Client;
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::alone::Share;
use self::book::{Book, SharedHeld, Ticket};
use self::keeper::{TICKET_LIFE, micros};
use self::link::{Link, Lost};
use self::place::Want;
use self::script::Scripts;
use super::{INLINE_CLAIMS, MemoryLimits};

/// When a claim that nobody could decide may be made again: the connection is made anew more often than that.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The most tenants whose dead tickets this process looks for; those with live ones here are always among them.
const TENANTS_MAX: usize = 100_000;

/// What becomes of a claim that the store cannot decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStoreLoss {
    /// It is refused.
    Closed,
    /// This replica's share of the limit holds: the limit by the number of replicas that were last seen.
    LocalShare,
}

/// How limits are shared.
#[derive(Clone, Debug)]
pub struct SharedSettings {
    /// Where the store is: `redis://`, `rediss://` for TLS, or `redis+unix://`. It may hold a password.
    pub url: String,
    /// How long a claim waits for the store before the store counts as lost.
    pub deadline: Duration,
    /// What becomes of claims on money while the store is lost.
    pub money: OnStoreLoss,
    /// What becomes of other claims meanwhile.
    pub rates: OnStoreLoss,
}

impl SharedSettings {
    /// A store with the deadlines and policies that suit most: 50 ms, money closed, rates by share.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            deadline: Duration::from_millis(50),
            money: OnStoreLoss::Closed,
            rates: OnStoreLoss::LocalShare,
        }
    }
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedStats {
    /// Whether the store answers, as far as anybody knows.
    pub is_up: bool,
    /// Replicas that share the store, when they were last counted.
    pub replicas: u64,
    /// Tickets that the store holds for this process.
    pub tickets: usize,
}

/// The service, shared by replicas.
#[derive(Clone, Debug)]
pub struct SharedLimits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    scripts: &'static Scripts,
    book: Arc<Book>,
    share: Share,
    /// This replica's name, new at each start.
    replica: String,
    settings: SharedSettings,
    /// Tenants with claims here, and when the last one was.
    tags: Mutex<HashMap<Arc<str>, Instant>>,
    /// Held by who tells the store what was spent, so that a flush waits for what is being told.
    telling: tokio::sync::Mutex<()>,
}

impl SharedLimits {
    /// Opens the store and starts, on `runtime`, what runs beside the data path. A store that is out of reach is no
    /// error: the policies for its loss hold until it is there.
    ///
    /// # Errors
    ///
    /// When the URL is none of a store. The text does not repeat it, since it may hold a password.
    pub async fn open(
        settings: SharedSettings,
        (clock, random): (Arc<dyn Clock>, &dyn Random),
        runtime: &Handle,
    ) -> Result<Self, ExtError> {
        let replica = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
        let inner = Inner::connect(settings, (clock, replica), Scripts::shared(), runtime).await?;
        Ok(Self::kept(inner, runtime))
    }

    /// Starts what runs beside the data path.
    fn kept(inner: Arc<Inner>, runtime: &Handle) -> Self {
        runtime.spawn(keeper::run(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> SharedStats {
        let Inner { link, share, book, .. } = &*self.0;
        SharedStats { is_up: link.is_up(), replicas: share.replicas(), tickets: book.len() }
    }

    /// Tells the store what was spent, now instead of within a tenth of a second; for the end of a process.
    ///
    /// # Cancellation
    ///
    /// What was not told yet stays to be told.
    pub async fn flush(&self) {
        self.0.tell().await;
    }
}

#[async_trait]
impl Limits for SharedLimits {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        let Some(tenant) = claims.first().map(|claim| &claim.key.tenant) else {
            return Ok(self.0.share.claim(claims)?);
        };
        if claims.iter().any(|claim| claim.key.tenant != *tenant) {
            return Err(ExtError::new("one claim cannot be on buckets of two tenants"));
        }
        match self.0.decide(tenant, claims).await {
            Ok(claimed) => Ok(claimed),
            Err(_) => self.0.decide_alone(claims),
        }
    }
}

impl Inner {
    /// Opens the store. The connection lives on `runtime`.
    async fn connect(
        settings: SharedSettings,
        (clock, replica): (Arc<dyn Clock>, String),
        scripts: &'static Scripts,
        runtime: &Handle,
    ) -> Result<Arc<Self>, ExtError> {
        // The driver takes the provider of the process, and where somebody has installed one, it is this one.
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::open(settings.url.as_str())
            .map_err(|error| ExtError::new(format!("not the URL of a store: {}", error.category())))?;
        let inner = Arc::new(Inner {
            link: Link::new(client),
            scripts,
            book: Arc::default(),
            share: Share::new(MemoryLimits::new(clock)),
            replica,
            settings,
            tags: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
        });
        let first = Arc::clone(&inner);
        let connected = runtime.spawn(async move { first.link.heal().await });
        if let Ok(Err(lost)) = connected.await {
            tracing::warn!(error = %lost, "Shared store of limits is not there yet");
        }
        Ok(inner)
    }

    /// Has the store decide.
    async fn decide(&self, tenant: &TenantId, claims: &[Claim]) -> Result<Claimed, Lost> {
        let line = self.link.line()?;
        let tag = self.tag(tenant);
        let wants = place::wants(&tag, claims);
        let ticket = Ticket::new(self.book.name(&self.replica), &tag, &wants);
        let call = claim_call(&ticket, &wants);
        // From here on the store may hold the ticket, whatever this process hears of it.
        let held = SharedHeld::asked(&self.book, ticket, places_of(&wants, claims.len()));
        let answer: Vec<String> =
            line.run(&self.scripts.claim, (&call.0, &call.1), self.settings.deadline).await?;
        Ok(match answer.split_first() {
            Some((rank, figures)) if rank == "0" => Claimed::Held(Box::new(held), tightest(figures, &wants)),
            _ => {
                held.refused();
                Claimed::Refused(refusal(&answer, &wants))
            }
        })
    }

    /// Decides without the store.
    fn decide_alone(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        let is_money = claims.iter().any(|claim| claim.key.dimension == Dimension::Cost);
        let is_rate = claims.iter().any(|claim| claim.key.dimension != Dimension::Cost);
        let SharedSettings { money, rates, .. } = self.settings;
        if (is_money && money == OnStoreLoss::Closed) || (is_rate && rates == OnStoreLoss::Closed) {
            return Ok(Claimed::Unknown { retry_after: ASK_AGAIN });
        }
        Ok(self.share.claim(claims)?)
    }

    fn tag(&self, tenant: &TenantId) -> Arc<str> {
        let tag = place::tag(tenant);
        let mut tags = self.tags.lock();
        let has_room = tags.len() < TENANTS_MAX;
        match tags.get_mut(&tag) {
            Some(seen) => *seen = Instant::now(),
            None if has_room => drop(tags.insert(Arc::clone(&tag), Instant::now())),
            None => {}
        }
        tag
    }
}

fn claim_call(ticket: &Ticket, wants: &[Want]) -> (Vec<String>, Vec<String>) {
    let mut keys: Vec<String> = wants.iter().map(|want| want.place.key.clone()).collect();
    keys.extend([place::tickets(&ticket.tag), place::ticket(&ticket.tag, &ticket.id)]);
    let mut args = vec![ticket.id.clone(), micros(TICKET_LIFE)];
    for Want { place, need, limit, .. } in wants {
        args.extend([place.slot_us, u64::from(place.slots), *limit, *need].map(|number| number.to_string()));
    }
    (keys, args)
}

/// For each claim of a call, which want it is part of.
fn places_of(wants: &[Want], claims: usize) -> SmallVec<[usize; INLINE_CLAIMS]> {
    let want_of = |claim| wants.iter().position(|want| want.claims.contains(&claim)).unwrap_or(usize::MAX);
    (0..claims).map(want_of).collect()
}

/// How the bucket with the least left in proportion stands, of the pairs of remaining and reset of all buckets.
fn tightest(figures: &[String], wants: &[Want]) -> Standing {
    let standings = wants.iter().zip(figures.chunks(2)).map(|(want, pair)| Standing {
        claim: first_claim(want),
        limit: want.limit,
        remaining: pair.first().map_or(0, |text| number(text)),
        reset: Duration::from_micros(pair.get(1).map_or(0, |text| number(text))),
    });
    let share = |one: &Standing, other: &Standing| u128::from(one.remaining) * u128::from(other.limit);
    let tightest = standings.min_by(|one, other| share(one, other).cmp(&share(other, one)));
    tightest.unwrap_or(Standing { claim: 0, limit: u64::MAX, remaining: u64::MAX, reset: Duration::ZERO })
}

/// What the script's refusal says: rank, position of the bucket, remaining, wait, reset.
fn refusal(answer: &[String], wants: &[Want]) -> Refusal {
    let at = |place: usize| answer.get(place).map_or("", String::as_str);
    let want = usize::try_from(number(at(1))).ok().and_then(|position| wants.get(position));
    Refusal {
        standing: Standing {
            claim: want.map_or(0, first_claim),
            limit: want.map_or(0, |want| want.limit),
            remaining: number(at(2)),
            reset: Duration::from_micros(number(at(4))),
        },
        retry_after: at(3).parse().ok().map(Duration::from_micros),
        never_fits: at(0) == "3",
    }
}

fn first_claim(want: &Want) -> usize {
    want.claims.first().copied().unwrap_or(0)
}

/// A figure of a script; zero where it is none, which refuses rather than grants.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests;
