//! Limiters: whatever is held is given back or spent, once, on every end and at every await.

use std::future::poll_fn;
use std::task::Poll;

use gatewright::text::Lane;
use gatewright::{
    Admission, CancelledBy, Estimate, Extension, Limiter, LlmRequest, Money, Outcome, Progress, Reservation,
    Role, Usage,
};

use super::suite::{ID, Suite, run};
use crate::extension::{MemoryLimits, TestEnv, context, request};
use crate::gateway::script::stalled;

/// The most awaits of one reservation that are tried.
const AWAITS_MAX: usize = 64;
/// How long a stream is, in events, whose client leaves after each of them.
const PIECES: [&str; 4] = ["one ", "two ", "three ", "four "];

/// For every way in which an exchange can end, a reservation is settled without a panic, and nothing stays held; one
/// for an exchange that sent nothing, one that is dropped, and one whose making is dropped at any of its awaits leave
/// the limits as they were.
///
/// # Panics
/// If that does not hold.
pub fn limiter<E: Extension + Limiter>(suite: &Suite<E>) {
    run(async {
        for estimate in estimates() {
            for (what, outcome) in outcomes() {
                let bed = suite.bed();
                let limiter = suite.instance(&bed).await;
                let before = bed.limits.report();
                let Some(mut reservation) = reserved(suite, &*limiter, &estimate).await else { continue };
                let is_sent = !matches!(outcome, Outcome::NotSent);
                if is_sent {
                    grow(E::NAME, &mut *reservation).await;
                }
                reservation.charge(estimate.cost);
                if let Some(rest) = reservation.settle(&outcome)
                    && let Err(error) = rest.await
                {
                    panic!("`{}` fails to settle an exchange that {what}: {error}", E::NAME);
                }
                holds_nothing(E::NAME, &bed, what);
                if !is_sent {
                    unspent(E::NAME, (&before, &bed.limits), "a later limiter refused its exchange");
                }
            }
            dropped(suite, &estimate).await;
        }
        cancelled(suite).await;
    });
}

/// Takes a reservation and drops it.
async fn dropped<E: Extension + Limiter>(suite: &Suite<E>, estimate: &Estimate) {
    let bed = suite.bed();
    let limiter = suite.instance(&bed).await;
    let before = bed.limits.report();
    drop(reserved(suite, &*limiter, estimate).await);
    holds_nothing(E::NAME, &bed, "its reservation is dropped");
    unspent(E::NAME, (&before, &bed.limits), "its reservation is dropped");
}

