//! Apps, channels, platforms and architectures.

use serde_json::{Value, json};

use super::wire::{Answer, Asked, Body};
use super::world::{ACCEPTED_ID, Kind, Name, Resource, Told, Who, World, is_id, moment};

/// What a new resource is, or what a change sets.
#[derive(Default)]
struct Draft {
    name: String,
    updaters: Option<Value>,
    description: Option<String>,
    flags: [Option<bool>; 4],
}

impl World {
    pub(super) fn answer_of_resources(&mut self, who: Who, (kind, verb): (Kind, &str), asked: &Asked) -> Told {
        match verb {
            "list" => Ok(self.list(who, kind)),
            "create" => self.create(who, kind, asked),
            "update" => self.update(who, kind, asked),
            "delete" => self.delete(who, kind, asked),
            _ => panic!("the model does not know {}", asked.route),
        }
    }

    fn list(&self, who: Who, kind: Kind) -> Answer {
        let owner = self.owner_of(who);
        let seen = self.live(owner, kind).filter(|one| self.may_touch(who, kind, &one.id));
        let rows: Vec<Value> = seen.map(|one| row(one, &self.owners[owner].name)).collect();
        let list = format!("{}s", kind.noun());
        Answer::ok(json!({ list: if rows.is_empty() { Value::Null } else { rows.into() } }))
    }

    fn create(&mut self, who: Who, kind: Kind, asked: &Asked) -> Told {
        let draft = draft(kind, asked, false)?;
        let owner = self.owner_of(who);
        self.take_name(owner, kind, &draft.name)?;
        let id = self.made_up("id");
        self.resources.push(Resource {
            id: id.clone(),
            owner,
            kind,
            name: draft.name,
            former: Vec::new(),
            is_deleted: false,
            updated_at: self.now,
            updaters: draft.updaters.unwrap_or_else(|| json!([{"type": "manual", "default": true}])),
            description: draft.description.unwrap_or_default(),
            flags: draft.flags.map(Option::unwrap_or_default),
        });
        if let Who::Team(user) = who {
            self.users[user].granted.push((kind, id.clone()));
        }
        Ok(Answer::ok(json!({ said(kind, "create", "Created"): id })))
    }

    fn update(&mut self, who: Who, kind: Kind, asked: &Asked) -> Told {
        if kind == Kind::App && matches!(asked.body, Body::Form(_)) && asked.text("id").is_empty() {
            return Err(Answer::invalid("id", "id is required"));
        }
        let wrong = wrong_body(kind, asked);
        wrong.map_or(Ok(()), Err)?;
        if !is_id(asked.text("id")) {
            return Err(Answer::invalid("id", "invalid id format").accepted(ACCEPTED_ID));
        }
        let (draft, id) = (draft(kind, asked, true)?, asked.text("id"));
        let owner = self.owner_of(who);
        if !self.may_touch(who, kind, id) {
            return Err(Answer::refused(403, out_of_reach("update", kind)));
        }
        let at = self.place_of(owner, kind, id);
        let at = at.ok_or_else(|| Answer::refused(404, format!("{} not found", kind.noun())))?;
        if self.resources[at].name != draft.name {
            self.take_name(owner, kind, &draft.name)?;
            let given_up = std::mem::replace(&mut self.resources[at].name, draft.name);
            self.resources[at].former.push(given_up);
        }
        let one = &mut self.resources[at];
        one.updated_at = self.now;
        one.updaters = draft.updaters.unwrap_or_else(|| one.updaters.clone());
        one.description = draft.description.unwrap_or_else(|| one.description.clone());
        for (flag, given) in one.flags.iter_mut().zip(draft.flags) {
            *flag = given.unwrap_or(*flag);
        }
        Ok(Answer::ok(json!({ said(kind, "update", "Updated"): true })))
    }

    fn delete(&mut self, who: Who, kind: Kind, asked: &Asked) -> Told {
        let erases = match asked.parameter("telemetry").filter(|_| kind == Kind::App) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(Answer::invalid("telemetry", "invalid telemetry parameter").accepted("true or false"));
            }
        };
        let id = id_to_delete(asked)?;
        let owner = self.owner_of(who);
        let failed = |status, why: String| {
            Err(Answer::refused(status, format!("failed to delete {}", kind.noun())).details(why))
        };
        if !self.may_touch(who, kind, &id) {
            return failed(403, out_of_reach("delete", kind));
        }
        let Some(at) = self.place_of(owner, kind, &id) else {
            return failed(404, format!("no document found with ID {id}"));
        };
        if self.is_referred_to(&id) {
            return failed(409, "you can't delete this item because it is related to other items".to_owned());
        }
        self.resources[at].is_deleted = true;
        self.resources[at].former.clear();
        self.users.iter_mut().for_each(|user| user.granted.retain(|(_, granted)| *granted != id));
        self.tokens.iter_mut().filter_map(|token| token.apps.as_mut()).for_each(|apps| apps.retain(|app| *app != id));
        if erases {
            self.events.retain(|event| event.app != id);
        }
        Ok(Answer::ok(json!({ said(kind, "delete", "DeletedCount"): 1 })))
    }

    fn place_of(&self, owner: usize, kind: Kind, id: &str) -> Option<usize> {
        let is_it = |one: &Resource| one.id == id && one.owner == owner && one.kind == kind && !one.is_deleted;
        self.resources.iter().position(is_it)
    }

    /// Nobody else keeps the name as an alias.
    fn take_name(&mut self, owner: usize, kind: Kind, name: &str) -> Result<(), Answer> {
        if self.live(owner, kind).any(|one| one.name == name) {
            return Err(
                Answer::refused(409, format!("{} with this name already exists", kind.noun())).field(kind.noun())
            );
        }
        let of_kind = self.resources.iter_mut().filter(|one| one.owner == owner && one.kind == kind);
        of_kind.for_each(|one| one.former.retain(|former| former != name));
        Ok(())
    }

    pub(super) fn is_referred_to(&self, id: &Name) -> bool {
        self.releases.iter().any(|release| {
            let of_file =
                |file: &super::world::File| file.platform.as_ref() == Some(id) || file.arch.as_ref() == Some(id);
            release.app == *id || release.channel.as_ref() == Some(id) || release.files.iter().any(of_file)
        })
    }
}

