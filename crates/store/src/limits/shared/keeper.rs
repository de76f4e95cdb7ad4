//! What runs beside the data path: the store is told what was spent, tickets are kept alive, those of dead replicas are
//! given back, and a lost connection is made again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use gatewright::service::limits::{BucketKey, Claim};
use redis::FromRedisValue;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Inner;
use super::book::{Part, Ticket};
use super::link::Lost;
use super::place::{self, Place};
use super::script::Script;

/// How long a spent part may stay untold.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How often a lost connection is tried.
const HEAL_EVERY: Duration = Duration::from_millis(250);
/// How often tickets are kept alive and dead ones looked for.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long a ticket lives without a beat.
pub(super) const TICKET_LIFE: Duration = Duration::from_secs(30);
/// How long a replica counts without a beat.
const REPLICA_LIFE: Duration = Duration::from_secs(15);
/// How long a background call may take.
const CALL_WITHIN: Duration = Duration::from_secs(1);
/// How many background calls are under way at a time.
const CALLS_MAX: usize = 64;
/// How many tickets one call keeps alive.
const TICKETS_PER_BEAT: usize = 500;
/// How many dead tickets of a tenant are given back per beat.
const REAPED_PER_BEAT: usize = 100;
/// How long a tenant's dead tickets are looked for after its last claim here.
const TENANT_REMEMBERED: Duration = Duration::from_secs(3600);

/// What a script is called with.
type KeysAndArgs = (Vec<String>, Vec<String>);

/// Runs until the limits are dropped.
pub(super) async fn run(inner: Weak<Inner>) {
    let mut beat = interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tell = interval(TELL_EVERY);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some(here) = inner.upgrade() else { return };
        if !here.link.is_up() {
            match here.link.heal().await {
                Ok(()) => tracing::info!("Shared store of limits connected"),
                Err(_) => {
                    drop(here);
                    tokio::time::sleep(HEAL_EVERY).await;
                    continue;
                }
            }
            beat.reset_immediately();
        }
        tokio::select! {
            () = here.book.ended.notified() => here.tell().await,
            _ = tell.tick() => here.tell().await,
            _ = beat.tick() => here.beat().await,
            () = here.link.until_broken() => {}
        }
    }
}

impl Inner {
    /// Tells the store what tickets spent, and what was used while it was lost.
    pub(super) async fn tell(&self) {
        let _alone = self.telling.lock().await;
        self.tell_debts().await;
        let changed = self.book.take_changed();
        stream::iter(changed)
            .for_each_concurrent(CALLS_MAX, |(ticket, part)| async move {
                match self.settle(&ticket, &part).await {
                    Ok(()) => self.book.told(&ticket, &part),
                    Err(_) => self.book.untold(&ticket),
                }
            })
            .await;
    }

    pub(super) async fn settle(&self, ticket: &Ticket, part: &Part) -> Result<(), Lost> {
        let what = if part.is_last { "finish" } else { "keep" };
        let call = settle_call((ticket, part.step, what), &part.amounts);
        self.call::<i64>(&self.scripts.settle, &call).await.map(drop)
    }

    async fn tell_debts(&self) {
        let mut tenants: HashMap<Arc<str>, Vec<(BucketKey, u64)>> = HashMap::new();
        for (key, amount) in self.share.take_debts() {
            tenants.entry(place::tag(&key.tenant)).or_default().push((key, amount));
        }
        for (tag, debts) in tenants {
            let claim = |(key, need): &(BucketKey, u64)| Claim { key: key.clone(), limit: 0, need: *need };
            let claims: Vec<Claim> = debts.iter().map(claim).collect();
            let wants = place::wants(&tag, &claims);
            // The store has never heard of this ticket, so that all of it is debt.
            let ticket = Ticket::new(self.book.name(&self.replica), &tag, &wants);
            let amounts = wants.iter().map(|want| want.need).collect();
            let part = Part { step: 1, amounts, is_last: true };
            if self.settle(&ticket, &part).await.is_err() {
                self.share.owe_again(debts.into_iter().collect());
            }
        }
    }

    /// Keeps this process and its tickets alive, and gives back those of the dead.
    pub(super) async fn beat(&self) {
        let call = (vec![place::replicas()], vec![self.replica.clone(), micros(REPLICA_LIFE)]);
        let Ok(replicas) = self.call(&self.scripts.gather, &call).await else { return };
        self.share.set_replicas(replicas);
        let mut tags = self.book.by_tag();
        for tag in self.remembered_tags() {
            tags.entry(tag).or_default();
        }
        for (tag, tickets) in tags {
            let chunks = tickets.chunks(TICKETS_PER_BEAT).chain(tickets.is_empty().then_some(&[][..]));
            for chunk in chunks {
                let Ok(dead) = self.keep_alive(&tag, chunk).await else { return };
                for id in dead {
                    let _still_there = self.reap(&tag, id).await;
                }
            }
        }
    }

    async fn keep_alive(&self, tag: &str, tickets: &[Arc<Ticket>]) -> Result<Vec<String>, Lost> {
        let mut keys = vec![place::tickets(tag)];
        keys.extend(tickets.iter().map(|live| place::ticket(tag, &live.id)));
        let places = tickets.iter().flat_map(|live| &live.places);
        let buckets: HashSet<&String> = places.map(|place| &place.key).collect();
        keys.extend(buckets.into_iter().cloned());
        let mut args = vec![micros(TICKET_LIFE), REAPED_PER_BEAT.to_string()];
        args.extend(tickets.iter().map(|live| live.id.clone()));
        self.call(&self.scripts.beat, &(keys, args)).await
    }

    /// Gives back what a ticket of a dead replica holds.
    async fn reap(&self, tag: &Arc<str>, id: String) -> Result<(), Lost> {
        let fields = self.link.line()?.fields(&place::ticket(tag, &id), CALL_WITHIN).await?;
        let place = |key: &String| Place { key: key.clone(), slot_us: 0, slots: 0 };
        let places = (1..).map_while(|place| fields.get(&format!("k{place}"))).map(place).collect();
        let ticket = Ticket::at(id, tag, places);
        let nothing = vec![0; ticket.places.len()];
        let call = settle_call((&ticket, 0, "reap"), &nothing);
        self.call::<i64>(&self.scripts.settle, &call).await.map(drop)
    }

    async fn call<T: FromRedisValue>(&self, script: &Script, (keys, args): &KeysAndArgs) -> Result<T, Lost> {
        self.link.line()?.run(script, (keys, args), CALL_WITHIN).await
    }

    fn remembered_tags(&self) -> Vec<Arc<str>> {
        let mut tags = self.tags.lock();
        let now = Instant::now();
        tags.retain(|_, seen| now.saturating_duration_since(*seen) < TENANT_REMEMBERED);
        tags.keys().cloned().collect()
    }
}

fn settle_call((ticket, step, what): (&Ticket, u64, &str), amounts: &[u64]) -> KeysAndArgs {
    let mut keys = vec![place::tickets(&ticket.tag), place::ticket(&ticket.tag, &ticket.id)];
    keys.extend(ticket.places.iter().map(|place| place.key.clone()));
    let mut args = vec![ticket.id.clone(), step.to_string(), what.to_owned(), micros(TICKET_LIFE)];
    for (place, amount) in ticket.places.iter().zip(amounts) {
        args.extend([place.slot_us.to_string(), place.slots.to_string(), amount.to_string()]);
    }
    (keys, args)
}

pub(super) fn micros(time: Duration) -> String {
    time.as_micros().to_string()
}
