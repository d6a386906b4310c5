//! From one line of an import to its event.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use headcount_api::import::LINE_BYTES;
use headcount_engine::day::{AHEAD_MILLIS, Day, Millis};
use headcount_engine::device::DeviceId;
use headcount_engine::dimension::{Dimension, Status, Value};
use headcount_engine::event::{Event, Values};
use headcount_engine::id::{AppId, Id};
use headcount_engine::personal::Personal;
use headcount_engine::snapshot::{NameIndex, OwnerCatalog};
use headcount_engine::version::Version;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

/// The fields that count; others are passed over. Any JSON may stand in them, so that it is this module that says what
/// is wrong with which.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    at: Json,
    app_name: Json,
    version: Json,
    channel: Json,
    platform: Json,
    arch: Json,
    device_id: Json,
    is_latest: Json,
}

/// What lines are read against.
#[derive(Debug)]
pub(super) struct Against {
    /// The catalog of the owner: its names are those of the lines.
    pub(super) catalog: Arc<OwnerCatalog>,
    /// The apps that may be named, where not every one may be.
    pub(super) apps: Option<BTreeSet<AppId>>,
    /// The key of the pseudonyms.
    pub(super) secret: [u8; 32],
    /// The oldest day that reports show.
    pub(super) first_day: Day,
    /// The moment of the import.
    pub(super) now: Millis,
}

impl Against {
    /// The event of a line and what its device id looks like, or what is wrong with it. The reason never repeats a
    /// device id.
    pub(super) fn event(&self, line: &[u8]) -> Result<(Event, Option<Personal>), String> {
        let fields = parse(line)?;
        let app = required("app_name", &fields.app_name)?;
        let app = self.app(app)?;
        let device: DeviceId =
            required("device_id", &fields.device_id)?.parse().map_err(|error| wrong("device_id", error))?;
        let personal = Personal::of(device.as_str().as_bytes());
        if let Some(personal) = personal.filter(|_| self.catalog.settings.strict_ids) {
            return Err(wrong("device_id", format!("looks personal ({})", personal.name())));
        }
        let mut values = Values::default();
        values[Dimension::Version] = match text("version", &fields.version)? {
            None => None,
            Some(text) => {
                let version: Version = text.parse().map_err(|error| wrong("version", error))?;
                Some(Value::new(version.name()))
            }
        };
        let parts = [
            (Dimension::Channel, "channel", &fields.channel, &self.catalog.channels),
            (Dimension::Platform, "platform", &fields.platform, &self.catalog.platforms),
            (Dimension::Arch, "arch", &fields.arch, &self.catalog.archs),
        ];
        for (dimension, field, given, names) in parts {
            let id = text(field, given)?.map(|name| known(names, field, name)).transpose()?;
            values[dimension] = id.map(|id| Value::new(&id.to_string()));
        }
        values[Dimension::Status] = status(&fields.is_latest)?.map(Status::value);
        let owner = self.catalog.id;
        let at = self.moment(&fields.at)?;
        Ok((Event { owner, app, at, device: device.pseudonym(&self.secret, owner), values }, personal))
    }

    /// An app that may not be named is as one that does not exist.
    fn app(&self, name: &str) -> Result<AppId, String> {
        let resolved = self.catalog.apps.resolve(name).map(AppId);
        let app = resolved.filter(|app| self.apps.as_ref().is_none_or(|apps| apps.contains(app)));
        let app = app.ok_or_else(|| unknown("app_name"))?;
        if self.catalog.settings.counts(app) {
            Ok(app)
        } else {
            Err(wrong("app_name", "is an app that is not counted"))
        }
    }

    fn moment(&self, given: &Json) -> Result<Millis, String> {
        let text = required("at", given)?;
        let moment: Timestamp =
            text.parse().map_err(|_| "at is not a moment of RFC 3339, such as 2026-03-02T10:15:00Z".to_owned())?;
        let at = Millis(moment.as_millisecond());
        if at.day() < self.first_day {
            return Err(format!("at is before {}, the first day that is kept", self.first_day));
        }
        if at.0 > self.now.0 + AHEAD_MILLIS {
            return Err("at is more than one hour ahead of the server's clock".to_owned());
        }
        Ok(at)
    }
}

/// What is said of a line that is longer than the limit.
pub(super) fn too_long() -> String {
    format!("the line is longer than {LINE_BYTES} bytes")
}

fn parse(line: &[u8]) -> Result<Fields, String> {
    // Serde would take the fields of an object from an array as well, by their position.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("the line is not a JSON object".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| {
        // Every line is line 1 for the parser.
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = said.strip_suffix(&place).unwrap_or(&said);
        format!("the line is not a JSON object: {reason} at byte {}", error.column())
    })
}

fn wrong(field: &str, what: impl Display) -> String {
    format!("{field} {what}")
}

/// The text of a field; none where it is missing, `null` or empty.
fn text<'a>(field: &str, given: &'a Json) -> Result<Option<&'a str>, String> {
    match given {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => Err(wrong(field, "is not a text")),
    }
}

fn required<'a>(field: &str, given: &'a Json) -> Result<&'a str, String> {
    text(field, given)?.ok_or_else(|| wrong(field, "is missing"))
}

/// The live resource of that name.
fn known(names: &NameIndex, field: &str, name: &str) -> Result<Id, String> {
    names.resolve(name).ok_or_else(|| unknown(field))
}

fn unknown(field: &str) -> String {
    wrong(field, "is not a name in the catalog")
}

fn status(is_latest: &Json) -> Result<Option<Status>, String> {
    match is_latest {
        Json::Null => Ok(None),
        Json::Bool(true) => Ok(Some(Status::Latest)),
        Json::Bool(false) => Ok(Some(Status::Outdated)),
        Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            Err(wrong("is_latest", "is not true, false or null"))
        }
    }
}
