//! A catalog and lines for imports by the real program.

use headcount::clock::Clock;
use headcount_engine::day::{DAY_MILLIS, Millis};
use serde_json::{Value, json};

use crate::process::{Done, Server, run};

/// An administrator of a server in a process of its own, with two apps and two of each part.
pub(crate) async fn administrator(folder: &std::path::Path, server: &Server) -> String {
    let created = run(folder, &[], &["user", "create-admin", "acme"], b"a long password");
    assert_eq!(created, Done::said("created the administrator acme\n"));
    let client = reqwest::Client::new();
    let login = client.post(server.url("/login")).json(&json!({"username": "acme", "password": "a long password"}));
    let login: Value = login.send().await.unwrap().json().await.unwrap();
    let token = login["token"].as_str().unwrap().to_owned();
    for app in ["desk", "tool"] {
        let form = reqwest::multipart::Form::new().text("data", json!({"app": app}).to_string());
        let reply = client.post(server.url("/app/create")).bearer_auth(&token).multipart(form).send().await.unwrap();
        assert_eq!(reply.status(), 200);
    }
    let parts = [("channel", ["stable", "beta"]), ("platform", ["darwin", "linux"]), ("arch", ["amd64", "arm64"])];
    for (kind, name) in parts.into_iter().flat_map(|(kind, names)| names.map(|name| (kind, name))) {
        let request = client.post(server.url(&format!("/{kind}/create"))).bearer_auth(&token);
        assert_eq!(request.json(&json!({ kind: name })).send().await.unwrap().status(), 200);
    }
    token
}

/// Lines of checks of the five days before today. Each is another one, and good.
pub(crate) fn lines(count: u32) -> Vec<String> {
    let today = Clock::wall().now().day();
    let line = |number: u32| {
        let spread = number.wrapping_mul(2_654_435_761) >> 8;
        let day = today.plus(-1 - (spread % 5) as i32);
        let at = Millis(day.start().0 + i64::from(number) % DAY_MILLIS);
        let pick = |names: [&'static str; 2], at: u32| names[at as usize];
        let latest = [Some(true), Some(false), None][(spread / 1024 % 3) as usize];
        json!({
            "at": jiff::Timestamp::from_millisecond(at.0).unwrap().to_string(),
            "app_name": pick(["desk", "tool"], spread / 5 % 3 / 2),
            "version": format!("1.{}", spread / 16 % 7),
            "channel": pick(["stable", "beta"], spread / 128 % 2),
            "platform": pick(["darwin", "linux"], spread / 256 % 2),
            "arch": pick(["amd64", "arm64"], spread / 512 % 2),
            "device_id": format!("device-{:06}", spread / 7 % 4000),
            "is_latest": latest,
        })
        .to_string()
    };
    (0..count).map(line).collect()
}
