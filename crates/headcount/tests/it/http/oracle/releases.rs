//! Releases: registered, searched, and the newest one.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::catalog::{id_to_delete, not_an_object};
use super::wire::{Answer, Asked};
use super::world::{ACCEPTED_ID, File, Kind, Name, Release, Told, Who, World, is_id, moment, order_of};

const VERSION: &str = r"^v?[0-9][0-9A-Za-z.+_-]{0,63}$";
const LATER: &str = "RFC 3339, as 2026-01-31T12:00:00Z, from 1970 on and not in the future";

fn unknown(parameter: &str) -> Answer {
    Answer::refused(404, format!("{parameter} not found in apps_meta collection")).field(parameter)
}

/// A version of numbers and points.
pub(super) fn version(text: &str) -> Result<String, Answer> {
    let is_version = text.starts_with(|first: char| first.is_ascii_digit());
    let refused = || Answer::invalid("version", "invalid version parameter").accepted(VERSION);
    is_version.then(|| text.to_owned()).ok_or_else(refused)
}

/// What a request says of a release, but for its files.
fn content(asked: &Asked, now: i64) -> Result<(Option<i64>, Option<i64>), Answer> {
    let rollout = asked.field("rollout").as_i64();
    if rollout.is_some_and(|percent| !(0..=100).contains(&percent)) {
        return Err(Answer::invalid("rollout", "rollout must be an integer between 0 and 100"));
    }
    let published_at = asked.field("published_at").as_str().map(|text| {
        let at = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
        let refused = || Answer::invalid("published_at", "invalid published_at").accepted(LATER);
        at.filter(|at| (0..=now + 3_600_000).contains(at)).ok_or_else(refused)
    });
    Ok((rollout, published_at.transpose()?))
}

impl World {
    fn place(&self, owner: usize, kind: Kind, name: &str) -> Result<Option<Name>, Answer> {
        let noun = kind.noun();
        match name {
            "" if self.live(owner, kind).next().is_none() => Ok(None),
            "" => Err(Answer::refused(400, format!("you have a created {noun}s, setting {noun} is required"))),
            _ => {
                let word = format!("{}{}", noun[..1].to_uppercase(), &noun[1..]);
                let error = || Answer::refused(400, format!("wrong name of {noun}. {word} does not exist"));
                self.resolve(owner, kind, name).map(Some).ok_or_else(error)
            }
        }
    }

    fn files(&self, owner: usize, given: &Value) -> Result<Vec<File>, Answer> {
        let mut files: Vec<File> = Vec::new();
        for (at, file) in given.as_array().into_iter().flatten().enumerate() {
            let text = |field: &str| file[field].as_str().unwrap_or_default();
            let part = |kind: Kind| {
                let placed = self.place(owner, kind, text(kind.noun()));
                placed.map_err(|refused| refused.field(format!("artifacts[{at}].{}", kind.noun())))
            };
            let (platform, arch, package) = (part(Kind::Platform)?, part(Kind::Arch)?, text("package").to_owned());
            if files.iter().any(|one| one.platform == platform && one.arch == arch && one.package == package) {
                let error = "app with this name, version, platform, architecture and extension already exists";
                return Err(Answer::refused(409, error).field(format!("artifacts[{at}]")));
            }
            files.push(File { platform, arch, package, link: text("link").to_owned() });
        }
        Ok(files)
    }

