//! The update decision: a table of what the contract says, and a model that looks at every release.

use std::cmp::Ordering;

use headcount_engine::check::{Check, Decision, Refusal, Standing, decide, rollout_bucket};
use headcount_engine::device::DeviceId;
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::snapshot::{Artifact, CatalogSnapshot, Named, OwnerCatalog, Release};
use headcount_engine::version::Version;
use proptest::prelude::*;
use proptest::sample::select;

const DEVICES: [&str; 3] = ["device-1", "device-2", "device-abc"];
// In a rollout with this seed the three devices are in the buckets 18, 22 and 5.
const SEED: &str = "badadc23b08e3943";

fn id(kind: u8, number: usize) -> Id {
    let mut bytes = [kind; 12];
    bytes[11] = u8::try_from(number).expect("tests have few resources");
    Id::from_bytes(bytes)
}

fn named(kind: u8, names: &[&str]) -> Vec<Named> {
    let resource = |(number, name): (usize, &&str)| Named {
        id: id(kind, number),
        name: (*name).into(),
        deleted: false,
        former: Vec::new(),
    };
    names.iter().enumerate().map(resource).collect()
}

const APPS: u8 = 1;
const CHANNELS: u8 = 2;
const PLATFORMS: u8 = 3;
const ARCHS: u8 = 4;

/// The names of one owner's resources. A resource's id is its kind and its position.
#[derive(Clone)]
struct Names {
    apps: Vec<&'static str>,
    channels: Vec<&'static str>,
    platforms: Vec<&'static str>,
    archs: Vec<&'static str>,
}

impl Names {
    fn resources(&self) -> [Vec<Named>; 4] {
        [
            named(APPS, &self.apps),
            named(CHANNELS, &self.channels),
            named(PLATFORMS, &self.platforms),
            named(ARCHS, &self.archs),
        ]
    }

    fn id(names: &[&str], kind: u8, name: &str) -> Option<Id> {
        names.iter().position(|known| *known == name).map(|number| id(kind, number))
    }

    /// A release from `app|channel|version|flags|platform/arch, platform/arch, ..`; flags are `required`, `critical`,
    /// `draft` and a rollout such as `20%`.
    fn release(&self, line: &str) -> Release {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [app, channel, version, flags, targets] = fields[..] else { panic!("{line}") };
        let percent = flags.split(' ').find_map(|flag| flag.strip_suffix('%'));
        let artifact = |(position, target): (usize, &str)| {
            let (platform, arch) = target.split_once('/').expect("a target is platform/arch");
            Artifact {
                platform: Self::id(&self.platforms, PLATFORMS, platform),
                arch: Self::id(&self.archs, ARCHS, arch),
                package: ".dmg".into(),
                link: format!("https://dl.example.org/{version}/{target}/{position}").parse().expect("a link"),
                signature: None,
            }
        };
        Release {
            id: Id::from_bytes([9; 12]),
            app: AppId(Self::id(&self.apps, APPS, app).expect("the app exists")),
            channel: Self::id(&self.channels, CHANNELS, channel),
            version: version.parse().expect("a version"),
            published: !flags.contains("draft"),
            critical: flags.contains("critical"),
            required_intermediate: flags.contains("required"),
            rollout_percent: percent.map_or(100, |percent| percent.parse().expect("a percentage")),
            rollout_seed: SEED.into(),
            changelog: "".into(),
            artifacts: targets.split(", ").enumerate().map(artifact).collect(),
        }
    }

    fn owner(&self, number: usize, name: &str, releases: &[&str]) -> OwnerCatalog {
        let releases = releases.iter().map(|line| self.release(line)).collect();
        OwnerCatalog::new(OwnerId(id(0, number)), name, self.resources(), releases)
    }
}

/// A check from `owner|app|version|channel|platform|arch`, where empty means not given.
fn check(line: &str) -> Check {
    let fields: Vec<&str> = line.split('|').collect();
    let [owner, app, version, channel, platform, arch] = fields[..] else { panic!("{line}") };
    let part = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a name"));
    Check {
        owner: (!owner.is_empty()).then(|| owner.into()),
        app: app.parse().expect("an app name"),
        version: version.parse().expect("a version"),
        channel: part(channel),
        platform: part(platform),
        arch: part(arch),
    }
}

