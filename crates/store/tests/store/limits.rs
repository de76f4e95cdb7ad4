//! Limits hold whoever asks, in whatever order, however many at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use gatewright::service::limits::{BucketKey, Claim, Claimed, Dimension, Held, Limits, Refusal, Standing};
use gatewright_store::{BucketQuery, BucketView, LimitsFull, MemoryLimits};
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::clock::StoppedClock;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than a minute by more than one part of the window.
const TWO_MINUTES: Duration = Duration::from_secs(120);

fn requests(label: &str, need: u64, limit: u64) -> Claim {
    claim(label, Dimension::Requests, Some(MINUTE), need, limit)
}

fn places(label: &str, need: u64, limit: u64) -> Claim {
    claim(label, Dimension::Concurrent, None, need, limit)
}

fn claim(label: &str, dimension: Dimension, window: Option<Duration>, need: u64, limit: u64) -> Claim {
    let key =
        BucketKey { tenant: "acme".into(), rule: "rule".into(), label: label.into(), dimension, window };
    Claim { key, limit, need }
}

#[track_caller]
fn held(limits: &MemoryLimits, claims: &[Claim]) -> (Box<dyn Held>, Standing) {
    match limits.claim_now(claims).unwrap() {
        Claimed::Held(held, standing) => (held, standing),
        refused => panic!("refused: {refused:?}"),
    }
}

#[track_caller]
fn refusal(limits: &MemoryLimits, claims: &[Claim]) -> Refusal {
    match limits.claim_now(claims).unwrap() {
        Claimed::Held(_, standing) => panic!("held: {standing:?}"),
        Claimed::Refused(refusal) => refusal,
        Claimed::Unknown { .. } => panic!("memory always knows"),
    }
}

fn grants(limits: &MemoryLimits, claims: &[Claim]) -> bool {
    matches!(limits.claim_now(claims).unwrap(), Claimed::Held(..))
}

#[test]
fn what_is_spent_counts_for_a_window_and_the_rest_comes_back() {
    let clock = StoppedClock::new();
    let limits = MemoryLimits::new(Arc::clone(&clock) as _);
    let (mut claim, standing) = held(&limits, &[requests("a", 8, 10)]);
    assert_eq!(standing, Standing { claim: 0, limit: 10, remaining: 2, reset: MINUTE });
    claim.spend(0, 3);
    claim.finish();
    assert!(grants(&limits, &[requests("a", 7, 10)]));
    let refused = refusal(&limits, &[requests("a", 8, 10)]);
    let full_again = Duration::from_secs(61);
    assert_eq!(refused.standing, Standing { claim: 0, limit: 10, remaining: 7, reset: full_again });
    assert_eq!((refused.retry_after, refused.never_fits), (Some(full_again), false));
    clock.pass(full_again);
    assert!(grants(&limits, &[requests("a", 10, 10)]));
}

#[test]
fn what_buckets_hold_is_listed_page_by_page_in_the_order_of_their_keys() {
    let clock = StoppedClock::new();
    let limits = MemoryLimits::new(Arc::clone(&clock) as _);
    let mut kept = Vec::new();
    for label in ["c", "a", "b"] {
        let (mut claim, _) = held(&limits, &[requests(label, 8, 10), places(label, 1, 5)]);
        claim.spend(0, 3);
        kept.push(claim);
    }
    let all = |query: BucketQuery| limits.list(&query);
    let views = |label: &str| {
        [
            BucketView { key: requests(label, 0, 0).key, used: 3, held: 5, clears: TWO_MINUTES / 2 + SECOND },
            BucketView { key: places(label, 0, 0).key, used: 0, held: 1, clears: Duration::ZERO },
        ]
    };
    let whole = all(BucketQuery { count_max: 10, ..BucketQuery::default() });
    assert_eq!((whole.buckets, whole.has_more), ([views("a"), views("b"), views("c")].concat(), false));

    let first = all(BucketQuery { count_max: 4, ..BucketQuery::default() });
    assert_eq!(
        (first.buckets.as_slice(), first.has_more),
        ([views("a"), views("b")].concat().as_slice(), true)
    );
    let after = first.buckets.last().map(|view| view.key.clone());
    let second = all(BucketQuery { count_max: 4, after, ..BucketQuery::default() });
    assert_eq!((second.buckets.as_slice(), second.has_more), (views("c").as_slice(), false));

    let places = BucketQuery {
        label: Some("b".to_owned()),
        dimension: Some(Dimension::Concurrent),
        count_max: 10,
        ..BucketQuery::default()
    };
    assert_eq!(all(places).buckets, &views("b")[1..]);
    let others = BucketQuery { tenant: Some("other".to_owned()), count_max: 10, ..BucketQuery::default() };
    assert_eq!(all(others).buckets, []);

    drop(kept);
    clock.pass(TWO_MINUTES);
    assert_eq!(
        all(BucketQuery { count_max: 10, ..BucketQuery::default() }).buckets,
        [],
        "what is idle is nobody's"
    );
}

