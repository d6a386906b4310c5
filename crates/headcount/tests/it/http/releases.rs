//! Releases: registered, changed, listed, deleted, and refused.

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, created};

/// 2026-03-04T05:06:07.089Z
const NOON: Millis = Millis(1_772_600_767_089);

const ANOTHER_ID: &str = "0123456789abcdef01234567";
const HEX_512: &str = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
const BASE64_512: &str = "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

/// An owner with one app, two channels, two platforms and two architectures.
async fn furnish(caller: &Caller<'_>) {
    caller.app("desk").await;
    for (kind, names) in
        [("channel", ["stable", "beta"]), ("platform", ["darwin", "windows"]), ("arch", ["amd64", "arm64"])]
    {
        for name in names {
            caller.part(kind, name).await;
        }
    }
}

fn artifact(platform: &str, arch: &str, package: &str) -> Value {
    let link = format!("https://dl.example.org/{platform}/{arch}/desk{package}");
    json!({"platform": platform, "arch": arch, "package": package, "link": link})
}

fn release(version: &str, channel: &str) -> Value {
    json!({
        "app_name": "desk", "version": version, "channel": channel, "publish": true,
        "artifacts": [artifact("darwin", "arm64", ".dmg")],
    })
}

async fn listed(caller: &Caller<'_>) -> Value {
    let reply = caller.get("/release/list?limit=200").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["items"].clone()
}

async fn versions(caller: &Caller<'_>) -> Vec<String> {
    let items = listed(caller).await;
    items.as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap().to_owned()).collect()
}

fn page(rows: &Value) -> (u16, Value) {
    (200, json!({"items": rows, "total": rows.as_array().unwrap().len(), "page": 1, "limit": 50}))
}

#[tokio::test]
async fn a_release_is_created_listed_and_deleted() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    assert_eq!(alice.get("/release/list").await.both(), page(&json!([])));

    let mut row = json!({
        "app_name": "desk", "version": "v1.2.0-beta.1+b7", "channel": "beta", "publish": false, "critical": true,
        "intermediate": true, "rollout": 25, "changelog": "### New\n- a <b>", "artifacts": [
            {"platform": "darwin", "arch": "arm64", "package": ".dmg", "link": "https://dl.example.org/My App.dmg",
             "signature": "line one\nline two", "sha512": HEX_512, "size": 12_345_678},
            {"platform": "windows", "arch": "amd64", "package": "", "link": "http://127.0.0.1:8/x?y=1#z",
             "sha512": BASE64_512, "size": 0},
        ],
    });
    let reply = alice.post("/release/create", &row).await;
    let id = created(&reply);
    assert_eq!(reply.both(), (201, json!({"id": id})));

    let seed = listed(&alice).await[0]["rollout_seed"].as_str().unwrap().to_owned();
    assert!(seed.len() == 16 && seed.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{seed}");
    row["id"] = json!(id);
    row["rollout_seed"] = json!(seed);
    row["version"] = json!("1.2.0-beta.1+b7");
    row["published_at"] = Value::Null;
    row["artifacts"][1]["signature"] = Value::Null;
    assert_eq!(alice.get("/release/list").await.both(), page(&json!([row])));

    let path = format!("/release/delete?id={id}");
    assert_eq!(alice.delete(&path).await.both(), (200, json!({"deleted": 1})));
    assert_eq!(alice.get("/release/list").await.both(), page(&json!([])));
    let missing = json!({
        "error": "failed to delete release", "code": "not_found", "details": format!("no document found with ID {id}"),
    });
    assert_eq!(alice.delete(&path).await.both(), (404, missing));
    // Nothing of it is left.
    assert_eq!(app.tables().await.number("SELECT COUNT(*) FROM artifacts").await, 0);
}

