//! Opens connections to the file of a ledger, and looks after the file itself.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::error::{Fault, Meaning, OpenError};
use super::migrate::migrate;
use super::settings::{Durability, Settled};

/// How long to wait before asking again for a lock for which SQLite does not wait by itself.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// What the write-ahead log keeps of the disk after a burst.
const LOG_BYTES_KEPT: u64 = 64 << 20;
/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 16;
/// SQLite's own default.
const PAGE_BYTES: u64 = 4096;
/// SQLite takes the busy timeout as 31 bits of milliseconds.
const BUSY_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How the writer's connection is opened.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) place: Settled,
    pub(super) durability: Durability,
    pub(super) busy_timeout: Duration,
    pub(super) file_bytes_max: Option<u64>,
}

/// The writer's connection and what identifies its file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: SqliteConnection,
    pub(super) identity: Option<FileIdentity>,
    /// Where a damaged file was put to make room for this one.
    pub(super) set_aside: Option<PathBuf>,
}

impl Opening {
    /// Opens the file for writing, creates it if need be, and brings its schema up to date.
    /// A file that is damaged is set aside, and a new one takes its place.
    pub(super) async fn open(&self) -> Result<Opened, OpenError> {
        match self.open_as_it_is().await {
            Err((error, Some(connection))) if error.is_damage() => {
                let set_aside = self.set_aside(Some(connection)).await?;
                let opened = self.open_as_it_is().await.map_err(|(error, _)| error)?;
                Ok(Opened { set_aside, ..opened })
            }
            other => other.map_err(|(error, _)| error),
        }
    }

    /// Sets the file aside and opens a new one.
    pub(super) async fn open_anew(&self, old: Option<SqliteConnection>) -> Result<Opened, OpenError> {
        let set_aside = self.set_aside(old).await?;
        Ok(Opened { set_aside, ..self.open().await? })
    }

    /// Renames the file, and closes the connection to it only then: SQLite leaves the side files
    /// of a renamed database alone, and would otherwise delete them by a name that may belong to
    /// the new file already.
    async fn set_aside(&self, old: Option<SqliteConnection>) -> Result<Option<PathBuf>, OpenError> {
        let Settled::File(path) = &self.place else { return Ok(None) };
        let renamed = rename(path).map_err(|source| OpenError::SetAside { path: path.to_owned(), source })?;
        if let Some(old) = old {
            close(old).await;
        }
        Ok(renamed)
    }

    /// An error comes with the connection, if there was one.
    async fn open_as_it_is(&self) -> Result<Opened, (OpenError, Option<SqliteConnection>)> {
        let path = self.place.path();
        if let Settled::File(path) = &self.place {
            create(path).map_err(|error| (error, None))?;
        }
        let options = common(&self.place, self.busy_timeout).thread_name(|_| "ledger-sqlite".to_owned());
        let connection = options.connect().await;
        // Nothing was read from the file yet, so whatever is wrong with it shows from here on.
        let mut connection = connection.map_err(|error| (OpenError::connect(path, error), None))?;
        let prepared = match self.prepare(&mut connection).await {
            Ok(()) => migrate(&mut connection, path).await,
            Err(error) => Err(OpenError::connect(path, error)),
        };
        match prepared {
            Ok(()) => Ok(Opened { connection, identity: FileIdentity::of(&self.place), set_aside: None }),
            Err(error) if error.is_damage() => Err((error, Some(connection))),
            Err(error) => {
                close(connection).await;
                Err((error, None))
            }
        }
    }

    /// Sets how the file is written.
    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let journal = match self.place {
            Settled::File(_) => "PRAGMA journal_mode = WAL",
            Settled::Memory(_) => "PRAGMA journal_mode = MEMORY",
        };
        let deadline = Instant::now() + self.busy_timeout.min(BUSY_TIMEOUT_MAX);
        // Entering the write-ahead mode needs a lock for which SQLite does not wait by itself.
        while let Err(error) = connection.execute(journal).await {
            if Meaning::of(&error) != Meaning::Fault(Fault::Locked) || Instant::now() >= deadline {
                return Err(error);
            }
            // The writer's thread is its own; nobody else waits with it.
            std::thread::sleep(LOCK_POLL);
        }
        connection
            .execute(match self.durability {
                Durability::None => "PRAGMA synchronous = OFF",
                Durability::Crash => "PRAGMA synchronous = NORMAL",
                Durability::Power => "PRAGMA synchronous = FULL",
            })
            .await?;
        let kept = format!("PRAGMA journal_size_limit = {LOG_BYTES_KEPT}");
        connection.execute(AssertSqlSafe(kept)).await?;
        if let Some(bytes) = self.file_bytes_max {
            let pages = (bytes / PAGE_BYTES).max(1);
            connection.execute(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).await?;
        }
        Ok(())
    }
}

/// Closes a connection, and returns when that is done.
pub(super) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "closing the ledger's file failed");
    }
}

/// Opens the file for reading.
pub(super) async fn open_reader(
    place: &Settled,
    busy_timeout: Duration,
) -> Result<SqliteConnection, sqlx::Error> {
    let options = common(place, busy_timeout).thread_name(|_| "ledger-reader".to_owned());
    match place {
        Settled::File(_) => options.read_only(true).connect().await,
        // SQLite's memory file system shares a database between writable connections only.
        Settled::Memory(_) => options.pragma("query_only", "ON").connect().await,
    }
}

fn common(place: &Settled, busy_timeout: Duration) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(place.path())
        .busy_timeout(busy_timeout.min(BUSY_TIMEOUT_MAX))
        .statement_cache_capacity(STATEMENTS_MAX)
        .disable_statement_logging();
    match place {
        Settled::File(_) => options,
        Settled::Memory(_) => options.vfs("memdb").create_if_missing(true),
    }
}

/// Creates the file for its owner only, if it is not there. SQLite gives its side files the same
/// mode.
fn create(path: &Path) -> Result<(), OpenError> {
    if path.parent().is_some_and(|directory| !directory.is_dir()) {
        return Err(OpenError::NoDirectory { path: path.to_owned() });
    }
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::CreateFile { path: path.to_owned(), source }),
    }
}

/// Renames the file and its side files, and returns the new name.
fn rename(path: &Path) -> io::Result<Option<PathBuf>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let suffix = format!(".damaged-{}", now.as_millis());
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let renamed = with(&suffix);
    for side in ["-wal", "-shm", ""] {
        let target = with(&format!("{suffix}{side}"));
        match std::fs::rename(with(side), target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && !side.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(renamed))
}

/// What tells a file from another one at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl FileIdentity {
    /// The identity of the file at a place; `None` where there is none, or no file is meant.
    pub(super) fn of(place: &Settled) -> Option<Self> {
        let Settled::File(path) = place else { return None };
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            #[cfg(unix)]
            device_and_inode: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        })
        .filter(|_| metadata.is_file())
    }
}
