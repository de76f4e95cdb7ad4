//! The connection to the shared store, which answers within its deadline or counts as lost.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::sync::Notify;
use tokio::time::error::Elapsed;

use super::script::Script;

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// The store did not answer in time, or not as it should.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the shared store of limits is out of reach: {why}")]
pub(super) struct Lost {
    why: String,
}

/// A connection that all workers share. Whoever finds it broken takes it away; [`Link::heal`] makes the next one, so
/// that no exchange waits for that.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    state: Mutex<State>,
    broken: Notify,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late failure of an old one does not take the new one away.
    generation: u64,
    why: String,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("is_up", &self.connection.is_some()).field("why", &self.why).finish()
    }
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        let state = State { connection: None, generation: 0, why: "not yet connected".to_owned() };
        Self { client, state: Mutex::new(state), broken: Notify::new() }
    }

    /// Whether there is a connection, as far as anybody knows.
    pub(super) fn is_up(&self) -> bool {
        self.state.lock().connection.is_some()
    }

    /// The connection that is there.
    ///
    /// # Errors
    ///
    /// [`Lost`] at once where there is none.
    pub(super) fn line(&self) -> Result<Line<'_>, Lost> {
        let state = self.state.lock();
        match &state.connection {
            Some(connection) => {
                Ok(Line { link: self, connection: connection.clone(), generation: state.generation })
            }
            None => Err(Lost { why: state.why.clone() }),
        }
    }

    /// Waits until the connection is lost.
    pub(super) async fn until_broken(&self) {
        while self.is_up() {
            self.broken.notified().await;
        }
    }

    /// Makes a connection, and sees that it answers.
    ///
    /// # Errors
    ///
    /// [`Lost`] says why there is none.
    pub(super) async fn heal(&self) -> Result<(), Lost> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(CONNECT_WITHIN));
        let fresh = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("PING").query_async::<()>(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        let fresh = tokio::time::timeout(2 * CONNECT_WITHIN, fresh).await;
        let mut state = self.state.lock();
        match fresh {
            Ok(Ok(connection)) => {
                state.generation += 1;
                state.connection = Some(connection);
                return Ok(());
            }
            Ok(Err(error)) => state.why = error.to_string(),
            Err(_) => "no connection in time".clone_into(&mut state.why),
        }
        Err(Lost { why: state.why.clone() })
    }

    fn heed<T>(&self, generation: u64, answer: Result<Result<T, RedisError>, Elapsed>) -> Result<T, Lost> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.lose(generation, error.to_string())),
            Err(_) => Err(self.lose(generation, "no answer in time".to_owned())),
        }
    }

    fn lose(&self, generation: u64, why: String) -> Lost {
        let mut state = self.state.lock();
        if state.generation == generation && state.connection.take().is_some() {
            tracing::warn!(why, "Shared store of limits lost");
            state.why.clone_from(&why);
            self.broken.notify_waiters();
        }
        Lost { why }
    }
}

/// A connection in use.
pub(super) struct Line<'a> {
    link: &'a Link,
    connection: MultiplexedConnection,
    generation: u64,
}

impl Line<'_> {
    /// Runs a script with keys and arguments.
    pub(super) async fn run<T: FromRedisValue>(
        mut self,
        script: &Script,
        (keys, args): (&[String], &[String]),
        within: Duration,
    ) -> Result<T, Lost> {
        let answer = async {
            match script.by_hash((keys, args)).query_async(&mut self.connection).await {
                Err(error) if is_unknown_script(&error) => {
                    script.by_text((keys, args)).query_async(&mut self.connection).await
                }
                answer => answer,
            }
        };
        let answer = tokio::time::timeout(within, answer).await;
        self.link.heed(self.generation, answer)
    }

    /// All fields of a hash.
    pub(super) async fn fields(
        mut self,
        key: &str,
        within: Duration,
    ) -> Result<HashMap<String, String>, Lost> {
        let mut call = redis::cmd("HGETALL");
        let answer = tokio::time::timeout(within, call.arg(key).query_async(&mut self.connection)).await;
        self.link.heed(self.generation, answer)
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