#[tokio::test]
async fn a_change_sets_what_it_names() {
    let clock = Clock::stopped_at(NOON);
    let app = TestApp::at(clock.clone(), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let mut body = release("1.0", "beta");
    body["publish"] = json!(false);
    body["rollout"] = json!(5);
    let id = created(&alice.post("/release/create", &body).await);
    let mut row = listed(&alice).await[0].clone();
    let change = async |fields: Value, expected: &Value| {
        let mut body = fields;
        body["id"] = json!(id);
        assert_eq!(alice.post("/release/update", &body).await.both(), (200, json!({"id": id})));
        assert_eq!(alice.get("/release/list").await.both(), page(&json!([expected])), "{body}");
    };
    change(json!({}), &row).await;

    // Published for the first time a minute later; the seed and everything that was not given stay.
    clock.advance(std::time::Duration::from_mins(1));
    row["publish"] = json!(true);
    row["published_at"] = json!("2026-03-04T05:07:07.089Z");
    change(json!({"publish": true}), &row).await;

    // Withdrawn and published again: the first time counts.
    clock.advance(std::time::Duration::from_mins(1));
    row["publish"] = json!(false);
    change(json!({"publish": false}), &row).await;
    row["publish"] = json!(true);
    change(json!({"publish": true}), &row).await;

    for (field, value) in [
        ("critical", json!(true)),
        ("intermediate", json!(true)),
        ("rollout", json!(0)),
        ("changelog", json!("New")),
        ("critical", json!(false)),
        ("intermediate", json!(false)),
        ("rollout", json!(100)),
        ("changelog", json!("")),
        ("artifacts", json!([])),
    ] {
        row[field] = value.clone();
        change(json!({ field: value }), &row).await;
    }
    let exe = artifact("windows", "arm64", ".exe");
    row["artifacts"] = json!([exe]);
    for field in ["signature", "sha512", "size"] {
        row["artifacts"][0][field] = Value::Null;
    }
    row["published_at"] = json!("2026-01-01T00:00:00.000Z");
    change(json!({"artifacts": [exe], "published_at": "2026-01-01T01:00:00+01:00"}), &row).await;
}

#[tokio::test]
async fn what_is_not_given_has_a_default() {
    let clock = Clock::stopped_at(NOON);
    let app = TestApp::at(clock, &[]).await;
    let alice = Caller::new(&app, "alice").await;
    alice.app("desk").await;
    let reply = alice.post("/release/create", &json!({"app_name": "desk", "version": "1.0"})).await;
    let id = created(&reply);
    let row = listed(&alice).await[0].clone();
    let expected = json!({
        "id": id, "app_name": "desk", "version": "1.0", "channel": "", "publish": false, "critical": false,
        "intermediate": false, "rollout": 100, "rollout_seed": row["rollout_seed"], "changelog": "", "artifacts": [],
        "published_at": null,
    });
    assert_eq!(row, expected);

    // Without platforms and architectures a file is for everyone.
    let body = json!({
        "app_name": "desk", "version": "1.1", "channel": null, "publish": true,
        "artifacts": [{"link": "https://h/a"}, {"link": "https://h/b.exe", "package": ".exe", "platform": ""}],
    });
    created(&alice.post("/release/create", &body).await);
    let row = listed(&alice).await[0].clone();
    assert_eq!(row["published_at"], "2026-03-04T05:06:07.089Z");
    let file = |link: &str, package: &str| json!({"platform": "", "arch": "", "package": package, "link": link, "signature": null, "sha512": null, "size": null});
    assert_eq!(row["artifacts"], json!([file("https://h/a", ""), file("https://h/b.exe", ".exe")]));
}

#[tokio::test]
async fn a_version_stands_once_on_a_channel() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    created(&alice.post("/release/create", &release("1.2.0", "beta")).await);
    // Promoted to another channel.
    created(&alice.post("/release/create", &release("1.2.0", "stable")).await);
    for same in ["1.2.0", "v1.2", "1.02.0.0", "1.2.0+build.7"] {
        let reply = alice.post("/release/create", &release(same, "beta")).await;
        let refused = json!({
            "error": "release with this version already exists", "code": "conflict", "field": "version",
            "details": "it has the release 1.2.0, which is equal in order",
        });
        assert_eq!(reply.both(), (409, refused), "{same}");
    }
    for other in ["1.2.0-rc.1", "1.2.0.1", "1.20"] {
        created(&alice.post("/release/create", &release(other, "beta")).await);
    }
    assert_eq!(versions(&alice).await, ["1.20", "1.2.0.1", "1.2.0", "1.2.0", "1.2.0-rc.1"]);
}

