//! `/search` and `/apps/latest`.

use headcount::clock::Clock;
use headcount_engine::day::Millis;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, created};

/// 2026-03-04T20:06:07.089Z
const EVENING: Millis = Millis(1_772_654_767_089);

/// An owner with two apps and releases on two channels.
async fn furnish(caller: &Caller<'_>) {
    for (kind, names) in
        [("channel", ["stable", "beta"]), ("platform", ["darwin", "windows"]), ("arch", ["amd64", "arm64"])]
    {
        for name in names {
            caller.part(kind, name).await;
        }
    }
    caller.app("desk").await;
    caller.app("My App").await;
}

fn file(platform: &str, arch: &str, package: &str) -> Value {
    let link = format!("https://dl.example.org/{platform}/{arch}/x{package}");
    json!({"platform": platform, "arch": arch, "package": package, "link": link})
}

async fn register(caller: &Caller<'_>, version: &str, channel: &str, more: Value) -> String {
    let mut body = json!({"app_name": "desk", "version": version, "channel": channel, "publish": true});
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    created(&caller.post("/release/create", &body).await)
}

#[tokio::test]
async fn versions_are_found_newest_first_in_the_contract_shape() {
    let clock = Clock::stopped_at(EVENING);
    let app = TestApp::at(clock.clone(), &[]).await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let files = json!([file("darwin", "arm64", ".dmg"), file("windows", "amd64", "")]);
    let more = json!({"artifacts": files, "critical": true, "intermediate": true, "rollout": 5, "changelog": "a<b"});
    let id = register(&alice, "0.9", "stable", more).await;
    clock.advance(std::time::Duration::from_hours(9));
    let newer = register(&alice, "0.10", "beta", json!({"publish": false})).await;
    alice.post("/release/update", &json!({"id": id, "critical": false})).await;

    let first = format!(
        "{{\"ID\":\"{newer}\",\"AppName\":\"desk\",\"Version\":\"0.10\",\"Channel\":\"beta\",\"Published\":false,\
         \"Critical\":false,\"Intermediate\":false,\"Artifacts\":[],\"Changelog\":[{{\"Version\":\"0.10\",\
         \"Changes\":\"\",\"Date\":\"2026-03-05\"}}],\"Updated_at\":\"2026-03-05T05:06:07.089Z\",\
         \"RolloutPercent\":100}}"
    );
    let second = format!(
        "{{\"ID\":\"{id}\",\"AppName\":\"desk\",\"Version\":\"0.9\",\"Channel\":\"stable\",\"Published\":true,\
         \"Critical\":false,\"Intermediate\":true,\"Artifacts\":[\
         {{\"link\":\"https://dl.example.org/darwin/arm64/x.dmg\",\"platform\":\"darwin\",\"arch\":\"arm64\",\
         \"package\":\".dmg\",\"TufTaskID\":null,\"TufSigned\":false}},\
         {{\"link\":\"https://dl.example.org/windows/amd64/x\",\"platform\":\"windows\",\"arch\":\"amd64\",\
         \"package\":\"\",\"TufTaskID\":null,\"TufSigned\":false}}],\"Changelog\":[{{\"Version\":\"0.9\",\
         \"Changes\":\"a<b\",\"Date\":\"2026-03-04\"}}],\"Updated_at\":\"2026-03-05T05:06:07.089Z\",\
         \"RolloutPercent\":5}}"
    );
    let reply = alice.get("/search?app_name=desk").await;
    let expected = format!("{{\"items\":[{first},{second}],\"total\":2,\"page\":1,\"limit\":9}}");
    assert_eq!((reply.status, reply.text), (200, expected));

    let reply = alice.get("/search?app_name=My+App&limit=100&page=1").await;
    assert_eq!(reply.both(), (200, json!({"items": null, "total": 0, "page": 1, "limit": 100})));
}

