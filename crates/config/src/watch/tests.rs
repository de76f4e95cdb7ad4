use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::{Watch, content};

/// Long enough for a loaded machine; a passing test waits for events, not for this.
const DEADLINE: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(20);

/// A watch that reports the content of its first file after each change.
fn watched(files: Vec<PathBuf>) -> (Watch, Receiver<String>) {
    let (sender, receiver) = sync_channel(16);
    let first = files[0].clone();
    let report = move || sender.send(fs::read_to_string(&first).unwrap_or_default()).unwrap();
    (Watch::start_with(files, QUIET, report).unwrap(), receiver)
}

/// Waits until the given content is reported; earlier states may be reported before.
#[track_caller]
fn reports(receiver: &Receiver<String>, content: &str) {
    loop {
        let reported = receiver.recv_timeout(DEADLINE).expect("the change was not reported in time");
        if reported == content {
            return;
        }
    }
}

#[test]
fn a_write_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, "one").unwrap();
    let (_watch, receiver) = watched(vec![file.clone()]);
    fs::write(&file, "two").unwrap();
    reports(&receiver, "two");
}

#[test]
fn an_atomic_rename_is_reported_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, "0").unwrap();
    let (_watch, receiver) = watched(vec![file.clone()]);
    for version in ["1", "2", "3"] {
        let next = folder.path().join("next");
        fs::write(&next, version).unwrap();
        fs::rename(&next, &file).unwrap();
        reports(&receiver, version);
    }
}

#[test]
fn a_swap_of_the_folder_behind_a_link_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for version in ["v1", "v2", "v3"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("gateway.yaml"), version).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/gateway.yaml", at("gateway.yaml")).unwrap();
    let (_watch, receiver) = watched(vec![at("gateway.yaml")]);
    for version in ["v2", "v3"] {
        symlink(version, at("next")).unwrap();
        fs::rename(at("next"), at("..data")).unwrap();
        reports(&receiver, version);
    }
}

#[test]
fn a_write_behind_a_link_to_elsewhere_is_reported() {
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, real) = (here.path().join("gateway.yaml"), elsewhere.path().join("real.yaml"));
    fs::write(&real, "one").unwrap();
    symlink(&real, &link).unwrap();
    let (_watch, receiver) = watched(vec![link]);
    fs::write(&real, "two").unwrap();
    reports(&receiver, "two");
}

#[test]
fn a_file_that_goes_and_comes_back_is_reported_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, "one").unwrap();
    let (_watch, receiver) = watched(vec![file.clone()]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "two").unwrap();
    reports(&receiver, "two");
}

#[test]
fn a_write_in_pieces_is_reported_once_it_is_whole() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, "one").unwrap();
    let (_watch, receiver) = watched(vec![file.clone()]);
    let mut pieces = fs::File::create(&file).unwrap();
    for piece in ["a ", "long ", "text"] {
        pieces.write_all(piece.as_bytes()).unwrap();
        pieces.sync_all().unwrap();
    }
    reports(&receiver, "a long text");
}

#[test]
fn files_that_are_set_later_are_watched() {
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("gateway.yaml"), folder.path().join("secret"));
    fs::write(&file, "one").unwrap();
    fs::write(&secret, "a").unwrap();
    let (watch, receiver) = watched(vec![file.clone()]);
    watch.set_files(vec![file, secret.clone()]);
    fs::write(&secret, "b").unwrap();
    reports(&receiver, "one");
}

#[test]
fn a_change_before_the_files_are_set_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("gateway.yaml"), folder.path().join("secret"));
    fs::write(&file, "one").unwrap();
    fs::write(&secret, "a").unwrap();
    let (watch, receiver) = watched(vec![file.clone()]);
    fs::write(&file, "two").unwrap();
    watch.set_files(vec![file, secret]);
    reports(&receiver, "two");
}

#[test]
fn the_same_content_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, "one").unwrap();
    let before = content(&file);
    fs::write(&file, "one").unwrap();
    assert_eq!(content(&file), before);
    fs::write(&file, "two").unwrap();
    assert_ne!(content(&file), before);
    fs::remove_file(&file).unwrap();
    assert_eq!(content(&file), None);
}

#[test]
fn a_write_to_the_file_behind_a_link_is_reported() {
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (link, real) = (here.path().join("link"), elsewhere.path().join("real"));
    fs::write(&real, "one").unwrap();
    symlink(&real, &link).unwrap();
    let (_watch, receiver) = watched(vec![link]);
    fs::write(&real, "two").unwrap();
    reports(&receiver, "two");
}
