//! The thread that writes: takes what is queued, commits it as one group, tells who waits.
//!
//! It never gives up on a file: after a failure it keeps the group, waits a growing time, opens
//! the file anew where that can help, and tries again. It ends when the ledger is closed.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnection;
use tokio::runtime::Runtime;

use super::connect::{FileIdentity, Opened, Opening, close};
use super::encode::{Encoder, GROUP_MAX};
use super::error::{Fault, Meaning, OpenError};
use super::pace::Pace;
use super::queue::{Next, Queue};
use super::receipt::Pending;
use super::settings::{Durability, LedgerSettings, Settled};

/// How often the file is looked for at its path, while records are written.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// The first wait after a failure is this part of the longest.
const RETRY_STEPS: u32 = 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    opening: Opening,
    retry_max: Duration,
    pace: Pace,
    encoder: Encoder,
    opened: Option<Opened>,
    checked: Instant,
    reopen: Option<Reopen>,
    /// What is being written. It stays here until it is written or given up.
    group: Vec<Arc<Pending>>,
    /// What is to be written in smaller groups, because the database refused the whole.
    put_off: Vec<Arc<Pending>>,
}

/// How a file is opened after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reopen {
    AsItIs,
    /// After the old one was set aside.
    Anew,
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        place: Settled,
        durability: Durability,
        settings: &LedgerSettings,
    ) -> Self {
        let now = Instant::now();
        Self {
            queue,
            opening: Opening {
                place,
                durability,
                busy_timeout: settings.busy_timeout,
                file_bytes_max: settings.file_bytes_max,
            },
            retry_max: settings.retry_max,
            pace: Pace::new(settings.group_gap, now),
            encoder: Encoder::default(),
            opened: None,
            checked: now,
            reopen: None,
            group: Vec::with_capacity(GROUP_MAX),
            put_off: Vec::new(),
        }
    }

    /// The life of the thread. Tells through `opened` whether the file could be opened.
    pub(super) fn run(mut self, opened: &SyncSender<Result<(), OpenError>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime,
            Err(source) => return answer(opened, Err(OpenError::Thread { source })),
        };
        match runtime.block_on(self.opening.open()) {
            Ok(file) => self.take(file),
            Err(error) => return answer(opened, Err(error)),
        }
        answer(opened, Ok(()));
        while self.next_group() == Next::Write {
            if !self.write_group(&runtime) {
                break;
            }
        }
        if let Some(file) = self.opened.take() {
            runtime.block_on(close(file.connection));
        }
    }

    /// Takes the next group: first what was put off, then what is queued.
    fn next_group(&mut self) -> Next {
        if self.put_off.is_empty() {
            return self.queue.next_group(self.pace.not_before(), &mut self.group);
        }
        let count = self.put_off.len().min(GROUP_MAX);
        self.group.extend(self.put_off.drain(..count));
        Next::Write
    }

    /// Writes the group, however often it takes. Returns whether to go on.
    fn write_group(&mut self, runtime: &Runtime) -> bool {
        let mut failures = 0;
        let mut last_try = false;
        loop {
            let began = Instant::now();
            self.pace.count(began);
            let failure = match runtime.block_on(self.write()) {
                Ok(()) => {
                    self.queue.written(&mut self.group, began.elapsed());
                    if failures > 0 {
                        tracing::info!(failures, "the ledger takes records again");
                    }
                    return true;
                }
                Err(failure) => failure,
            };
            match failure.meaning() {
                Meaning::Statement => {
                    if !self.narrow_down(&failure) {
                        return true;
                    }
                }
                Meaning::Fault(fault) => {
                    if failures == 0 {
                        let error: &dyn std::error::Error = &failure;
                        tracing::error!(error, "the ledger takes no records; they stay queued");
                    }
                    failures += 1;
                    if last_try {
                        return false;
                    }
                    last_try = !self.wait_out(fault, failures);
                }
            }
        }
    }

    /// Commits the group in one statement, which is a transaction of its own.
    async fn write(&mut self) -> Result<(), WriteFailure> {
        self.check_file()?;
        let records = self.group.iter().map(|pending| &pending.record);
        let arguments = self.encoder.arguments(records).map_err(sqlx::Error::Encode)?;
        let statement = sqlx::query_with(self.encoder.statement(self.group.len()), arguments);
        let connection = self.connection().await?;
        // The first news of the statement is that it is done, and it is committed by then. To
        // wait for the end of the news would cost another change of threads.
        connection.fetch_many(statement).try_next().await?;
        Ok(())
    }

    /// The connection, opened again where the last failure made that necessary.
    async fn connection(&mut self) -> Result<&mut SqliteConnection, OpenError> {
        if let Some(reopen) = self.reopen {
            let old = self.opened.take().map(|file| file.connection);
            let file = match (reopen, old) {
                (Reopen::Anew, old) => self.opening.open_anew(old).await?,
                (Reopen::AsItIs, None) => self.opening.open().await?,
                (Reopen::AsItIs, Some(old)) => {
                    close(old).await;
                    self.opening.open().await?
                }
            };
            self.take(file);
        }
        match &mut self.opened {
            Some(file) => Ok(&mut file.connection),
            None => Err(OpenError::WriterGone),
        }
    }

    fn take(&mut self, file: Opened) {
        if let Some(path) = &file.set_aside {
            let path = path.display();
            tracing::error!(%path, "the ledger was damaged; it is set aside and a new one begun");
            self.queue.count_set_aside();
        }
        self.reopen = None;
        self.checked = Instant::now();
        self.opened = Some(file);
    }

    /// Looks from time to time whether the file is still the one at its path: SQLite would go on
    /// writing to a file that was deleted.
    fn check_file(&mut self) -> Result<(), WriteFailure> {
        let Some(Opened { identity: Some(identity), .. }) = &self.opened else { return Ok(()) };
        if self.checked.elapsed() < FILE_CHECK {
            return Ok(());
        }
        self.checked = Instant::now();
        match FileIdentity::of(&self.opening.place) {
            Some(found) if found == *identity => Ok(()),
            Some(_) | None => Err(WriteFailure::Gone),
        }
    }

    /// Finds the record that the database refuses, by halves, and gives it up. Returns whether
    /// there still is a group, a smaller one.
    fn narrow_down(&mut self, failure: &WriteFailure) -> bool {
        if self.group.len() > 1 {
            let rest = self.group.split_off(self.group.len() / 2);
            self.put_off.splice(0..0, rest);
            return true;
        }
        for pending in self.group.drain(..) {
            let error: &dyn std::error::Error = failure;
            tracing::error!(error, request_id = %pending.record.request_id, "a usage record is refused");
            self.queue.refused(&pending);
        }
        false
    }

    /// Waits before the next try, with what the fault needs to go away. Returns whether there
    /// may be tries after the next one.
    fn wait_out(&mut self, fault: Fault, failures: u32) -> bool {
        self.reopen = match fault {
            Fault::Locked | Fault::DiskFull => self.reopen,
            Fault::Gone | Fault::ReadOnly | Fault::Io => self.reopen.or(Some(Reopen::AsItIs)),
            Fault::Damaged => Some(Reopen::Anew),
        };
        let held = self.group.iter().chain(&self.put_off).map(Arc::clone).collect();
        self.queue.failed(fault, held);
        let first = self.retry_max / RETRY_STEPS;
        let wait = first.saturating_mul(1 << (failures - 1).min(16)).min(self.retry_max);
        self.queue.wait_for_retry(Instant::now() + wait)
    }
}

impl Drop for Writer {
    /// However the thread ends, nobody waits for it in vain.
    fn drop(&mut self) {
        self.group.append(&mut self.put_off);
        let lost = self.queue.abandon(&mut self.group);
        if lost > 0 {
            tracing::error!(lost, "the ledger was closed before its file took all records");
        }
    }
}

fn answer(opened: &SyncSender<Result<(), OpenError>>, outcome: Result<(), OpenError>) {
    // The receiver waits for exactly this; if its thread is gone, nobody is left to tell.
    drop(opened.send(outcome));
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum WriteFailure {
    #[error("the group cannot be written")]
    Write(#[from] sqlx::Error),
    #[error("the file cannot be opened again")]
    Open(#[from] OpenError),
    #[error("the file is gone from its place")]
    Gone,
}

impl WriteFailure {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Write(error) => Meaning::of(error),
            Self::Open(error) => Meaning::Fault(error.fault()),
            Self::Gone => Meaning::Fault(Fault::Gone),
        }
    }
}
