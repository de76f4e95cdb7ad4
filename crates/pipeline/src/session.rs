//! Sessions: exchanges in which caller and provider send events to each other, over WebSocket, for as long as they like.
//!
//! A session is one exchange: it is authenticated, identified, limited, reserved, settled and recorded once, by the same
//! phases as any other. What differs is the way between: no answer is pumped to a caller, but messages are relayed both
//! ways (`relay`), and each turn's usage is told to the claims while the session goes on.
//! Response filters do not see events, so a route whose filters or transforms have not said that they let sessions pass
//! refuses them.

mod end;
mod relay;
mod side;

use std::sync::Arc;

use gatewright::{Failure, FailureKind, Side, Usage};
use gatewright_policy::AnswerModel;
use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::respond;
use crate::attempt::{Ready, Way};
use crate::course::Course;
use crate::failure::Refusal;
use crate::phase::switch::{self, Line};
use crate::state::{Load, Picked, Reserved, Routed};

use self::relay::{Names, Relay};

/// How a caller wants its session to be opened.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// The subprotocols that it offers, without any key.
    pub protocols: Vec<String>,
}

/// A session that the provider has agreed to and the caller has not been told of.
///
/// # Cancellation
///
/// Dropping it means that the client left: the provider's connection is closed, and everything is settled.
#[derive(Debug)]
pub struct Session {
    course: Box<Course>,
    line: Line,
    names: Names,
}

/// A provider that has switched.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) picked: Picked,
    pub(crate) line: Line,
    pub(crate) load: Load,
}

/// Asks a target to switch.
pub(crate) struct Switching(Greeting);

impl Switching {
    pub(crate) fn new(greeting: Greeting) -> Self {
        Self(greeting)
    }
}

impl Way for Switching {
    type Begun = (Picked, Line);

    async fn go(&mut self, course: &mut Course, _: &Reserved, ready: Ready) -> Result<Self::Begun, Failure> {
        let Ready { picked, encoded, credential } = ready;
        let line = switch::switch(course, &picked, (encoded, credential), &self.0.protocols).await?;
        Ok((picked, line))
    }
}

/// Refuses a session where an instance that enforces would have to look into it, and cannot.
///
/// # Errors
///
/// A failure that names the instance and says what to do.
pub(crate) fn check_chains(course: &Course, routed: &Routed) -> Result<(), Failure> {
    if course.codec.session().is_none() {
        return Ok(());
    }
    let chains = &routed.0.chains;
    let mut blind = chains.request.iter().chain(&chains.response);
    let Some(blind) = blind.find(|hooked| !hooked.is_shadow && !hooked.lets_sessions_pass) else {
        return Ok(());
    };
    let text = format!(
        "the extension instance `{}` cannot look into sessions, and this route does not let them pass without it; \
         the operator can give this path a route of its own",
        blind.id
    );
    Err(Failure::new(Side::Gateway, FailureKind::Unsupported, text).with_code("session_not_filtered"))
}

/// Nobody can answer a session in the place of the provider.
pub(crate) fn without_answer(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Answered(_) => {
            Failure::internal("an extension answered a session, which has no answer").into()
        }
        other => other,
    }
}

impl Session {
    pub(crate) fn new(mut course: Box<Course>, met: Met) -> Box<Self> {
        let Met { picked, line, load } = met;
        course.facts.status = http::StatusCode::SWITCHING_PROTOCOLS.as_u16();
        if let Some(attempt) = &mut course.attempt {
            // Nothing has been asked of the model, and nothing is consumed until it is.
            attempt.meter.report(Usage::default());
        }
        let names = Names {
            asked: load.model.name.clone(),
            served: Arc::clone(&picked.target.model),
            answers_asked: load.model.answer_model == AnswerModel::Asked,
        };
        Box::new(Self { course, line, names })
    }

    /// The subprotocol that the provider chose of those that were offered.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.line.protocol.as_deref()
    }

    /// What the head of the answer says of the session.
    pub fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        respond::tell(&mut self.course, &mut headers);
        headers
    }

    /// Relays messages until one side ends the session, or the gateway does. `leaving` becomes ready when the process
    /// is about to end: the session then ends after the turns that are under way.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes both connections; everything is settled as if the client had left.
    pub async fn run<C>(self: Box<Self>, client: C, leaving: impl Future<Output = ()> + Send)
    where
        C: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let Self { course, line, names } = *self;
        let Some(codec) = course.codec.session() else { return };
        let mut relay = Relay::new(course, codec, (client, line.tunnel), names);
        let end = relay.run(leaving).await;
        relay.finish(end).await;
    }
}
