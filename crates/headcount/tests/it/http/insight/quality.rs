//! `GET /telemetry/quality`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{at_noon, csv, import, numbers};
use crate::app::{Caller, TestApp};
use crate::http::shop;

const FIELDS: [&str; 7] = ["counted", "without_device", "refused", "ids", "shared", "unserved", "unknown_versions"];

/// Checks with and without a device, for what is there and for what is not.
async fn ask(app: &TestApp) {
    let check = async |version: &str, [channel, platform, arch]: [&str; 3], device: Option<&str>| {
        let query = format!("app_name=myapp&version={version}&channel={channel}&platform={platform}&arch={arch}");
        let mut request = app.request("GET", &format!("/checkVersion?{query}"));
        if let Some(device) = device {
            request = request.header("X-Device-ID", device);
        }
        request.send().await
    };
    let there = ["stable", "darwin", "amd64"];
    check("1.0.0", there, Some("device-0001")).await;
    check("7.7", there, Some("device-0002")).await;
    check("1.0.0", there, Some("00:1A:2B:3C:4D:5E")).await;
    for device in [None, None, Some("x")] {
        check("1.0.0", there, device).await;
    }
    for place in [["stable", "haiku", "amd64"]; 3] {
        check("1.0.0", place, Some("device-0001")).await;
    }
    check("1.0.0", ["beta", "darwin", "amd64"], Some("device-0001")).await;
    check("1.0.0", ["stable", "darwin", "riscv64"], Some("device-0001")).await;
}

/// The answer as soon as the tallies, which are written each second, are in it.
async fn quality(caller: &Caller<'_>, query: &str, refused: u64) -> Value {
    for _ in 0..200 {
        let answer = numbers(&caller.get(&format!("/telemetry/quality{query}")).await, &FIELDS);
        let rows = answer["checks"]["refused"].as_array().unwrap();
        if rows.iter().map(|row| row["checks"].as_u64().unwrap()).sum::<u64>() == refused {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the tallies did not come");
}

#[tokio::test]
async fn what_is_not_counted_and_what_is_counted_wrongly_is_told() {
    let (app, _clock) = at_noon().await;
    let caller = shop::open(&app, "acme").await;
    for platform in ["linux", "windows"] {
        caller.part("platform", platform).await;
    }
    ask(&app).await;
    // One id on three platforms, another on two.
    let line = |device, platform| (0, 8, "myapp", device, "1.0.0", "stable", platform, "amd64", None);
    let platforms = ["darwin", "linux", "windows"].map(|platform| line("device-0003", platform));
    import(&caller, &platforms).await;
    import(&caller, &["darwin", "linux"].map(|platform| line("device-0004", platform))).await;

    let unserved =
        |kind: &str, value: &str, checks: u64| json!({"app": "myapp", "kind": kind, "value": value, "checks": checks});
    let expected = json!({
        "from": "2026-05-27", "to": "2026-05-27", "incomplete": [],
        "checks": {
            "counted": 8, "without_device": 2,
            "refused": [{"reason": "refused", "checks": 5}, {"reason": "bad-device", "checks": 1}],
        },
        "ids": [{"app": "myapp", "kind": "mac", "checks": 1}],
        "shared": [{"app": "myapp", "by": "platform", "devices": 1, "most": 3}],
        "unserved": [unserved("platform", "haiku", 3), unserved("arch", "riscv64", 1), unserved("channel", "beta", 1)],
        "unknown_versions": [{"app": "myapp", "version": "7.7", "devices": 1}],
    });
    assert_eq!(quality(&caller, "", 6).await, expected);

    // Tallies say nothing of channels and the like: only what is counted obeys the filters.
    let mut filtered = expected.clone();
    filtered["checks"]["counted"] = json!(2);
    filtered["shared"] = json!([]);
    filtered["unknown_versions"] = json!([]);
    assert_eq!(quality(&caller, "?platforms=linux", 6).await, filtered);

    for (table, rows) in [
        ("", "outcome,checks\r\ncounted,8\r\nno-device,2\r\nrefused,5\r\nbad-device,1\r\n"),
        ("?table=ids", "app,kind,checks\r\nmyapp,mac,1\r\n"),
        ("?table=shared", "app,by,devices,most\r\nmyapp,platform,1,3\r\n"),
        (
            "?table=unserved",
            "app,kind,value,checks\r\nmyapp,platform,haiku,3\r\nmyapp,arch,riscv64,1\r\nmyapp,channel,beta,1\r\n",
        ),
        ("?table=unknown_versions", "app,version,devices\r\nmyapp,7.7,1\r\n"),
    ] {
        assert_eq!(csv(&caller, &format!("/telemetry/quality{table}")).await, rows);
    }
}