#[test]
fn what_another_process_counted_leaves_that_much_less_room() {
    let limits = MemoryLimits::new(StoppedClock::new());
    limits.take_over(&requests("a", 0, 0).key, 3, 2).unwrap();
    limits.take_over(&places("a", 0, 0).key, 0, 4).unwrap();
    assert!(!grants(&limits, &[requests("a", 6, 10)]));
    assert!(!grants(&limits, &[places("a", 2, 5)]));
    assert!(grants(&limits, &[requests("a", 5, 10), places("a", 1, 5)]));
}

#[test]
fn a_claim_that_exceeds_the_limit_can_never_fit() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let refused = refusal(&limits, &[requests("a", 1, 10), requests("b", 11, 10)]);
    assert_eq!((refused.standing.claim, refused.retry_after, refused.never_fits), (1, None, true));
}

#[test]
fn a_claim_that_waits_for_reservations_may_fit_later() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let (held, _) = held(&limits, &[requests("a", 8, 10)]);
    let refused = refusal(&limits, &[requests("a", 5, 10)]);
    assert_eq!((refused.standing.remaining, refused.retry_after, refused.never_fits), (2, None, false));
    held.finish();
    assert!(grants(&limits, &[requests("a", 5, 10)]));
}

#[test]
fn one_bucket_without_room_leaves_the_others_untouched() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let (_full, _) = held(&limits, &[places("b", 1, 1)]);
    for _ in 0..20 {
        let refused = refusal(&limits, &[requests("a", 10, 10), places("b", 1, 1)]);
        assert_eq!((refused.standing.claim, refused.standing.remaining), (1, 0));
    }
    assert!(grants(&limits, &[requests("a", 10, 10)]));
}

#[test]
fn buckets_differ_by_every_part_of_their_key() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let first = requests("a", 1, 1);
    let mut others = vec![first.clone(); 5];
    others[0].key.tenant = "other".into();
    others[1].key.rule = "other".into();
    others[2].key.label = "other".into();
    others[3].key.dimension = Dimension::Cost;
    others[4].key.window = Some(TWO_MINUTES);
    let (_held, _) = held(&limits, std::slice::from_ref(&first));
    assert!(!grants(&limits, &[first]));
    for other in others {
        assert!(grants(&limits, &[other]));
    }
}

#[test]
fn two_claims_on_one_bucket_count_together() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let both = |need| [requests("a", need, 10), places("a", 1, 1), requests("a", 5, 12)];
    assert!(!grants(&limits, &both(6)));
    let (mut claim, _) = held(&limits, &both(5));
    claim.spend(0, 1);
    claim.spend(2, 2);
    drop(claim);
    assert!(!grants(&limits, &[requests("a", 8, 10)]));
    assert!(grants(&limits, &[requests("a", 7, 10)]));
}

#[tokio::test]
async fn the_service_is_the_same_behind_its_trait() {
    let limits: Arc<dyn Limits> = Arc::new(MemoryLimits::new(StoppedClock::new()));
    let held = limits.claim(&[places("a", 1, 1)]).await.unwrap();
    assert!(matches!(limits.claim(&[places("a", 1, 1)]).await.unwrap(), Claimed::Refused(_)));
    drop(held);
    assert!(matches!(limits.claim(&[places("a", 1, 1)]).await.unwrap(), Claimed::Held(..)));
}

#[test]
fn beyond_the_bound_new_buckets_are_refused_and_none_is_forgotten() {
    let clock = StoppedClock::new();
    let limits = MemoryLimits::with_keys_max(Arc::clone(&clock) as _, 10);
    for label in 0..10 {
        let (mut claim, _) = held(&limits, &[requests(&label.to_string(), 1, 1)]);
        claim.spend(0, 1);
    }
    let full = Err(LimitsFull { keys_max: 10 });
    assert_eq!(limits.claim_now(&[requests("new", 1, 1)]).map(|_| ()), full);
    assert_eq!((limits.stats().keys, limits.stats().refused_full), (10, 1));
    for label in 0..10 {
        assert!(!grants(&limits, &[requests(&label.to_string(), 1, 1)]), "{label}");
    }
    clock.pass(TWO_MINUTES);
    assert!(grants(&limits, &[requests("new", 1, 1)]));
    assert_eq!(limits.stats().keys, 1);
}

