//! The port to durable records: the data path hands a record over and may wait, bounded, until it
//! is as durable as the operator asked.

use std::pin::Pin;
use std::task::{Context, Poll};

use gatewright::BoxFuture;
use gatewright::record::UsageRecord;

/// Where usage records go.
pub trait Ledger: Send + Sync + 'static {
    /// Takes a record. Never blocks.
    fn append(&self, record: UsageRecord) -> Receipt;
}

/// Becomes ready when a record is durable.
#[must_use]
pub enum Receipt {
    /// It is already, or nobody asked for more.
    Done,
    /// It could not be taken; the text is for the log.
    Refused(Box<str>),
    /// The future ends when it is.
    Waiting(BoxFuture<'static, Result<(), Box<str>>>),
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Refused(_) => "Refused",
            Self::Waiting(_) => "Waiting",
        })
    }
}

impl Future for Receipt {
    type Output = Result<(), Box<str>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Done => Poll::Ready(Ok(())),
            Self::Refused(why) => Poll::Ready(Err(std::mem::take(why))),
            Self::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn append(&self, _: UsageRecord) -> Receipt {
        Receipt::Done
    }
}