#[tokio::test]
async fn names_have_to_exist_and_to_be_given() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    furnish(&alice).await;
    bob.app("other").await;
    bob.part("channel", "nightly").await;
    bob.part("platform", "linux").await;
    bob.part("arch", "riscv64").await;

    let with = |path: &[&str], value: Value| {
        let mut body = release("1.0", "stable");
        match path {
            [field] => body[*field] = value,
            _ => body["artifacts"][0][path[1]] = value,
        }
        body
    };
    let app_unknown = json!({
        "error": "app_name not found in apps_meta collection", "code": "invalid", "field": "app_name",
        "accepted": "the name of an app",
    });
    let refusal = |message: &str, field: &str| json!({"error": message, "code": "invalid", "field": field});
    let channel_missing = refusal("you have a created channels, setting channel is required", "channel");
    let channel_unknown = refusal("wrong name of channel. Channel does not exist", "channel");
    let platform_missing =
        refusal("you have a created platforms, setting platform is required", "artifacts[0].platform");
    let platform_unknown = refusal("wrong name of platform. Platform does not exist", "artifacts[0].platform");
    let arch_missing = refusal("you have a created archs, setting arch is required", "artifacts[0].arch");
    let arch_unknown = refusal("wrong name of arch. Arch does not exist", "artifacts[0].arch");
    let cases = [
        (with(&["app_name"], json!("other")), app_unknown.clone()),
        (with(&["app_name"], json!("desk\0")), app_unknown),
        (with(&["channel"], json!("")), channel_missing.clone()),
        (with(&["channel"], Value::Null), channel_missing),
        (with(&["channel"], json!("nightly")), channel_unknown.clone()),
        (with(&["channel"], json!("*")), channel_unknown),
        (with(&["artifacts", "platform"], json!("")), platform_missing.clone()),
        (with(&["artifacts", "platform"], Value::Null), platform_missing),
        (with(&["artifacts", "platform"], json!("linux")), platform_unknown),
        (with(&["artifacts", "arch"], Value::Null), arch_missing),
        (with(&["artifacts", "arch"], json!("riscv64")), arch_unknown),
    ];
    for (body, refused) in cases {
        assert_eq!(alice.post("/release/create", &body).await.both(), (400, refused), "{body}");
    }
    assert_eq!(listed(&alice).await, json!([]));

    // Other spellings, and names from before a rename, mean the same things.
    let list = alice.get("/channel/list").await.json();
    let stable = list["channels"][0]["ID"].as_str().unwrap().to_owned();
    alice.post("/channel/update", &json!({"id": stable, "channel": "production"})).await;
    let mut body = release("1.0", "stable");
    body["artifacts"][0]["platform"] = json!("macOS");
    body["artifacts"][0]["arch"] = json!("aarch64");
    created(&alice.post("/release/create", &body).await);
    let row = listed(&alice).await[0].clone();
    assert_eq!(row["channel"], "production");
    assert_eq!([&row["artifacts"][0]["platform"], &row["artifacts"][0]["arch"]], ["darwin", "arm64"]);
}

#[tokio::test]
async fn a_refused_release_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let id = created(&alice.post("/release/create", &release("1.0", "stable")).await);
    let before = alice.get("/release/list").await.text;

    // The second file is refused after the release and the first one were written.
    let bad = json!([artifact("windows", "amd64", ".exe"), artifact("windows", "none", ".exe")]);
    let mut body = release("2.0", "stable");
    body["artifacts"] = bad.clone();
    assert_eq!(alice.post("/release/create", &body).await.status, 400);
    let change = json!({"id": id, "publish": false, "changelog": "changed", "artifacts": bad});
    assert_eq!(alice.post("/release/update", &change).await.status, 400);
    assert_eq!(alice.get("/release/list").await.text, before);

    let twice = json!([artifact("windows", "amd64", ".exe"), artifact("win32", "x64", ".exe")]);
    body["artifacts"] = twice.clone();
    let refused = json!({
        "error": "app with this name, version, platform, architecture and extension already exists",
        "code": "conflict", "field": "artifacts[1]",
    });
    assert_eq!(alice.post("/release/create", &body).await.both(), (409, refused.clone()));
    let change = json!({"id": id, "artifacts": twice});
    assert_eq!(alice.post("/release/update", &change).await.both(), (409, refused));
    assert_eq!(alice.get("/release/list").await.text, before);

    // Packages that come in steps may stand several times.
    body["artifacts"] = json!([artifact("windows", "amd64", ".nupkg"), artifact("windows", "amd64", ".nupkg")]);
    created(&alice.post("/release/create", &body).await);
}

