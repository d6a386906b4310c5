//! Checks, beacons, imports, and what is reported of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::releases::version;
use super::wire::{Answer, Asked, Body};
use super::world::{Event, File, Kind, Name, Release, Status, Told, Who, World, moment, order_of};

pub(super) const DAY: i64 = 86_400_000;
/// For how many days before today events are kept.
const RETENTION: i64 = 30;
const APP: &str = r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$";
/// The kinds whose names are filters, with the parameters that take them.
const FILTERS: [(Kind, &str); 3] =
    [(Kind::Channel, "channels"), (Kind::Platform, "platforms"), (Kind::Arch, "architectures")];

/// A UTC date.
pub(super) fn date(day: i64) -> String {
    moment(day * DAY)[..10].to_owned()
}

/// A number as it is read from an answer.
fn read(number: f64) -> Value {
    serde_json::from_str(&json!(number).to_string()).unwrap()
}

/// What is asked of the telemetry.
pub(super) struct Question {
    owner: usize,
    first: i64,
    last: i64,
    filters: [Option<BTreeSet<Name>>; 3],
    /// The apps that are read, if not all are.
    apps: Option<BTreeSet<Name>>,
    /// Whether apps are named, which are there even if nothing was counted for them.
    is_named: bool,
}

/// What a check was decided on.
type Track = (usize, Name, [Option<Name>; 3]);

impl World {
    pub(super) fn check(&mut self, asked: &Asked) -> Answer {
        let (mut answer, outcome) = match self.decide(asked) {
            Err(refused) => (refused, "skipped; reason=refused"),
            Ok((track, body, status)) => {
                let version = asked.parameter("version").map(str::to_owned);
                (Answer::ok(body), self.count(track, version, Some(status), asked))
            }
        };
        answer.outcome = Some(outcome.to_owned());
        answer
    }

