//! `headcount backup` and `headcount restore`, with the real program.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::app::fresh_directory;
use crate::ledger::{Clients, Fate, Ledger, Shop, check_again};
use crate::process::{Done, run};

/// Takes a backup of `./data` below the folder: the file and what was said.
fn back_up(folder: &Path) -> (PathBuf, String) {
    let file = fresh_directory().join("backup");
    let done = run(folder, &[], &["backup", file.to_str().unwrap()], b"");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
    (file, done.stdout)
}

/// Restores a backup to `./data` below a new folder.
fn restore(file: &Path) -> PathBuf {
    let folder = fresh_directory();
    let done = run(&folder, &[], &["restore", file.to_str().unwrap()], b"");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
    folder
}

fn recorded(ledger: &Ledger) -> Vec<String> {
    ledger.devices(&[Fate::Recorded]).into_iter().collect()
}

/// The installation's id and the moment, of what the commands say.
fn said(text: &str) -> (&str, &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |word: &str| words[words.iter().position(|found| *found == word).unwrap() + 1];
    (after("installation"), after("of"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_server_reports_the_same_and_knows_its_devices() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut server = shop.serve();
    clients.load(&server, Duration::from_millis(700), || {}).await;
    let before = shop.telemetry(&server, "").await;
    let counted = recorded(&clients.ledger);
    let (file, taken) = back_up(&shop.folder);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "something is left beside the backup");
    // What comes later is not in it.
    clients.load(&server, Duration::from_millis(200), || {}).await;
    server.signal("TERM");
    server.wait();

    let folder = fresh_directory();
    let done = run(&folder, &[], &["restore", file.to_str().unwrap(), "--data-dir", "./data"], b"");
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
    assert_eq!(said(&done.stdout), said(&taken));
    let mut found: Vec<_> =
        std::fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, ["catalog.db", "lock", "spool", "store.db"]);
    for file in ["catalog.db", "store.db"] {
        assert_eq!(std::fs::metadata(folder.join("data").join(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let restored = shop.moved_to(folder);
    let server = restored.serve_patiently();
    assert_eq!(restored.telemetry(&server, "").await, before);
    assert!(counted.len() > 40, "the load was too small to mean anything");
    for device in &counted[..40] {
        assert_eq!(check_again(&server, device).await, "recorded");
    }
    let after = restored.telemetry(&server, "").await;
    let number = |report: &Value, name: &str| report["summary"][name].as_u64().unwrap();
    assert_eq!(number(&after, "total_requests"), number(&before, "total_requests") + 40);
    assert_eq!(after["versions"], before["versions"]);
    assert_eq!(number(&after, "unique_clients"), number(&before, "unique_clients"));
    assert_eq!(server.log(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_what_was_recorded_before_it_once() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let server = shop.serve();
    let mut taken = Vec::new();
    for _ in 0..3 {
        let ledger = clients.ledger.clone();
        let take = || {
            let before = ledger.copy();
            let (file, _) = back_up(&shop.folder);
            taken.push((file, before.until(&ledger, |_| true)));
        };
        clients.load(&server, Duration::from_millis(400), take).await;
    }
    drop(server);
    for (file, ledger) in taken {
        assert!(recorded(&ledger).len() > 50, "the load was too small to mean anything");
        let restored = shop.moved_to(restore(&file));
        let mut server = restored.serve_patiently();
        restored.compare(&server, &ledger).await;
        let report = restored.telemetry(&server, "").await;
        for device in recorded(&ledger).iter().rev().take(20) {
            assert_eq!(check_again(&server, device).await, "recorded");
        }
        let again = restored.telemetry(&server, "").await;
        assert_eq!(again["summary"]["unique_clients"], report["summary"]["unique_clients"]);
        server.signal("TERM");
        server.wait();
        restored.compare_devices(&ledger).await;
    }
}

/// What a refused restore says, and that it leaves nothing.
fn refused(file: &Path, wanted: &str) {
    let folder = fresh_directory();
    let done = run(&folder, &[], &["restore", file.to_str().unwrap()], b"");
    assert_eq!((done.code, &*done.stdout), (Some(1), ""), "{}", done.stderr);
    let said = done.stderr.replace(file.to_str().unwrap(), "FILE");
    assert_eq!(said, format!("headcount: {wanted}\n"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something is left");
}

/// The backup of an installation with an administrator and nothing counted.
fn small_backup() -> PathBuf {
    let folder = fresh_directory();
    let created = run(&folder, &[], &["user", "create-admin", "acme"], b"a long password");
    assert_eq!(created, Done::said("created the administrator acme\n"));
    back_up(&folder).0
}

/// The same file with other bytes.
fn changed(file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    let path = fresh_directory().join("changed");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    let file = small_backup();
    let whole = std::fs::read(&file).unwrap();
    let head = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).unwrap().0 + 1;
    let damaged = |what: &str| format!("the backup `FILE` is damaged: {what}; nothing was restored");
    for (at, what) in [
        (20, "the checksum of its manifest does not fit"),
        (head - 10, "the checksum of its manifest does not fit"),
        (head + 8, "the checksum of catalog.db does not fit"),
        (whole.len() / 2, "the checksum of catalog.db does not fit"),
        (whole.len() - 1, "the checksum of catalog.db does not fit"),
        // A length.
        (head + 5, "it ends too early"),
    ] {
        refused(&changed(&file, |bytes| bytes[at] ^= 1), &damaged(what));
    }
    for length in [head, head + 4, whole.len() / 2, whole.len() - 1] {
        refused(&changed(&file, |bytes| bytes.truncate(length)), &damaged("it ends too early"));
    }
    refused(&changed(&file, |bytes| bytes.truncate(head - 80)), &damaged("it ends in its manifest"));
    refused(&changed(&file, |bytes| bytes.push(0)), &damaged("something follows its end"));
    for other in [&b""[..], b"something else\n", b"SQLite format 3\0"] {
        refused(&changed(&file, |bytes| *bytes = other.to_vec()), "`FILE` is not a backup of Headcount");
    }
    assert!(restore(&file).join("data/catalog.db").exists());
}

/// The backup with another manifest, whose checksum fits.
fn with_manifest(file: &Path, title: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    changed(file, |bytes| {
        let lines: Vec<&[u8]> = bytes.splitn(4, |byte| *byte == b'\n').collect();
        let mut manifest: Value = serde_json::from_slice(lines[1]).unwrap();
        change(&mut manifest);
        let head = format!("{title}\n{manifest}\n");
        let checksum = blake3::hash(head.as_bytes()).to_hex();
        *bytes = [head.as_bytes(), checksum.as_bytes(), b"\n", lines[3]].concat();
    })
}

#[test]
fn a_backup_of_a_newer_build_is_refused() {
    let file = small_backup();
    let newer = |what: &str, known: i64| {
        let found = known + 1;
        format!("the backup `FILE` has {what} format {found}; this build reads up to {known}; nothing was restored")
    };
    refused(&with_manifest(&file, "headcount-backup 2", |_| {}), &newer("backup", 1));
    let catalog = headcount::catalog::newest_format();
    for (kind, known) in
        [("catalog", catalog), ("store", headcount::store::FORMAT), ("spool", headcount::spool::FORMAT)]
    {
        let changed =
            with_manifest(&file, "headcount-backup 1", |manifest| manifest["formats"][kind] = (known + 1).into());
        refused(&changed, &newer(kind, known));
    }
    // No file is written to another place.
    for name in ["../catalog.db", "/catalog.db", "spool/../../x.db", "lock", "spool/x.db"] {
        let changed = with_manifest(&file, "headcount-backup 1", |manifest| manifest["files"][0] = name.into());
        refused(
            &changed,
            &format!("the backup `FILE` is damaged: it holds a file named {name:?}; nothing was restored"),
        );
    }
}

#[test]
fn nothing_is_replaced_by_a_backup_or_a_restore() {
    let file = small_backup();
    let folder = restore(&file);
    let path = file.to_str().unwrap();
    let expected =
        "headcount: the data folder `./data` is not empty; accepted: a new or empty folder; nothing was restored";
    let again = run(&folder, &[], &["restore", path], b"");
    assert_eq!((again.code, again.stderr.trim_end()), (Some(1), expected));
    let expected = format!("headcount: `{path}` exists already; accepted: the path of a new file");
    let again = run(&folder, &[], &["backup", path], b"");
    assert_eq!((again.code, again.stderr.trim_end()), (Some(1), &*expected));
    // An empty folder is as good as none, and a mistyped one is not backed up.
    std::fs::create_dir(folder.join("empty")).unwrap();
    let done = run(&folder, &[], &["restore", path, "--data-dir", "empty"], b"");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let expected = "headcount: there is no catalog in the data folder `other`; --data-dir DIR names another";
    let done = run(&folder, &[], &["backup", "new", "--data-dir", "other"], b"");
    assert_eq!((done.code, done.stderr.trim_end()), (Some(1), expected));
    assert!(!folder.join("new").exists() && !folder.join("other").exists());
}

#[test]
fn no_server_starts_in_what_a_broken_restore_left() {
    let folder = restore(&small_backup());
    // As it is between two of its steps.
    std::fs::create_dir(folder.join("data/restoring")).unwrap();
    std::fs::rename(folder.join("data/catalog.db"), folder.join("data/restoring/catalog.db")).unwrap();
    let refused = run(&folder, &[("HEADCOUNT_LOG", "error")], &["serve", "--listen", "127.0.0.1:0"], b"");
    let expected = "headcount: HEADCOUNT_DATA_DIR: a restore into the folder `./data` was broken off; \
                    delete what is in it and restore again";
    assert_eq!(refused, Done::failed(2, expected));
    assert!(!folder.join("data/catalog.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_of_the_spool_is_left_out_and_named() {
    let (shop, mut clients) = (Shop::open().await, Clients::new());
    let mut server = shop.serve();
    clients.load(&server, Duration::from_millis(300), || {}).await;
    let before = shop.telemetry(&server, "").await;
    server.signal("TERM");
    server.wait();
    let name = "spool/00000000000000000000000000000001.db";
    std::fs::write(shop.folder.join("data").join(name), b"this is no database, and never was one").unwrap();
    let (file, said) = back_up(&shop.folder);
    assert!(said.contains(&format!("(without {name}, which cannot be read)")), "{said}");
    let restored = shop.moved_to(restore(&file));
    let server = restored.serve_patiently();
    assert_eq!(restored.telemetry(&server, "").await, before);
}
