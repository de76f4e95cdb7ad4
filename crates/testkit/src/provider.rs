//! A simulated model provider: a real HTTP/1.1 and HTTP/2 listener on loopback that speaks the OpenAI wire
//! protocol and, under paths of their own, those of others.
//!
//! It is told what to do in two ways. The **model name** works from anywhere and through every gateway:
//! `sim?tokens=200&rate=50&reset_after=20` (see [`Behaviour`] for all keys). In process, a test puts
//! [`Answer`]s into a queue, down to the exact bytes and when they are written, and reads back every request
//! as it arrived ([`RecordedRequest`]) with what the provider billed for it ([`Bill`]).
//!
//! Requests take the queued answers in order of arrival; with an empty queue the model name decides, and a plain
//! model name gets a plain answer. Tokens are counted by a rule that a test can follow ([`count_tokens`]).

mod behaviour;
mod body;
mod chat;
mod cohere;
mod completion;
mod connection;
mod converse;
mod embedding;
mod endpoint;
mod event;
mod form;
mod google;
mod judgement;
mod messages;
mod model;
mod ollama;
mod plan;
mod prerender;
mod process;
mod query;
mod realtime;
mod record;
mod refusal;
mod reply;
mod responses;
mod schema;
mod script;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use self::behaviour::{
    ANSWER_TOKENS_MAX, Behaviour, BehaviourError, Fault, FaultKind, HUGE_LINE_BYTES_MAX, Pace, Refusal,
    UsagePlace, UsageReport, Words, keys,
};
pub use self::prerender::PRERENDERED_PROMPT_TOKENS;
pub use self::process::main;
pub use self::record::{Bill, Outcome, RecordedRequest};
pub use self::script::{Answer, Gate, Script, Step};
pub use self::service::{RECORDS_MAX, REQUEST_BYTES_MAX};
pub use self::tokens::{TOKENS_PER_ATTACHMENT, TOKENS_PER_MESSAGE, count_chat_prompt, count_tokens, pieces};

/// How a simulated provider runs.
#[derive(Clone)]
pub struct ProviderSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Content events per second and stream where the model name gives no `rate`; 0 is as fast as possible.
    pub events_per_second: f64,
    /// The API key that requests must carry; without one any key will do. Where it is an access key, a pair with a
    /// colon, calls of the face that has signatures must be signed with it.
    pub key: Option<String>,
    /// Whether requests are remembered.
    pub record: bool,
    /// Whether answers that depend on the model name alone are rendered once and nothing else of a request is read:
    /// for benches. Then usage is constant and such requests are not remembered.
    pub prerender: bool,
}

impl Default for ProviderSettings {
    /// For tests: a free loopback port, as fast as possible, everything remembered.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            events_per_second: 0.0,
            key: None,
            record: true,
            prerender: false,
        }
    }
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSettings")
            .field("listen", &self.listen)
            .field("events_per_second", &self.events_per_second)
            .field("record", &self.record)
            .field("prerender", &self.prerender)
            .finish_non_exhaustive()
    }
}

/// A running simulated provider; dropping it closes its port and all its connections.
#[derive(Debug)]
pub struct SimulatedProvider {
    address: SocketAddr,
    provider: Arc<service::Provider>,
    server: AbortHandle,
    seen: parking_lot::Mutex<u64>,
}

impl SimulatedProvider {
    /// Starts a provider for a test, on a free loopback port.
    ///
    /// # Panics
    /// If the machine gives no loopback port, or outside of a tokio runtime.
    pub async fn start() -> Self {
        Self::start_with(ProviderSettings::default()).await.expect("a loopback port is free")
    }

    /// Starts a provider on the current tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start_with(settings: ProviderSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let provider = Arc::new(service::Provider::new(settings));
        let server = tokio::spawn(server::run(listener, Arc::clone(&provider))).abort_handle();
        Ok(Self { address, provider, server, seen: parking_lot::Mutex::new(0) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for client libraries, with `/v1` and without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Queues the answer to the next request that has none yet.
    pub fn push(&self, answer: Answer) {
        self.provider.queue.lock().push_back(answer);
    }

    /// Forgets the answers that are still queued.
    pub fn forget_answers(&self) {
        self.provider.queue.lock().clear();
    }

    /// The requests so far, oldest first; beyond [`RECORDS_MAX`] the oldest are forgotten.
    pub fn requests(&self) -> Vec<Arc<RecordedRequest>> {
        self.provider.records.lock().iter().map(Arc::clone).collect()
    }

    /// Waits for the next request that this method has not returned yet.
    ///
    /// # Cancellation
    /// Dropping the future loses no request.
    pub async fn next_request(&self) -> Arc<RecordedRequest> {
        let mut recorded = self.provider.recorded.subscribe();
        loop {
            recorded.mark_unchanged();
            if let Some(request) = self.take_unseen() {
                return request;
            }
            recorded.changed().await.expect("the sender lives in self");
        }
    }

    /// What was billed for each request so far, oldest first.
    pub fn ledger(&self) -> Vec<Bill> {
        self.provider.records.lock().iter().map(|request| request.bill()).collect()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.provider.connections.load(Ordering::Relaxed)
    }

    fn take_unseen(&self) -> Option<Arc<RecordedRequest>> {
        let mut seen = self.seen.lock();
        let records = self.provider.records.lock();
        let recorded = *self.provider.recorded.borrow();
        let unseen = usize::try_from(recorded.checked_sub(*seen)?).ok().filter(|unseen| *unseen > 0)?;
        *seen += 1;
        records.len().checked_sub(unseen).and_then(|at| records.get(at)).map(Arc::clone)
    }
}

impl Drop for SimulatedProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
