//! `headcount user`.

use serde_json::{Value, json};

use crate::app::fresh_directory;
use crate::process::{Done, Server, run};

async fn login(server: &Server, username: &str, password: &str) -> (u16, Value) {
    let body = json!({"username": username, "password": password});
    let response = reqwest::Client::new().post(server.url("/login")).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn whoami(server: &Server, token: &str) -> u16 {
    let request = reqwest::Client::new().get(server.url("/whoami")).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn accounts_change_while_the_server_runs() {
    let folder = fresh_directory();
    let server = Server::start(&folder, &[], &[]);
    let user = |arguments: &[&str], input: &str| run(&folder, &[], &[&["user"], arguments].concat(), input.as_bytes());

    assert_eq!(user(&["create-admin", "Alice"], "a long password\n"), Done::said("created the administrator alice\n"));
    assert_eq!(user(&["create-admin", "bob"], "a long password\r\n"), Done::said("created the administrator bob\n"));
    let (status, reply) = login(&server, "alice", "a long password").await;
    let token = reply["token"].as_str().unwrap().to_owned();
    assert_eq!((status, whoami(&server, &token).await), (200, 200));
    assert_eq!(login(&server, "bob", "a long password").await.0, 200);

    let listed = user(&["list"], "");
    let lines: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "ROLE", "CREATED", "ID"]);
    let [alice, bob] = &lines[1..] else { panic!("{}", listed.stdout) };
    assert_eq!((alice[0], alice[1], &alice[4..]), ("alice", "administrator", ["default", "owner"].as_slice()));
    assert_eq!((bob[0], bob[1], bob.len()), ("bob", "administrator", 4));
    assert!(alice[2].parse::<jiff::Timestamp>().is_ok() && alice[3].len() == 24, "{}", listed.stdout);

    let changed = user(&["set-password", "alice"], "another password");
    assert_eq!(changed, Done::said("changed the password of alice and ended its sessions\n"));
    assert_eq!(whoami(&server, &token).await, 401);
    assert_eq!(login(&server, "alice", "a long password").await.0, 401);
    let (status, reply) = login(&server, "alice", "another password").await;
    assert_eq!(status, 200);

    let deleted = user(&["delete", "alice"], "");
    assert_eq!(deleted, Done::said("deleted alice; a running server erases its telemetry, else the next start does\n"));
    assert_eq!(whoami(&server, reply["token"].as_str().unwrap()).await, 401);
    assert_eq!(login(&server, "alice", "another password").await.0, 401);
    assert_eq!(login(&server, "bob", "a long password").await.0, 200);
    assert_eq!(user(&["list"], "").stdout.lines().count(), 2);
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let folder = fresh_directory();
    let user = |arguments: &[&str], input: &[u8]| run(&folder, &[], &[&["user"], arguments].concat(), input);

    let nothing_there = "headcount: there is no catalog in the data folder `./data`; --data-dir DIR names another";
    for arguments in [["list"].as_slice(), &["set-password", "alice"], &["delete", "alice"]] {
        assert_eq!(user(arguments, b"a long password"), Done::failed(1, nothing_there), "{arguments:?}");
    }
    assert!(!folder.join("data").exists());

    let wrong_length = "headcount: the password on standard input must have 10 to 1024 bytes";
    for input in [b"".as_slice(), b"\n", b"123456789\n", b"123456789\r\n", &[b'x'; 1025], &[b'x'; 10_000]] {
        assert_eq!(user(&["create-admin", "alice"], input), Done::failed(1, wrong_length), "{input:?}");
    }
    let two_lines = "headcount: the password on standard input must be one line";
    assert_eq!(user(&["create-admin", "alice"], b"a long password\nanother one\n"), Done::failed(1, two_lines));
    let not_text = "headcount: the password on standard input cannot be read: stream did not contain valid UTF-8";
    assert_eq!(user(&["create-admin", "alice"], &[0xff; 12]), Done::failed(1, not_text));
    assert!(!folder.join("data").exists());

    for (name, shown) in [("a", "a"), ("-alice.", "-alice."), ("al ice", "al ice"), ("al\nice", "al\\nice"), ("", "")] {
        let expected =
            format!("headcount: NAME: \"{shown}\" is not a user name; accepted: ^[a-z0-9][a-z0-9._@+-]{{1,63}}$");
        assert_eq!(user(&["create-admin", "--", name], b"a long password"), Done::failed(1, &expected), "{name:?}");
    }

    assert_eq!(user(&["create-admin", "alice"], b"a long password").code, Some(0));
    let taken = "headcount: a user named alice exists";
    assert_eq!(user(&["create-admin", "ALICE"], b"a long password"), Done::failed(1, taken));
    let unknown = "headcount: there is no user named bob";
    assert_eq!(user(&["set-password", "bob"], b"a long password"), Done::failed(1, unknown));
    assert_eq!(user(&["delete", "bob"], b""), Done::failed(1, unknown));
}

#[test]
fn the_data_folder_may_have_any_name() {
    let folder = fresh_directory();
    let data_dir = "a folder? with 100% #'quotes'/é";
    let done = run(&folder, &[], &["user", "create-admin", "alice", "--data-dir", data_dir], b"a long password");
    assert_eq!(done, Done::said("created the administrator alice\n"));
    let mode = |path: &str| std::os::unix::fs::MetadataExt::mode(&folder.join(path).metadata().unwrap()) & 0o777;
    assert_eq!((mode(data_dir), mode(&format!("{data_dir}/catalog.db"))), (0o700, 0o600));
    let entries: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["a folder? with 100% #'quotes'"]);
}