    pub(super) fn create_release(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        let app_name = asked.text("app_name");
        if app_name.is_empty() {
            return Err(Answer::invalid("app_name", "invalid app_name parameter").accepted("the name of an app"));
        }
        let (version, owner) = (version(asked.text("version"))?, self.owner_of(who));
        let (rollout, published_at) = content(asked, self.now)?;
        let app = self.resolve(owner, Kind::App, app_name);
        let app = match (app, who) {
            (Some(app), _) if self.may_touch(who, Kind::App, &app) => app,
            (_, Who::Team(_)) => return Err(out_of_reach("you don't have permission to access this app")),
            (_, Who::Token(token)) if self.tokens[token].apps.is_some() => {
                return Err(out_of_reach("api token has no access to this app"));
            }
            _ => {
                let error = "app_name not found in apps_meta collection";
                return Err(Answer::invalid("app_name", error).accepted("the name of an app"));
            }
        };
        let channel = self.place(owner, Kind::Channel, asked.text("channel"));
        let channel = channel.map_err(|refused| refused.field("channel"))?;
        let same = self
            .releases
            .iter()
            .find(|one| one.app == app && one.channel == channel && order_of(&one.version) == order_of(&version));
        if let Some(same) = same {
            let why = format!("it has the release {}, which is equal in order", same.version);
            let refused = Answer::refused(409, "release with this version already exists");
            return Err(refused.field("version").details(why));
        }
        let files = self.files(owner, asked.field("artifacts"))?;
        let flag = |name: &str| asked.field(name).as_bool().unwrap_or_default();
        let (id, seed, now) = (self.made_up("id"), self.made_up("seed"), self.now);
        self.releases.push(Release {
            id: id.clone(),
            owner,
            app,
            channel,
            version,
            is_published: flag("publish"),
            is_critical: flag("critical"),
            is_intermediate: flag("intermediate"),
            rollout: rollout.unwrap_or(100),
            seed,
            changelog: asked.text("changelog").to_owned(),
            files,
            published_at: published_at.or(flag("publish").then_some(now)),
            created_at: now,
            updated_at: now,
        });
        Ok(Answer::new(201, json!({ "id": id })))
    }

    fn release_of(&self, who: Who, id: &str) -> Option<usize> {
        let owner = self.owner_of(who);
        let is_it = |one: &Release| one.id == id && one.owner == owner && self.may_touch(who, Kind::App, &one.app);
        self.releases.iter().position(is_it)
    }

    pub(super) fn update_release(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        let (rollout, published_at) = content(asked, self.now)?;
        let id = asked.text("id");
        if !is_id(id) {
            return Err(Answer::invalid("id", "invalid id format").accepted(ACCEPTED_ID));
        }
        let Some(at) = self.release_of(who, id) else { return Err(Answer::refused(404, "release not found")) };
        let given = Some(asked.field("artifacts")).filter(|given| !given.is_null());
        let files = given.map(|given| self.files(self.owner_of(who), given)).transpose()?;
        let (now, one) = (self.now, &mut self.releases[at]);
        let flag = |name: &str, before: bool| asked.field(name).as_bool().unwrap_or(before);
        one.is_published = flag("publish", one.is_published);
        one.is_critical = flag("critical", one.is_critical);
        one.is_intermediate = flag("intermediate", one.is_intermediate);
        one.rollout = rollout.unwrap_or(one.rollout);
        one.changelog = asked.field("changelog").as_str().map_or_else(|| one.changelog.clone(), str::to_owned);
        one.published_at = published_at.or(one.published_at).or(one.is_published.then_some(now));
        one.updated_at = now;
        if let Some(files) = files {
            one.files = files;
        }
        Ok(Answer::ok(json!({ "id": id })))
    }

    pub(super) fn delete_release(&mut self, who: Who, asked: &Asked) -> Told {
        let id = id_to_delete(asked)?;
        let Some(at) = self.release_of(who, &id) else {
            let refused = Answer::refused(404, "failed to delete release");
            return Err(refused.details(format!("no document found with ID {id}")));
        };
        self.releases.remove(at);
        Ok(Answer::ok(json!({"deleted": 1})))
    }

    /// The app that a list is restricted to.
    fn app_in_reach(&self, who: Who, asked: &Asked) -> Result<Option<Name>, Answer> {
        let Some(name) = asked.parameter("app_name") else { return Ok(None) };
        let found = self.resolve(self.owner_of(who), Kind::App, name);
        let Some(limit) = self.limit(who, Kind::App) else {
            return found.map(Some).ok_or_else(|| unknown("app_name"));
        };
        match (found, who) {
            (_, Who::Team(_)) if limit.is_empty() => Err(out_of_reach("you don't have permission to access any apps")),
            (Some(app), _) if limit.contains(&app) => Ok(Some(app)),
            (_, Who::Token(_)) => Err(out_of_reach("api token has no access to this app")),
            _ => Err(out_of_reach("you don't have permission to access this app")),
        }
    }