    /// Counts it, unless the device is wrong.
    fn count(&mut self, track: Track, version: Option<String>, status: Option<Status>, asked: &Asked) -> &'static str {
        let (owner, app, place) = track;
        let device = match asked.device.as_deref() {
            None => return "skipped; reason=no-device",
            Some(device) if device.len() < 8 => return "skipped; reason=bad-device",
            Some(device) => device.to_owned(),
        };
        self.events.push(Event { owner, app, at: self.now, device, version, place, status });
        "recorded"
    }

    /// The published releases with files for a place, the newest first.
    fn on_track(&self, (_, app, [channel, platform, arch]): &Track) -> Vec<(&Release, Vec<&File>)> {
        let published =
            self.releases.iter().filter(|one| one.is_published && one.app == *app && one.channel == *channel);
        let mut found: Vec<_> = published
            .map(|one| {
                let files = one.files.iter().filter(|file| file.platform == *platform && file.arch == *arch);
                (one, files.collect::<Vec<_>>())
            })
            .filter(|(_, files)| !files.is_empty())
            .collect();
        found.sort_by_key(|(one, _)| Reverse(order_of(&one.version)));
        found
    }

    fn decide(&self, asked: &Asked) -> Result<(Track, Value, Status), Answer> {
        let app_name = asked.parameter("app_name").unwrap_or_default();
        if app_name.is_empty() || app_name.contains('/') {
            return Err(Answer::invalid("app_name", "invalid app_name parameter").accepted(APP));
        }
        let version = version(asked.parameter("version").unwrap_or_default())?;
        let unknown = || Answer::invalid("app_name", "app_name not found in apps_meta collection");
        let owner = self.owner_named(asked.parameter("owner")).ok_or_else(unknown)?;
        let channel = match asked.parameter("channel") {
            None if self.live(owner, Kind::Channel).next().is_none() => None,
            None => {
                let error = "you have a created channels, setting channel is required";
                return Err(Answer::invalid("channel", error));
            }
            Some(name) => {
                let error = || Answer::invalid("channel", "wrong name of channel. Channel does not exist");
                Some(self.resolve(owner, Kind::Channel, name).ok_or_else(error)?)
            }
        };
        let app = self.resolve(owner, Kind::App, app_name).ok_or_else(unknown)?;
        let nothing = || Answer::refused(400, format!("no matching documents found for app_name: {app_name}"));
        let part = |kind: Kind| match asked.parameter(kind.noun()) {
            None => Ok(None),
            Some(name) => self.resolve(owner, kind, name).map(Some).ok_or_else(nothing),
        };
        let track = (owner, app, [channel, part(Kind::Platform)?, part(Kind::Arch)?]);
        let offers = self.on_track(&track);
        let (body, status) = decision(&offers, &version, asked.device.as_deref()).ok_or_else(nothing)?;
        Ok((track, body, status))
    }

    pub(super) fn beacon(&mut self, asked: &Asked) -> Answer {
        let track = self.beacon_track(asked).filter(|track| !self.on_track(track).is_empty());
        let status = match asked.parameter("is_latest") {
            Some("true") => Some(Status::Latest),
            Some("false") => Some(Status::Outdated),
            _ => None,
        };
        let version = asked.parameter("version").map(str::to_owned);
        let outcome = track.map_or("skipped; reason=refused", |track| self.count(track, version, status, asked));
        Answer { outcome: Some(outcome.to_owned()), ..Answer::new(204, Value::Null) }
    }

    fn beacon_track(&self, asked: &Asked) -> Option<Track> {
        let owner = self.owner_named(asked.parameter("owner"))?;
        let named = |kind: Kind, name: &str| self.resolve(owner, kind, asked.parameter(name)?);
        let app = named(Kind::App, "app_name")?;
        let place = [(Kind::Channel, "channel"), (Kind::Platform, "platform"), (Kind::Arch, "arch")];
        let place = place.map(|(kind, name)| named(kind, name));
        place.iter().all(Option::is_some).then_some((owner, app, place))
    }

    pub(super) fn import(&mut self, who: Who, asked: &Asked) -> Answer {
        let Body::Lines(lines) = &asked.body else { panic!("an import has lines") };
        let mut errors = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            match self.imported(who, line) {
                Ok(event) => self.events.push(event),
                Err(error) => errors.push(json!({"line": at + 1, "error": error})),
            }
        }
        let accepted = lines.len() - errors.len();
        Answer::ok(json!({"accepted": accepted, "rejected": errors.len(), "errors": errors}))
    }

    fn imported(&self, who: Who, line: &Value) -> Result<Event, String> {
        let text = |field: &str| line[field].as_str().filter(|text| !text.is_empty());
        let owner = self.owner_of(who);
        let unknown = |field: &str| format!("{field} is not a name in the catalog");
        let app = text("app_name").ok_or("app_name is missing")?;
        let app = self.resolve(owner, Kind::App, app).filter(|app| self.may_touch(who, Kind::App, app));
        let app = app.ok_or_else(|| unknown("app_name"))?;
        let device = text("device_id").ok_or("device_id is missing")?.to_owned();
        let part = |kind: Kind| {
            let named = |name| self.resolve(owner, kind, name).ok_or_else(|| unknown(kind.noun()));
            text(kind.noun()).map(named).transpose()
        };
        let place = [part(Kind::Channel)?, part(Kind::Platform)?, part(Kind::Arch)?];
        let status = line["is_latest"].as_bool();
        let status = status.map(|is_latest| if is_latest { Status::Latest } else { Status::Outdated });
        let at = text("at").ok_or("at is missing")?.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let version = text("version").map(str::to_owned);
        Ok(Event { owner, app, at, device, version, place, status })
    }

    /// What a question is about, if the caller may ask it.
    pub(super) fn understand(&self, who: Who, asked: &Asked) -> Result<Question, Answer> {
        let (first, last) = self.days(asked)?;
        let named = self.wanted(who, Kind::App, ("apps", asked))?;
        let is_named = named.is_some();
        let mut filters: [Option<BTreeSet<Name>>; 3] = [const { None }; 3];
        for (filter, (kind, parameter)) in filters.iter_mut().zip(FILTERS) {
            *filter = self.wanted(who, kind, (parameter, asked))?;
        }
        let readable = self.limit(who, Kind::App).filter(|_| matches!(who, Who::Token(_)));
        let apps = match (readable, named) {
            (None, named) => named,
            (Some(readable), None) => Some(readable.into_iter().collect()),
            (Some(readable), Some(named)) => Some(named.into_iter().filter(|app| readable.contains(app)).collect()),
        };
        Ok(Question { owner: self.owner_of(who), first, last, filters, apps, is_named })
    }

    fn events_of(&self, question: &Question) -> Vec<&Event> {
        let is_in_scope = |event: &&Event| {
            event.owner == question.owner && question.apps.as_ref().is_none_or(|apps| apps.contains(&event.app))
        };
        self.events.iter().filter(is_in_scope).collect()
    }

    /// What was counted on each day of the question, and by how many apps.
    fn by_day(&self, events: &[&Event], question: &Question) -> (Vec<(i64, Counts)>, usize) {
        let days = question.first..=question.last;
        let in_range: Vec<&Event> = events.iter().copied().filter(|one| days.contains(&(one.at / DAY))).collect();
        let apps: BTreeSet<&Name> = in_range.iter().map(|event| &event.app).collect();
        let of_day = |day: i64| {
            let mut counts = Counts::default();
            for app in &apps {
                let of_app = in_range.iter().copied().filter(|one| one.at / DAY == day && one.app == **app);
                counts.add(self, &of_app.collect::<Vec<_>>(), &question.filters);
            }
            (day, counts)
        };
        (days.map(of_day).collect(), apps.len())
    }

    pub(super) fn telemetry(&self, who: Who, asked: &Asked) -> Told {
        let question = self.understand(who, asked)?;
        let events = self.events_of(&question);
        let (by_day, apps) = self.by_day(&events, &question);
        let is_seen = question.is_named || apps > 0;
        let daily = by_day.iter().filter(|_| is_seen).map(|(day, counts)| counts.numbers(&date(*day)));
        let daily: Vec<Value> = daily.collect();
        let counts = Counts::of_all(by_day);
        let mut summary = counts.numbers("");
        summary.as_object_mut().unwrap().remove("date");
        summary["total_active_apps"] = apps.into();
        let known: BTreeSet<&String> =
            events.iter().filter(|_| is_seen).filter_map(|one| one.version.as_ref()).collect();
        let [channels, platforms, archs, versions] = &counts.devices_by;
        Ok(Answer::ok(json!({
            "date": date(question.first),
            "date_range": (question.first..=question.last).map(date).collect::<Vec<_>>(),
            "admin": self.owners[question.owner].name, "summary": summary,
            "versions": {
                "used_versions_count": versions.len(),
                "known_versions": if known.is_empty() { Value::Null } else { json!(known) },
                "usage": rows("version", versions),
            },
            "platforms": rows("platform", platforms), "architectures": rows("arch", archs),
            "channels": rows("channel", channels), "daily_stats": daily,
        })))
    }

    pub(super) fn breakdown(&self, who: Who, asked: &Asked) -> Told {
        let question = self.understand(who, asked)?;
        let (by_day, _) = self.by_day(&self.events_of(&question), &question);
        let counts = Counts::of_all(by_day);
        let by = asked.parameter("by").unwrap_or("version");
        let place = ["channel", "platform", "arch", "version"].iter().position(|name| *name == by).unwrap();
        let all = counts.devices.len();
        let row = |(value, devices): (&String, usize)| {
            json!({
                "value": value, "devices": devices, "share": read(devices as f64 / all as f64),
                "requests": counts.requests_by[place].get(value).copied().unwrap_or_default(),
            })
        };
        let rows: Vec<Value> = ordered(by, &counts.devices_by[place]).into_iter().map(row).collect();
        let definitions = ["requests", "devices", "share"].map(|name| (name, format!("<text:{name}>")));
        Ok(Answer::ok(json!({
            "as_of": moment(self.now), "from": date(question.first), "to": date(question.last), "incomplete": [],
            "definitions": BTreeMap::from(definitions), "by": by, "rows": rows, "series": null,
            "total": {"devices": all, "requests": counts.requests},
        })))
    }

    fn days(&self, asked: &Asked) -> Result<(i64, i64), Answer> {
        let today = self.now / DAY;
        let day =
            |name: &str| asked.parameter(name).map(|text| (today - 40..=today + 1).find(|day| date(*day) == text));
        match (day("from"), day("to"), asked.parameter("range")) {
            (Some(Some(from)), Some(Some(to)), _) if from <= to => Ok((from, to)),
            (Some(Some(_)), Some(Some(_)), _) => {
                Err(Answer::invalid("from", "from is after to").accepted("a day that is not after to"))
            }
            (Some(_), None, _) => Err(Answer::invalid("to", "from is given without to").accepted("both from and to")),
            (_, _, Some("week")) => Ok((today - 7, today)),
            (_, _, Some("month")) => Ok((today - RETENTION, today)),
            (_, _, Some(_)) => {
                let error = "Invalid range parameter. Use 'week' or 'month'";
                Err(Answer::invalid("range", error).accepted("week or month"))
            }
            _ => Ok(day("date").flatten().map_or((today, today), |day| (day, day))),
        }
    }

    /// The resources that a parameter names, if it names any and the caller may.
    fn wanted(&self, who: Who, kind: Kind, (name, asked): (&str, &Asked)) -> Result<Option<BTreeSet<Name>>, Answer> {
        let Some(text) = asked.parameter(name) else { return Ok(None) };
        let (owner, limit) = (self.owner_of(who), self.limit(who, kind));
        let mut wanted = BTreeSet::new();
        for one in text.split(',') {
            let meant = self.resolve(owner, kind, one);
            if limit.as_ref().is_some_and(|granted| !meant.is_some_and(|id| granted.contains(&id))) {
                let refused = Answer::refused(403, format!("{name} names something that you were not granted"));
                return Err(refused.field(name).accepted("names of resources that you were granted"));
            }
            wanted.extend(self.matching(owner, kind, one));
        }
        Ok(Some(wanted))
    }
}