#[tokio::test]
async fn fields_of_another_form_are_refused() {
    let app = TestApp::at(Clock::stopped_at(NOON), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let id = created(&alice.post("/release/create", &release("1.0", "stable")).await);
    let before = alice.get("/release/list").await.text;
    let rollout = json!({
        "error": "rollout must be an integer between 0 and 100", "code": "invalid", "field": "rollout",
    });
    let published_at = json!({
        "error": "invalid published_at", "code": "invalid", "field": "published_at",
        "accepted": "RFC 3339, as 2026-01-31T12:00:00Z, from 1970 on and not in the future",
    });
    let changelog = json!({
        "error": "invalid changelog", "code": "invalid", "field": "changelog",
        "accepted": "at most 32,768 bytes without control characters",
    });
    let many: Vec<Value> =
        (0..201).map(|at| json!({"link": format!("https://h/{at}"), "platform": "darwin"})).collect();
    let artifacts = json!({
        "error": "too many artifacts", "code": "invalid", "field": "artifacts", "accepted": "at most 200 artifacts",
    });
    let cases = [
        ("rollout", json!(-1), rollout.clone()),
        ("rollout", json!(101), rollout.clone()),
        ("rollout", json!(i64::MAX), rollout),
        ("published_at", json!(""), published_at.clone()),
        ("published_at", json!("2026-02-30T00:00:00Z"), published_at.clone()),
        ("published_at", json!("2026-03-04"), published_at.clone()),
        ("published_at", json!("1969-12-31T23:59:59Z"), published_at.clone()),
        ("published_at", json!("2026-03-04T06:06:08Z"), published_at),
        ("changelog", json!("a\0"), changelog.clone()),
        ("changelog", json!("\x1b[2J"), changelog.clone()),
        ("changelog", json!("a".repeat(32_769)), changelog),
        ("artifacts", json!(many), artifacts),
    ];
    for (field, value, refused) in cases {
        let mut body = release("2.0", "stable");
        body[field] = value.clone();
        assert_eq!(alice.post("/release/create", &body).await.both(), (400, refused.clone()), "{field} {value:.60}");
        let change = json!({"id": id, field: value});
        assert_eq!(alice.post("/release/update", &change).await.both(), (400, refused), "{field} {value:.60}");
    }
    assert_eq!(alice.get("/release/list").await.text, before);
}

#[tokio::test]
async fn what_is_said_of_a_file_has_its_form() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let link = "an http:// or https:// address of at most 2048 bytes without control characters";
    let package = r"empty, or ^\.[A-Za-z0-9][A-Za-z0-9._-]{0,30}$";
    let sha512 = "64 bytes in base64 (88 characters) or hex (128 characters)";
    let long_link = format!("https://h/{}", "a".repeat(2039));
    let mut cases: Vec<(&str, Value, &str)> = Vec::new();
    for bad in [
        "",
        "/a.dmg",
        "ftp://h/a",
        "javascript:alert(1)",
        "https://",
        "https:///",
        "https://[::1/a",
        "https://x:99999/",
        "https://x/\r\nSet-Cookie:a=1",
        "https://x/\0",
        "\nhttps://x/",
        "https://a b/",
        "data:text/html,x",
        &long_link,
    ] {
        cases.push(("link", json!(bad), link));
    }
    let long_package = format!(".{}", "a".repeat(32));
    for bad in ["dmg", ".", "..", ".a b", "./a", ".a\0", ".a\n", ".🚀", ".{}", ".a:b", ".*", ".'", &long_package] {
        cases.push(("package", json!(bad), package));
    }
    for bad in ["x", &HEX_512[1..], &format!("{HEX_512}0"), &HEX_512.replace('c', "g"), &BASE64_512.replace('P', "*")] {
        cases.push(("sha512", json!(bad), sha512));
    }
    cases.push(("sha512", json!(BASE64_512.replace("Pg==", "Ph==")), sha512));
    for bad in ["a\0", "é", &"a".repeat(4097)] {
        cases.push(("signature", json!(bad), "at most 4,096 bytes of ASCII text"));
    }
    cases.push(("size", json!(9_007_199_254_740_992_u64), "a whole number of bytes, at most 9007199254740991"));

    for (field, value, accepted) in cases {
        let mut body = release("2.0", "stable");
        body["artifacts"] = json!([artifact("windows", "amd64", ".exe"), artifact("darwin", "amd64", ".dmg")]);
        body["artifacts"][1][field] = value.clone();
        let refused = json!({
            "error": format!("invalid {field}"), "code": "invalid", "field": format!("artifacts[1].{field}"),
            "accepted": accepted,
        });
        let reply = alice.post("/release/create", &body).await;
        assert_eq!(reply.both(), (400, refused), "{field} {value:.60}");
    }
    assert_eq!(listed(&alice).await, json!([]));
}

