//! What can go wrong with a ledger.

use std::path::{Path, PathBuf};

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory of the file does not exist.
    #[error("the directory of the ledger {} does not exist; create it or change the path", path.display())]
    NoDirectory {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be created or looked at.
    #[error("the ledger {} cannot be created", path.display())]
    CreateFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite could not open the file.
    #[error("the ledger {} cannot be opened", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Another process held the file for longer than the busy timeout.
    #[error("the ledger {} is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else. It was not touched.
    #[error("{} is not a ledger but some other file; change the path", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program. It was not touched.
    #[error(
        "the ledger {} has schema {found}, and this version knows schemas up to {known}; \
         run the newer version or use another file",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The newest schema step in the file.
        found: i64,
        /// The newest schema step that this version knows.
        known: i64,
    },
    /// A step of the schema was applied in another form than this version knows.
    #[error(
        "schema step {step} of the ledger {} differs from the one that this version knows",
        path.display()
    )]
    ChangedStep {
        /// The file.
        path: PathBuf,
        /// The step.
        step: i64,
    },
    /// The schema could not be read or brought up to date.
    #[error("the schema of the ledger {} cannot be brought up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A damaged file could not be set aside.
    #[error("the ledger {} is damaged and cannot be set aside", path.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The writer's thread could not be started.
    #[error("the thread of the ledger's writer cannot be started")]
    Thread {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The writer's thread ended before it had opened the file.
    #[error("the ledger's writer ended before it had opened the file")]
    WriterGone,
}

impl OpenError {
    /// Sorts a failure to use a file by what a person can do about it.
    pub(super) fn connect(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        match Meaning::of(&source) {
            Meaning::Fault(Fault::Locked) => Self::Locked { path },
            _ if Meaning::is_no_database(&source) => Self::NotALedger { path },
            _ => Self::Connect { path, source },
        }
    }

    /// Like [`Self::connect`], for a failure while the schema was looked at.
    pub(super) fn migrate(path: &Path, source: sqlx::Error) -> Self {
        match Self::connect(path, source) {
            Self::Connect { path, source } => Self::Migrate { path, source },
            other => other,
        }
    }

    /// What this failure means for a writer that had the file open before.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Locked { .. } => Fault::Locked,
            Self::Connect { source, .. } | Self::Migrate { source, .. } => match Meaning::of(source) {
                Meaning::Fault(fault) => fault,
                Meaning::Statement => Fault::Io,
            },
            _ => Fault::Io,
        }
    }

    /// Whether the file is a ledger that was damaged.
    pub(super) fn is_damage(&self) -> bool {
        self.fault() == Fault::Damaged
    }
}

/// Why a record is not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The file did not take it. The record stays queued and is written as soon as possible.
    #[error("the record is not written yet: {0}")]
    Delayed(Fault),
    /// As many records wait as may. This one was not taken.
    #[error("the ledger's queue of {queue_max} records is full")]
    Full {
        /// The bound.
        queue_max: usize,
    },
    /// The database refuses this record whatever is tried. It was given up.
    #[error("the database refuses the record")]
    Refused,
    /// The ledger is closed. The record was not written.
    #[error("the ledger is closed")]
    Closed,
}

/// Why the file does not take records at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another process holds it.
    #[error("the file is locked by another process")]
    Locked,
    /// The disk, or the file's own size limit, is full.
    #[error("the disk is full")]
    DiskFull,
    /// It was deleted or replaced while in use.
    #[error("the file is gone from its place")]
    Gone,
    /// It may not be written.
    #[error("the file is read-only")]
    ReadOnly,
    /// It is damaged, or its disk can no longer promise what it holds.
    #[error("the file is damaged")]
    Damaged,
    /// Reading or writing failed otherwise.
    #[error("input or output failed")]
    Io,
}

/// Records were still queued when the time for a flush was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} records are not written yet")]
pub struct FlushError {
    /// How many.
    pub left: u64,
}

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened for reading.
    #[error("the ledger cannot be opened for reading")]
    Connect(#[source] sqlx::Error),
    /// The query failed.
    #[error("the ledger cannot be read")]
    Query(#[source] sqlx::Error),
}

/// What a failure of SQLite means for the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The file does not take anything at the moment.
    Fault(Fault),
    /// A value in it is at fault.
    Statement,
}

impl Meaning {
    /// Classifies by SQLite's result code: the low byte is the class, the rest the detail.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        const BUSY: u32 = 5;
        const LOCKED: u32 = 6;
        const READONLY: u32 = 8;
        const READONLY_DBMOVED: u32 = 1032;
        const IOERR: u32 = 10;
        const IOERR_FSYNC: u32 = 1034;
        const IOERR_DIR_FSYNC: u32 = 1290;
        const CORRUPT: u32 = 11;
        const FULL: u32 = 13;
        const TOOBIG: u32 = 18;
        const CONSTRAINT: u32 = 19;
        const MISMATCH: u32 = 20;
        const NOTADB: u32 = 26;

        let sqlx::Error::Database(database) = error else {
            let statement = matches!(error, sqlx::Error::Encode(_));
            return if statement { Self::Statement } else { Self::Fault(Fault::Io) };
        };
        let code: u32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(IOERR);
        match code {
            // After a failed sync nobody knows what the disk holds, and asking again hides it.
            IOERR_FSYNC | IOERR_DIR_FSYNC => Self::Fault(Fault::Damaged),
            READONLY_DBMOVED => Self::Fault(Fault::Gone),
            _ => match code & 0xff {
                BUSY | LOCKED => Self::Fault(Fault::Locked),
                READONLY => Self::Fault(Fault::ReadOnly),
                CORRUPT | NOTADB => Self::Fault(Fault::Damaged),
                FULL => Self::Fault(Fault::DiskFull),
                TOOBIG | CONSTRAINT | MISMATCH => Self::Statement,
                // Whatever else it is, records are kept rather than given up.
                _ => Self::Fault(Fault::Io),
            },
        }
    }

    /// Whether the file has no database in it at all.
    pub(super) fn is_no_database(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Database(database) if database.code().as_deref() == Some("26"))
    }
}