/// What a device on a version is answered, and under what it counts. `offers` begins with the newest release.
fn decision(offers: &[(&Release, Vec<&File>)], version: &str, device: Option<&str>) -> Option<(Value, Status)> {
    let (latest, own) = (offers.first()?, order_of(version));
    let order = |(one, _): &(&Release, Vec<&File>)| order_of(&one.version);
    let required = offers.iter().rev().find(|offer| offer.0.is_intermediate && order(offer) > own);
    let is_behind = own < order(latest);
    let (one, files) = required.filter(|_| is_behind).unwrap_or(latest);
    let mut body = json!({"critical": false, "update_available": is_behind});
    for file in files {
        let key = if file.package.is_empty() {
            "update_url".to_owned()
        } else {
            format!("update_url_{}", &file.package[1..])
        };
        body[key] = file.link.clone().into();
    }
    if own != order(latest) {
        body["critical"] = one.is_critical.into();
        if !one.changelog.is_empty() {
            body["changelog"] = format!("{}\n", one.changelog).into();
        }
    }
    if !is_behind {
        body["possible_rollback"] = (own > order(latest)).into();
        return Some((body, Status::Latest));
    }
    if required.is_some() {
        body["is_intermediate_required"] = true.into();
    }
    if one.rollout < 100 {
        body["rollout"] = json!({"percent": one.rollout, "seed": one.seed});
    }
    let is_device = device.is_some_and(|device| device.len() >= 8);
    let newest_full = offers.iter().find(|offer| offer.0.rollout == 100);
    let below_full = newest_full.is_some_and(|full| own < order(full));
    let is_held = is_device && one.rollout == 0 && !below_full;
    Some((body, if is_held { Status::Held } else { Status::Outdated }))
}

