//! Carries the news of a committed group to the tasks that wait for it.
//!
//! Waking a task from another thread costs a system call each time. A thread that runs a
//! [`Courier`] is woken once per group, and wakes its own tasks from the inside, for almost
//! nothing. Without one everything works, at one system call per record.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use smallvec::SmallVec;

thread_local! {
    /// The letter box of the courier that runs on this thread.
    static HERE: RefCell<Option<Arc<LetterBox>>> = const { RefCell::new(None) };
}

/// A future for each single-threaded runtime that waits for receipts: spawn it once, on that
/// runtime, and end it with the runtime. It never finishes by itself.
///
/// # Cancellation
///
/// Receipts that it would have woken are woken; later ones are woken directly.
#[must_use = "a courier works while it is polled: spawn it"]
#[derive(Debug)]
pub struct Courier(Arc<LetterBox>);

/// Wakers of tasks whose news is ready, and the courier that fetches them.
#[derive(Debug, Default)]
pub(super) struct LetterBox(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    ready: Vec<Waker>,
    courier: Option<Waker>,
    gone: bool,
}

/// How one waiting task is woken.
#[derive(Debug)]
pub(super) enum Wake {
    Directly(Waker),
    Through(Arc<LetterBox>, Waker),
}

/// The wake-ups of one group.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    boxes: SmallVec<[Arc<LetterBox>; 8]>,
}

impl Courier {
    /// A courier for the thread that will poll it.
    #[expect(clippy::new_without_default, reason = "a courier is made to be spawned, not to fill a field")]
    pub fn new() -> Self {
        Self(Arc::new(LetterBox::default()))
    }
}

impl Future for Courier {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        HERE.with_borrow_mut(|here| {
            if here.as_ref().is_none_or(|here| !Arc::ptr_eq(here, &self.0)) {
                *here = Some(Arc::clone(&self.0));
            }
        });
        let ready = {
            let mut letters = self.0.0.lock();
            match &mut letters.courier {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            std::mem::take(&mut letters.ready)
        };
        ready.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        let ready = {
            let mut letters = self.0.0.lock();
            letters.gone = true;
            letters.courier = None;
            std::mem::take(&mut letters.ready)
        };
        ready.into_iter().for_each(Waker::wake);
    }
}

impl Wake {
    /// Remembers the task that polls now.
    pub(super) fn register(slot: &mut Option<Self>, waker: &Waker) {
        if let Some(Self::Directly(known) | Self::Through(_, known)) = slot
            && known.will_wake(waker)
        {
            return;
        }
        let here = HERE.with_borrow(Clone::clone);
        *slot = Some(match here {
            Some(here) => Self::Through(here, waker.clone()),
            None => Self::Directly(waker.clone()),
        });
    }
}

impl Wakes {
    /// Wakes a task, or leaves that to the courier of its thread.
    pub(super) fn push(&mut self, wake: Wake) {
        match wake {
            Wake::Directly(waker) => waker.wake(),
            Wake::Through(letter_box, waker) => {
                let mut letters = letter_box.0.lock();
                if letters.gone {
                    drop(letters);
                    waker.wake();
                    return;
                }
                letters.ready.push(waker);
                drop(letters);
                if !self.boxes.iter().any(|known| Arc::ptr_eq(known, &letter_box)) {
                    self.boxes.push(letter_box);
                }
            }
        }
    }
}

impl Drop for Wakes {
    /// Calls the couriers, each once.
    fn drop(&mut self) {
        for letter_box in self.boxes.drain(..) {
            let courier = letter_box.0.lock().courier.clone();
            if let Some(courier) = courier {
                courier.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Courier, Wake, Wakes};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Waker};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl std::task::Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn rung(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// News for `tasks`, as a writer brings them.
    fn bring(tasks: &[Arc<Bell>]) {
        let mut wakes = Wakes::default();
        for task in tasks {
            let mut slot = None;
            Wake::register(&mut slot, &Waker::from(Arc::clone(task)));
            wakes.push(slot.unwrap());
        }
    }

    #[test]
    fn a_group_calls_the_courier_once_and_the_courier_calls_the_tasks() {
        let (bell, task) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        let tasks: [_; 10] = std::array::from_fn(|_| Arc::clone(&task));
        let waker = Waker::from(Arc::clone(&bell));
        let mut courier = pin!(Courier::new());
        assert!(courier.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        bring(&tasks);
        assert_eq!((bell.rung(), task.rung()), (1, 0));
        assert!(courier.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((bell.rung(), task.rung()), (1, 10));
    }

    #[test]
    fn a_courier_that_ends_leaves_nobody_asleep() {
        let (bell, task) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        let waker = Waker::from(Arc::clone(&bell));
        let mut courier = Box::pin(Courier::new());
        assert!(courier.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        bring(&[Arc::clone(&task)]);
        drop(courier);
        assert_eq!(task.rung(), 1);
        bring(&[Arc::clone(&task)]);
        assert_eq!((bell.rung(), task.rung()), (1, 2));
    }
}