#[test]
fn buckets_that_hold_nothing_do_not_pile_up() {
    let clock = StoppedClock::new();
    let limits = MemoryLimits::new(Arc::clone(&clock) as _);
    let (_held, _) = held(&limits, &[places("long", 1, 1)]);
    for label in 0..50_000 {
        let (mut claim, _) = held(&limits, &[requests(&label.to_string(), 1, 1)]);
        claim.spend(0, 1);
        clock.pass(Duration::from_secs(1));
    }
    // 61 are in use at a time; each shard may have twice its share and some.
    assert!(limits.stats().keys < 64 * 40, "{}", limits.stats().keys);
    assert!(!grants(&limits, &[places("long", 1, 1)]));
}

// === Many at once ===

/// Runs `work` on 500 threads that start together.
fn hammer(work: impl Fn(u64) + Sync) {
    const THREADS: usize = 500;
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for (thread, _) in (0..).zip(0..THREADS) {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn five_hundred_threads_get_exactly_the_limit() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let granted = AtomicU64::new(0);
    hammer(|thread| {
        for need in 1..=4 {
            let claims = [requests("shared", need, 1000), requests(&thread.to_string(), need, 100)];
            if let Claimed::Held(mut held, _) = limits.claim_now(&claims).unwrap() {
                held.spend(0, need);
                granted.fetch_add(need, Ordering::Relaxed);
            }
        }
    });
    // The smallest need is 1, and someone asks for it until the end, or nearly so.
    let granted = granted.into_inner();
    assert!((997..=1000).contains(&granted), "{granted}");
    assert_eq!(grants(&limits, &[requests("shared", 1, 1000)]), granted < 1000);
}

#[test]
fn places_are_never_oversold_and_all_come_back() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
    hammer(|_| {
        for _ in 0..50 {
            if let Claimed::Held(held, _) = limits.claim_now(&[places("shared", 1, 7)]).unwrap() {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                held.finish();
            }
        }
    });
    assert!(most.into_inner() <= 7);
    assert!(grants(&limits, &[places("shared", 7, 7)]));
}

#[test]
fn claims_in_opposite_orders_do_not_wait_for_each_other() {
    let limits = MemoryLimits::new(StoppedClock::new());
    let labels: Vec<String> = (0..16).map(|label| label.to_string()).collect();
    hammer(|thread| {
        let mut claims: Vec<_> = labels.iter().map(|label| places(label, 1, 600)).collect();
        if thread % 2 == 0 {
            claims.reverse();
        }
        claims.rotate_left(usize::try_from(thread).unwrap() % 16);
        for _ in 0..20 {
            assert!(grants(&limits, &claims));
        }
    });
    for label in &labels {
        assert!(grants(&limits, &[places(label, 600, 600)]));
    }
}

/// Everything that was granted, replayed: in no window is more used than the limit.
#[test]
fn no_window_ever_sees_more_than_the_limit_while_time_passes() {
    const LIMIT: u64 = 50;
    let clock = StoppedClock::new();
    let limits = MemoryLimits::new(Arc::clone(&clock) as _);
    let used: Mutex<Vec<Duration>> = Mutex::default();
    hammer(|thread| {
        for _ in 0..40 {
            if let Claimed::Held(mut held, _) = limits.claim_now(&[requests("shared", 1, LIMIT)]).unwrap() {
                // The clock may pass between both; the lock makes the moment of use one moment.
                let mut used = used.lock();
                let passed = clock.passed.lock();
                let now = *passed;
                drop(passed);
                held.spend(0, 1);
                used.push(now);
            }
            if thread % 10 == 0 {
                let _used = used.lock();
                clock.pass(Duration::from_millis(157));
            }
        }
    });
    let mut used = used.into_inner();
    used.sort_unstable();
    assert!(used.len() > 200, "{} used", used.len());
    for (first, start) in used.iter().enumerate() {
        let inside = used[first..].iter().take_while(|moment| **moment < *start + MINUTE).count();
        assert!(inside as u64 <= LIMIT, "{inside} from {start:?}");
    }
}

// === Against a simple model ===