    fn part_named(&self, who: Who, kind: Kind, asked: &Asked) -> Result<Option<Name>, Answer> {
        let Some(name) = asked.parameter(kind.noun()) else { return Ok(None) };
        self.resolve(self.owner_of(who), kind, name).map(Some).ok_or_else(|| unknown(kind.noun()))
    }

    /// The releases in reach that match, by app in the order of creation, the newest version first.
    fn found(&self, who: Who, matches: impl Fn(&Release) -> bool) -> Vec<&Release> {
        let owner = self.owner_of(who);
        let in_reach = |one: &&Release| one.owner == owner && self.may_touch(who, Kind::App, &one.app);
        let mut found: Vec<&Release> = self.releases.iter().filter(in_reach).filter(|one| matches(one)).collect();
        let place = |app: &Name| self.resources.iter().position(|one| one.id == *app);
        // Later ones are first among equals.
        found.reverse();
        found.sort_by_key(|one| (place(&one.app), Reverse(order_of(&one.version))));
        found
    }

    pub(super) fn list_releases(&self, who: Who, asked: &Asked) -> Told {
        let number = |field: &str, usual: u64, largest: u64, accepted: &str| {
            let parsed = asked.parameter(field).map_or(Some(usual), |text| text.parse().ok());
            let refused = || Answer::invalid(field, format!("invalid {field} parameter")).accepted(accepted);
            parsed.filter(|number| (1..=largest).contains(number)).ok_or_else(refused)
        };
        let page = number("page", 1, u64::MAX, "a whole number from 1")?;
        let limit = number("limit", 50, 200, "a whole number from 1 to 200")?;
        let app = self.app_in_reach(who, asked)?;
        let channel = self.part_named(who, Kind::Channel, asked)?;
        let found = self.found(who, |one| {
            app.as_ref().is_none_or(|app| one.app == *app) && (channel.is_none() || one.channel == channel)
        });
        let row = |one: &&Release| {
            let file = |file: &File| {
                json!({
                    "platform": self.name_of(file.platform.as_ref()), "arch": self.name_of(file.arch.as_ref()),
                    "package": file.package, "link": file.link, "signature": null, "sha512": null, "size": null,
                })
            };
            json!({
                "id": one.id, "app_name": self.name_of(Some(&one.app)), "version": one.version,
                "channel": self.name_of(one.channel.as_ref()), "publish": one.is_published,
                "critical": one.is_critical, "intermediate": one.is_intermediate, "rollout": one.rollout,
                "rollout_seed": one.seed, "changelog": one.changelog,
                "artifacts": one.files.iter().map(file).collect::<Vec<_>>(),
                "published_at": one.published_at.map(moment),
            })
        };
        let items: Vec<Value> = paged(&found, page, limit).map(row).collect();
        Ok(Answer::ok(json!({"items": items, "total": found.len(), "page": page, "limit": limit})))
    }

