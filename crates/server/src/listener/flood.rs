//! A budget for requests that a client opens and cancels.
//!
//! Opening and resetting streams is cheap for a client and dear for whoever serves them. hyper bounds those
//! that were reset before it looked at them; this bounds those that reached the application.

use std::time::Duration;

use tokio::time::Instant;

use super::info::Activity;

/// The time over which cancelled requests are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts a connection's cancelled requests. Looks at the clock only when there was one.
#[derive(Debug)]
pub(super) struct CancelBudget {
    cancels_max: u32,
    seen: u32,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    cancels_before: u32,
    requests_before: u32,
}

impl CancelBudget {
    pub(super) fn new(cancels_max: u32) -> Self {
        CancelBudget { cancels_max, seen: 0, window: None }
    }

    /// Whether the client cancelled more than its budget, and more than half of what it asked for.
    pub(super) fn is_spent(&mut self, activity: &Activity) -> bool {
        let cancels = activity.cancels();
        if cancels == self.seen {
            return false;
        }
        let now = Instant::now();
        let requests = activity.requests();
        let window = match &mut self.window {
            Some(window) if now.duration_since(window.began) < WINDOW => window,
            stale => {
                let requests_before = if stale.is_none() { 0 } else { requests };
                stale.insert(Window { began: now, cancels_before: self.seen, requests_before })
            }
        };
        self.seen = cancels;
        let cancelled = cancels.wrapping_sub(window.cancels_before);
        let asked = requests.wrapping_sub(window.requests_before);
        cancelled > self.cancels_max && cancelled > asked / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(activity: &Activity, completely: bool) {
        activity.request_began();
        activity.request_ended(completely);
    }

    #[tokio::test(start_paused = true)]
    async fn is_spent_by_more_cancels_than_allowed_within_the_window() {
        let activity = Activity::default();
        let mut budget = CancelBudget::new(3);
        for _ in 0..3 {
            request(&activity, false);
            assert!(!budget.is_spent(&activity));
        }
        request(&activity, false);
        assert!(budget.is_spent(&activity));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_spent_while_most_requests_are_completed() {
        let activity = Activity::default();
        let mut budget = CancelBudget::new(3);
        for _ in 0..20 {
            request(&activity, false);
            request(&activity, true);
            request(&activity, true);
            assert!(!budget.is_spent(&activity));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_spent_by_cancels_that_are_far_apart() {
        let activity = Activity::default();
        let mut budget = CancelBudget::new(3);
        for _ in 0..20 {
            request(&activity, false);
            assert!(!budget.is_spent(&activity));
            tokio::time::advance(WINDOW / 2).await;
        }
    }
}