type Devices = BTreeSet<String>;

/// What was counted, by plain sets.
#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    devices: Devices,
    statuses: BTreeMap<Status, Devices>,
    /// By channel, platform, architecture and version.
    devices_by: [BTreeMap<String, Devices>; 4],
    requests_by: [BTreeMap<String, u64>; 4],
}

impl Counts {
    /// Adds one day of one app.
    fn add(&mut self, world: &World, events: &[&Event], filters: &[Option<BTreeSet<Name>>; 3]) {
        let admits = |at: usize, value: &Option<Name>| match (&filters[at], value) {
            (None, _) => true,
            (Some(wanted), value) => value.as_ref().is_some_and(|value| wanted.contains(value)),
        };
        for one in events.iter().filter(|one| (0..3).all(|at| admits(at, &one.place[at]))) {
            self.requests += 1;
            let place = one.place.each_ref().map(|id| id.as_ref().map(|id| world.name_of(Some(id))));
            for (counts, value) in self.requests_by.iter_mut().zip(place.into_iter().chain([one.version.clone()])) {
                if let Some(value) = value {
                    *counts.entry(value).or_default() += 1;
                }
            }
        }
        let devices: BTreeSet<&String> = events.iter().map(|one| &one.device).collect();
        for device in devices {
            let mut own: Vec<&&Event> = events.iter().filter(|one| one.device == *device).collect();
            own.sort_by_key(|one| one.at);
            if !(0..3).all(|at| own.iter().any(|one| admits(at, &one.place[at]))) {
                continue;
            }
            self.devices.insert(device.clone());
            if let Some(status) = own.iter().rev().find_map(|one| one.status) {
                self.statuses.entry(status).or_default().insert(device.clone());
            }
            if let Some(version) = own.iter().rev().find_map(|one| one.version.clone()) {
                self.devices_by[3].entry(version).or_default().insert(device.clone());
            }
            for at in 0..3 {
                for value in own.iter().map(|one| &one.place[at]).filter(|value| value.is_some() && admits(at, value)) {
                    self.devices_by[at].entry(world.name_of(value.as_ref())).or_default().insert(device.clone());
                }
            }
        }
    }