#[tokio::test]
async fn a_search_is_narrowed_and_paged() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let mac = json!([file("darwin", "arm64", ".dmg")]);
    let both = json!([file("darwin", "amd64", ".dmg"), file("windows", "arm64", ".exe")]);
    register(&alice, "1", "stable", json!({"artifacts": mac})).await;
    register(&alice, "2", "stable", json!({"artifacts": both, "critical": true})).await;
    register(&alice, "3", "beta", json!({"artifacts": both, "publish": false})).await;
    register(&alice, "4", "beta", json!({})).await;

    let found = async |query: &str| {
        let reply = alice.get(&format!("/search?app_name=desk&{query}")).await.json();
        let rows = reply["items"].as_array().cloned().unwrap_or_default();
        let versions: Vec<Value> = rows.iter().map(|row| row["Version"].clone()).collect();
        json!([versions, reply["total"], reply["page"], reply["limit"]])
    };
    for (query, expected) in [
        ("", json!([["4", "3", "2", "1"], 4, 1, 9])),
        ("channel=beta", json!([["4", "3"], 2, 1, 9])),
        ("channel=&platform=&arch=&published=&critical=", json!([["4", "3", "2", "1"], 4, 1, 9])),
        ("platform=windows", json!([["3", "2"], 2, 1, 9])),
        ("platform=macos&arch=aarch64", json!([["1"], 1, 1, 9])),
        ("platform=windows&arch=amd64", json!([[], 0, 1, 9])),
        ("published=true", json!([["4", "2", "1"], 3, 1, 9])),
        ("published=0", json!([["3"], 1, 1, 9])),
        ("published=perhaps", json!([["4", "3", "2", "1"], 4, 1, 9])),
        ("critical=T", json!([["2"], 1, 1, 9])),
        ("critical=false&channel=stable", json!([["1"], 1, 1, 9])),
        ("limit=3", json!([["4", "3", "2"], 4, 1, 3])),
        ("limit=3&page=2", json!([["1"], 4, 2, 3])),
        ("limit=3&page=3", json!([[], 4, 3, 3])),
        ("limit=x&page=-1", json!([["4", "3", "2", "1"], 4, 1, 9])),
        ("limit=0&page=0", json!([["4", "3", "2", "1"], 4, 1, 9])),
        ("limit=1001", json!([["4", "3", "2", "1"], 4, 1, 1000])),
        ("page=18446744073709551615", json!([[], 4, 18_446_744_073_709_551_615_u64, 9])),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_search_for_what_is_not_there_names_it() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    furnish(&alice).await;
    bob.app("theirs").await;
    bob.part("channel", "theirs").await;
    bob.part("platform", "theirs").await;
    bob.part("arch", "theirs").await;
    let missing = |parameter: &str| {
        let error = format!("{parameter} not found in apps_meta collection");
        (404, json!({"error": error, "code": "not_found", "field": parameter}))
    };
    for query in ["", "app_name=", "app_name=theirs", "app_name=desk%00", "app_name=%F0%9F%9A%80", "app_name=*"] {
        assert_eq!(alice.get(&format!("/search?{query}")).await.both(), missing("app_name"), "{query}");
    }
    for parameter in ["channel", "platform", "arch"] {
        for name in ["theirs", "%27", "..", "%7B%7D", "a%0Ab"] {
            let reply = alice.get(&format!("/search?app_name=desk&{parameter}={name}")).await;
            assert_eq!(reply.both(), missing(parameter), "{parameter}={name}");
        }
    }
    let twice = json!({
        "error": "parameter is given twice", "code": "invalid", "field": "channel", "accepted": "each parameter once",
    });
    assert_eq!(alice.get("/search?app_name=desk&channel=a&channel=b").await.both(), (400, twice));
    let encoding = json!({
        "error": "parameter is not percent-encoded UTF-8", "code": "invalid", "field": "app_name",
        "accepted": "percent-encoded UTF-8, RFC 3986 section 2.1",
    });
    assert_eq!(alice.get("/search?app_name=%FF").await.both(), (400, encoding));
}