fn shown(decision: &Result<Decision<'_>, Refusal>) -> String {
    let decision = match decision {
        Ok(decision) => decision,
        Err(refusal) => return refusal.to_string(),
    };
    let standing = match decision.standing {
        Standing::Behind { required: true } => "must go through",
        Standing::Behind { required: false } => "can have",
        Standing::Latest => "has",
        Standing::Ahead => "is ahead of",
    };
    format!("{standing} {}, counts as {}", decision.offer.release.version, decision.status.name())
}

fn assert_answers(catalog: &CatalogSnapshot, device: Option<&str>, table: &[(&str, &str)]) {
    let device: Option<DeviceId> = device.map(|device| device.parse().expect("a device id"));
    for (line, expected) in table {
        assert_eq!(shown(&decide(catalog, &check(line), device.as_ref())), *expected, "{line}, device {device:?}");
    }
}

const UNKNOWN_APP: &str = "app_name not found in apps_meta collection";
const CHANNEL_REQUIRED: &str = "you have a created channels, setting channel is required";
const UNKNOWN_CHANNEL: &str = "wrong name of channel. Channel does not exist";
const NOTHING: &str = "no matching documents found for app_name: testapp";

fn contract_names() -> Names {
    Names {
        apps: vec!["testapp", "public testapp"],
        channels: vec!["nightly", "stable"],
        platforms: vec!["universalPlatform", "secondPlatform"],
        archs: vec!["universalArch", "secondArch"],
    }
}

fn only(owner: OwnerCatalog) -> CatalogSnapshot {
    let default = owner.id;
    CatalogSnapshot::new(vec![owner], Some(default))
}

