//! What the update check answers.

use serde_json::{Value, json};

use super::shop::{ask, force, on_stable, open, release, seed_of_newest};
use crate::app::{Caller, Reply, TestApp};

const DMG: &str = "https://dl.example.org/myapp-1.1.0.dmg";

async fn answers(app: &TestApp, version: &str) -> Value {
    let reply = ask(app, version).await;
    assert_eq!((reply.status, reply.header("headcount")), (200, Some("recorded")), "{reply:?}");
    reply.json()
}

#[tokio::test]
async fn the_documented_example_is_answered_and_counted() {
    let app = TestApp::start().await;
    open(&app, "acme").await;

    let reply = ask(&app, "1.0.0").await;

    let expected = format!(r#"{{"critical":false,"update_available":true,"update_url_dmg":"{DMG}"}}"#);
    assert_eq!((reply.status, reply.text.as_str()), (200, expected.as_str()));
    let mut headers: Vec<(&str, &str)> =
        reply.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.retain(|(name, _)| *name != "date");
    headers.sort_unstable();
    assert_eq!(
        headers,
        [
            (
                "access-control-allow-headers",
                "Content-Type, Accept, Cache-Control, X-Requested-With, X-Device-ID, X-Download-Token"
            ),
            ("access-control-allow-methods", "GET, OPTIONS"),
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "Headcount"),
            ("cache-control", "no-store"),
            ("content-length", expected.len().to_string().as_str()),
            ("content-type", "application/json; charset=utf-8"),
            ("headcount", "recorded"),
        ]
    );
}

#[tokio::test]
async fn web_pages_may_send_a_device_id() {
    let app = TestApp::start().await;
    for path in ["/checkVersion", "/telemetry/beacon"] {
        let preflight = app
            .request("OPTIONS", path)
            .header("Origin", "https://anywhere.example.org")
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "x-device-id");
        let reply = preflight.send().await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert!(reply.header("access-control-allow-headers").unwrap().contains("X-Device-ID"), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn a_reply_has_the_fields_that_apply() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;

    // Equal versions: never a changelog, never critical.
    let fields = json!({"critical": true, "changelog": "### Changelog", "rollout": 20});
    release(&acme, &on_stable("2.0", &fields)).await;
    let (link, seed) = ("https://dl.example.org/myapp-2.0.dmg", seed_of_newest(&acme).await);
    assert_eq!(
        answers(&app, "1.1.0").await,
        json!({"changelog": "### Changelog\n", "critical": true, "rollout": {"percent": 20, "seed": seed},
               "update_available": true, "update_url_dmg": link})
    );
    let equal =
        json!({"critical": false, "possible_rollback": false, "update_available": false, "update_url_dmg": link});
    for version in ["2.0", "v2.0.0", "2", "2-0-0", "2.0.0%2Bb7", "2.0.0+b7"] {
        assert_eq!(answers(&app, version).await, equal, "{version}");
    }
    for version in ["2.0.1", "3.0.0-beta.1"] {
        assert_eq!(
            answers(&app, version).await,
            json!({"changelog": "### Changelog\n", "critical": true, "possible_rollback": true,
                   "update_available": false, "update_url_dmg": link}),
            "{version}"
        );
    }
    // A prerelease of the latest version is below it.
    assert_eq!(answers(&app, "2.0.0-rc.1").await["update_available"], json!(true));

    // A required build comes first, with its own fields.
    release(&acme, &on_stable("1.5", &json!({"intermediate": true, "changelog": "Step"}))).await;
    assert_eq!(
        answers(&app, "1.1.0").await,
        json!({"changelog": "Step\n", "critical": false, "is_intermediate_required": true, "update_available": true,
               "update_url_dmg": "https://dl.example.org/myapp-1.5.dmg"})
    );
    assert_eq!(answers(&app, "1.5").await["update_url_dmg"], json!(link));

    // A release that is not published is not offered.
    release(&acme, &on_stable("9.0", &json!({"publish": false}))).await;
    assert_eq!(answers(&app, "2.0").await, equal);
}

#[tokio::test]
async fn links_are_named_by_extension() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    let file = |package: &str, link: &str, signature: Value| json!({"platform": "darwin", "arch": "amd64", "package": package, "link": link, "signature": signature});
    let artifacts = json!([
        file("", "https://a.example.org/1?x=<&>\"", Value::Null),
        file(".dmg", "https://a.example.org/2", json!("first")),
        file(".AppImage", "http://a.example.org/no-name-of-anything", json!("second")),
        file(".again", "https://a.example.org/4", json!("")),
        file(".blockmap", "https://a.example.org/5", json!("left out")),
        file(".nupkg", "https://a.example.org/6", json!("left out")),
        file(".gz", "https://a.example.org/7", Value::Null),
    ]);
    release(&acme, &on_stable("2.0", &json!({"artifacts": artifacts}))).await;
    // What the API does not let in: an extension twice, and one without its dot.
    force(&app, "UPDATE artifacts SET package = '.dmg' WHERE package = '.again'", &[]).await;
    force(&app, "UPDATE artifacts SET package = 'gz' WHERE package = '.gz'", &[]).await;
    assert_eq!(
        answers(&app, "1.1.0").await,
        json!({"critical": false, "signature": "second", "update_available": true,
               "update_url": "https://a.example.org/1?x=<&>\"",
               "update_url_AppImage": "http://a.example.org/no-name-of-anything",
               "update_url_dmg": "https://a.example.org/4",
               "update_url_gz": "https://a.example.org/7"})
    );
}

