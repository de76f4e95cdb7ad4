use std::future::poll_fn;
use std::task::Waker;

use super::*;

fn timing(gap: u64, total: u64) -> Timing {
    Timing::start(Deadlines {
        gap: Duration::from_secs(gap),
        total: Duration::from_secs(total),
        ..Deadlines::default()
    })
}

async fn passed(watch: &mut Watch, timing: &Timing, since: Instant) -> Passed {
    poll_fn(|cx| watch.poll_passed(cx, timing, (since, Instant::now()), timing.limits.gap)).await
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_limit() {
    let timing = timing(60, 1000);
    let mut watch = Watch::with_any_waker();
    assert_eq!(passed(&mut watch, &timing, Instant::now()).await, Passed::Wait(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_later_wait_has_its_full_time_although_the_timer_was_armed_before() {
    let timing = timing(60, 1000);
    let mut watch = Watch::with_any_waker();
    let mut cx = Context::from_waker(Waker::noop());
    let now = Instant::now();
    assert!(watch.poll_passed(&mut cx, &timing, (now, now), timing.limits.gap).is_pending());
    tokio::time::advance(Duration::from_secs(59)).await;
    let since = Instant::now();
    let outcome = passed(&mut watch, &timing, since).await;
    assert_eq!(outcome, Passed::Wait(Duration::from_secs(60)));
    assert_eq!(timing.started.elapsed(), Duration::from_secs(119));
}

#[tokio::test(start_paused = true)]
async fn a_shorter_wait_moves_the_timer_forward() {
    let (patient, hasty) = (timing(60, 1000), timing(5, 1000));
    let mut watch = Watch::with_any_waker();
    let mut cx = Context::from_waker(Waker::noop());
    let now = Instant::now();
    assert!(watch.poll_passed(&mut cx, &patient, (now, now), patient.limits.gap).is_pending());
    assert_eq!(passed(&mut watch, &hasty, Instant::now()).await, Passed::Wait(Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn the_whole_call_ends_first_when_its_deadline_is_nearer() {
    let timing = timing(60, 30);
    let mut watch = Watch::with_any_waker();
    assert_eq!(passed(&mut watch, &timing, Instant::now()).await, Passed::Total(Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_deadline_does_not_overflow() {
    let endless = Deadlines {
        first_byte: Duration::MAX,
        gap: Duration::MAX,
        total: Duration::MAX,
        ..Deadlines::default()
    };
    let timing = Timing::start(endless);
    let mut cx = Context::from_waker(Waker::noop());
    let now = Instant::now();
    assert!(Watch::with_any_waker().poll_passed(&mut cx, &timing, (now, now), Duration::MAX).is_pending());
}
