//! `SECRET_KEY`: what is encrypted on disk, with the real program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::app::fresh_directory;
use crate::postgres::Postgres;
use crate::process::{Done, Server, run};

const ONE: &str = "0123456789abcdef0123456789abcdef";
const TWO: &str = "fedcba9876543210fedcba9876543210";

/// Serves until the catalog is kept on disk, and stops.
fn serve(folder: &Path, keys: &[(&str, &str)]) {
    let kept = folder.join("data/catalog.snapshot");
    let before = std::fs::metadata(&kept).and_then(|found| found.modified()).ok();
    let mut server = Server::start(folder, keys, &[]);
    let started = Instant::now();
    while std::fs::metadata(&kept).and_then(|found| found.modified()).ok() == before {
        assert!(started.elapsed() < Duration::from_secs(20), "the catalog is not kept: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0), "{}", server.log());
}

/// What a start says that is refused.
fn refused(folder: &Path, keys: &[(&str, &str)]) -> String {
    let keys = [keys, &[("HEADCOUNT_LOG", "error")]].concat();
    let done = run(folder, &keys, &["serve", "--listen", "127.0.0.1:0"], b"");
    assert_eq!((done.code, &*done.stdout), (Some(1), ""), "{}", done.stderr);
    done.stderr.lines().last().unwrap().to_owned()
}

fn installation(folder: &Path) -> (String, Vec<u8>) {
    let rows = rusqlite::Connection::open(folder.join("data/catalog.db")).unwrap();
    rows.query_row("SELECT id, secret FROM installation", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn holds(folder: &Path, secret: &[u8]) -> Vec<String> {
    let in_hex = hex::encode(secret);
    let mut found = Vec::new();
    for file in ["catalog.db", "catalog.db-wal", "catalog.snapshot", "store.db", "store.db-wal"] {
        let bytes = std::fs::read(folder.join("data").join(file)).unwrap_or_default();
        if [secret, in_hex.as_bytes()].iter().any(|text| bytes.windows(text.len()).any(|window| window == *text)) {
            found.push(file.to_owned());
        }
    }
    found
}

fn new_installation(keys: &[(&str, &str)]) -> PathBuf {
    let folder = fresh_directory();
    let created = run(&folder, keys, &["user", "create-admin", "acme"], b"a long password");
    assert_eq!(created, Done::said("created the administrator acme\n"));
    folder
}

#[test]
fn a_key_that_comes_later_leaves_nothing_readable_and_can_be_replaced() {
    let folder = new_installation(&[]);
    serve(&folder, &[]);
    let (id, secret) = installation(&folder);
    assert_eq!(secret.len(), 32);
    assert_eq!(holds(&folder, &secret), ["catalog.db", "catalog.snapshot"]);

    serve(&folder, &[("SECRET_KEY", ONE)]);
    assert_eq!(installation(&folder).0, id);
    assert_eq!(holds(&folder, &secret), [""; 0]);
    let sealed = |place: &str| {
        format!(
            "headcount: {place} is encrypted, and no key of the settings opens it; accepted: the key that it was \
             encrypted with, as SECRET_KEY or, to replace it, as SECRET_KEY_OLD"
        )
    };
    let in_catalog = sealed("the secret of the installation in ./data/catalog.db");
    for keys in [
        [].as_slice(),
        &[("SECRET_KEY", TWO)],
        &[("SECRET_KEY", TWO), ("SECRET_KEY_OLD", "an old key of more than 32 bytes")],
    ] {
        assert_eq!(refused(&folder, keys), in_catalog, "{keys:?}");
    }

    // The same device is the same one: the store knows the secret by its fingerprint, and would refuse another one.
    serve(&folder, &[("SECRET_KEY", TWO), ("SECRET_KEY_OLD", ONE)]);
    serve(&folder, &[("SECRET_KEY", TWO)]);
    assert_eq!(refused(&folder, &[("SECRET_KEY", ONE)]), in_catalog);
    // Without the database the kept catalog is what needs the key.
    std::fs::rename(folder.join("data/catalog.db"), folder.join("away")).unwrap();
    assert_eq!(refused(&folder, &[("SECRET_KEY", ONE)]), sealed("`./data/catalog.snapshot`"));
    let server = Server::start(&folder, &[("SECRET_KEY", TWO)], &[]);
    assert!(server.log().contains("checks are answered from what is on disk"), "{}", server.log());
    drop(server);
    std::fs::rename(folder.join("away"), folder.join("data/catalog.db")).unwrap();
    // And without a key at all it is as it was.
    serve(&folder, &[("SECRET_KEY_OLD", TWO)]);
    assert_eq!(installation(&folder), (id, secret));
}

#[test]
fn a_new_installation_is_encrypted_from_its_first_byte() {
    let folder = new_installation(&[("SECRET_KEY", ONE)]);
    assert_ne!(installation(&folder).1.len(), 32);
    serve(&folder, &[("SECRET_KEY", ONE)]);
    let kept = std::fs::read(folder.join("data/catalog.snapshot")).unwrap();
    assert!(!kept.windows(4).any(|window| window == b"acme"), "the kept catalog can be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_postgresql_is_encrypted_by_a_key_that_comes_later_and_can_be_replaced() {
    let (postgres, folder) = (Postgres::start().await, fresh_directory());
    let url = postgres.url();
    let with = |keys: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        [&[("DATABASE_URL", &*url)][..], keys].concat()
    };
    let length = async || postgres.number("SELECT LENGTH(secret) FROM installation").await;
    serve(&folder, &with(&[]));
    assert_eq!(length().await, 32);
    serve(&folder, &with(&[("SECRET_KEY", ONE)]));
    assert!(length().await > 64);
    let place = url.replace("headcount@", "");
    let sealed =
        format!("headcount: the secret of the installation in {place} is encrypted, and no key of the settings");
    for keys in [&[][..], &[("SECRET_KEY", TWO)]] {
        let said = refused(&folder, &with(keys));
        assert!(said.starts_with(&sealed), "{said}");
    }
    serve(&folder, &with(&[("SECRET_KEY", TWO), ("SECRET_KEY_OLD", ONE)]));
    serve(&folder, &with(&[("SECRET_KEY", TWO)]));
    let said = refused(&folder, &with(&[("SECRET_KEY", ONE)]));
    assert!(said.starts_with(&sealed), "{said}");
    serve(&folder, &with(&[("SECRET_KEY_OLD", TWO)]));
    assert_eq!(length().await, 32);
}
