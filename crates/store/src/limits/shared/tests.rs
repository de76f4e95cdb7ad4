//! Against a real store: the environment's, or the one on the standard port.

mod door;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright::BoxFuture;
use gatewright::service::limits::{BucketKey, Claim, Claimed, Dimension, Held, Limits, Refusal, Standing};
use gatewright::service::{Clock, Random};
use proptest::prelude::*;
use tokio::runtime::Handle;

use self::door::Door;
use super::place;
use super::script::Scripts;
use super::{Inner, OnStoreLoss, SharedLimits, SharedSettings};
use crate::MemoryLimits;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const STORE: &str = "127.0.0.1:6379";

/// A moment that the test sets, here and in the store.
#[derive(Debug)]
struct SetClock {
    origin: Instant,
    passed_us: AtomicU64,
}

impl SetClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), passed_us: AtomicU64::new(0) })
    }

    fn pass(&self, time: Duration) -> u64 {
        let micros = u64::try_from(time.as_micros()).unwrap();
        self.passed_us.fetch_add(micros, Ordering::Relaxed) + micros
    }
}

impl Clock for SetClock {
    fn now(&self) -> Instant {
        self.origin + Duration::from_micros(self.passed_us.load(Ordering::Relaxed))
    }

    fn wall(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Thread;

impl Random for Thread {
    fn next_u64(&self) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(Instant::now())
    }
}

/// A tenant of which the store has never heard.
fn tenant() -> String {
    format!("test-{:016x}", Thread.next_u64())
}

fn claim(
    tenant: &str,
    label: &str,
    dimension: Dimension,
    window: Option<Duration>,
    need: u64,
    limit: u64,
) -> Claim {
    let key =
        BucketKey { tenant: tenant.into(), rule: "rule".into(), label: label.into(), dimension, window };
    Claim { key, limit, need }
}

fn requests(tenant: &str, need: u64, limit: u64) -> Claim {
    claim(tenant, "a", Dimension::Requests, Some(MINUTE), need, limit)
}

fn money(tenant: &str, need: u64, limit: u64) -> Claim {
    claim(tenant, "a", Dimension::Cost, Some(MINUTE), need, limit)
}

fn places(tenant: &str, need: u64, limit: u64) -> Claim {
    claim(tenant, "a", Dimension::Concurrent, None, need, limit)
}

/// Limits that wait for a store that other tests keep busy.
async fn open_at(address: &str) -> SharedLimits {
    open_within(address, Duration::from_secs(10)).await
}

async fn open_within(address: &str, deadline: Duration) -> SharedLimits {
    let settings = SharedSettings { deadline, ..SharedSettings::new(format!("redis://{address}")) };
    SharedLimits::open(settings, (SetClock::new(), &Thread), &Handle::current()).await.unwrap()
}

async fn held(limits: &SharedLimits, claims: &[Claim]) -> (Box<dyn Held>, Standing) {
    match limits.claim(claims).await.unwrap() {
        Claimed::Held(held, standing) => (held, standing),
        refused => panic!("refused: {refused:?}"),
    }
}

async fn refused(limits: &SharedLimits, claims: &[Claim]) -> Refusal {
    match limits.claim(claims).await.unwrap() {
        Claimed::Held(_, standing) => panic!("held: {standing:?}"),
        Claimed::Refused(refusal) => refusal,
        Claimed::Unknown { retry_after } => panic!("unknown: {retry_after:?}"),
    }
}

/// Waits for a condition that comes true beside the test.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_one_limit() {
    let (one, other, tenant) = (open_at(STORE).await, open_at(STORE).await, tenant());
    let (mut first, standing) = held(&one, &[requests(&tenant, 6, 10)]).await;
    assert_eq!(standing, Standing { claim: 0, limit: 10, remaining: 4, reset: MINUTE });
    assert_eq!(refused(&other, &[requests(&tenant, 5, 10)]).await.retry_after, None);
    first.spend(0, 6);
    first.finish();
    one.flush().await;
    let refusal = refused(&other, &[requests(&tenant, 5, 10)]).await;
    assert_eq!(refusal.standing.remaining, 4);
    assert!(refusal.retry_after.unwrap() > Duration::from_secs(58), "{refusal:?}");
    assert!(refused(&other, &[requests(&tenant, 11, 10)]).await.never_fits);
    held(&other, &[requests(&tenant, 4, 10)]).await.0.finish();
    assert_eq!(one.stats().tickets, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_buckets_are_taken_or_none() {
    let (limits, tenant) = (open_at(STORE).await, tenant());
    let (kept, _) = held(&limits, &[places(&tenant, 1, 1)]).await;
    let both = [requests(&tenant, 1, 1), places(&tenant, 1, 1)];
    let refusal = refused(&limits, &both).await;
    assert_eq!((refusal.standing.claim, refusal.retry_after), (1, None));
    kept.finish();
    limits.flush().await;
    let (_kept, _) = held(&limits, &both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shared_between_tenants() {
    let limits = open_at(STORE).await;
    let (_kept, _) = held(&limits, &[requests(&tenant(), 1, 1)]).await;
    let (_kept, _) = held(&limits, &[requests(&tenant(), 1, 1)]).await;
    let mixed = limits.claim(&[requests("a", 1, 1), requests("b", 1, 1)]).await.unwrap_err();
    assert!(mixed.to_string().contains("two tenants"), "{mixed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_is_granted_than_the_limit_however_many_ask() {
    const LIMIT: u64 = 37;
    let tenant = tenant();
    let replicas = [open_at(STORE).await, open_at(STORE).await, open_at(STORE).await];
    let tasks: Vec<_> = (0..120)
        .map(|task| {
            let (limits, tenant) = (replicas[task % 3].clone(), tenant.clone());
            tokio::spawn(async move {
                match limits.claim(&[requests(&tenant, 1, LIMIT)]).await.unwrap() {
                    Claimed::Held(mut held, _) => {
                        held.spend(0, 1);
                        1
                    }
                    Claimed::Refused(_) | Claimed::Unknown { .. } => 0,
                }
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, LIMIT);
    for limits in &replicas {
        limits.flush().await;
        assert_eq!(limits.stats().tickets, 0);
    }
    assert_eq!(refused(&replicas[0], &[requests(&tenant, 1, LIMIT)]).await.standing.remaining, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_dropped_in_flight_is_given_back() {
    let (limits, tenant) = (open_at(STORE).await, tenant());
    let wanted = [requests(&tenant, 1, 1)];
    {
        let mut asking = Box::pin(limits.claim(&wanted));
        let first_poll = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx))).await;
        assert!(first_poll.is_pending());
    }
    until("it is given back", async || matches!(limits.claim(&wanted).await.unwrap(), Claimed::Held(..)))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_closes_money_and_leaves_a_share_of_the_rest() {
    let door = Door::open(STORE).await;
    let (limits, tenant) = (open_within(door.address(), Duration::from_millis(200)).await, tenant());
    let (mut before, _) = held(&limits, &[requests(&tenant, 2, 10)]).await;
    door.freeze();
    let asked = Instant::now();
    let (mut during, _) = held(&limits, &[requests(&tenant, 5, 10)]).await;
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    assert!(!limits.stats().is_up);
    let closed = limits.claim(&[money(&tenant, 1, 10)]).await.unwrap();
    assert!(matches!(closed, Claimed::Unknown { .. }), "{closed:?}");
    before.spend(0, 2);
    before.finish();
    during.spend(0, 3);
    during.finish();

    door.thaw();
    until("the store is back", async || limits.stats().is_up).await;
    let other = open_at(STORE).await;
    until("what was used meanwhile is known", async || {
        limits.flush().await;
        refused(&other, &[requests(&tenant, 11, 10)]).await.standing.remaining == 5
    })
    .await;
    held(&limits, &[money(&tenant, 1, 10)]).await.0.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_the_limit_by_the_replicas_that_were_seen() {
    let door = Door::open(STORE).await;
    let (limits, tenant) = (open_within(door.address(), Duration::from_millis(200)).await, tenant());
    let _other = open_at(STORE).await;
    until("both are seen", async || limits.stats().replicas >= 2).await;
    let replicas = limits.stats().replicas;
    door.close();
    let limit = 10 * replicas;
    let refusal = refused(&limits, &[requests(&tenant, 11, limit)]).await;
    assert!(!refusal.never_fits, "it may fit when the store is back: {refusal:?}");
    held(&limits, &[requests(&tenant, 10, limit)]).await.0.finish();
    assert!(refused(&limits, &[requests(&tenant, limit + 1, limit)]).await.never_fits);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_never_there_is_the_same_as_a_lost_one() {
    let settings =
        SharedSettings { rates: OnStoreLoss::Closed, ..SharedSettings::new("redis://127.0.0.1:1/") };
    let limits = SharedLimits::open(settings, (SetClock::new(), &Thread), &Handle::current()).await.unwrap();
    let closed = limits.claim(&[requests("a", 1, 1)]).await.unwrap();
    assert!(matches!(closed, Claimed::Unknown { .. }), "{closed:?}");
    let broken = SharedSettings::new("http://user:secret@example");
    let broken =
        SharedLimits::open(broken, (SetClock::new(), &Thread), &Handle::current()).await.unwrap_err();
    assert!(!broken.to_string().contains("secret"), "{broken}");
}

// === By a clock that the test sets ===

/// Limits whose store reads its clock from a key.
struct Timed {
    limits: SharedLimits,
    clock: Arc<SetClock>,
    connection: redis::aio::MultiplexedConnection,
    key: String,
}

impl Timed {
    async fn open() -> Self {
        let key = format!("gwtest:clock:{}", tenant());
        let clock = SetClock::new();
        let text = format!("local function now_us() return tonumber(redis.call('GET', '{key}')) end\n");
        let scripts = Box::leak(Box::new(Scripts::with_clock(&text)));
        let client = redis::Client::open(format!("redis://{STORE}")).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut timed = Self { limits: Self::replica(&clock, scripts).await, clock, connection, key };
        timed.pass(Duration::ZERO).await;
        timed
    }

    async fn replica(clock: &Arc<SetClock>, scripts: &'static Scripts) -> SharedLimits {
        SharedLimits::kept(Self::dead(clock, scripts).await, &Handle::current())
    }

    /// A replica that does nothing by itself.
    async fn dead(clock: &Arc<SetClock>, scripts: &'static Scripts) -> Arc<Inner> {
        let settings = SharedSettings {
            deadline: Duration::from_secs(5),
            ..SharedSettings::new(format!("redis://{STORE}"))
        };
        let clock: Arc<dyn Clock> = Arc::<SetClock>::clone(clock);
        Inner::connect(settings, (clock, tenant()), scripts, &Handle::current()).await.unwrap()
    }

    async fn pass(&mut self, time: Duration) {
        let now = self.clock.pass(time);
        redis::cmd("SET").arg(&self.key).arg(now).query_async::<()>(&mut self.connection).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_replica_held_is_given_back() {
    let mut timed = Timed::open().await;
    let tenant = tenant();
    let dead = SharedLimits(Timed::dead(&timed.clock, timed.limits.0.scripts).await);
    let (held_by_dead, _) = held(&dead, &[requests(&tenant, 3, 3), places(&tenant, 1, 1)]).await;
    // It does nothing more, not even tell that it gives back.
    drop(held_by_dead);
    assert_eq!(refused(&timed.limits, &[places(&tenant, 1, 1)]).await.retry_after, None);
    timed.pass(super::TICKET_LIFE + Duration::from_micros(1)).await;
    timed.limits.0.beat().await;
    held(&timed.limits, &[requests(&tenant, 3, 3), places(&tenant, 1, 1)]).await.0.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_lives_as_long_as_its_owner_says() {
    let mut timed = Timed::open().await;
    let tenant = tenant();
    let (_long, _) = held(&timed.limits, &[places(&tenant, 1, 1)]).await;
    for _ in 0..10 {
        timed.pass(super::TICKET_LIFE / 2).await;
        timed.limits.0.beat().await;
    }
    refused(&timed.limits, &[places(&tenant, 1, 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_lives_as_long_as_what_is_held_of_it() {
    let mut timed = Timed::open().await;
    let tenant = tenant();
    let wanted = [places(&tenant, 1, 1)];
    let (_long, _) = held(&timed.limits, &wanted).await;
    let bucket = place::wants(&place::tag(&tenant.as_str().into()), &wanted)[0].place.key.clone();
    redis::cmd("PEXPIRE").arg(&bucket).arg(60_000).query_async::<()>(&mut timed.connection).await.unwrap();
    timed.limits.0.beat().await;
    let left: i64 = redis::cmd("PTTL").arg(&bucket).query_async(&mut timed.connection).await.unwrap();
    assert!(left > 600_000, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_told_twice_counts_once() {
    let timed = Timed::open().await;
    let tenant = tenant();
    let (mut spent, _) = held(&timed.limits, &[requests(&tenant, 5, 10)]).await;
    spent.spend(0, 5);
    let inner = &timed.limits.0;
    let changed = inner.book.take_changed();
    for (ticket, part) in changed.iter().chain(&changed) {
        inner.settle(ticket, part).await.unwrap();
    }
    drop(spent);
    for (ticket, part) in &changed {
        inner.book.told(ticket, part);
    }
    timed.limits.flush().await;
    assert_eq!(refused(&timed.limits, &[requests(&tenant, 11, 10)]).await.standing.remaining, 5);
}

/// One step of a sequence that both kinds of limits are given.
#[derive(Clone, Debug)]
enum Step {
    Claim(Vec<(usize, u64)>),
    Spend { held: usize, claim: usize, amount: u64 },
    GiveBack(usize),
    Pass(Duration),
}

const BUCKETS: usize = 5;
const LIMITS: [u64; BUCKETS] = [10, 15, 6, 12, 40];

fn wanted(tenant: &str, bucket: usize, need: u64) -> Claim {
    let label = bucket.to_string();
    let (dimension, window) = match bucket {
        4 => (Dimension::Concurrent, None),
        3 => (Dimension::Cost, Some(24 * HOUR)),
        2 => (Dimension::InputTokens, Some(HOUR)),
        _ => (Dimension::Requests, Some(MINUTE)),
    };
    claim(tenant, &label, dimension, window, need, LIMITS[bucket])
}

fn step() -> impl Strategy<Value = Step> {
    let buckets = prop::sample::subsequence((0..BUCKETS).collect::<Vec<_>>(), 1..=BUCKETS);
    let needs = prop::collection::vec(0_u64..8, BUCKETS);
    let wants = (buckets, needs).prop_map(|(buckets, needs)| buckets.into_iter().zip(needs).collect());
    prop_oneof![
        4 => wants.prop_map(Step::Claim),
        4 => (0..8_usize, 0..BUCKETS, 1_u64..9)
            .prop_map(|(held, claim, amount)| Step::Spend { held, claim, amount }),
        3 => (0..8_usize).prop_map(Step::GiveBack),
        2 => (1_u64..50_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        1 => (1_u64..30).prop_map(|hours| Step::Pass(HOUR * u32::try_from(hours).unwrap())),
    ]
}

/// A claim that both hold.
type Pair = (Box<dyn Held>, Box<dyn Held>);

/// What both say of the claim; the bucket that is named is left out where several are as tight.
fn verdict(claimed: &Claimed) -> (bool, u64, Option<Duration>, bool) {
    match claimed {
        Claimed::Held(_, standing) => (true, standing.remaining * 1000 / standing.limit.max(1), None, false),
        Claimed::Refused(refusal) => (false, 0, refusal.retry_after, refusal.never_fits),
        Claimed::Unknown { .. } => (false, u64::MAX, None, false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_store_say_the_same(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut timed = Timed::open().await;
            let memory = MemoryLimits::new(Arc::<SetClock>::clone(&timed.clock));
            let tenant = tenant();
            let mut open: Vec<Pair> = Vec::new();
            for step in steps {
                match step {
                    Step::Claim(wants) => {
                        let claims: Vec<_> = wants.iter().map(|&(bucket, need)| wanted(&tenant, bucket, need)).collect();
                        let here = memory.claim_now(&claims).unwrap();
                        let there = timed.limits.claim(&claims).await.unwrap();
                        prop_assert_eq!(verdict(&here), verdict(&there));
                        if let (Claimed::Held(here, _), Claimed::Held(there, _)) = (here, there) {
                            open.push((here, there));
                        }
                    }
                    Step::Spend { held, claim, amount } if !open.is_empty() => {
                        let at = held % open.len();
                        open[at].0.spend(claim, amount);
                        open[at].1.spend(claim, amount);
                        timed.limits.flush().await;
                    }
                    Step::GiveBack(held) if !open.is_empty() => {
                        drop(open.swap_remove(held % open.len()));
                        timed.limits.flush().await;
                    }
                    Step::Spend { .. } | Step::GiveBack(_) => {}
                    Step::Pass(time) => {
                        timed.pass(time).await;
                        // Claims that are held stay held, however long.
                        timed.limits.0.beat().await;
                    }
                }
            }
            Ok(())
        })?;
    }
}
