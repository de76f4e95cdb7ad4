//! Hooks that do not return are named, and come back into service when they do.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use gatewright::InstanceId;
use gatewright_policy::InstancePlan;

use super::*;
use crate::observer::Silent;

fn gate(watchdog: &Watchdog) -> Arc<Gate> {
    let plan = InstancePlan {
        stall: Duration::from_millis(500),
        ..InstancePlan::new(InstanceId::new("slow"), "test.slow", gatewright::serde_json::Value::Null)
    };
    Gate::new(&plan, Arc::new(Silent), watchdog)
}

/// A thread inside a hook until it is told to leave; then it ends, unless it stays to be told once more.
fn worker_in_a_hook(
    watchdog: &Watchdog,
    gate: &Arc<Gate>,
    stays: bool,
) -> (Receiver<()>, SyncSender<()>, JoinHandle<()>) {
    let (watchdog, gate) = (watchdog.clone(), Arc::clone(gate));
    let (entered, wait_entered) = sync_channel(0);
    let (leave, wait_leave) = sync_channel(0);
    let worker = std::thread::spawn(move || {
        watchdog.join("worker");
        inside(&gate, Hook::Event, || {
            entered.send(()).unwrap();
            wait_leave.recv().unwrap();
        });
        if stays {
            entered.send(()).unwrap();
            wait_leave.recv().unwrap();
        }
    });
    wait_entered.recv().unwrap();
    (wait_entered, leave, worker)
}

#[test]
fn a_hook_that_does_not_return_takes_its_instance_out_until_it_does() {
    let watchdog = Watchdog::default();
    let gate = gate(&watchdog);
    let (wait_entered, leave, worker) = worker_in_a_hook(&watchdog, &gate, true);
    let (start, mut sightings) = (Instant::now(), Sightings::default());
    watchdog.look(start, &mut sightings);
    watchdog.look(start + Duration::from_millis(499), &mut sightings);
    assert_eq!(gate.out_of_service(), None);
    watchdog.look(start + Duration::from_millis(500), &mut sightings);
    assert_eq!(gate.out_of_service(), Some(crate::OutOfService::Stalled));

    leave.send(()).unwrap();
    wait_entered.recv().unwrap();
    watchdog.look(start + Duration::from_millis(600), &mut sightings);
    assert_eq!(gate.out_of_service(), None);
    leave.send(()).unwrap();
    worker.join().unwrap();
}

#[test]
fn a_thread_that_ends_between_two_looks_has_returned() {
    let watchdog = Watchdog::default();
    let gate = gate(&watchdog);
    let (_entered, leave, worker) = worker_in_a_hook(&watchdog, &gate, false);
    let (start, mut sightings) = (Instant::now(), Sightings::default());
    watchdog.look(start, &mut sightings);
    watchdog.look(start + Duration::from_millis(500), &mut sightings);
    assert_eq!(gate.out_of_service(), Some(crate::OutOfService::Stalled));

    leave.send(()).unwrap();
    worker.join().unwrap();
    watchdog.look(start + Duration::from_millis(600), &mut sightings);
    assert_eq!(gate.out_of_service(), None);
}

#[test]
fn many_short_calls_are_no_long_one() {
    let watchdog = Watchdog::default();
    let gate = gate(&watchdog);
    watchdog.join("here");
    let (start, mut sightings) = (Instant::now(), Sightings::default());
    for seconds in 0..5 {
        inside(&gate, Hook::Event, || watchdog.look(start + Duration::from_secs(seconds), &mut sightings));
    }
    assert_eq!(gate.out_of_service(), None);
}

#[test]
fn the_thread_knows_which_hook_it_is_in() {
    let watchdog = Watchdog::default();
    let (outer, inner) = (gate(&watchdog), gate(&watchdog));
    watchdog.join("here");
    assert_eq!(current(), None);
    inside(&outer, Hook::Request, || {
        inside(&inner, Hook::Drop, || assert_eq!(current().map(|(_, hook)| hook), Some(Hook::Drop)));
        assert_eq!(current(), Some((InstanceId::new("slow"), Hook::Request)));
    });
    assert_eq!(current(), None);
}
