//! Notices that configuration files changed.
//!
//! It looks at the files a few times a second: their size, time and identity, and their content once
//! one of those differs. So a rename over a file and the swap of a symbolic link (as Kubernetes
//! updates mounted configuration) are seen like a write, on every file system, and a database that
//! writes thousands of times a second into the same folder costs nothing.
//! What to do with a change is for the caller: it loads, and keeps what it has where that fails.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

/// How long the files must have kept still before their content is read.
const QUIET: Duration = Duration::from_millis(200);
/// How often the files are looked at, in terms of the time that they must keep still.
const QUIETS_PER_LOOK: u32 = 2;
/// How long a burst of changes is waited for at most.
const BURST_MAX: Duration = Duration::from_secs(2);

/// Watches files until it is dropped.
#[derive(Debug)]
pub struct Watch {
    known: Known,
    stopped: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// The files, with the content that the caller knows; `None` for one that could not be read.
type Known = Arc<Mutex<BTreeMap<PathBuf, Option<u64>>>>;

impl Watch {
    /// Starts a thread that calls `changed` after each change of the files' content.
    ///
    /// Start it before the files are loaded, so that no change falls between. The call runs on the
    /// watch's thread; changes that happen meanwhile are reported by one further call. After the
    /// drop of the watch at most the call that is under way ends.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(files: Vec<PathBuf>, changed: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        Self::start_with(files, QUIET, changed)
    }

    fn start_with(
        files: Vec<PathBuf>,
        quiet: Duration,
        changed: impl FnMut() + Send + 'static,
    ) -> std::io::Result<Self> {
        // One place is enough: a second wish to look says nothing new.
        let (wake, woken) = sync_channel(1);
        let contents = files.into_iter().map(|file| (content(&file), file));
        let known: Known = Arc::new(Mutex::new(contents.map(|(content, file)| (file, content)).collect()));
        let stopped = Arc::new(AtomicBool::new(false));
        let state = State { known: Arc::clone(&known), stopped: Arc::clone(&stopped), quiet };
        thread::Builder::new().name("config-watch".to_owned()).spawn(move || state.run(&woken, changed))?;
        Ok(Self { known, stopped, wake })
    }

    /// Watches other files from now on, because a new configuration depends on others. What a file
    /// that is watched already held before counts as known, and so does the present content of a
    /// new one.
    pub fn set_files(&self, files: Vec<PathBuf>) {
        let mut known = self.known.lock();
        let before = std::mem::take(&mut *known);
        for file in files {
            let content = before.get(&file).copied().unwrap_or_else(|| content(&file));
            known.insert(file, content);
        }
        drop(known);
        wake(&self.wake);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        wake(&self.wake);
    }
}

/// Wakes the thread. A full channel means that it will wake anyway.
fn wake(sender: &SyncSender<()>) {
    sender.try_send(()).ok();
}

struct State {
    known: Known,
    stopped: Arc<AtomicBool>,
    quiet: Duration,
}

/// What differs when a file was written, replaced, or its link was led elsewhere.
type Stamp = Option<(u64, Option<SystemTime>, u64)>;

impl State {
    fn run(self, woken: &Receiver<()>, mut changed: impl FnMut()) {
        // Nothing was seen yet, so the first look compares contents: a change between the start
        // of the watch and this thread is not missed.
        let mut seen = Vec::new();
        loop {
            if self.has_ended(woken.recv_timeout(self.quiet * QUIETS_PER_LOOK)) {
                return;
            }
            if self.stamps() == seen {
                continue;
            }
            seen = self.await_quiet(woken);
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            if self.has_changed() {
                changed();
            }
        }
    }

    fn has_ended(&self, wait: Result<(), RecvTimeoutError>) -> bool {
        self.stopped.load(Ordering::Acquire) || wait == Err(RecvTimeoutError::Disconnected)
    }

    /// Whether every file can be read and the content of some differs from what is known, which it
    /// then becomes. An unreadable file is in the middle of a change, or gone: nothing to load.
    fn has_changed(&self) -> bool {
        let mut known = self.known.lock();
        let now: BTreeMap<_, _> = known.keys().map(|file| (file.clone(), content(file))).collect();
        let changed = now.values().all(Option::is_some) && now != *known;
        if changed {
            *known = now;
        }
        changed
    }

    /// Waits until the files keep still, and returns how they look then.
    fn await_quiet(&self, woken: &Receiver<()>) -> Vec<Stamp> {
        let begin = Instant::now();
        let mut stamps = self.stamps();
        while begin.elapsed() < BURST_MAX && !self.has_ended(woken.recv_timeout(self.quiet)) {
            let now = self.stamps();
            if now == stamps {
                break;
            }
            stamps = now;
        }
        stamps
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.known.lock().keys().map(|file| stamp(file)).collect()
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let identity = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let identity = 0;
    Some((metadata.len(), metadata.modified().ok(), identity))
}

/// Names the content of a file, or `None` where it cannot be read.
fn content(file: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(file).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
