//! What the documents show is what the program does.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use headcount::clock::Clock;
use headcount::config::markdown_table;
use headcount_engine::day::Millis;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp, fresh_directory};
use crate::process::Server;

fn path_of(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document)
}

pub(crate) fn document(name: &str) -> String {
    std::fs::read_to_string(path_of(name)).unwrap()
}

/// What stands between the lines that begin and end like these.
pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let after = text.split_once(start).unwrap_or_else(|| panic!("{start} is missing")).1;
    let inside = after.split_once(end).unwrap_or_else(|| panic!("{end} is missing")).0;
    inside.split_once('\n').unwrap().1
}

/// Writes it anew.
pub(crate) fn write_between(name: &str, start: &str, end: &str, wanted: &str) {
    let text = document(name);
    let (before, after) = (text.find(start).unwrap(), text.find(end).unwrap());
    let line = text[before..].split_inclusive('\n').next().unwrap();
    std::fs::write(path_of(name), [&text[..before], line, wanted, &text[after..]].concat()).unwrap();
}

/// The blocks of that language, in order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

/// Writes the table anew where it differs, so that a second run passes.
#[test]
fn the_readme_lists_the_settings() {
    let (start, end) = ("<!-- settings:", "<!-- settings end -->");
    let readme = document("README.md");
    let listed = between(&readme, start, end);
    let wanted = format!("\n{}\n", markdown_table());
    if listed != wanted {
        write_between("README.md", start, end, &wanted);
    }
    assert_eq!(listed, wanted, "README.md was written anew");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "docs/api.md",
        "docs/logging.md",
        "docs/operating.md",
        "docs/redis.md",
        "docs/telemetry.md",
    ];
    let mut links = 0;
    for name in documents {
        let text = document(name);
        for target in text.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            links += 1;
            let folder = path_of(name).parent().unwrap().to_owned();
            assert!(folder.join(path).exists(), "{name} links to {target}");
        }
    }
    assert!(links > 10, "{links}");
}

/// Runs the tour of the README in a shell, as a reader does.
#[test]
fn the_tour_ends_with_a_report_that_counts_its_checks() {
    let readme = document("README.md");
    let tour = blocks(between(&readme, "<!-- tour:", "<!-- tour end -->"), "sh").concat();
    let mut server = Server::start(&fresh_directory(), &[("ENABLE_TELEMETRY", "true")], &[]);
    let [_, curl] = server.setup_lines();
    let token = curl.split_once("\"token\":\"").unwrap().1.split_once('"').unwrap().0;

    let folder = fresh_directory();
    let here = tour.replace("HC=http://localhost:9000\n", &format!("HC={}\n", server.url("")));
    assert!(here.contains(&server.url("")), "{here}");
    std::fs::write(folder.join("tour.sh"), here).unwrap();
    let mut shell = Command::new("sh");
    shell.arg("tour.sh").current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    // What a reader pastes when the tour asks for it.
    shell.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{said}");

    assert_eq!(said.matches("headcount: recorded").count(), 3, "{said}");
    assert!(
        said.contains(r#""update_available":true,"update_url_dmg":"https://downloads.example.com/myapp-1.1.0.dmg""#),
        "{said}"
    );
    let report = said.rsplit_once("}{\"date\"").unwrap().1;
    let report: Value = serde_json::from_str(&format!("{{\"date\"{report}")).unwrap();
    let day = report["date"].clone();
    let numbers = json!({
        "date": day, "total_requests": 3, "unique_clients": 3, "clients_using_latest_version": 2, "clients_outdated": 1
    });
    assert_eq!(
        report,
        json!({
            "date": day, "date_range": [day], "admin": "admin",
            "summary": {
                "total_requests": 3, "unique_clients": 3, "clients_using_latest_version": 2, "clients_outdated": 1,
                "total_active_apps": 1
            },
            "versions": {
                "used_versions_count": 2, "known_versions": ["1.0.0", "1.1.0"],
                "usage": [{"version": "1.1.0", "client_count": 2}, {"version": "1.0.0", "client_count": 1}]
            },
            "platforms": [{"platform": "darwin", "client_count": 3}],
            "architectures": [{"arch": "x64", "client_count": 3}],
            "channels": [{"channel": "stable", "client_count": 3}],
            "daily_stats": [numbers]
        })
    );
}

/// The example of docs/telemetry.md: its lines are imported, and both replies compared.
#[tokio::test]
async fn the_example_of_the_telemetry_document_is_real() {
    let text = document("docs/telemetry.md");
    let example = between(&text, "<!-- example:", "<!-- example end -->");
    let now: Timestamp = "2026-03-03T12:00:00Z".parse().unwrap();
    let app = TestApp::at(Clock::stopped_at(Millis(now.as_millisecond())), &[]).await;
    let admin = Caller::new(&app, "admin").await;
    admin.app("myapp").await;
    for (kind, name) in [
        ("channel", "stable"),
        ("channel", "beta"),
        ("platform", "windows"),
        ("platform", "darwin"),
        ("arch", "amd64"),
        ("arch", "arm64"),
    ] {
        admin.part(kind, name).await;
    }
    let [lines] = blocks(example, "ndjson").try_into().unwrap();
    let [imported, report]: [&str; 2] = blocks(example, "json").try_into().unwrap();
    let reply = admin.request("POST", "/telemetry/import").body(lines.to_owned()).send().await;
    assert_eq!(reply.both(), (200, serde_json::from_str(imported).unwrap()));
    let question = example.split_once("`GET /telemetry?").unwrap().1.split_once('`').unwrap().0;
    let reply = admin.get(&format!("/telemetry?{question}")).await;
    assert_eq!(reply.both(), (200, serde_json::from_str(report).unwrap()), "{}", reply.text);
}
