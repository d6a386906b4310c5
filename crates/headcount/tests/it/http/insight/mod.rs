//! The questions of who looks after an application, asked over HTTP of a small fleet that one can count by hand.

mod adoption;
mod attention;
mod breakdown;
mod matrix;
mod quality;
mod refused;
mod retention;
mod trend;
mod upgrades;

use headcount::clock::Clock;
use headcount_engine::day::{DAY_MILLIS, Day, Millis};
use serde_json::{Value, json};

use crate::app::{Caller, Reply, TestApp};

/// 2026-05-27.
const TODAY: Day = Day(20_600);

/// Days before today, hour, app, device, version, channel, platform, architecture, whether it is the latest.
type Line<'a> = (i32, i64, &'a str, &'a str, &'a str, &'a str, &'a str, &'a str, Option<bool>);

const FLEET: [Line<'static>; 9] = [
    // One that updates at noon, one that stays behind, one that has a second app on another platform.
    (2, 8, "desk", "device-0001", "1.0.0", "stable", "darwin", "arm64", Some(false)),
    (2, 12, "desk", "device-0001", "1.1.0", "stable", "darwin", "arm64", Some(true)),
    (2, 9, "desk", "device-0002", "1.0.0", "stable", "linux", "amd64", Some(false)),
    (1, 9, "desk", "device-0002", "1.0.0", "stable", "linux", "amd64", Some(false)),
    (1, 10, "desk", "device-0003", "1.1.0", "beta", "darwin", "arm64", Some(true)),
    (1, 11, "tool", "device-0003", "0.9", "stable", "linux", "amd64", None),
    (0, 7, "desk", "device-0001", "1.1.0", "stable", "darwin", "arm64", Some(true)),
    (0, 8, "desk", "device-0001", "1.1.0", "stable", "darwin", "arm64", Some(true)),
    (0, 9, "desk", "device-0004", "1.10.0", "stable", "linux", "arm64", Some(true)),
];

/// A server at noon of [`TODAY`].
async fn at_noon() -> (TestApp, Clock) {
    let clock = Clock::stopped_at(Millis(TODAY.start().0 + DAY_MILLIS / 2));
    (TestApp::at(clock.clone(), &[("HEADCOUNT_SESSION_HOURS", "8760")]).await, clock)
}

/// An administrator with two apps, two of each part, and no devices.
async fn open<'a>(app: &'a TestApp, name: &str) -> Caller<'a> {
    let caller = Caller::new(app, name).await;
    for name in ["desk", "tool"] {
        caller.app(name).await;
    }
    let parts = [("channel", ["stable", "beta"]), ("platform", ["darwin", "linux"]), ("arch", ["amd64", "arm64"])];
    for (kind, names) in parts {
        for name in names {
            caller.part(kind, name).await;
        }
    }
    caller
}

/// Counts these checks.
async fn import(caller: &Caller<'_>, lines: &[Line<'_>]) {
    let line = |&(ago, hour, app, device, version, channel, platform, arch, is_latest): &Line<'_>| {
        let at = Millis(TODAY.plus(-ago).start().0 + hour * 3_600_000);
        json!({
            "at": jiff::Timestamp::from_millisecond(at.0).unwrap().to_string(), "app_name": app, "device_id": device,
            "version": version, "channel": channel, "platform": platform, "arch": arch, "is_latest": is_latest,
        })
        .to_string()
    };
    let body: Vec<String> = lines.iter().map(line).collect();
    let reply = caller.request("POST", "/telemetry/import").body(body.join("\n")).send().await;
    assert_eq!(reply.both(), (200, json!({"accepted": lines.len(), "rejected": 0, "errors": []})));
}

/// The answer without the definitions, which are compared with the list of metrics, and with the rest of the envelope
/// checked: the days are those from `from` to today.
fn numbers(reply: &Reply, fields: &[&str]) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!((reply.header("cache-control"), reply.header("vary")), (Some("no-store"), Some("Accept")));
    let mut answer = reply.json();
    let object = answer.as_object_mut().unwrap();
    let definitions = object.remove("definitions").unwrap();
    let definitions = definitions.as_object().unwrap();
    let mut defined: Vec<&str> = definitions.keys().map(String::as_str).collect();
    defined.sort_unstable();
    let mut expected = fields.to_vec();
    expected.sort_unstable();
    assert_eq!(defined, expected);
    assert!(definitions.values().all(|sentence| sentence.as_str().unwrap().ends_with('.')), "{definitions:?}");
    assert_eq!(object.remove("as_of").unwrap(), json!("2026-05-27T12:00:00.000Z"));
    answer
}

/// The table that the question is answered with as CSV.
async fn csv(caller: &Caller<'_>, path: &str) -> String {
    let reply = caller.request("GET", path).header("Accept", "text/csv").send().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/csv; charset=utf-8; header=present")));
    reply.text
}
