//! The phases on a virtual clock, then a listener that is drained over real sockets.

mod sockets;

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;

use super::{CutSignal, Drain, DrainReport, DrainTimes, Phase};

fn times() -> DrainTimes {
    DrainTimes {
        unready_min: Duration::from_secs(15),
        closing_max: Duration::from_secs(150),
        cut_max: Duration::from_secs(1),
        idle_grace: Duration::from_millis(250),
    }
}

#[tokio::test(start_paused = true)]
async fn stays_unready_for_its_time_even_when_nothing_is_open() {
    let drain = Drain::new(times());
    let began = Instant::now();
    assert_eq!(drain.wait_idle().await, DrainReport::default());
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(drain.phase(), Phase::Ended);
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_last_presence_and_no_longer() {
    let drain = Drain::new(times());
    let presence = drain.enter();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(100)).await;
        drop(presence);
    });
    let began = Instant::now();
    assert_eq!(drain.wait_idle().await, DrainReport::default());
    assert_eq!(began.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn cuts_after_the_deadline_and_aborts_a_second_later() {
    let drain = Drain::new(times());
    let _stuck = drain.enter();
    let cuttable = drain.enter();
    let (mut signal, began) = (drain.cut_signal(), Instant::now());
    tokio::spawn(async move {
        poll_fn(|cx| signal.poll_cut(cx)).await;
        assert_eq!(began.elapsed().as_secs(), 165);
        drop(cuttable);
    });
    assert_eq!(drain.wait_idle().await, DrainReport { cut: 2, aborted: 1 });
    assert_eq!(began.elapsed().as_secs(), 166);
}

#[tokio::test(start_paused = true)]
async fn counts_the_time_unready_from_the_beginning() {
    let drain = Drain::new(times());
    let began = Instant::now();
    drain.begin();
    assert_eq!(drain.phase(), Phase::Unready);
    tokio::time::advance(Duration::from_secs(10)).await;
    drain.begin();
    drain.wait_idle().await;
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn goes_on_where_it_was_when_the_waiting_was_dropped() {
    let drain = Drain::new(times());
    let _presence = drain.enter();
    let waited = tokio::time::timeout(Duration::from_secs(20), drain.wait_idle()).await;
    assert!(waited.is_err());
    assert_eq!(drain.phase(), Phase::Closing);
    assert_eq!(drain.wait_idle().await, DrainReport { cut: 1, aborted: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_waiters_on_other_threads() {
    let drain =
        Drain::new(DrainTimes { unready_min: Duration::ZERO, closing_max: Duration::ZERO, ..times() });
    let remote = drain.fork();
    let (ready, is_waiting) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _presence = remote.enter();
        let mut signal = remote.cut_signal();
        let mut ready = Some(ready);
        runtime.block_on(poll_fn(|cx| {
            let poll = signal.poll_cut(cx);
            if let Some(ready) = ready.take() {
                ready.send(()).unwrap();
            }
            poll
        }));
    });
    is_waiting.await.unwrap();
    drain.wait_idle().await;
    thread.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn forgets_waiters_that_are_gone() {
    let drain = Drain::new(times());
    for _ in 0..100 {
        let mut watches = [drain.watch(), drain.watch()];
        poll_fn(|cx| {
            for watch in &mut watches {
                assert!(watch.poll_reached(cx, Phase::Closing).is_pending());
            }
            std::task::Poll::Ready(())
        })
        .await;
    }
    assert_eq!(drain.local.wakers.capacity(), 2);
}

#[tokio::test]
async fn a_signal_of_no_drain_never_comes() {
    let mut signal = CutSignal::never();
    assert!(!signal.is_cut());
    assert!(poll_fn(|cx| std::task::Poll::Ready(signal.poll_cut(cx))).await.is_pending());
}