#[tokio::test]
async fn a_link_that_was_forced_into_the_database_is_not_offered() {
    let app = TestApp::start().await;
    let acme = open(&app, "acme").await;
    let before = ask(&app, "1.0.0").await.text;
    let id = release(&acme, &on_stable("9.0", &json!({}))).await;
    assert_ne!(ask(&app, "1.0.0").await.text, before);
    for link in ["https://x.example.org/\r\nSet-Cookie: a=1", "javascript:alert(1)", "https://x.example.org/\u{7f}"] {
        force(&app, "UPDATE artifacts SET link = $1 WHERE release_id = $2", &[link, &id]).await;
        let reply = ask(&app, "1.0.0").await;
        assert_eq!((reply.status, &reply.text, reply.header("set-cookie")), (200, &before, None), "{link:?}");
    }
}

/// One check of the recorded suite: `app version channel platform arch`, `~` for a space in names.
async fn suite(app: &TestApp, line: &str, device: &str) -> Reply {
    let fields: Vec<String> = line.split(' ').map(|field| field.replace('~', "%20")).collect();
    let [name, version, channel, platform, arch] = &fields[..] else { panic!("{line}") };
    let path = format!(
        "/checkVersion?app_name={name}&version={version}&channel={channel}&platform={platform}&arch={arch}&owner=admin"
    );
    app.request("GET", &path).header("X-Device-ID", device).send().await
}

/// The catalog of the recorded suite: its parts, and releases by line.
async fn recorded_catalog(app: &TestApp, releases: &[Value]) {
    let caller = Caller::new(app, "admin").await;
    for name in ["testapp", "public testapp", "newApp"] {
        caller.app(name).await;
    }
    for (kind, name) in [
        ("channel", "nightly"),
        ("channel", "stable"),
        ("platform", "universalPlatform"),
        ("platform", "secondPlatform"),
        ("arch", "universalArch"),
        ("arch", "secondArch"),
    ] {
        caller.part(kind, name).await;
    }
    for body in releases {
        release(&caller, body).await;
    }
}

fn recorded_release(app: &str, channel: &str, version: &str, fields: &Value) -> Value {
    let file = |package: &str, name: &str| {
        let link = format!("https://s3.example.org/{app}/{channel}/{name}");
        json!({"platform": "universalPlatform", "arch": "universalArch", "package": package, "link": link})
    };
    let mut body = on_stable(version, fields);
    body["app_name"] = json!(app);
    body["channel"] = json!(channel);
    if fields.get("artifacts").is_none() {
        let name = format!("{app}-{version}");
        let (dmg, pkg) = (format!("{name}.dmg"), format!("{name}.pkg"));
        body["artifacts"] = json!([file(".dmg", &dmg), file(".pkg", &pkg), file("", &name)]);
    }
    body
}