/// Drops the making of a reservation at each of its awaits.
async fn cancelled<E: Extension + Limiter>(suite: &Suite<E>) {
    for polls in 1..=AWAITS_MAX {
        let bed = suite.bed();
        let limiter = suite.instance(&bed).await;
        bed.hesitate();
        let before = bed.limits.report();
        let (request, mut cx) = (small(), context(suite.caller()));
        let estimate = Estimate { usage: usage(10, 10), ..Estimate::default() };
        let mut reserving = limiter.reserve(&estimate, &request, None, &mut cx);
        let mut polled = 0;
        let is_done = poll_fn(|cx| {
            polled += 1;
            match reserving.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if polled == polls => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        drop(reserving);
        holds_nothing(E::NAME, &bed, "the making of its reservation is dropped at an await");
        unspent(E::NAME, (&before, &bed.limits), "the making of its reservation is dropped at an await");
        if is_done {
            return;
        }
    }
}

/// In a gateway, a client that leaves after any event of a stream settles each reservation exactly once.
///
/// # Panics
/// If that does not hold.
pub fn limiter_cancelled<E: Extension + Limiter>(suite: &Suite<E>) {
    run(async {
        for events in 0..=PIECES.len() {
            let gateway = suite.started().await;
            let pieces: Vec<_> = PIECES.iter().map(|piece| (Lane::content(0), *piece)).collect();
            gateway.provider.push(stalled(&pieces));
            let request = gateway.request(&suite.body(true)).caller(suite.key());
            let reply = request.cancel_after(events).send().await;
            let reservations = gateway.reservations(ID);
            if reservations.granted == 0 {
                return;
            }
            let granted = reservations.granted;
            gateway.until_settled(ID).await;
            let reservations = gateway.reservations(ID);
            assert_eq!(
                (reservations.settled.len(), reservations.lost),
                (granted, 0),
                "`{}` is settled once when a client leaves after {events} events of {:?}",
                E::NAME,
                reply.events
            );
            let panicked = gateway.panicked();
            assert!(panicked.is_empty(), "`{}` panics in {panicked:?}", E::NAME);
        }
    });
}

async fn reserved<E: Extension + Limiter>(
    suite: &Suite<E>,
    limiter: &E,
    estimate: &Estimate,
) -> Option<Box<dyn Reservation>> {
    let mut cx = context(suite.caller());
    match limiter.reserve(estimate, &small(), None, &mut cx).await {
        Ok(Admission::Admit(reservation, _)) => Some(reservation),
        Ok(Admission::Skip | Admission::Deny(..) | Admission::Wait { .. }) => None,
        Err(error) => panic!("`{}` fails where all services work: {error}", E::NAME),
    }
}

/// Tells a reservation of growing usage, and does what it asks for.
async fn grow(name: &str, reservation: &mut dyn Reservation) {
    for output in [0, 1, 100, 100_000, u64::MAX / 2] {
        let mut progress = reservation.progress(&usage(10, output));
        loop {
            progress = match progress {
                Ok(Progress::Continue) => break,
                Ok(Progress::Cut(_)) => return,
                Ok(Progress::TopUp(asking)) => reservation.topped_up(asking.await),
                Err(error) => panic!("`{name}` fails as usage grows: {error}"),
            };
        }
    }
}

fn holds_nothing(name: &str, bed: &TestEnv, when: &str) {
    let held = bed.limits.held();
    assert_eq!(held, 0, "`{name}` holds nothing after {when}: {:?}", bed.limits.report());
}

/// Nothing was spent; buckets that nobody used count as absent ones.
fn unspent(name: &str, (before, limits): (&[String], &MemoryLimits), when: &str) {
    let used = |report: Vec<String>| -> Vec<String> {
        report.into_iter().filter(|line| !line.ends_with(": 0+0")).collect()
    };
    assert_eq!(used(limits.report()), used(before.to_vec()), "`{name}` spends nothing when {when}");
}

fn small() -> LlmRequest {
    request(&[(Role::User, "hello")])
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn estimates() -> [Estimate; 4] {
    [
        Estimate::default(),
        Estimate { usage: usage(10, 10), output_cap: Some(10), cost: Some(Money::from_nanos(10)) },
        Estimate { usage: usage(10, 10), output_cap: None, cost: None },
        Estimate {
            usage: usage(u64::MAX / 2, u64::MAX / 2),
            output_cap: Some(u64::MAX),
            cost: Some(Money::from_nanos(i64::MAX)),
        },
    ]
}

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let cancelled = |by, upstream_aborted| Outcome::Cancelled { seen: usage(10, 1), by, upstream_aborted };
    let completed = |usage, reported| Outcome::Completed { usage, reported };
    vec![
        ("is complete", completed(usage(10, 10), true)),
        ("is complete and reported no usage", completed(usage(10, 10), false)),
        ("used more than anybody has", completed(usage(u64::MAX, u64::MAX), true)),
        ("used nothing", completed(Usage::default(), true)),
        ("was left by its client", cancelled(CancelledBy::Client, true)),
        ("was cut", cancelled(CancelledBy::Filter, false)),
        ("was shut down", cancelled(CancelledBy::Shutdown, true)),
        ("failed", Outcome::Failed { seen: usage(10, 0), may_be_billed: true }),
        ("failed before it was billed", Outcome::Failed { seen: Usage::default(), may_be_billed: false }),
        ("sent nothing", Outcome::NotSent),
        ("was lost", Outcome::Lost { seen: usage(10, 3) }),
    ]
}
