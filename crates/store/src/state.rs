//! What an instance of an extension keeps on disk: durable values and a database of its own.
//!
//! Each is one SQLite file in the instance's directory, made at its first use, used by one connection, and bounded.

pub(crate) mod file;
mod inspect;
mod key_value;
mod sql;

use std::path::PathBuf;

pub use self::file::StateError;
pub use self::key_value::{FileKeyValue, KeyValueError};
pub use self::sql::{FileSql, SqlError};

/// Where state is kept.
#[derive(Clone, Debug)]
pub enum StatePlace {
    /// In a file. Its directory is made with it.
    File(PathBuf),
    /// In memory, as long as the value lives; for tests and rehearsals.
    Memory,
}