#[derive(Clone, Debug)]
enum Step {
    /// Claim `need` of each named bucket.
    Claim(Vec<(usize, u64)>),
    /// Spend a part of a held claim.
    Spend {
        held: usize,
        claim: usize,
        amount: u64,
    },
    GiveBack(usize),
    Pass(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let buckets = prop::sample::subsequence((0..BUCKETS).collect::<Vec<_>>(), 1..=BUCKETS);
    let needs = prop::collection::vec(0_u64..8, BUCKETS);
    let wants = (buckets, needs).prop_map(|(buckets, needs)| buckets.into_iter().zip(needs).collect());
    prop_oneof![
        4 => wants.prop_map(Step::Claim),
        4 => (0..8_usize, 0..BUCKETS, 1_u64..5)
            .prop_map(|(held, claim, amount)| Step::Spend { held, claim, amount }),
        3 => (0..8_usize).prop_map(Step::GiveBack),
        2 => (1_u64..50_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ]
}

const BUCKETS: usize = 4;
const LIMITS: [u64; BUCKETS] = [10, 15, 6, 12];

/// The last bucket is one of places.
fn wanted(bucket: usize, need: u64) -> Claim {
    let label = bucket.to_string();
    if bucket == BUCKETS - 1 {
        places(&label, need, LIMITS[bucket])
    } else {
        requests(&label, need, LIMITS[bucket])
    }
}

#[derive(Default)]
struct Model {
    now: Duration,
    /// When, in which bucket, how much.
    used: Vec<(Duration, usize, u64)>,
    /// What each held claim has left, by bucket.
    held: Vec<Vec<(usize, u64)>>,
}

impl Model {
    fn reserved(&self, bucket: usize) -> u64 {
        self.held.iter().flatten().filter(|(of, _)| *of == bucket).map(|(_, left)| left).sum()
    }

    fn used_within(&self, bucket: usize, time: Duration) -> u64 {
        let recent = |at: &Duration| *at + time > self.now;
        self.used.iter().filter(|(at, of, _)| *of == bucket && recent(at)).map(|(_, _, amount)| amount).sum()
    }

    /// Whether all fits, if what was used counts for `time`.
    fn fits(&self, wants: &[(usize, u64)], time: Duration) -> bool {
        wants.iter().all(|&(bucket, need)| {
            self.reserved(bucket) + self.used_within(bucket, time) + need <= LIMITS[bucket]
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn grants_what_fits_and_nothing_else(steps in prop::collection::vec(step(), 1..120)) {
        let clock = StoppedClock::new();
        let limits = MemoryLimits::new(Arc::clone(&clock) as _);
        let mut model = Model::default();
        let mut held: Vec<Box<dyn Held>> = Vec::new();
        for step in steps {
            match step {
                Step::Claim(wants) => {
                    let claims: Vec<_> = wants.iter().map(|&(bucket, need)| wanted(bucket, need)).collect();
                    match limits.claim_now(&claims).unwrap() {
                        Claimed::Held(claim, _) => {
                            prop_assert!(model.fits(&wants, MINUTE));
                            model.held.push(wants);
                            held.push(claim);
                        }
                        // The edge of a window is as precise as one of its sixty parts.
                        Claimed::Refused(_) | Claimed::Unknown { .. } => prop_assert!(!model.fits(&wants, MINUTE + Duration::from_secs(1))),
                    }
                }
                Step::Spend { held: which, claim, amount } if !held.is_empty() => {
                    let which = which % held.len();
                    let claim = claim % model.held[which].len();
                    held[which].spend(claim, amount.min(model.held[which][claim].1));
                    let (bucket, left) = &mut model.held[which][claim];
                    if *bucket != BUCKETS - 1 {
                        let amount = amount.min(*left);
                        *left -= amount;
                        model.used.push((model.now, *bucket, amount));
                    }
                }
                Step::GiveBack(which) if !held.is_empty() => {
                    let which = which % held.len();
                    drop(held.swap_remove(which));
                    model.held.swap_remove(which);
                }
                Step::Spend { .. } | Step::GiveBack(_) => {}
                Step::Pass(time) => {
                    clock.pass(time);
                    model.now += time;
                }
            }
        }
        drop(held);
        clock.pass(TWO_MINUTES);
        let all: Vec<_> = (0..BUCKETS).map(|bucket| wanted(bucket, LIMITS[bucket])).collect();
        prop_assert!(grants(&limits, &all), "everything comes back");
    }
}