#[tokio::test]
async fn the_newest_release_gives_one_link_or_all() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let old = json!([file("windows", "arm64", ".msi")]);
    register(&alice, "1.9", "stable", json!({"artifacts": old})).await;
    let files = json!([
        file("darwin", "arm64", ".dmg"),
        file("darwin", "arm64", ".pkg"),
        file("darwin", "amd64", ".dmg"),
        file("windows", "amd64", ""),
    ]);
    register(&alice, "1.10", "stable", json!({"artifacts": files})).await;
    register(&alice, "2.0", "stable", json!({"artifacts": old, "publish": false})).await;
    register(&alice, "3.0", "beta", json!({"artifacts": old})).await;

    let url = |path: &str| json!({"url": format!("https://dl.example.org/{path}")});
    let arm = json!({"dmg": url("darwin/arm64/x.dmg"), "pkg": url("darwin/arm64/x.pkg")});
    let all = json!({"stable": {
        "darwin": {"arm64": arm, "amd64": {"dmg": url("darwin/amd64/x.dmg")}},
        "windows": {"amd64": {"no-extension": url("windows/amd64/x")}},
    }});
    let path = |more: &str| format!("/apps/latest?owner=alice&app_name=desk&channel=stable{more}");
    assert_eq!(app.get(&path("")).await.both(), (200, all));
    let one_arch = json!({"stable": {"darwin": {"arm64": arm}}});
    assert_eq!(app.get(&path("&platform=osx&arch=aarch64&package=")).await.both(), (200, one_arch));
    let one_package = json!({"stable": {"darwin": {"amd64": {"dmg": url("darwin/amd64/x.dmg")}, "arm64": {"dmg": url("darwin/arm64/x.dmg")}}}});
    assert_eq!(app.get(&path("&package=dmg")).await.both(), (200, one_package));

    for (more, target) in [
        ("&platform=windows", "https://dl.example.org/windows/amd64/x"),
        ("&package=no-extension", "https://dl.example.org/windows/amd64/x"),
        ("&platform=darwin&arch=arm64&package=pkg", "https://dl.example.org/darwin/arm64/x.pkg"),
    ] {
        let reply = app.get(&path(more)).await;
        assert_eq!((reply.status, reply.header("location"), reply.text.as_str()), (302, Some(target), ""), "{more}");
    }

    // Nothing of the newest release, although an older one has it; or nothing at all.
    let nothing = json!({"error": "No matching data found for the provided parameters", "code": "not_found"});
    for more in ["&platform=windows&arch=arm64", "&platform=none", "&arch=%00", "&package=msi", "&package=.dmg"] {
        assert_eq!(app.get(&path(more)).await.both(), (404, nothing.clone()), "{more}");
    }
    let reply = app.get("/apps/latest?owner=alice&app_name=My+App&channel=stable").await;
    assert_eq!(reply.both(), (404, nothing));
}

#[tokio::test]
async fn the_newest_release_of_what_does_not_exist_is_not_found() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let bob = Caller::new(&app, "bob").await;
    bob.part("channel", "theirs").await;
    let files = json!([file("windows", "arm64", ".msi")]);
    register(&alice, "1.0", "stable", json!({"artifacts": files})).await;

    let required = json!({"error": "Parameters 'app_name' and 'channel' are required", "code": "invalid"});
    for query in ["", "?app_name=desk", "?channel=stable", "?app_name=&channel=stable", "?app_name=desk&channel="] {
        assert_eq!(app.get(&format!("/apps/latest{query}")).await.both(), (400, required.clone()), "{query}");
    }
    let missing = |parameter: &str| {
        let error = format!("{parameter} not found in apps_meta collection");
        (404, json!({"error": error, "code": "not_found", "field": parameter}))
    };
    for query in [
        "owner=alice&app_name=none&channel=stable",
        "owner=none&app_name=desk&channel=stable",
        "owner=bob&app_name=desk&channel=theirs",
        "owner=alice%00&app_name=desk&channel=stable",
    ] {
        assert_eq!(app.get(&format!("/apps/latest?{query}")).await.both(), missing("app_name"), "{query}");
    }
    for query in ["owner=alice&app_name=desk&channel=theirs", "app_name=desk&channel=*"] {
        assert_eq!(app.get(&format!("/apps/latest?{query}")).await.both(), missing("channel"), "{query}");
    }
    // The first administrator is the default owner; names of owners have no case.
    for query in [
        "app_name=desk&channel=stable",
        "owner=&app_name=desk&channel=stable",
        "owner=ALICE&app_name=desk&channel=stable",
    ] {
        assert_eq!(app.get(&format!("/apps/latest?{query}")).await.status, 302, "{query}");
    }
}