/// The id of a request that deletes.
pub(super) fn id_to_delete(asked: &Asked) -> Result<Name, Answer> {
    let id = asked.parameter("id").unwrap_or_default();
    if !is_id(id) {
        let error = "the provided hex string is not a valid ObjectID";
        return Err(Answer::invalid("id", error).accepted(ACCEPTED_ID));
    }
    Ok(id.to_owned())
}

/// The key of an answer, as `createAppResult.Created`.
fn said(kind: Kind, verb: &str, what: &str) -> String {
    let noun = kind.noun();
    format!("{verb}{}{}Result.{what}", noun[..1].to_uppercase(), &noun[1..])
}

fn out_of_reach(what: &str, kind: Kind) -> String {
    let noun = kind.noun();
    format!("you don't have permission to {what} this {noun} as it's not in your allowed {noun}s list")
}

/// What is said of a body that is not of the right form.
pub(super) fn not_an_object(asked: &Asked, error: &str) -> Result<(), Answer> {
    match asked.body {
        Body::Json(_) => Ok(()),
        Body::None | Body::Form(_) | Body::Lines(_) | Body::Wrong => {
            Err(Answer::invalid("body", error).details("expected a JSON object"))
        }
    }
}

fn wrong_body(kind: Kind, asked: &Asked) -> Option<Answer> {
    if kind != Kind::App {
        return not_an_object(asked, "Invalid request body").err();
    }
    let is_form = matches!(asked.body, Body::Form(_));
    (!is_form).then(|| Answer::invalid("data", "No JSON data provided").accepted("multipart/form-data"))
}

fn draft(kind: Kind, asked: &Asked, is_change: bool) -> Result<Draft, Answer> {
    wrong_body(kind, asked).map_or(Ok(()), Err)?;
    let name = asked.text(kind.noun());
    if kind == Kind::App && name.is_empty() {
        return Err(Answer::invalid("app", "app is required"));
    }
    let (is_right, error, accepted) = match kind {
        Kind::App => (has_form(name, 64, " ._-"), "invalid app name", r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$"),
        Kind::Channel => (has_form(name, 32, "._-"), "invalid channel name", PART),
        Kind::Platform => (has_form(name, 32, "._-"), "invalid platform name", PART),
        Kind::Arch => (has_form(name, 32, "._-"), "invalid architecture name", PART),
    };
    if !is_right {
        return Err(Answer::invalid(kind.noun(), error).accepted(accepted));
    }
    let mut draft = Draft { name: name.to_owned(), ..Draft::default() };
    match kind {
        Kind::App => {
            draft.description = asked.field("description").as_str().map(str::to_owned);
            for (flag, field) in draft.flags.iter_mut().zip(["private", "tuf", "reports", "cdn"]) {
                *flag = match asked.text(field) {
                    "" => None,
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => {
                        let error = format!("invalid {field} parameter");
                        return Err(Answer::invalid(field, error).accepted("\"true\" or \"false\""));
                    }
                };
            }
        }
        Kind::Platform => draft.updaters = updaters(asked.field("updaters"), is_change)?,
        Kind::Channel | Kind::Arch => {}
    }
    Ok(draft)
}

const PART: &str = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$";

fn has_form(name: &str, longest: usize, marks: &str) -> bool {
    let is_right = |char: char| char.is_ascii_alphanumeric() || marks.contains(char);
    (1..=longest).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(is_right)
}

fn updaters(given: &Value, is_change: bool) -> Result<Option<Value>, Answer> {
    let refused = |error: String| Err(Answer::invalid("updaters", error));
    let Some(list) = given.as_array().filter(|list| is_change || !list.is_empty()) else { return Ok(None) };
    let kinds: Vec<&str> = list.iter().map(|one| one["type"].as_str().unwrap()).collect();
    let valid = ["manual", "squirrel_darwin", "squirrel_windows", "sparkle", "electron-builder", "tauri", "velopack"];
    if let Some(kind) = kinds.iter().find(|kind| !valid.contains(kind)) {
        return refused(format!("invalid updater type: {kind}. Valid types are: [{}]", valid.join(" ")));
    }
    match list.iter().filter(|one| one["default"] == true).count() {
        _ if list.is_empty() => refused("at least one updater is required".to_owned()),
        0 => refused("exactly one updater must be set as default".to_owned()),
        1 => Ok(Some(given.clone())),
        _ => refused("only one updater can be set as default".to_owned()),
    }
}

fn row(one: &Resource, owner: &str) -> Value {
    let mut row = json!({"ID": one.id, "Owner": owner, "Updated_at": moment(one.updated_at)});
    match one.kind {
        Kind::App => {
            row["AppName"] = one.name.clone().into();
            row["Logo"] = "".into();
            row["Description"] = one.description.clone().into();
            for (flag, key) in one.flags.iter().zip(["Private", "Tuf", "Reports", "CdnEdge"]) {
                row[key] = (*flag).into();
            }
        }
        Kind::Channel => row["ChannelName"] = one.name.clone().into(),
        Kind::Platform => {
            row["PlatformName"] = one.name.clone().into();
            row["Updaters"] = one.updaters.clone();
        }
        Kind::Arch => row["ArchID"] = one.name.clone().into(),
    }
    row
}