#[tokio::test]
async fn recorded_test_check_version() {
    let app = TestApp::start().await;
    let critical = json!({"critical": true, "changelog": "### Changelog"});
    recorded_catalog(
        &app,
        &[
            recorded_release("public testapp", "nightly", "0.0.1.137", &json!({})),
            recorded_release("testapp", "nightly", "0.0.1.137", &json!({})),
            recorded_release("testapp", "nightly", "0.0.2.137", &critical),
            recorded_release("testapp", "stable", "0.0.4.137", &json!({"critical": true})),
        ],
    )
    .await;
    let links = |app: &str, channel: &str, version: &str| {
        let link = format!("https://s3.example.org/{app}/{channel}/{app}-{version}");
        json!({"update_url": link, "update_url_dmg": format!("{link}.dmg"), "update_url_pkg": format!("{link}.pkg")})
    };
    let on = "universalPlatform universalArch";
    for (line, links, fields) in [
        (
            format!("public~testapp 0.0.1.137 nightly {on}"),
            links("public testapp", "nightly", "0.0.1.137"),
            json!({"critical": false, "possible_rollback": false}),
        ),
        (
            format!("testapp 0.0.2.137 nightly {on}"),
            links("testapp", "nightly", "0.0.2.137"),
            json!({"critical": false, "possible_rollback": false}),
        ),
        (
            format!("testapp 0.0.3.137 nightly {on}"),
            links("testapp", "nightly", "0.0.2.137"),
            json!({"critical": true, "possible_rollback": true, "changelog": "### Changelog\n"}),
        ),
        (
            format!("testapp 0.0.4.137 stable {on}"),
            links("testapp", "stable", "0.0.4.137"),
            json!({"critical": false, "possible_rollback": false}),
        ),
        (
            format!("testapp 0.0.5.137 stable {on}"),
            links("testapp", "stable", "0.0.4.137"),
            json!({"critical": true, "possible_rollback": true}),
        ),
    ] {
        let mut expected = links;
        expected["update_available"] = json!(false);
        for (name, value) in fields.as_object().unwrap() {
            expected[name] = value.clone();
        }
        let reply = suite(&app, &line, "device-001").await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{line}");
    }
}

#[tokio::test]
async fn recorded_test_same_extension_on_other_platforms() {
    let app = TestApp::start().await;
    let files = |version: &str, targets: &[(&str, &str)]| {
        let file = |(platform, arch): &(&str, &str)| {
            let link = format!("https://s3.example.org/{version}/{platform}/{arch}.dmg");
            json!({"platform": platform, "arch": arch, "package": ".dmg", "link": link})
        };
        json!(targets.iter().map(file).collect::<Vec<Value>>())
    };
    let (first, second) = (("universalPlatform", "universalArch"), ("universalPlatform", "secondArch"));
    let (third, fourth) = (("secondPlatform", "universalArch"), ("secondPlatform", "secondArch"));
    let release_of = |channel, version, targets: &[(&str, &str)], critical: bool| {
        let fields = json!({"artifacts": files(version, targets), "critical": critical});
        recorded_release("testapp", channel, version, &fields)
    };
    recorded_catalog(
        &app,
        &[
            release_of("nightly", "0.0.1.138", &[first, second, third, fourth], false),
            release_of("nightly", "0.0.2.138", &[first, second], false),
            release_of("stable", "0.0.3.138", &[first, third], false),
            release_of("stable", "0.0.4.138", &[first, third], true),
        ],
    )
    .await;
    let update = |critical: bool| json!({"update_available": true, "critical": critical});
    let rollback = json!({"update_available": false, "critical": false, "possible_rollback": true});
    for (device, asked, fields, offered) in [
        ("device-001", "0.0.1.138 nightly universalPlatform secondArch", update(false), "0.0.2.138"),
        ("device-002", "0.0.1.138 nightly universalPlatform universalArch", update(false), "0.0.2.138"),
        ("device-003", "0.0.3.138 nightly secondPlatform secondArch", rollback, "0.0.1.138"),
        ("device-004", "0.0.3.138 stable universalPlatform universalArch", update(true), "0.0.4.138"),
        ("device-005", "0.0.3.138 stable secondPlatform universalArch", update(true), "0.0.4.138"),
    ] {
        let target: Vec<&str> = asked.split(' ').skip(2).collect();
        let mut expected = fields;
        expected["update_url_dmg"] = json!(format!("https://s3.example.org/{offered}/{}.dmg", target.join("/")));
        for _ in 0..2 {
            let reply = suite(&app, &format!("testapp {asked}"), device).await;
            assert_eq!((reply.status, reply.json()), (200, expected.clone()), "{asked}");
            assert_eq!(reply.header("headcount"), Some("recorded"));
        }
    }
}

