//! What [`append`](crate::Ledger::append) hands back: a future that tells what became of a record.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gatewright::record::UsageRecord;
use parking_lot::Mutex;

use super::courier::{Wake, Wakes};
use super::error::{Fault, LedgerError};

/// Tells what became of a record.
///
/// It is ready with `Ok` when the record is in the file, as safe there as the ledger's
/// [`Durability`](crate::Durability) says, and with an error as soon as an attempt to write it
/// failed. After [`LedgerError::Delayed`] the record stays queued and is tried again; polling
/// again tells how it stands by then.
///
/// # Cancellation
///
/// Dropping it changes nothing: the record is written all the same.
#[must_use = "a receipt that nobody waits for is not known to be written; `drop` it to say so"]
#[derive(Debug)]
pub struct Receipt(Kind);

#[derive(Debug)]
enum Kind {
    Queued(Arc<Pending>),
    NotTaken(LedgerError),
}

/// A record on its way into the file, shared by the queue and its receipt.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) record: UsageRecord,
    standing: Mutex<Standing>,
}

#[derive(Debug)]
struct Standing {
    outcome: Option<Result<(), LedgerError>>,
    wake: Option<Wake>,
}

impl Receipt {
    pub(super) fn queued(pending: Arc<Pending>) -> Self {
        Self(Kind::Queued(pending))
    }

    pub(super) fn not_taken(error: LedgerError) -> Self {
        Self(Kind::NotTaken(error))
    }
}

impl Future for Receipt {
    type Output = Result<(), LedgerError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            Kind::NotTaken(error) => Poll::Ready(Err(*error)),
            Kind::Queued(pending) => {
                let mut standing = pending.standing.lock();
                match standing.outcome {
                    Some(outcome) => Poll::Ready(outcome),
                    None => {
                        Wake::register(&mut standing.wake, cx.waker());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

impl Pending {
    /// A record of which nothing is known yet.
    pub(super) fn new(record: UsageRecord) -> Self {
        Self { record, standing: Mutex::new(Standing { outcome: None, wake: None }) }
    }

    /// Notes, before anybody waits for it, that the record will be late.
    pub(super) fn delay(&self, fault: Fault) {
        self.standing.lock().outcome = Some(Err(LedgerError::Delayed(fault)));
    }

    /// Sets what became of the record, and hands over who is to be told.
    pub(super) fn settle(&self, outcome: Result<(), LedgerError>, wakes: &mut Wakes) {
        let wake = {
            let mut standing = self.standing.lock();
            standing.outcome = Some(outcome);
            standing.wake.take()
        };
        if let Some(wake) = wake {
            wakes.push(wake);
        }
    }
}
