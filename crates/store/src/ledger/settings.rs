//! Where a ledger is, and how it behaves.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::error::OpenError;

/// What a record that was acknowledged survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing in particular: SQLite never asks the disk to sync. Losing power can damage the
    /// file.
    None,
    /// The end of the process in any way, `kill -9` included. The file is synced at checkpoints
    /// only, so losing power can cost the newest records, and damages nothing.
    #[default]
    Crash,
    /// Losing power: each group of records is synced to the disk.
    Power,
}

/// Where the records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerPlace {
    /// In an SQLite file. It is created, readable by its owner only, if it is not there; its
    /// directory must exist. SQLite keeps two more files beside it, `-wal` and `-shm`.
    File(PathBuf),
    /// In memory, for as long as the ledger is open.
    Memory,
}

/// How a ledger behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// How many records may wait to be written. Beyond it, [`append`](crate::Ledger::append)
    /// refuses.
    pub queue_max: usize,
    /// How far apart small groups are on average when records keep coming: the longest that a
    /// record waits for others. A short run of groups may be closer, so that at a low rate every
    /// record is written at once.
    pub group_gap: Duration,
    /// How long to wait for another process that holds the file.
    pub busy_timeout: Duration,
    /// The size at which the file counts as full; `None` for as much as the disk has.
    pub file_bytes_max: Option<u64>,
    /// The longest wait before trying again after a failure. The first is a twentieth of it.
    pub retry_max: Duration,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            queue_max: 32_768,
            group_gap: Duration::from_millis(4),
            busy_timeout: Duration::from_secs(2),
            file_bytes_max: None,
            retry_max: Duration::from_secs(1),
        }
    }
}

/// A place that no longer depends on the working directory.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    File(PathBuf),
    /// The name of a database in SQLite's `memdb` file system, which connections of this process
    /// share.
    Memory(PathBuf),
}

impl LedgerPlace {
    pub(super) fn settled(self) -> Result<Settled, OpenError> {
        match self {
            Self::File(path) => match std::path::absolute(&path) {
                Ok(path) => Ok(Settled::File(path)),
                Err(source) => Err(OpenError::CreateFile { path, source }),
            },
            Self::Memory => {
                static NUMBER: AtomicU64 = AtomicU64::new(0);
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                Ok(Settled::Memory(PathBuf::from(format!("/gatewright-ledger-{number}"))))
            }
        }
    }
}

impl Settled {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Memory(path) => path,
        }
    }
}