#[tokio::test]
async fn recorded_test_intermediate_builds() {
    let app = TestApp::start().await;
    let releases = [
        ("0.0.6.135", json!({"intermediate": true})),
        ("0.0.7.137", json!({"intermediate": true})),
        ("0.0.8.136", json!({})),
        ("0.0.9.137", json!({"intermediate": true, "critical": true})),
        ("0.0.10.138", json!({})),
    ]
    .map(|(version, fields)| recorded_release("newApp", "nightly", version, &fields));
    recorded_catalog(&app, &releases).await;
    for (version, offered, fields) in [
        (
            "0.0.6.135",
            "0.0.7.137",
            json!({"update_available": true, "critical": false, "is_intermediate_required": true}),
        ),
        (
            "0.0.7.137",
            "0.0.9.137",
            json!({"update_available": true, "critical": true, "is_intermediate_required": true}),
        ),
        (
            "0.0.8.137",
            "0.0.9.137",
            json!({"update_available": true, "critical": true, "is_intermediate_required": true}),
        ),
        ("0.0.9.137", "0.0.10.138", json!({"update_available": true, "critical": false})),
        ("0.0.10.138", "0.0.10.138", json!({"update_available": false, "critical": false, "possible_rollback": false})),
    ] {
        let link = format!("https://s3.example.org/newApp/nightly/newApp-{offered}");
        let mut expected = fields;
        expected["update_url"] = json!(link);
        expected["update_url_dmg"] = json!(format!("{link}.dmg"));
        expected["update_url_pkg"] = json!(format!("{link}.pkg"));
        let reply =
            suite(&app, &format!("newApp {version} nightly universalPlatform universalArch"), "device-001").await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{version}");
    }
}

#[tokio::test]
async fn the_description_lists_every_parameter() {
    let app = TestApp::start().await;
    let description = app.get("/openapi.json").await.json();
    let parameters = |path: &str| -> Vec<String> {
        let listed = description["paths"][path]["get"]["parameters"].as_array().unwrap();
        let shown = |parameter: &Value| {
            let required = if parameter["required"] == json!(true) { ", required" } else { "" };
            let pattern = parameter["schema"]["pattern"].as_str().map_or("any text", |pattern| pattern);
            let place = parameter["in"].as_str().unwrap();
            format!("{} in {place}: {pattern}{required}", parameter["name"].as_str().unwrap())
        };
        listed.iter().map(shown).collect()
    };
    let (part, version) = ("^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", "^v?[0-9][0-9A-Za-z.+_-]{0,63}$");
    let device = "X-Device-ID in header: ^[A-Za-z0-9._:{}-]{8,128}$";
    assert_eq!(
        parameters("/checkVersion"),
        [
            "app_name in query: ^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$, required",
            &format!("arch in query: {part}"),
            &format!("channel in query: {part}"),
            "owner in query: any text",
            &format!("platform in query: {part}"),
            "publish in query: any text",
            "updater in query: any text",
            &format!("version in query: {version}, required"),
            "DNT in header: any text",
            "Sec-GPC in header: any text",
            device,
        ]
    );
    assert_eq!(
        parameters("/telemetry/beacon"),
        [
            "app_name in query: ^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$, required",
            &format!("arch in query: {part}, required"),
            &format!("channel in query: {part}, required"),
            "is_latest in query: any text",
            "owner in query: any text",
            &format!("platform in query: {part}, required"),
            &format!("version in query: {version}"),
            "DNT in header: any text",
            "Sec-GPC in header: any text",
            device,
        ]
    );
    let replies = |path: &str| -> Vec<String> {
        description["paths"][path]["get"]["responses"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(replies("/checkVersion"), ["200", "400"]);
    assert_eq!(replies("/telemetry/beacon"), ["204", "403"]);
}