    pub(super) fn search(&self, who: Who, asked: &Asked) -> Told {
        let app = self.app_in_reach(who, asked)?.ok_or_else(|| unknown("app_name"))?;
        let channel = self.part_named(who, Kind::Channel, asked)?;
        let platform = self.part_named(who, Kind::Platform, asked)?;
        let arch = self.part_named(who, Kind::Arch, asked)?;
        let switch = |name: &str| asked.parameter(name).and_then(|text| text.parse::<bool>().ok());
        let (published, critical) = (switch("published"), switch("critical"));
        let number = |name: &str| asked.parameter(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        let (page, limit) = (number("page").unwrap_or(1), number("limit").unwrap_or(9).min(1000));
        let has_file = |one: &Release| {
            let matches = |file: &File| {
                (platform.is_none() || file.platform == platform) && (arch.is_none() || file.arch == arch)
            };
            platform.is_none() && arch.is_none() || one.files.iter().any(matches)
        };
        let found = self.found(who, |one| {
            one.app == app
                && (channel.is_none() || one.channel == channel)
                && published.is_none_or(|wanted| one.is_published == wanted)
                && critical.is_none_or(|wanted| one.is_critical == wanted)
                && has_file(one)
        });
        let items: Vec<Value> = paged(&found, page, limit).map(|one| self.searched(one)).collect();
        let items = if items.is_empty() { Value::Null } else { items.into() };
        Ok(Answer::ok(json!({"items": items, "total": found.len(), "page": page, "limit": limit})))
    }

    fn searched(&self, one: &Release) -> Value {
        let file = |file: &File| {
            json!({
                "link": file.link, "platform": self.name_of(file.platform.as_ref()),
                "arch": self.name_of(file.arch.as_ref()), "package": file.package, "TufTaskID": null,
                "TufSigned": false,
            })
        };
        json!({
            "ID": one.id, "AppName": self.name_of(Some(&one.app)), "Version": one.version,
            "Channel": self.name_of(one.channel.as_ref()), "Published": one.is_published,
            "Critical": one.is_critical, "Intermediate": one.is_intermediate,
            "Artifacts": one.files.iter().map(file).collect::<Vec<_>>(),
            "Changelog": [{"Version": one.version, "Changes": one.changelog, "Date": moment(one.created_at)[..10]}],
            "Updated_at": moment(one.updated_at), "RolloutPercent": one.rollout,
        })
    }

    pub(super) fn newest(&self, asked: &Asked) -> Told {
        let (Some(app), Some(channel)) = (asked.parameter("app_name"), asked.parameter("channel")) else {
            return Err(Answer::refused(400, "Parameters 'app_name' and 'channel' are required"));
        };
        let nothing = || Answer::refused(404, "No matching data found for the provided parameters");
        let owner = self.owner_named(asked.parameter("owner")).ok_or_else(|| unknown("app_name"))?;
        let app = self.resolve(owner, Kind::App, app).ok_or_else(|| unknown("app_name"))?;
        let channel = self.resolve(owner, Kind::Channel, channel).ok_or_else(|| unknown("channel"))?;
        let part = |kind: Kind| match asked.parameter(kind.noun()) {
            None => Ok(None),
            Some(name) => self.resolve(owner, kind, name).map(Some).ok_or_else(nothing),
        };
        let (platform, arch) = (part(Kind::Platform)?, part(Kind::Arch)?);
        let published = self
            .releases
            .iter()
            .filter(|one| one.is_published && one.app == app && one.channel.as_ref() == Some(&channel));
        let newest = published.max_by_key(|one| order_of(&one.version)).ok_or_else(nothing)?;
        let package = |file: &File| file.package.strip_prefix('.').unwrap_or("no-extension").to_owned();
        let is_wanted = |file: &&File| {
            (platform.is_none() || file.platform == platform)
                && (arch.is_none() || file.arch == arch)
                && asked.parameter("package").is_none_or(|wanted| wanted == package(file))
        };
        let files: Vec<&File> = newest.files.iter().filter(is_wanted).collect();
        match files.as_slice() {
            [] => Err(nothing()),
            [file] => Ok(Answer { location: Some(file.link.clone()), ..Answer::new(302, Value::Null) }),
            files => {
                let mut links = json!({});
                let channel = self.name_of(Some(&channel));
                for file in files {
                    let (platform, arch) = (self.name_of(file.platform.as_ref()), self.name_of(file.arch.as_ref()));
                    links[&channel][platform][arch][package(file)] = json!({"url": file.link});
                }
                Ok(Answer::ok(links))
            }
        }
    }
}

fn out_of_reach(error: &str) -> Answer {
    Answer::refused(403, error).field("app_name")
}

fn paged<T>(found: &[T], page: u64, limit: u64) -> impl Iterator<Item = &T> {
    found.iter().skip(((page - 1) * limit) as usize).take(limit as usize)
}
