//! The states of an exchange. Each phase takes one and returns the next, so that a wrong order
//! does not compile, and a test of one phase builds exactly the state that it needs.

use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::Address;
use gatewright::{Failure, LlmRequest, Principal};
use gatewright_policy::{ModelPlan, TargetPlan};
use http::request;

use crate::answer::opening::Opened;
use crate::ledger::Receipt;
use crate::snapshot::{Chains, Provider};
use crate::upload::Flow;

/// Reads the body of a request under a cap.
pub trait ReadBody: Send {
    /// The whole body.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side: over the cap, stalled, gone.
    ///
    /// # Cancellation
    ///
    /// What was read is dropped.
    fn read(self, bytes_max: u64) -> impl Future<Output = Result<Bytes, Failure>> + Send;

    /// The body as it comes. It fails where it exceeds the cap.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side: it says itself that it is over the cap.
    fn flow(self, bytes_max: u64) -> Result<Flow, Failure>;
}

/// The head is there.
#[derive(Debug)]
pub struct Received<B> {
    /// Method, path, headers.
    pub head: request::Parts,
    /// The other end of the connection.
    pub peer: std::net::SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// What the path says beside where it leads.
    pub address: Address,
    /// The body, unread.
    pub body: B,
}

/// The caller is known.
#[derive(Debug)]
pub(crate) struct Authenticated<B> {
    pub(crate) head: request::Parts,
    pub(crate) principal: Arc<Principal>,
    pub(crate) address: Address,
    pub(crate) body: B,
}

/// The request is read and its routing fields are known.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) head: request::Parts,
    pub(crate) principal: Arc<Principal>,
    pub(crate) request: LlmRequest,
}

/// What travels through the phases between route and answer.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) request: LlmRequest,
    pub(crate) model: Arc<ModelPlan>,
    pub(crate) chains: Arc<Chains>,
    /// Whether the caller wants a loss in translation refused.
    pub(crate) is_strict: bool,
}

impl Load {
    /// Whether a loss in translation is refused.
    pub(crate) fn is_strict(&self) -> bool {
        self.model.strict || self.is_strict
    }
}

/// Route, model and chains are known.
#[derive(Debug)]
pub(crate) struct Routed(pub(crate) Load);

/// The caller's request counts allow it.
#[derive(Debug)]
pub(crate) struct Admitted(pub(crate) Load);

/// The request has the whole of its conversation.
#[derive(Debug)]
pub(crate) struct Recalled(pub(crate) Load);

/// The transforms have run.
#[derive(Debug)]
pub(crate) struct Shaped(pub(crate) Load);

/// Everything that the caller may consume is reserved.
#[derive(Debug)]
pub(crate) struct Reserved(pub(crate) Load);

/// A target for the next try.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    pub(crate) index: usize,
    pub(crate) target: TargetPlan,
    pub(crate) provider: Arc<Provider>,
}

/// A provider's answer has begun, and nothing of it has gone to the client yet.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(crate) opened: Opened,
    pub(crate) load: Load,
    pub(crate) picked: Picked,
}

/// The exchange is settled; what is left is to tell the client, once the record is durable.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) receipt: Receipt,
}