#[tokio::test]
async fn limits_are_reached_and_not_passed() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    alice.app("desk").await;
    let link = format!("https://h/{}", "a".repeat(2038));
    let body = json!({
        "app_name": "desk", "version": "1", "changelog": "c".repeat(32_768),
        "artifacts": [{
            "link": link, "package": format!(".{}", "p".repeat(31)), "signature": "s".repeat(4096),
            "size": 9_007_199_254_740_991_u64,
        }],
    });
    created(&alice.post("/release/create", &body).await);
    let row = listed(&alice).await[0].clone();
    assert_eq!(row["artifacts"][0]["link"], json!(link));
    assert_eq!(row["artifacts"][0]["size"], json!(9_007_199_254_740_991_u64));
    assert_eq!(row["changelog"].as_str().unwrap().len(), 32_768);

    let files: Vec<Value> = (0..200).map(|at| json!({"link": "https://h/a", "package": format!(".p{at}")})).collect();
    created(&alice.post("/release/create", &json!({"app_name": "desk", "version": "2", "artifacts": files})).await);
    assert_eq!(listed(&alice).await[0]["artifacts"].as_array().unwrap().len(), 200);

    let large = json!({"app_name": "desk", "version": "3", "changelog": "c".repeat(70_000)});
    let too_large = json!({"error": "request body is too large", "code": "too_large"});
    assert_eq!(alice.post("/release/create", &large).await.both(), (413, too_large));
}

#[tokio::test]
async fn versions_have_the_form_that_checks_accept() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    for bad in ["", " ", "v", "x1", "1\0", "1\n", "1🚀", "1:2", "1*", "{1}", "..", "1'", &"1".repeat(65)] {
        let refused = json!({
            "error": "invalid version parameter", "code": "invalid", "field": "version",
            "accepted": "^v?[0-9][0-9A-Za-z.+_-]{0,63}$",
        });
        assert_eq!(alice.post("/release/create", &release(bad, "stable")).await.both(), (400, refused), "{bad:?}");
    }
    for bad in ["1..2", "1.", "1.2.3.4.5.6.7.8.9", "18446744073709551616"] {
        let reply = alice.post("/release/create", &release(bad, "stable")).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!(format!("Malformed version: {bad}"))));
    }
    created(&alice.post("/release/create", &release("2.0.0-4", "stable")).await);
    created(&alice.post("/release/create", &release("20250617123000.18446744073709551615", "stable")).await);
    assert_eq!(versions(&alice).await, ["20250617123000.18446744073709551615", "2.0.0.4"]);
}