    /// All days together.
    fn of_all(days: Vec<(i64, Self)>) -> Self {
        let mut all = Self::default();
        for (_, day) in days {
            all.requests += day.requests;
            all.devices.extend(day.devices);
            for (status, devices) in day.statuses {
                all.statuses.entry(status).or_default().extend(devices);
            }
            for (of_all, of_day) in all.devices_by.iter_mut().zip(day.devices_by) {
                for (value, devices) in of_day {
                    of_all.entry(value).or_default().extend(devices);
                }
            }
            for (of_all, of_day) in all.requests_by.iter_mut().zip(day.requests_by) {
                for (value, count) in of_day {
                    *of_all.entry(value).or_default() += count;
                }
            }
        }
        all
    }

    fn numbers(&self, date: &str) -> Value {
        let of = |status: Status| self.statuses.get(&status).cloned().unwrap_or_default();
        let outdated = of(Status::Outdated).union(&of(Status::Held)).count();
        json!({
            "date": date, "total_requests": self.requests, "unique_clients": self.devices.len(),
            "clients_using_latest_version": of(Status::Latest).len(), "clients_outdated": outdated,
        })
    }
}

/// The values of a breakdown: devices descending, then versions descending or names ascending.
fn ordered<'a>(name: &str, counts: &'a BTreeMap<String, Devices>) -> Vec<(&'a String, usize)> {
    let mut rows: Vec<(&String, usize)> = counts.iter().map(|(value, devices)| (value, devices.len())).collect();
    if name == "version" {
        rows.sort_by_key(|(version, _)| Reverse((order_of(version), (*version).clone())));
    }
    rows.sort_by_key(|(_, devices)| Reverse(*devices));
    rows
}

fn rows(name: &str, counts: &BTreeMap<String, Devices>) -> Value {
    let rows = ordered(name, counts).into_iter().map(|(value, count)| json!({name: value, "client_count": count}));
    let rows: Vec<Value> = rows.collect();
    if rows.is_empty() { Value::Null } else { rows.into() }
}
