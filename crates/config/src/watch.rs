//! Notices that configuration files changed.
//!
//! It watches the folders of the files, not the files, so that a rename over a file and the swap
//! of a symbolic link (as Kubernetes updates mounted configuration) are seen like a write. A burst
//! of events counts once it is over, and only if every file can be read and some content differs.
//! What to do with a change is for the caller: it loads, and keeps what it has where that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;

/// How long a burst of events must be over.
const QUIET: Duration = Duration::from_millis(200);
/// How long a burst is waited for at most.
const BURST_MAX: Duration = Duration::from_secs(2);
/// How often files are looked at without any event: not every file system reports changes.
const POLL: Duration = Duration::from_secs(30);
/// How often where the system refuses to watch a folder.
const POLL_UNWATCHED: Duration = Duration::from_secs(2);

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
        // One place is enough: a second event before the first is seen says nothing new.
        let (wake, woken) = sync_channel(1);
        let contents = files.into_iter().map(|file| (content(&file), file));
        let known: Known = Arc::new(Mutex::new(contents.map(|(content, file)| (file, content)).collect()));
        let stopped = Arc::new(AtomicBool::new(false));
        let mut state = State {
            known: Arc::clone(&known),
            stopped: Arc::clone(&stopped),
            watcher: watcher(wake.clone()),
            watched: BTreeSet::new(),
            quiet,
        };
        // Before the thread starts, so that no change after this call is missed.
        let poll = state.watch_folders();
        thread::Builder::new()
            .name("config-watch".to_owned())
            .spawn(move || state.run(&woken, poll, changed))?;
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

fn watcher(sender: SyncSender<()>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        // Reading the files is an event too; only what can change content counts.
        if event.map_or(true, |event| !event.kind.is_access()) {
            wake(&sender);
        }
    };
    RecommendedWatcher::new(on_event, notify::Config::default())
        .inspect_err(|error| tracing::warn!(%error, "file watching is not available; polling"))
        .ok()
}

struct State {
    known: Known,
    stopped: Arc<AtomicBool>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    quiet: Duration,
}

impl State {
    fn run(mut self, woken: &Receiver<()>, mut poll: Duration, mut changed: impl FnMut()) {
        loop {
            let event = woken.recv_timeout(poll);
            if event.is_ok() {
                self.await_quiet(woken);
            }
            if self.stopped.load(Ordering::Acquire) || event == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            poll = self.watch_folders();
            if self.has_changed() {
                changed();
            }
        }
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

    fn await_quiet(&self, woken: &Receiver<()>) {
        let begin = Instant::now();
        while begin.elapsed() < BURST_MAX && !self.stopped.load(Ordering::Acquire) {
            if woken.recv_timeout(self.quiet).is_err() {
                return;
            }
        }
    }

    /// Brings the watched folders in line with the files, and says how often to poll besides.
    fn watch_folders(&mut self) -> Duration {
        let Some(watcher) = &mut self.watcher else { return POLL_UNWATCHED };
        let wanted = folders(self.known.lock().keys());
        for folder in self.watched.difference(&wanted) {
            // A folder that is gone is no longer watched anyway.
            watcher.unwatch(folder).ok();
        }
        let mut watched = BTreeSet::new();
        for folder in &wanted {
            let known = self.watched.contains(folder);
            if known || watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
                watched.insert(folder.clone());
            }
        }
        let all = watched.len() == wanted.len();
        self.watched = watched;
        if all { POLL } else { POLL_UNWATCHED }
    }
}

/// The folders in which an event can mean that one of the files changed: the folder of each file,
/// and where it is a symbolic link, the folder of each link on the way.
fn folders<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> BTreeSet<PathBuf> {
    const LINKS_MAX: usize = 16;
    let mut folders = BTreeSet::new();
    for file in files {
        let mut file = file.clone();
        for _ in 0..LINKS_MAX {
            let parent = match file.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            // The folder may itself be reached through a link: both ends can change.
            folders.insert(parent.to_owned());
            if let Ok(real) = parent.canonicalize() {
                folders.insert(real);
            }
            let Ok(target) = file.read_link() else { break };
            file = parent.join(target);
        }
    }
    folders
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
