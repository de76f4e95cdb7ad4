use std::sync::atomic::AtomicUsize;

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn task() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

fn wakes(count: &Count) -> usize {
    count.0.load(Ordering::Relaxed)
}

#[test]
fn a_wake_between_polls_reaches_the_task_once() {
    let (count, waker) = task();
    let relay = Relay::new();
    relay.hold();
    relay.forward(&waker);
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    assert_eq!(wakes(&count), 1);
}

#[test]
fn a_wake_during_a_pending_poll_is_not_lost() {
    let (count, waker) = task();
    let relay = Relay::new();
    relay.hold();
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    assert_eq!(wakes(&count), 0);
    relay.forward(&waker);
    assert_eq!(wakes(&count), 1);
}

#[test]
fn a_wake_during_a_ready_poll_wakes_nobody() {
    let (count, waker) = task();
    let relay = Relay::new();
    relay.forward(&waker);
    relay.hold();
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    assert_eq!(wakes(&count), 0);
}

#[test]
fn wakes_follow_the_connection_to_another_task() {
    let ((first, one), (second, two)) = (task(), task());
    let relay = Relay::new();
    relay.forward(&one);
    relay.hold();
    relay.forward(&two);
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    assert_eq!((wakes(&first), wakes(&second)), (0, 1));
}

#[test]
fn an_idle_connection_keeps_no_task() {
    let (count, waker) = task();
    let relay = Relay::new();
    relay.forward(&waker);
    drop(waker);
    relay.detach();
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn is_quiet_only_for_the_same_task_and_until_something_happens() {
    let ((_, waker), (_, other)) = (task(), task());
    let relay = Relay::new();
    assert!(!relay.is_quiet_for(&waker));
    relay.hold();
    relay.forward(&waker);
    assert!(relay.is_quiet_for(&waker));
    assert!(!relay.is_quiet_for(&other));
    Waker::from(Arc::clone(&relay)).wake_by_ref();
    assert!(!relay.is_quiet_for(&waker));
}
