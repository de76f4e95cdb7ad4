use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::{Acquired, Ticket, Window, jittered};

const MINUTE: Duration = Duration::from_secs(60);
/// A start far from zero, so that the ring's numbers wrap.
const START: Duration = Duration::from_secs(1_000_000);

fn at(seconds: u64) -> Duration {
    START + Duration::from_secs(seconds)
}

#[track_caller]
fn granted(acquired: Acquired) -> Ticket {
    match acquired {
        Acquired::Granted(ticket) => ticket,
        other => panic!("not granted: {other:?}"),
    }
}

#[test]
fn refuses_what_exceeds_the_limit_and_says_when_it_fits() {
    let mut window = Window::new(MINUTE, 60);
    window.add(at(0), 60);
    window.add(at(10), 40);
    assert_eq!(
        window.acquire(at(20), 50, 100),
        Acquired::Refused { retry_after: Some(Duration::from_secs(41)) }
    );
    assert_eq!(
        window.acquire(at(20), 61, 100),
        Acquired::Refused { retry_after: Some(Duration::from_secs(51)) }
    );
    let _ticket = granted(window.acquire(at(61), 60, 100));
}

#[test]
fn a_need_above_the_limit_can_never_fit() {
    let mut window = Window::new(MINUTE, 60);
    assert_eq!(window.acquire(at(0), 101, 100), Acquired::TooLarge);
}

#[test]
fn unused_reservations_come_back() {
    let mut window = Window::new(MINUTE, 60);
    let mut ticket = granted(window.acquire(at(0), 100, 100));
    assert_eq!(window.acquire(at(0), 1, 100), Acquired::Refused { retry_after: None });
    window.settle_part(at(1), &mut ticket, 30);
    window.finish(ticket);
    assert_eq!(window.remaining(at(1), 100), 70);
    assert_eq!(window.reserved(), 0);
}

#[test]
fn use_beyond_the_reservation_is_debt_that_counts() {
    let mut window = Window::new(MINUTE, 60);
    let mut ticket = granted(window.acquire(at(0), 10, 100));
    window.settle_part(at(0), &mut ticket, 150);
    window.finish(ticket);
    assert_eq!(window.remaining(at(0), 100), 0);
    assert!(matches!(window.acquire(at(59), 1, 100), Acquired::Refused { .. }));
    assert_eq!(window.remaining(at(61), 100), 100);
}

#[test]
fn a_long_stream_spends_its_tokens_in_the_minutes_that_produced_them() {
    let mut window = Window::new(MINUTE, 60);
    let mut ticket = granted(window.acquire(at(0), 90, 100));
    for second in 0..180 {
        if second % 2 == 0 {
            window.settle_part(at(second), &mut ticket, 1);
        }
    }
    window.finish(ticket);
    // 61 seconds are in the ring: those from 119 on, of which the even ones used 1 each.
    assert_eq!(window.remaining(at(179), 100), 70);
}

#[test]
fn an_open_reservation_can_grow_within_the_limit() {
    let mut window = Window::new(MINUTE, 60);
    let mut ticket = granted(window.acquire(at(0), 50, 100));
    assert!(window.top_up(at(0), &mut ticket, 50, 100));
    assert!(!window.top_up(at(0), &mut ticket, 1, 100));
    assert_eq!(ticket.left(), 100);
    window.finish(ticket);
    assert!(window.is_idle(at(0)));
}

#[test]
fn a_clock_that_steps_back_frees_nothing() {
    let mut window = Window::new(MINUTE, 60);
    window.add(at(100), 100);
    assert_eq!(window.remaining(at(0), 100), 0);
    assert_eq!(window.remaining(at(160), 100), 0);
    assert_eq!(window.remaining(at(161), 100), 100);
}

#[test]
fn enormous_amounts_neither_overflow_nor_free_room() {
    let mut window = Window::new(Duration::MAX, 60);
    window.add(Duration::MAX, u64::MAX);
    window.add(Duration::MAX, u64::MAX);
    assert_eq!(window.remaining(Duration::MAX, u64::MAX), 0);
    assert!(matches!(window.acquire(Duration::MAX, 1, u64::MAX), Acquired::Refused { .. }));
}