#[tokio::test]
async fn bodies_of_another_form_are_refused() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let nested = format!("{}{}", r#"{"app_name":"#.repeat(200), "}".repeat(200));
    let deep = format!(r#"{{"app_name":"desk","version":"1","artifacts":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let cases = [
        ("", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("{}", "missing field `app_name` at line 1 column 2"),
        (r#"{"app_name":"desk"}"#, "missing field `version` at line 1 column 19"),
        (r#"{"app_name":"desk","version":1}"#, "invalid type: integer `1`, expected a string at line 1 column 30"),
        (
            r#"{"app_name":"desk","version":"1","rollout":1.5}"#,
            "invalid type: floating point `1.5`, expected i64 at line 1 column 46",
        ),
        (
            r#"{"app_name":"desk","version":"1","publish":"true"}"#,
            "invalid type: string \"true\", expected a boolean at line 1 column 49",
        ),
        (
            r#"{"app_name":"desk","version":"1","artifacts":[{"link":"https://h/a","size":-1}]}"#,
            "invalid value: integer `-1`, expected u64 at line 1 column 77",
        ),
        (r#"{"app_name":"desk","version":"1","artifacts":[{}]}"#, "missing field `link` at line 1 column 48"),
        (
            r#"{"app_name":"desk","version":"1","rollout_percent":5}"#,
            "unknown field `rollout_percent`, expected one of `app_name`, `version`, `channel`, `publish`, `critical`, \
             `intermediate`, `rollout`, `changelog`, `artifacts`, `published_at` at line 1 column 50",
        ),
        (nested.as_str(), "invalid type: map, expected a string at line 1 column 12"),
    ];
    for (body, details) in cases {
        let refused = json!({"error": "Invalid request body", "code": "invalid", "field": "body", "details": details});
        let reply = alice.request("POST", "/release/create").body(body.to_owned()).send().await;
        assert_eq!(reply.both(), (400, refused), "{body:.80}");
    }
    let reply = alice.request("POST", "/release/create").body(deep).send().await;
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("Invalid request body")));
    // What a release is known by cannot be changed.
    for field in ["app_name", "version", "channel"] {
        let body = format!(r#"{{"{field}":"1"}}"#);
        let details = format!(
            "unknown field `{field}`, expected one of `id`, `publish`, `critical`, `intermediate`, `rollout`, \
             `changelog`, `artifacts`, `published_at` at line 1 column {}",
            field.len() + 3
        );
        let refused = json!({"error": "Invalid request body", "code": "invalid", "field": "body", "details": details});
        assert_eq!(alice.request("POST", "/release/update").body(body).send().await.both(), (400, refused));
    }
    assert_eq!(listed(&alice).await, json!([]));
}

#[tokio::test]
async fn a_release_of_another_owner_is_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    furnish(&alice).await;
    furnish(&bob).await;
    let id = created(&alice.post("/release/create", &release("1.0", "stable")).await);
    let before = alice.get("/release/list").await.text;
    for id in [&id, ANOTHER_ID] {
        let missing = json!({"error": "release not found", "code": "not_found"});
        let change = json!({"id": id, "publish": false, "artifacts": []});
        assert_eq!(bob.post("/release/update", &change).await.both(), (404, missing));
        let details = format!("no document found with ID {id}");
        let missing = json!({"error": "failed to delete release", "code": "not_found", "details": details});
        assert_eq!(bob.delete(&format!("/release/delete?id={id}")).await.both(), (404, missing));
    }
    assert_eq!(listed(&bob).await, json!([]));
    assert_eq!(alice.get("/release/list").await.text, before);

    let form = json!({
        "error": "invalid id format", "code": "invalid", "field": "id", "accepted": "24 lowercase hex characters",
    });
    assert_eq!(bob.post("/release/update", &json!({"id": "7"})).await.both(), (400, form));
    let form = json!({
        "error": "the provided hex string is not a valid ObjectID", "code": "invalid", "field": "id",
        "accepted": "24 lowercase hex characters",
    });
    assert_eq!(bob.delete("/release/delete?id=7").await.both(), (400, form));
}

#[tokio::test]
async fn lists_come_in_pages_by_app_and_version() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    alice.app("alpha").await;
    for (version, channel) in [("0.9", "stable"), ("0.10", "stable"), ("1.0-rc.1", "beta"), ("1.0", "beta")] {
        created(&alice.post("/release/create", &release(version, channel)).await);
    }
    let mut body = release("5.0", "stable");
    body["app_name"] = json!("alpha");
    created(&alice.post("/release/create", &body).await);

    let page = async |query: &str| {
        let reply = alice.get(&format!("/release/list{query}")).await.json();
        let versions: Vec<Value> =
            reply["items"].as_array().unwrap().iter().map(|row| row["version"].clone()).collect();
        json!([versions, reply["total"], reply["page"], reply["limit"]])
    };
    assert_eq!(page("").await, json!([["1.0", "1.0-rc.1", "0.10", "0.9", "5.0"], 5, 1, 50]));
    assert_eq!(page("?app_name=desk&limit=3").await, json!([["1.0", "1.0-rc.1", "0.10"], 4, 1, 3]));
    assert_eq!(page("?app_name=desk&limit=3&page=2").await, json!([["0.9"], 4, 2, 3]));
    assert_eq!(page("?channel=stable").await, json!([["0.10", "0.9", "5.0"], 3, 1, 50]));
    assert_eq!(page("?page=18446744073709551615").await, json!([[], 5, 18_446_744_073_709_551_615_u64, 50]));

    for (query, field, accepted) in [
        ("page=0", "page", "a whole number from 1"),
        ("page=-1", "page", "a whole number from 1"),
        ("page=x", "page", "a whole number from 1"),
        ("limit=0", "limit", "a whole number from 1 to 200"),
        ("limit=201", "limit", "a whole number from 1 to 200"),
        ("limit=1%00", "limit", "a whole number from 1 to 200"),
    ] {
        let refused = json!({
            "error": format!("invalid {field} parameter"), "code": "invalid", "field": field, "accepted": accepted,
        });
        assert_eq!(alice.get(&format!("/release/list?{query}")).await.both(), (400, refused), "{query}");
    }
    for (query, field) in [("app_name=none", "app_name"), ("app_name=%27", "app_name"), ("channel=*", "channel")] {
        let error = format!("{field} not found in apps_meta collection");
        let missing = json!({"error": error, "code": "not_found", "field": field});
        assert_eq!(alice.get(&format!("/release/list?{query}")).await.both(), (404, missing), "{query}");
    }
}

#[tokio::test]
async fn what_releases_refer_to_stays() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let ids = [
        ("app", alice.app("desk").await),
        ("channel", alice.part("channel", "stable").await),
        ("platform", alice.part("platform", "darwin").await),
        ("arch", alice.part("arch", "arm64").await),
    ];
    let release = created(&alice.post("/release/create", &release("1.0", "stable")).await);
    for (kind, id) in &ids {
        let refused = json!({
            "error": format!("failed to delete {kind}"), "code": "conflict",
            "details": "you can't delete this item because it is related to other items",
        });
        assert_eq!(alice.delete(&format!("/{kind}/delete?id={id}")).await.both(), (409, refused));
    }
    // Only what some release refers to now.
    let change = json!({"id": release, "artifacts": []});
    assert_eq!(alice.post("/release/update", &change).await.status, 200);
    for (kind, id) in &ids[2..] {
        assert_eq!(alice.delete(&format!("/{kind}/delete?id={id}")).await.status, 200, "{kind}");
    }
    assert_eq!(alice.delete(&format!("/release/delete?id={release}")).await.status, 200);
    for (kind, id) in &ids[..2] {
        assert_eq!(alice.delete(&format!("/{kind}/delete?id={id}")).await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn the_whole_catalog_goes_with_its_owner() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    for caller in [&alice, &bob] {
        furnish(caller).await;
        created(&caller.post("/release/create", &release("1.0", "stable")).await);
    }
    assert!(app.app.catalog.delete_user(&"bob".parse().unwrap()).await.unwrap());
    for table in ["resources", "releases"] {
        let left = format!("SELECT COUNT(*) FROM {table} WHERE owner_id NOT IN (SELECT id FROM users)");
        assert_eq!(app.tables().await.number(&left).await, 0, "{table}");
    }
    assert_eq!(app.tables().await.number("SELECT COUNT(*) FROM artifacts").await, 1);
    assert_eq!(versions(&alice).await, ["1.0"]);
}
