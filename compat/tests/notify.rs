//! The crate notify watches files by inotify in a `Poll`, which it wakes to add watches and to stop.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use compat::PATIENCE;
use notify::{Event, EventKind, RecursiveMode, Watcher, event};

/// Waits for an event of `path` for which `is_it` holds.
fn wait_for(events: &Receiver<notify::Result<Event>>, path: &Path, is_it: fn(&EventKind) -> bool) {
    loop {
        let event = events.recv_timeout(PATIENCE).expect("no such event").unwrap();
        if is_it(&event.kind) && event.paths.last().is_some_and(|last| last == path) {
            return;
        }
    }
}

#[test]
fn every_change_of_a_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, events) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(tell).unwrap();
    watcher.watch(folder.path(), RecursiveMode::Recursive).unwrap();

    let (draft, letter) = (folder.path().join("draft"), folder.path().join("letter"));
    for round in 0..50 {
        let text = format!("dear {round}");
        fs::write(&draft, &text).unwrap();
        wait_for(&events, &draft, EventKind::is_create);
        wait_for(&events, &draft, |kind| {
            matches!(kind, EventKind::Access(event::AccessKind::Close(event::AccessMode::Write)))
        });
        assert_eq!(fs::read_to_string(&draft).unwrap(), text);
        fs::rename(&draft, &letter).unwrap();
        wait_for(&events, &letter, |kind| matches!(kind, EventKind::Modify(event::ModifyKind::Name(_))));
        assert_eq!(fs::read_to_string(&letter).unwrap(), text);
        fs::remove_file(&letter).unwrap();
        wait_for(&events, &letter, EventKind::is_remove);
    }

    // The program can change what it watches meanwhile.
    watcher.unwatch(folder.path()).unwrap();
    fs::write(&draft, "unseen").unwrap();
    let other = tempfile::tempdir().unwrap();
    watcher.watch(other.path(), RecursiveMode::NonRecursive).unwrap();
    fs::write(other.path().join("seen"), "seen").unwrap();
    let event = events.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(event.paths, [other.path().join("seen")]);
    drop(watcher);
    while events.recv_timeout(PATIENCE).is_ok() {}
}
