//! Paths as people write them: relative where that is short, without detours. The disk is not asked.

use std::path::{Component, Path, PathBuf};

/// The way from one absolute folder to another; none where they share nothing but the root.
pub(super) fn relative(to: &Path, from: &Path) -> Option<PathBuf> {
    let shared = to.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let is_shared = to.components().take(shared).any(|part| matches!(part, Component::Normal(_)));
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    is_shared.then(|| up.chain(to.components().skip(shared)).collect())
}

/// An absolute path without `.` and `..`; links are left as they are.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_folders_goes_up_and_down_but_never_through_the_root() {
        let way = |to: &str, from: &str| relative(Path::new(to), Path::new(from));
        assert_eq!(way("/home/ann/acme", "/home/ann/gatewright"), Some("../acme".into()));
        assert_eq!(way("/home/ann/acme", "/home/ann"), Some("acme".into()));
        assert_eq!(way("/srv/acme", "/home/ann"), None);
    }

    #[test]
    fn detours_are_left_out() {
        assert_eq!(normal(Path::new("/home/ann/gatewright/../acme/./x")), Path::new("/home/ann/acme/x"));
        assert_eq!(normal(Path::new("/../a")), Path::new("/a"));
    }
}