#[tokio::test]
async fn old_names_lead_to_the_newest_release() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let files = json!([file("windows", "arm64", ".msi"), file("windows", "amd64", ".msi")]);
    register(&alice, "1.0", "stable", json!({"artifacts": files})).await;
    for (kind, from, to) in [("app", "desk", "desktop"), ("channel", "stable", "prod"), ("platform", "windows", "nt")] {
        let list = alice.get(&format!("/{kind}/list")).await.json();
        let rows = list.as_object().unwrap().values().next().unwrap().as_array().unwrap().clone();
        let named = |row: &&Value| row.as_object().unwrap().values().any(|value| value == from);
        let id = rows.iter().find(named).unwrap()["ID"].clone();
        let change = json!({"id": id, kind: to, "updaters": [{"type": "manual", "default": true}]});
        let path = format!("/{kind}/update");
        let reply = if kind == "app" {
            alice.form(&path, &json!({"id": id, "app": to})).await
        } else {
            alice.post(&path, &change).await
        };
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let url = |path: &str| json!({"url": format!("https://dl.example.org/{path}")});
    let links = json!({"prod": {"nt": {
        "amd64": {"msi": url("windows/amd64/x.msi")}, "arm64": {"msi": url("windows/arm64/x.msi")},
    }}});
    for query in ["app_name=desk&channel=stable&platform=windows", "app_name=desktop&channel=prod&platform=nt"] {
        assert_eq!(app.get(&format!("/apps/latest?{query}")).await.both(), (200, links.clone()), "{query}");
        let found = alice.get(&format!("/search?{query}")).await.json();
        assert_eq!([&found["total"], &found["items"][0]["AppName"]], [&json!(1), &json!("desktop")], "{query}");
    }
}

#[tokio::test]
async fn a_link_never_splits_a_header() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    let mut spaced = file("windows", "arm64", ".msi");
    spaced["link"] = json!("https://dl.example.org/My App é%20.msi?a=\"b\"");
    register(&alice, "1.0", "stable", json!({"artifacts": [spaced]})).await;
    let path = "/apps/latest?app_name=desk&channel=stable";
    let target = "https://dl.example.org/My%20App%20%C3%A9%20.msi?a=\"b\"";
    assert_eq!(app.get(path).await.header("location"), Some(target));

    // A row that came into the database by another way is not offered.
    let mut tables = app.tables().await;
    tables.run("UPDATE artifacts SET link = $1", &["https://x/\r\nSet-Cookie: a=1"]).await;
    tables.run("UPDATE installation SET revision = revision + 1", &[]).await;
    app.app.catalog.refresh().await.unwrap();
    let reply = app.get(path).await;
    let nothing = json!({"error": "No matching data found for the provided parameters", "code": "not_found"});
    assert_eq!((reply.both(), reply.header("set-cookie")), ((404, nothing), None));
}

#[tokio::test]
async fn the_newest_release_is_answered_without_the_database() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    furnish(&alice).await;
    register(&alice, "1.0", "stable", json!({"artifacts": [file("windows", "arm64", ".msi")]})).await;
    app.tables().await.run("ALTER TABLE releases RENAME TO gone", &[]).await;
    assert_eq!(app.get("/apps/latest?app_name=desk&channel=stable").await.status, 302);
    let unavailable = json!({"error": "the catalog database cannot be reached", "code": "unavailable"});
    let reply = alice.get("/search?app_name=desk").await;
    assert_eq!((reply.both(), reply.header("retry-after")), ((503, unavailable), Some("5")));
}