#[test]
fn saturating_traffic_uses_all_but_one_part_in_n() {
    for slots in [10_u16, 60, 96] {
        let limit = 600;
        let mut window = Window::new(MINUTE, slots);
        let mut admitted = 0_u64;
        let minutes = 50;
        for tick in 0..minutes * 600 {
            let now = START + Duration::from_millis(tick * 100);
            while let Acquired::Granted(mut ticket) = window.acquire(now, 1, limit) {
                window.settle_part(now, &mut ticket, 1);
                window.finish(ticket);
                admitted += 1;
            }
        }
        let full = limit * minutes;
        assert!(full - admitted.min(full) <= full / u64::from(slots), "{slots}: {admitted} of {full}");
    }
}

#[test]
fn jitter_only_lengthens_and_by_a_tenth_at_most() {
    let wait = Duration::from_secs(10);
    assert_eq!(jittered(wait, 0), wait);
    assert!(jittered(wait, u64::MAX) <= Duration::from_secs(11));
    assert!(jittered(wait, u64::MAX) > Duration::from_millis(10_990));
}

/// What a caller may do with the window in the property test.
#[derive(Clone, Debug)]
enum Step {
    Wait { millis: u64 },
    Acquire { need: u64 },
    Settle { ticket: usize, amount: u64 },
    Finish { ticket: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..9_000).prop_map(|millis| Step::Wait { millis }),
        4 => (1_u64..40).prop_map(|need| Step::Acquire { need }),
        3 => (any::<usize>(), 1_u64..40).prop_map(|(ticket, amount)| Step::Settle { ticket, amount }),
        2 => any::<usize>().prop_map(|ticket| Step::Finish { ticket }),
    ]
}

/// The exact log of use: every entry with its time.
#[derive(Default)]
struct Log(VecDeque<(Duration, u64)>);

impl Log {
    /// What was used in the window that ends at `now`.
    fn used(&self, now: Duration) -> u64 {
        self.0.iter().filter(|(at, _)| *at + MINUTE > now).map(|(_, amount)| amount).sum()
    }

    /// What was used in the window that a ring of `slots` may count at most: one slot wider.
    fn used_at_most(&self, now: Duration, slots: u32) -> u64 {
        let wider = MINUTE + MINUTE / slots;
        self.0.iter().filter(|(at, _)| *at + wider > now).map(|(_, amount)| amount).sum()
    }
}

proptest! {
    /// Against the exact log: no window ever holds more than the limit as long as nobody
    /// settles more than was reserved, and a refusal is right up to one slot's worth.
    #[test]
    fn no_window_ever_holds_more_than_the_limit(steps in prop::collection::vec(step(), 1..200)) {
        const LIMIT: u64 = 100;
        const SLOTS: u16 = 12;
        let mut window = Window::new(MINUTE, SLOTS);
        let mut log = Log::default();
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut now = START;
        for step in steps {
            match step {
                Step::Wait { millis } => now += Duration::from_millis(millis),
                Step::Acquire { need } => {
                    let reserved: u64 = tickets.iter().map(Ticket::left).sum();
                    match window.acquire(now, need, LIMIT) {
                        Acquired::Granted(ticket) => tickets.push(ticket),
                        Acquired::Refused { retry_after } => {
                            let most = log.used_at_most(now, u32::from(SLOTS)) + reserved + need;
                            prop_assert!(most > LIMIT, "refused although {most} fit");
                            if let Some(retry_after) = retry_after {
                                // After the time it said, and without other use, it fits.
                                let mut later = window.clone();
                                let again = later.acquire(now + retry_after, need, LIMIT);
                                prop_assert!(matches!(again, Acquired::Granted(_)));
                            }
                        }
                        Acquired::TooLarge => prop_assert!(false, "needs are below the limit"),
                    }
                }
                Step::Settle { ticket, amount } if !tickets.is_empty() => {
                    let position = ticket % tickets.len();
                    let amount = amount.min(tickets[position].left());
                    window.settle_part(now, &mut tickets[position], amount);
                    log.0.push_back((now, amount));
                }
                Step::Finish { ticket } if !tickets.is_empty() => {
                    let position = ticket % tickets.len();
                    window.finish(tickets.swap_remove(position));
                }
                Step::Settle { .. } | Step::Finish { .. } => {}
            }
            prop_assert!(log.used(now) <= LIMIT);
            prop_assert_eq!(window.reserved(), tickets.iter().map(Ticket::left).sum::<u64>());
        }
        for ticket in tickets {
            window.finish(ticket);
        }
        prop_assert!(window.is_idle(now + 2 * MINUTE));
    }
}
