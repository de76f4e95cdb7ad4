//! The last good configuration, kept beside the store for a start with a broken one.
//!
//! The texts are kept as they were written, references unresolved, so that no secret behind a
//! reference reaches the disk. The file is replaced as a whole, carries a checksum, and is readable
//! by its owner only, because literal secrets may stand in it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::located::parse;
use crate::position::Source;
use crate::problem::Problems;
use crate::reference::{Environment, beside, resolve};
use crate::shape::process::Store;

/// What the file begins with, the version of its form included.
const MARK: &str = "gatewright last good configuration 1 ";
/// The largest file that is read back.
const BYTES_MAX: u64 = 64 << 20;

/// Where the last good configuration is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    path: PathBuf,
}

/// Why the last good configuration could not be kept or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LastGoodError {
    /// It could not be written.
    #[error("cannot write the last good configuration to {}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be read.
    #[error("cannot read the last good configuration from {}", path.display())]
    Read {
        /// Where from.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is there and is not what was written.
    #[error("the last good configuration in {} is damaged", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Kept {
    path: PathBuf,
    text: String,
}

impl LastGood {
    /// Beside the store file: `gatewright.db` has `gatewright.db.last-good`.
    #[must_use]
    pub fn beside(store: &Path) -> Self {
        let mut path = OsString::from(store);
        path.push(".last-good");
        Self { path: PathBuf::from(path) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the texts of a configuration that was put to use. Texts that are kept already cost one
    /// read.
    ///
    /// # Errors
    ///
    /// [`LastGoodError::Write`]; what was kept before is then still there.
    pub fn write(&self, sources: &[Source]) -> Result<(), LastGoodError> {
        if self.read().is_ok_and(|kept| kept.as_deref() == Some(sources)) {
            return Ok(());
        }
        self.replace(sources).map_err(|source| LastGoodError::Write { path: self.path.clone(), source })
    }

    fn replace(&self, sources: &[Source]) -> io::Result<()> {
        let keep = |source: &Source| Kept { path: source.path.clone(), text: source.text.clone() };
        let body = serde_json::to_string(&sources.iter().map(keep).collect::<Vec<_>>())?;
        let next = self.path.with_added_extension("next");
        let mut file = create_private(&next)?;
        file.write_all(format!("{MARK}{}\n{body}", checksum(&body)).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        sync_folder(&self.path)
    }

    /// Reads the texts back; `None` where none were kept.
    ///
    /// # Errors
    ///
    /// [`LastGoodError::Read`] and [`LastGoodError::Damaged`].
    pub fn read(&self) -> Result<Option<Vec<Source>>, LastGoodError> {
        let damaged = || LastGoodError::Damaged { path: self.path.clone() };
        let read = |source| LastGoodError::Read { path: self.path.clone(), source };
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > BYTES_MAX => return Err(damaged()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        }
        let bytes = std::fs::read(&self.path).map_err(read)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        let (head, body) = text.split_once('\n').ok_or_else(damaged)?;
        if head.strip_prefix(MARK) != Some(&checksum(body)) {
            return Err(damaged());
        }
        let kept: Vec<Kept> = serde_json::from_str(body).map_err(|_| damaged())?;
        Ok(Some(kept.into_iter().map(|kept| Source { path: kept.path, text: kept.text }).collect()))
    }
}

/// Where the configuration in these files keeps its store, as far as that can be told although the
/// configuration may be broken: the last file that is readable YAML and names a store decides.
#[must_use]
pub fn store_path(files: &[PathBuf], environment: &dyn Environment) -> PathBuf {
    let named = files.iter().rev().find_map(|file| {
        let mut problems = Problems::default();
        let text = std::fs::read_to_string(file).ok()?;
        let mut path = parse(&text, 0, &mut problems)?.get("store")?.get("path")?.clone();
        let source = Source { path: file.clone(), text };
        resolve(&mut path, &[source], environment, &mut problems);
        let path = path.text().filter(|path| !path.is_empty() && !problems.has_errors())?;
        Some(beside(file, path.as_ref()))
    });
    let first = files.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    named.unwrap_or_else(|| beside(first, &Store::default().path))
}

fn checksum(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // The mode holds for new files only; a file that a crash left behind may have another.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

/// Makes the rename itself last; only Unix can and needs to.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LastGood, LastGoodError};
    use crate::position::Source;

    fn sources(text: &str) -> Vec<Source> {
        let source =
            |name: &str| Source { path: name.into(), text: format!("{text}\n# {name} ${{env:KEY}}\n") };
        vec![source("a.yaml"), source("b.yaml")]
    }

    #[test]
    fn texts_come_back_as_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        let last_good = LastGood::beside(&folder.path().join("gatewright.db"));
        assert!(last_good.path().ends_with("gatewright.db.last-good"));
        assert_eq!(last_good.read().unwrap(), None);
        for text in ["one", "two", "two"] {
            last_good.write(&sources(text)).unwrap();
            assert_eq!(last_good.read().unwrap(), Some(sources(text)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let last_good = LastGood::beside(&folder.path().join("db"));
        last_good.write(&sources("one")).unwrap();
        let whole = std::fs::read(last_good.path()).unwrap();
        for cut in [0, 10, 50, whole.len() / 2, whole.len() - 1] {
            std::fs::write(last_good.path(), &whole[..cut]).unwrap();
            assert!(matches!(last_good.read(), Err(LastGoodError::Damaged { .. })), "cut at {cut}");
        }
        for flip in [0, 60, whole.len() - 3] {
            let mut bytes = whole.clone();
            bytes[flip] ^= 1;
            std::fs::write(last_good.path(), &bytes).unwrap();
            assert!(matches!(last_good.read(), Err(LastGoodError::Damaged { .. })), "flipped at {flip}");
        }
        last_good.write(&sources("one")).unwrap();
        assert_eq!(last_good.read().unwrap(), Some(sources("one")));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let last_good = LastGood::beside(&folder.path().join("db"));
        let left_behind = folder.path().join("db.last-good.next");
        std::fs::write(&left_behind, "").unwrap();
        std::fs::set_permissions(&left_behind, std::fs::Permissions::from_mode(0o644)).unwrap();
        last_good.write(&sources("one")).unwrap();
        let mode = std::fs::metadata(last_good.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_store_is_found_although_the_configuration_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let cases = [
            ("stor: 7\nstore: { path: data/a.db, durability: 5 }", "data/a.db"),
            ("store: { path: '${env:NAME}.db' }", "from-environment.db"),
            ("store: { path: '${env:MISSING}.db' }", "gatewright.db"),
            ("store: 7", "gatewright.db"),
            ("store: [", "gatewright.db"),
            ("", "gatewright.db"),
        ];
        let environment: [(&str, &str); 1] = [("NAME", "from-environment")];
        let base = at("base.yaml");
        std::fs::write(&base, "workers: 1").unwrap();
        for (text, expected) in cases {
            let file = at("gateway.yaml");
            std::fs::write(&file, text).unwrap();
            assert_eq!(super::store_path(&[base.clone(), file], &environment), at(expected), "{text}");
        }
        let missing = at("elsewhere").join("missing.yaml");
        assert_eq!(super::store_path(&[missing], &environment), at("elsewhere").join("gatewright.db"));
    }

    #[test]
    fn a_failed_write_names_the_file_and_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let last_good = LastGood::beside(&folder.path().join("missing").join("db"));
        let error = last_good.write(&sources("one")).unwrap_err();
        assert!(matches!(error, LastGoodError::Write { .. }), "{error}");
    }
}
