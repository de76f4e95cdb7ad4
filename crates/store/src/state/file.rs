//! The SQLite file of an instance: opened at first use, one connection, one user at a time.
//!
//! It promises that a caller who goes away in the middle of a statement does not keep the next one waiting: what is
//! abandoned is interrupted. It leaves schemas and statements to its users.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::{Mutex, MutexGuard};

use super::StatePlace;
use crate::Durability;

/// How large a file may grow.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// SQLite's own default.
const PAGE_BYTES: u64 = 4096;
/// How long to wait for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that the connection keeps.
const STATEMENTS_MAX: usize = 32;
/// Steps of SQLite between two looks at whether the caller is still there; a few milliseconds.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;

/// Why an instance's file could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The directory could not be made.
    #[error("the directory {} cannot be made", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be made.
    #[error("{} cannot be made", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// SQLite could not open the file.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A newer version of this program wrote the file.
    #[error("{} has schema {found}, and this version knows schemas up to {known}", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// A statement failed.
    #[error("the statement failed")]
    Statement(#[from] sqlx::Error),
}

/// What is made in a new file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// The number of the schema.
    pub(crate) version: i64,
    /// What makes it; may be run again.
    pub(crate) text: &'static str,
}

/// A file that is opened at first use.
#[derive(Debug)]
pub(crate) struct StateFile {
    place: StatePlace,
    durability: Durability,
    schema: Option<Schema>,
    bytes_max: u64,
    connection: Mutex<Option<SqliteConnection>>,
    /// Somebody went away before their statement had ended.
    abandoned: Arc<AtomicBool>,
}

impl StateFile {
    pub(crate) fn new(place: StatePlace, durability: Durability, schema: Option<Schema>) -> Self {
        let (connection, abandoned) = (Mutex::new(None), Arc::default());
        Self { place, durability, schema, bytes_max: FILE_BYTES_MAX, connection, abandoned }
    }

    /// The same with another bound on how large it may grow.
    pub(crate) fn up_to(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// The connection, for one caller. Say [`Session::done`] when nothing runs on it any more.
    pub(crate) async fn session(&self) -> Result<Session<'_>, StateError> {
        let mut held = self.connection.lock().await;
        if self.abandoned.load(Ordering::Acquire) {
            if let Some(connection) = held.as_mut() {
                // The answer comes after what was abandoned has been interrupted.
                match connection.ping().await {
                    Ok(()) => roll_back(connection).await,
                    Err(_) => *held = None,
                }
            }
            self.abandoned.store(false, Ordering::Release);
        }
        if held.is_none() {
            *held = Some(self.open().await?);
        }
        Ok(Session { held, abandoned: &self.abandoned, is_done: false })
    }

    async fn open(&self) -> Result<SqliteConnection, StateError> {
        let path = match &self.place {
            StatePlace::File(path) => path.as_path(),
            StatePlace::Memory => Path::new(":memory:"),
        };
        if let StatePlace::File(path) = &self.place {
            create(path)?;
        }
        let open = |source| StateError::Open { path: path.to_owned(), source };
        let mut connection = self.options(path).connect().await.map_err(open)?;
        self.prepare(&mut connection).await.map_err(open)?;
        if let Some(schema) = self.schema {
            let found = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await;
            let found: i64 = found.map_err(open)?;
            if found > schema.version {
                return Err(StateError::NewerSchema { path: path.to_owned(), found, known: schema.version });
            }
            connection.execute(schema.text).await.map_err(open)?;
        }
        Ok(connection)
    }

    fn options(&self, path: &Path) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS_MAX)
            .disable_statement_logging()
            // Nothing of an instance lies outside its directory.
            .pragma("temp_store", "MEMORY")
            .thread_name(|_| "instance-sqlite".to_owned());
        match self.place {
            StatePlace::Memory => options,
            StatePlace::File(_) => {
                options.journal_mode(SqliteJournalMode::Wal).synchronous(match self.durability {
                    Durability::None => SqliteSynchronous::Off,
                    Durability::Crash => SqliteSynchronous::Normal,
                    Durability::Power => SqliteSynchronous::Full,
                })
            }
        }
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let pages = self.bytes_max / PAGE_BYTES;
        connection.execute(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).await?;
        let abandoned = Arc::clone(&self.abandoned);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || !abandoned.load(Ordering::Acquire));
        Ok(())
    }
}

/// The connection while one caller has it. Dropped before [`Session::done`], it interrupts what runs.
pub(crate) struct Session<'a> {
    held: MutexGuard<'a, Option<SqliteConnection>>,
    abandoned: &'a AtomicBool,
    is_done: bool,
}

impl Session<'_> {
    /// Gives the connection back when nothing runs on it. After an error of it, the file is opened anew.
    pub(crate) fn done<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let Err(sqlx::Error::WorkerCrashed | sqlx::Error::Io(_)) = &result {
            *self.held = None;
        }
        self.is_done = true;
        result
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.abandoned.store(true, Ordering::Release);
        }
    }
}

impl Deref for Session<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.held.as_ref().expect("a session begins with an open connection")
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.held.as_mut().expect("a session begins with an open connection")
    }
}

/// Begins a transaction that has the file from its beginning.
///
/// The driver's own transactions are not used: they lose count when SQLite rolls back by itself, as it does after an
/// interruption or when the disk is full.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    connection.execute("BEGIN IMMEDIATE").await?;
    Ok(())
}

/// Ends a transaction: what succeeded has its effect, what failed has none.
pub(crate) async fn end<T, E: From<sqlx::Error>>(
    connection: &mut SqliteConnection,
    result: Result<T, E>,
) -> Result<T, E> {
    let result = match result {
        Ok(value) => connection.execute("COMMIT").await.map(|_| value).map_err(E::from),
        Err(error) => Err(error),
    };
    if result.is_err() {
        roll_back(connection).await;
    }
    result
}

/// Leaves no transaction behind.
async fn roll_back(connection: &mut SqliteConnection) {
    // It fails where SQLite has rolled back by itself, and then all is well.
    let _none_is_open = connection.execute("ROLLBACK").await;
}

/// Makes directory and file for their owner only, if they are not there. SQLite gives its side files the same mode.
fn create(path: &Path) -> Result<(), StateError> {
    if let Some(directory) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(directory)
            .map_err(|source| StateError::Directory { path: directory.to_owned(), source })?;
    }
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StateError::Create { path: path.to_owned(), source }),
    }
}