#[test]
fn latest_is_per_channel() {
    let both = "universalPlatform/universalArch, universalPlatform/universalArch";
    let release =
        |app: &str, channel: &str, version: &str, flags: &str| format!("{app}|{channel}|{version}|{flags}|{both}");
    let lines = [
        release("testapp", "nightly", "0.0.1.137", ""),
        release("testapp", "nightly", "0.0.2.137", "critical"),
        release("testapp", "nightly", "0.0.9.137", "draft"),
        release("testapp", "stable", "0.0.4.137", ""),
        release("public testapp", "nightly", "0.0.1.137", ""),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let catalog = only(contract_names().owner(0, "admin", &lines));
    assert_answers(
        &catalog,
        None,
        &[
            (
                "admin|public testapp|0.0.1.137|nightly|universalPlatform|universalArch",
                "has 0.0.1.137, counts as latest",
            ),
            (
                "admin|testapp|0.0.1.137|nightly|universalPlatform|universalArch",
                "can have 0.0.2.137, counts as outdated",
            ),
            ("admin|testapp|0.0.2.137|nightly|universalPlatform|universalArch", "has 0.0.2.137, counts as latest"),
            ("admin|testapp|0.0.2.137.0|nightly|universalPlatform|universalArch", "has 0.0.2.137, counts as latest"),
            (
                "admin|testapp|0.0.3.137|nightly|universalPlatform|universalArch",
                "is ahead of 0.0.2.137, counts as latest",
            ),
            ("admin|testapp|0.0.4.137|stable|universalPlatform|universalArch", "has 0.0.4.137, counts as latest"),
            ("admin|testapp|0-0-4-137|stable|universalPlatform|universalArch", "has 0.0.4.137, counts as latest"),
            (
                "admin|testapp|0.0.5.137|stable|universalPlatform|universalArch",
                "is ahead of 0.0.4.137, counts as latest",
            ),
        ],
    );
}

#[test]
fn latest_is_per_platform_and_architecture() {
    let catalog = only(contract_names().owner(
        0,
        "admin",
        &[
            "testapp|nightly|0.0.1.138||universalPlatform/universalArch, universalPlatform/secondArch, secondPlatform/secondArch",
            "testapp|nightly|0.0.2.138||universalPlatform/universalArch, universalPlatform/secondArch",
            "testapp|stable|0.0.3.138||universalPlatform/universalArch, secondPlatform/universalArch",
            "testapp|stable|0.0.4.138|critical|universalPlatform/universalArch, secondPlatform/universalArch",
        ],
    ));
    assert_answers(
        &catalog,
        Some("device-001"),
        &[
            ("admin|testapp|0.0.1.138|nightly|universalPlatform|secondArch", "can have 0.0.2.138, counts as outdated"),
            (
                "admin|testapp|0.0.1.138|nightly|universalPlatform|universalArch",
                "can have 0.0.2.138, counts as outdated",
            ),
            ("admin|testapp|0.0.3.138|nightly|secondPlatform|secondArch", "is ahead of 0.0.1.138, counts as latest"),
            (
                "admin|testapp|0.0.3.138|stable|universalPlatform|universalArch",
                "can have 0.0.4.138, counts as outdated",
            ),
            ("admin|testapp|0.0.3.138|stable|secondPlatform|universalArch", "can have 0.0.4.138, counts as outdated"),
        ],
    );
    // Only the files of exactly that pair.
    let asked = check("admin|testapp|0.0.1.138|nightly|universalPlatform|secondArch");
    let decision = decide(&catalog, &asked, None).expect("it is published");
    let links: Vec<&str> = decision.offer.artifacts().map(|artifact| artifact.link.as_str()).collect();
    assert_eq!(links, ["https://dl.example.org/0.0.2.138/universalPlatform/secondArch/1"]);
}

#[test]
fn required_builds_are_passed_one_by_one() {
    let names = Names { apps: vec!["newApp"], ..contract_names() };
    let on = "universalPlatform/universalArch";
    let lines = [
        ("0.0.6.135", "required"),
        ("0.0.7.137", "required"),
        ("0.0.8.136", ""),
        ("0.0.9.137", "required critical"),
        ("0.0.10.138", ""),
        ("0.0.11.0", "required draft"),
    ]
    .map(|(version, flags)| format!("newApp|nightly|{version}|{flags}|{on}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let catalog = only(names.owner(0, "admin", &lines));
    let asked = |version: &str| format!("admin|newApp|{version}|nightly|universalPlatform|universalArch");
    for (version, expected) in [
        ("0.0.1", "must go through 0.0.6.135, counts as outdated"),
        ("0.0.6.135", "must go through 0.0.7.137, counts as outdated"),
        ("0.0.7.0", "must go through 0.0.7.137, counts as outdated"),
        ("0.0.7.137", "must go through 0.0.9.137, counts as outdated"),
        ("0.0.8.137", "must go through 0.0.9.137, counts as outdated"),
        ("0.0.9.137", "can have 0.0.10.138, counts as outdated"),
        ("0.0.10.138", "has 0.0.10.138, counts as latest"),
        ("0.0.12", "is ahead of 0.0.10.138, counts as latest"),
    ] {
        assert_answers(&catalog, None, &[(&asked(version), expected)]);
    }
    // A required build that is itself the latest one is required all the same.
    let lines = [format!("newApp|nightly|1.0||{on}"), format!("newApp|nightly|2.0|required|{on}")];
    let catalog = only(names.owner(0, "admin", &[&lines[0], &lines[1]]));
    assert_answers(&catalog, None, &[(&asked("1.0"), "must go through 2.0, counts as outdated")]);
}

/// Releases with their flags, the version that asks, and the status of each device.
type RolloutCase<'a> = (&'a [(&'a str, &'a str)], &'a str, [&'a str; 3]);

#[test]
fn the_status_follows_the_rollout() {
    let on = "universalPlatform/universalArch";
    let catalog = |lines: &[(&str, &str)]| {
        let lines: Vec<String> =
            lines.iter().map(|(version, flags)| format!("testapp|stable|{version}|{flags}|{on}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        only(contract_names().owner(0, "admin", &lines))
    };
    let cases: &[RolloutCase<'_>] = &[
        // Devices of the buckets 18, 22 and 5.
        (&[("1.0", ""), ("2.0", "20%")], "1.0", ["outdated", "held", "outdated"]),
        (&[("1.0", ""), ("2.0", "18%")], "1.0", ["held", "held", "outdated"]),
        (&[("1.0", ""), ("2.0", "0%")], "1.0", ["held", "held", "held"]),
        (&[("1.0", ""), ("2.0", "")], "1.0", ["outdated", "outdated", "outdated"]),
        // Above the newest full release, though not on it.
        (&[("1.0", ""), ("2.0", "20%")], "1.5", ["outdated", "held", "outdated"]),
        // Below the newest full release, whatever the rollout of the next one says.
        (&[("1.0", ""), ("1.1", ""), ("2.0", "20%")], "1.0", ["outdated", "outdated", "outdated"]),
        // No full release at all.
        (&[("1.0", "50%"), ("2.0", "20%")], "1.0", ["outdated", "held", "outdated"]),
        // The offer is the required build: its rollout decides.
        (&[("1.0", ""), ("2.0", "required 20%"), ("3.0", "1%")], "1.0", ["outdated", "held", "outdated"]),
        (&[("1.0", ""), ("2.0", "required 20%"), ("3.0", "1%")], "2.0", ["held", "held", "held"]),
        // On it, or above it: the rollout does not matter.
        (&[("1.0", ""), ("2.0", "0%")], "2.0", ["latest", "latest", "latest"]),
        (&[("1.0", ""), ("2.0", "0%")], "2.1", ["latest", "latest", "latest"]),
    ];
    for (releases, version, expected) in cases {
        let catalog = catalog(releases);
        let asked = check(&format!("admin|testapp|{version}|stable|universalPlatform|universalArch"));
        let statuses = DEVICES.map(|device| {
            let device: DeviceId = device.parse().expect("a device id");
            decide(&catalog, &asked, Some(&device)).expect("it is published").status.name()
        });
        assert_eq!(statuses, *expected, "{releases:?} {version}");
    }
}

#[test]
fn owners_are_resolved_before_anything_else() {
    let acme = contract_names().owner(0, "acme", &["testapp|stable|2.0||universalPlatform/universalArch"]);
    let other = contract_names().owner(1, "other", &["testapp|stable|9.0||universalPlatform/universalArch"]);
    let catalog = CatalogSnapshot::new(vec![acme, other], Some(OwnerId(id(0, 0))));
    assert_answers(
        &catalog,
        None,
        &[
            ("acme|testapp|1.0|stable|universalPlatform|universalArch", "can have 2.0, counts as outdated"),
            ("ACME|testapp|1.0|stable|universalPlatform|universalArch", "can have 2.0, counts as outdated"),
            ("other|testapp|1.0|stable|universalPlatform|universalArch", "can have 9.0, counts as outdated"),
            ("|testapp|1.0|stable|universalPlatform|universalArch", "can have 2.0, counts as outdated"),
            ("ghost|testapp|1.0|stable|universalPlatform|universalArch", UNKNOWN_APP),
            ("ghost|testapp|1.0|ghost|universalPlatform|universalArch", UNKNOWN_APP),
            ("ghost|testapp|1.0||universalPlatform|universalArch", UNKNOWN_APP),
            ("acme|ghost|1.0||universalPlatform|universalArch", CHANNEL_REQUIRED),
            ("acme|ghost|1.0|ghost|universalPlatform|universalArch", UNKNOWN_CHANNEL),
            ("acme|ghost|1.0|stable|universalPlatform|universalArch", UNKNOWN_APP),
            ("acme|TestApp|1.0|stable|universalPlatform|universalArch", UNKNOWN_APP),
            ("acme|testapp|1.0||universalPlatform|universalArch", CHANNEL_REQUIRED),
            ("acme|testapp|1.0|Stable|universalPlatform|universalArch", UNKNOWN_CHANNEL),
            ("acme|testapp|1.0|nightly|universalPlatform|universalArch", NOTHING),
            ("acme|testapp|1.0|stable|ghost|universalArch", NOTHING),
            ("acme|testapp|1.0|stable|universalPlatform|ghost", NOTHING),
            ("acme|testapp|1.0|stable||universalArch", NOTHING),
            ("acme|testapp|1.0|stable|universalPlatform|", NOTHING),
            ("acme|testapp|1.0|stable|secondPlatform|universalArch", NOTHING),
        ],
    );
    let nobody = CatalogSnapshot::default();
    assert_answers(&nobody, None, &[("|testapp|1.0|stable|universalPlatform|universalArch", UNKNOWN_APP)]);
}

#[test]
fn an_empty_dimension_matches_only_artifacts_without_it() {
    let bare = Names { apps: vec!["testapp"], channels: vec![], platforms: vec![], archs: vec![] };
    let catalog = only(bare.owner(0, "acme", &["testapp||1.0||/"]));
    assert_answers(
        &catalog,
        None,
        &[
            ("acme|testapp|0.9|||", "can have 1.0, counts as outdated"),
            ("acme|testapp|0.9|stable||", UNKNOWN_CHANNEL),
            ("acme|testapp|0.9||linux|", NOTHING),
            ("acme|testapp|0.9|||amd64", NOTHING),
        ],
    );
    let mixed = Names { channels: vec![], ..contract_names() };
    let catalog = only(mixed.owner(0, "acme", &["testapp||1.0||/", "testapp||2.0||universalPlatform/universalArch"]));
    assert_answers(
        &catalog,
        None,
        &[
            ("acme|testapp|1.0|||", "has 1.0, counts as latest"),
            ("acme|testapp|1.0||universalPlatform|universalArch", "can have 2.0, counts as outdated"),
            ("acme|testapp|1.0||universalPlatform|", NOTHING),
        ],
    );
}

#[test]
fn names_have_aliases_of_platforms_and_architectures_only() {
    let names = Names {
        apps: vec!["testapp", "mac"],
        channels: vec!["stable", "win32"],
        platforms: vec!["darwin", "macos", "win"],
        archs: vec!["x86_64", "arm64", "amd64"],
    };
    let catalog = only(names.owner(
        0,
        "acme",
        &[
            "testapp|stable|1.0||darwin/x86_64",
            "testapp|stable|2.0||macos/amd64",
            "testapp|stable|3.0||win/arm64",
            "mac|win32|4.0||win/arm64",
        ],
    ));
    assert_answers(
        &catalog,
        None,
        &[
            // An exact name wins, else the oldest of the group, in any case.
            ("acme|testapp|1.0|stable|darwin|x86_64", "has 1.0, counts as latest"),
            ("acme|testapp|1.0|stable|macos|amd64", "can have 2.0, counts as outdated"),
            ("acme|testapp|1.0|stable|osx|x64", "has 1.0, counts as latest"),
            ("acme|testapp|1.0|stable|MacOS|AMD64", "has 1.0, counts as latest"),
            ("acme|testapp|1.0|stable|WIN32|aarch64", "can have 3.0, counts as outdated"),
            ("acme|testapp|1.0|stable|linux|x64", NOTHING),
            ("acme|darwin|1.0|win32|win|arm64", UNKNOWN_APP),
            ("acme|mac|1.0|win|win|arm64", UNKNOWN_CHANNEL),
            ("acme|mac|1.0|win32|windows|aarch64", "can have 4.0, counts as outdated"),
        ],
    );
}

#[test]
fn former_names_stay_aliases_until_they_are_taken() {
    let names = Names { apps: vec!["new"], channels: vec!["main"], platforms: vec!["tux"], archs: vec!["intel"] };
    let releases = || vec![names.release("new|main|2.0||tux/intel")];
    let owner = |taken: &[&str]| {
        let mut resources = names.resources();
        let former: [&[&str]; 4] = [&["old"], &["stable"], &["linux"], &["amd64"]];
        for (kind, (list, former)) in resources.iter_mut().zip(former).enumerate() {
            let name = former[0];
            if taken.contains(&name) {
                let kind = u8::try_from(kind).expect("four kinds") + 1;
                list.push(Named { id: id(kind, 1), name: name.into(), deleted: false, former: Vec::new() });
            } else {
                list[0].former = vec![name.into()];
            }
        }
        OwnerCatalog::new(OwnerId(id(0, 0)), "acme", resources, releases())
    };
    let offered = "can have 2.0, counts as outdated";
    assert_answers(
        &only(owner(&[])),
        None,
        &[
            ("acme|old|1.0|stable|linux|amd64", offered),
            ("acme|new|1.0|main|tux|intel", offered),
            ("acme|new|1.0|main|tux|x86_64", offered),
            ("acme|Old|1.0|stable|linux|amd64", UNKNOWN_APP),
        ],
    );
    let nothing_for = |app: &str| format!("no matching documents found for app_name: {app}");
    assert_answers(&only(owner(&["old"])), None, &[("acme|old|1.0|stable|linux|amd64", &nothing_for("old"))]);
    assert_answers(&only(owner(&["stable"])), None, &[("acme|new|1.0|stable|linux|amd64", &nothing_for("new"))]);
    assert_answers(&only(owner(&["linux"])), None, &[("acme|new|1.0|main|linux|amd64", &nothing_for("new"))]);
    assert_answers(
        &only(owner(&["amd64"])),
        None,
        &[("acme|new|1.0|main|tux|x64", &nothing_for("new")), ("acme|new|1.0|main|tux|intel", offered)],
    );
}

#[test]
fn deleted_names_answer_no_check() {
    let mut resources = contract_names().resources();
    for list in &mut resources {
        list[0].deleted = true;
        list[0].former = vec!["linux".into(), "amd64".into()];
    }
    let release = contract_names().release("testapp|nightly|2.0||universalPlatform/universalArch");
    let catalog = only(OwnerCatalog::new(OwnerId(id(0, 0)), "acme", resources, vec![release]));
    assert_answers(
        &catalog,
        None,
        &[
            ("acme|testapp|1.0|stable|secondPlatform|secondArch", UNKNOWN_APP),
            ("acme|public testapp|1.0|nightly|secondPlatform|secondArch", UNKNOWN_CHANNEL),
            ("acme|public testapp|1.0|linux|secondPlatform|secondArch", UNKNOWN_CHANNEL),
            (
                "acme|public testapp|1.0|stable|linux|secondArch",
                "no matching documents found for app_name: public testapp",
            ),
            (
                "acme|public testapp|1.0|stable|secondPlatform|x64",
                "no matching documents found for app_name: public testapp",
            ),
        ],
    );
}

#[test]
fn a_refusal_says_what_is_not_served() {
    let catalog = only(contract_names().owner(0, "acme", &["testapp|stable|2.0||universalPlatform/universalArch"]));
    for (line, expected) in [
        ("ghost|testapp|1.0|stable|universalPlatform|universalArch", None),
        ("acme|ghost|1.0|ghost|universalPlatform|universalArch", None),
        ("acme|testapp|1.0||universalPlatform|universalArch", None),
        ("acme|testapp|1.0|beta|universalPlatform|universalArch", Some(("unserved-channel", "beta"))),
        ("acme|testapp|1.0|stable|haiku|universalArch", Some(("unserved-platform", "haiku"))),
        ("acme|testapp|1.0|stable|universalPlatform|riscv64", Some(("unserved-arch", "riscv64"))),
        ("acme|testapp|1.0|stable|haiku|riscv64", Some(("unserved-platform", "haiku"))),
        ("acme|testapp|1.0|stable|secondPlatform|", Some(("unserved-release", "stable/secondPlatform/-"))),
    ] {
        let refusal = decide(&catalog, &check(line), None).expect_err("it is not served");
        let lacking = refusal.unserved().map(|unserved| {
            assert_eq!((unserved.owner, unserved.app), (OwnerId(id(0, 0)), AppId(id(APPS, 0))));
            (unserved.lack.kind(), unserved.lack.to_string())
        });
        assert_eq!(lacking, expected.map(|(kind, value)| (kind, value.to_owned())), "{line}");
    }
}

/// A release of the model: what is published where, by position in the names.
#[derive(Debug, Clone)]
struct Draft {
    app: usize,
    channel: usize,
    version: &'static str,
    published: bool,
    required: bool,
    percent: u8,
    targets: Vec<(Option<usize>, Option<usize>)>,
}

impl Draft {
    fn release(&self) -> Release {
        let artifact = |&(platform, arch): &(Option<usize>, Option<usize>)| Artifact {
            platform: platform.map(|number| id(PLATFORMS, number)),
            arch: arch.map(|number| id(ARCHS, number)),
            package: "".into(),
            link: "https://dl.example.org/a".parse().expect("a link"),
            signature: None,
        };
        Release {
            id: Id::from_bytes([9; 12]),
            app: AppId(id(APPS, self.app)),
            channel: Some(id(CHANNELS, self.channel)),
            version: self.version(),
            published: self.published,
            critical: false,
            required_intermediate: self.required,
            rollout_percent: self.percent,
            rollout_seed: SEED.into(),
            changelog: "".into(),
            artifacts: self.targets.iter().map(artifact).collect(),
        }
    }

    fn version(&self) -> Version {
        self.version.parse().expect("a version")
    }
}

const VERSIONS: [&str; 9] =
    ["0.9", "1.0.0-beta.2", "1.0.0-rc.1", "1.0", "1.0.1", "1.2", "1.10", "2.0.0.4", "20250617123000.1"];
const SENT: [&str; 6] = ["1", "1.0.0", "v1.2.0", "1-10", "1.0.0-beta.11+b7", "3"];

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let target = || (prop::option::of(0..2_usize), prop::option::of(0..2_usize));
    let draft = (
        (0..2_usize, 0..2_usize, select(&VERSIONS[..])),
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.3),
        select(&[0_u8, 5, 6, 18, 19, 22, 23, 99, 100, 100, 100][..]),
        prop::collection::vec(target(), 0..5),
    );
    let draft = draft.prop_map(|((app, channel, version), published, required, percent, targets)| Draft {
        app,
        channel,
        version,
        published,
        required,
        percent,
        targets,
    });
    prop::collection::vec(draft, 0..24).prop_map(|mut drafts| {
        // The catalog holds one release for each app, channel and place in the order.
        let mut taken = Vec::new();
        drafts.retain(|draft| {
            let key = (draft.app, draft.channel, draft.version);
            let is_new = !taken.contains(&key);
            taken.push(key);
            is_new
        });
        drafts
    })
}

/// What the model says of a check: it looks at every release.
fn model(drafts: &[Draft], app: usize, asked: &Target, version: &Version, device: &str) -> Option<String> {
    let (channel, platform, arch) = *asked;
    let above = |one: &Version, other: &Version| one.precedence(other) == Ordering::Greater;
    let mut candidates: Vec<&Draft> = Vec::new();
    for draft in drafts {
        if draft.published && draft.app == app && draft.channel == channel && draft.targets.contains(&(platform, arch))
        {
            candidates.push(draft);
        }
    }
    let mut latest = *candidates.first()?;
    let mut required: Option<&Draft> = None;
    let mut newest_full: Option<&Draft> = None;
    for draft in candidates {
        if above(&draft.version(), &latest.version()) {
            latest = draft;
        }
        if draft.required
            && above(&draft.version(), version)
            && required.is_none_or(|lowest| above(&lowest.version(), &draft.version()))
        {
            required = Some(draft);
        }
        if draft.percent == 100 && newest_full.is_none_or(|newest| above(&draft.version(), &newest.version())) {
            newest_full = Some(draft);
        }
    }
    if !above(&latest.version(), version) {
        let standing = if above(version, &latest.version()) { "is ahead of" } else { "has" };
        return Some(format!("{standing} {}, counts as latest", latest.version));
    }
    let (standing, offer) = required.map_or(("can have", latest), |required| ("must go through", required));
    let is_included = rollout_bucket(device, SEED) < offer.percent;
    let is_below_full = newest_full.is_some_and(|full| above(&full.version(), version));
    let status = if is_included || is_below_full { "outdated" } else { "held" };
    Some(format!("{standing} {}, counts as {status}", offer.version))
}

type Target = (usize, Option<usize>, Option<usize>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn decisions_are_those_of_a_model_that_looks_at_every_release(drafts in drafts()) {
        let names = Names {
            apps: vec!["desk", "tool"],
            channels: vec!["stable", "beta"],
            platforms: vec!["linux", "darwin"],
            archs: vec!["amd64", "arm64"],
        };
        let releases = drafts.iter().map(Draft::release).collect();
        let catalog = only(OwnerCatalog::new(OwnerId(id(0, 0)), "acme", names.resources(), releases));
        let part = |names: &[&str], number: Option<usize>| number.map(|number| names[number].parse().expect("a name"));
        let places = [None, Some(0), Some(1)];
        for (app, channel) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for (platform, arch) in places.iter().flat_map(|&platform| places.map(|arch| (platform, arch))) {
                for version in VERSIONS.iter().chain(&SENT) {
                    let asked = Check {
                        owner: None,
                        app: names.apps[app].parse().expect("an app name"),
                        version: version.parse().expect("a version"),
                        channel: part(&names.channels, Some(channel)),
                        platform: part(&names.platforms, platform),
                        arch: part(&names.archs, arch),
                    };
                    for device in DEVICES {
                        let id: DeviceId = device.parse().expect("a device id");
                        let expected = model(&drafts, app, &(channel, platform, arch), &asked.version, device);
                        let nothing = format!("no matching documents found for app_name: {}", names.apps[app]);
                        prop_assert_eq!(
                            shown(&decide(&catalog, &asked, Some(&id))),
                            expected.unwrap_or(nothing),
                            "{:?}", asked
                        );
                    }
                }
            }
        }
    }
}
