//! Objects that the gateway keeps for tenants from one exchange to a later one.

use std::time::Duration;

use bytes::Bytes;

use crate::{TenantId, async_trait};

/// An id is at most this long.
pub const ID_BYTES_MAX: usize = 256;

/// What an object is: a stored answer, say. Each kind has ids of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeptKind(&'static str);

impl KeptKind {
    /// A kind by its name, which is part of what is on disk: it never changes.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The name of an object. The tenant is part of it, so that no caller reaches another tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeptKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub kind: KeptKind,
    /// Its id among the tenant's objects of the kind; at most [`ID_BYTES_MAX`] bytes.
    pub id: Box<str>,
}

/// An object to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub kind: KeptKind,
    /// Its id among the tenant's objects of the kind.
    pub id: Box<str>,
    /// Its bytes, which only those who know the kind understand.
    pub value: Bytes,
}

/// A stretch of the objects of one kind, in the order in which they were first kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptPage {
    /// Begin behind this object; at the beginning where there is none of that id.
    pub after: Option<Box<str>>,
    /// How many at most.
    pub count_max: usize,
    /// The newest first.
    pub is_descending: bool,
}

/// Why objects were not kept, or could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// One of them is too large.
    #[error("an object of {bytes} bytes is larger than the {bytes_max} that are kept of one")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: u64,
    },
    /// An id is too long.
    #[error("an id is longer than {ID_BYTES_MAX} bytes")]
    IdTooLong,
    /// The tenant has as much kept as it may.
    #[error("the tenant would have more than {bytes_max} bytes kept")]
    Full {
        /// How much it may have, in bytes.
        bytes_max: u64,
    },
    /// The store failed.
    #[error("the store of kept objects failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps objects of tenants, durably, each until its time is over.
///
/// # Cancellation
///
/// A call that is dropped has its whole effect or none.
#[async_trait]
pub trait Keep: Send + Sync + 'static {
    /// 128 bits that nobody can guess, for the id of something that is to be kept.
    ///
    /// # Errors
    ///
    /// When the system has no random bits.
    fn unguessable(&self) -> Result<u128, KeepError>;

    /// Keeps objects, all of them or none, each for `keep_for`. One of the same kind and id is replaced.
    ///
    /// # Errors
    ///
    /// What is too large or too much, and failures of the store.
    async fn put(&self, tenant: &TenantId, objects: Vec<Kept>, keep_for: Duration) -> Result<(), KeepError>;

    /// The bytes of an object, if it is there and its time is not over.
    ///
    /// # Errors
    ///
    /// Failures of the store.
    async fn get(&self, key: &KeptKey) -> Result<Option<Bytes>, KeepError>;

    /// Forgets objects, all of them or none. Returns how many there were.
    ///
    /// # Errors
    ///
    /// Failures of the store.
    async fn delete(&self, keys: &[KeptKey]) -> Result<usize, KeepError>;

    /// The objects of one kind of a tenant whose time is not over, page by page.
    ///
    /// # Errors
    ///
    /// Failures of the store.
    async fn list(&self, tenant: &TenantId, kind: KeptKind, page: &KeptPage) -> Result<Vec<Kept>, KeepError>;
}
