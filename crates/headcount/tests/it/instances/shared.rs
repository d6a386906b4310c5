//! What one instance does, the others know.

use serde_json::{Value, json};

use super::{Site, agreed, counted, two, until};
use crate::fleet::lines;
use crate::process::{Done, run};

const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_and_catalog_are_those_of_all_instances() {
    let site = Site::start().await;
    let mut one = site.instance();
    let [_, line] = one.server.setup_lines();
    let setup_token = line.split('"').nth(3).unwrap().to_owned();
    let mut two = site.instance();
    let token = two.set_up().await;
    // Nobody else becomes the first administrator.
    let body = json!({"token": setup_token, "username": "mallory", "password": "a long password"});
    assert_eq!(one.post("", "/setup", &body).await.0, 401);
    let login = json!({"username": "acme", "password": "a long password"});
    let (status, reply) = one.post("", "/login", &login).await;
    assert_eq!(status, 200, "{reply}");
    let other_token = reply["token"].as_str().unwrap().to_owned();
    for instance in [&one, &two] {
        for token in [&token, &other_token] {
            assert_eq!(instance.get(token, "/whoami").await.0, 200);
        }
    }

    one.open_shop(&token).await;
    two.knows("1.1.0").await;
    // The one that made the change knows it before it answers.
    two.release(&token, "1.2.0").await;
    let (_, newest, _) = two.ask("", "1.0.0").await;
    assert!(newest.contains("1.2.0"), "{newest}");
    one.knows("1.2.0").await;
    let answers = (one.ask("", "1.1.0").await, two.ask("", "1.1.0").await);
    assert_eq!(answers.0, answers.1);

    let changed = run(&one.folder, &site.settings()[1..2], &["user", "set-password", "acme"], b"another password");
    assert_eq!(changed, Done::said("changed the password of acme and ended its sessions\n"));
    for instance in [&one, &two] {
        for token in [&token, &other_token] {
            assert_eq!(instance.get(token, "/whoami").await.0, 401);
        }
        assert_eq!(instance.post("", "/login", &login).await.0, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_one_device_on_all_instances() {
    let site = Site::start().await;
    let (one, two, token) = two(&site).await;
    tokio::join!(one.check("device-0001", "1.0.0"), two.check("device-0001", "1.0.0"));
    agreed(&[&one, &two], &token, (2, 1)).await;
    // It roams, and goes back to the version that it had before.
    one.check("device-0001", "1.1.0").await;
    agreed(&[&two, &one], &token, (3, 1)).await;
    two.check("device-0001", "1.0.0").await;
    one.check("device-0002", "1.1.0").await;
    let report = agreed(&[&one, &two], &token, (5, 2)).await;
    let usage = json!([{"version": "1.1.0", "client_count": 1}, {"version": "1.0.0", "client_count": 1}]);
    assert_eq!(report["versions"]["usage"], usage);
    two.check("device-0001", "1.1.0").await;
    let report = agreed(&[&one, &two], &token, (6, 2)).await;
    assert_eq!(report["versions"]["usage"], json!([{"version": "1.1.0", "client_count": 2}]));
    // New devices of both at once: each has one place in the dictionary.
    for round in 0..10 {
        let name = |number: u32| format!("device-{:04}", 100 + round * 3 + number);
        let (left, right, both) = (name(0), name(1), name(2));
        tokio::join!(one.check(&left, "1.0.0"), two.check(&right, "1.0.0"));
        tokio::join!(two.check(&both, "1.0.0"), one.check(&both, "1.0.0"));
    }
    agreed(&[&one, &two], &token, (46, 32)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_of_an_import_count_once_wherever_they_are_sent() {
    let site = Site::start().await;
    let (one, two, token) = two(&site).await;
    let lines: Vec<String> = lines(900)
        .iter()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            for (field, name) in
                [("app_name", "myapp"), ("channel", "stable"), ("platform", "darwin"), ("arch", "amd64")]
            {
                line[field] = json!(name);
            }
            line.to_string()
        })
        .collect();
    let send = async |instance: &super::Instance, chunk: usize| {
        let body = lines[chunk * 300..(chunk + 1) * 300].join("\n");
        let request = reqwest::Client::new().post(instance.server.url("/telemetry/import")).bearer_auth(&token);
        let request = request.header("Import-Id", ID).header("Import-Chunk", chunk).body(body);
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap())
    };
    let accepted = (200, json!({"accepted": 300, "rejected": 0, "errors": []}));
    for (instance, chunk) in [(&one, 0), (&two, 0), (&two, 1), (&one, 1), (&one, 2), (&two, 1), (&two, 2), (&one, 0)] {
        assert_eq!(send(instance, chunk).await, accepted, "chunk {chunk}");
    }
    let month = async |instance: &super::Instance| instance.report(&token, "range=month").await;
    let counts = async || month(&one).await.is_some_and(|report| counted(&report).0 == 900);
    until("the import is counted once", counts).await;
    let same = async || month(&one).await == month(&two).await;
    until("both say the same", same).await;
    assert_eq!(counted(&month(&two).await.unwrap()).0, 900);
}
