//! Administrators, team users and API tokens.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::catalog::not_an_object;
use super::wire::{Answer, Asked};
use super::world::{ACCEPTED_ID, Kind, Name, Owner, Token, Told, User, Who, World, is_id, moment};

/// The key that signing up asks for.
pub(super) const SIGNUP_KEY: &str = "a key that nobody can guess at all";
const ACCEPTED_NAME: &str = r"^[a-z0-9][a-z0-9._@+-]{1,63}$";
const MOMENT: &str = "RFC 3339, as 2027-01-31T12:00:00Z";
const SCOPES: [&str; 3] = ["release:write", "telemetry:read", "telemetry:import"];

/// What may be done with resources of that kind.
pub(super) fn verbs(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::App => &["create", "delete", "edit", "download", "upload"],
        Kind::Channel | Kind::Platform | Kind::Arch => &["create", "delete", "edit"],
    }
}

fn filled(asked: &Asked, fields: &[&str]) -> Result<(), Answer> {
    let empty = fields.iter().find(|field| asked.text(field).is_empty());
    empty.map_or(Ok(()), |field| {
        Err(Answer::invalid(*field, "Invalid request body").accepted("a text that is not empty"))
    })
}

fn user_name(asked: &Asked) -> Result<String, Answer> {
    let name = asked.text("username").to_ascii_lowercase();
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(is_right) || !name.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(Answer::invalid("username", "invalid username").accepted(ACCEPTED_NAME));
    }
    Ok(name)
}

fn new_password(asked: &Asked) -> Result<String, Answer> {
    let password = asked.text("password");
    if !(10..=1024).contains(&password.len()) {
        return Err(Answer::invalid("password", "invalid password").accepted("10 to 1024 bytes"));
    }
    Ok(password.to_owned())
}

fn not_yours(kind: Kind) -> Answer {
    let noun = kind.noun();
    Answer::invalid(format!("permissions.{noun}s.allowed"), "Invalid request body")
        .accepted(format!("ids of your {noun}s, each 24 lowercase hex characters"))
}

fn message(text: &str) -> Answer {
    Answer::ok(json!({ "message": text }))
}

/// Rights and grants, as an administrator sends them.
type Permissions = (BTreeSet<String>, Vec<(Kind, Name)>);

fn permissions(sent: &Value) -> Result<Permissions, Answer> {
    let (mut rights, mut granted) = (BTreeSet::new(), Vec::new());
    for kind in Kind::ALL {
        let part = &sent[format!("{}s", kind.noun())];
        let given = verbs(kind).iter().filter(|verb| part[**verb] == true);
        rights.extend(given.map(|verb| format!("{}s.{verb}", kind.noun())));
        for id in part["allowed"].as_array().into_iter().flatten().map(|id| id.as_str().unwrap()) {
            if !is_id(id) {
                return Err(not_yours(kind));
            }
            if !granted.contains(&(kind, id.to_owned())) {
                granted.push((kind, id.to_owned()));
            }
        }
    }
    Ok((rights, granted))
}

impl World {
    fn is_taken(&self, name: &str, but: Option<usize>) -> bool {
        let users = self.users.iter().enumerate().filter(|(at, user)| Some(*at) != but && !user.is_deleted);
        self.owners.iter().any(|owner| owner.name == name) || users.into_iter().any(|(_, user)| user.name == name)
    }

    fn refuse_strange_grants(&self, owner: usize, granted: &[(Kind, Name)]) -> Result<(), Answer> {
        let strange = granted.iter().find(|(kind, id)| !self.live(owner, *kind).any(|one| one.id == *id));
        strange.map_or(Ok(()), |(kind, _)| Err(not_yours(*kind)))
    }

    fn shown(user: &User) -> Value {
        let part = |kind: Kind| {
            let word = |verb: &str| format!("{}{}", verb[..1].to_uppercase(), &verb[1..]);
            let has = |verb: &str| user.rights.contains(&format!("{}s.{verb}", kind.noun()));
            let mut part: serde_json::Map<String, Value> =
                verbs(kind).iter().map(|verb| (word(verb), has(verb).into())).collect();
            let allowed: Vec<&Name> = user.granted.iter().filter(|(of, _)| *of == kind).map(|(_, id)| id).collect();
            part.insert("Allowed".to_owned(), if allowed.is_empty() { Value::Null } else { json!(allowed) });
            Value::Object(part)
        };
        let [apps, channels, platforms, archs] = Kind::ALL.map(part);
        json!({"Apps": apps, "Channels": channels, "Platforms": platforms, "Archs": archs})
    }

    pub(super) fn whoami(&self, who: Who) -> Answer {
        let owner = &self.owners[self.owner_of(who)];
        Answer::ok(match who {
            Who::Administrator(_) | Who::Token(_) => json!({"id": owner.id, "username": owner.name, "is_admin": true}),
            Who::Team(user) => {
                let user = &self.users[user];
                json!({
                    "id": user.id, "username": user.name, "is_admin": false, "owner": owner.name,
                    "permissions": Self::shown(user),
                })
            }
        })
    }

    pub(super) fn list_users(&self, who: Who) -> Answer {
        let owner = self.owner_of(who);
        let rows = self.users.iter().filter(|user| user.owner == owner && !user.is_deleted).map(|user| {
            json!({
                "id": user.id, "username": user.name, "permissions": Self::shown(user),
                "updated_at": moment(user.updated_at),
            })
        });
        let rows: Vec<Value> = rows.collect();
        Answer::ok(json!({"users": if rows.is_empty() { Value::Null } else { rows.into() }}))
    }

    pub(super) fn create_user(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        filled(asked, &["username", "password"])?;
        let (name, (rights, granted)) = (user_name(asked)?, permissions(asked.field("permissions"))?);
        let password = new_password(asked)?;
        if self.is_taken(&name, None) {
            return Err(Answer::refused(409, "Username already exists").field("username"));
        }
        let owner = self.owner_of(who);
        self.refuse_strange_grants(owner, &granted)?;
        let (id, updated_at) = (self.made_up("id"), self.now);
        self.users.push(User { id, owner, name, password, rights, granted, updated_at, is_deleted: false });
        Ok(message("Team user created successfully"))
    }

    fn user_of(&self, owner: usize, id: &str) -> Option<usize> {
        self.users.iter().position(|user| user.id == id && user.owner == owner && !user.is_deleted)
    }

    fn end_sessions(&mut self, of: Who, but: Option<&str>) {
        self.sessions.retain(|bearer, who| *who != of || Some(bearer.as_str()) == but);
    }

    pub(super) fn end_all_sessions(&mut self, who: Who, asked: &Asked) -> Told {
        if !is_id(asked.text("user")) {
            return Err(Answer::invalid("user", "Invalid user ID format").accepted(ACCEPTED_ID));
        }
        let own = matches!(who, Who::Administrator(_)).then(|| self.user_of(self.owner_of(who), asked.text("user")));
        let itself = |at: &usize| self.users[*at].id == asked.text("user");
        let own = own.flatten().or_else(|| if let Who::Team(at) = who { Some(at).filter(itself) } else { None });
        let of = Who::Team(own.ok_or_else(|| Answer::refused(404, "User not found"))?);
        let ended = self.sessions.values().filter(|who| **who == of).count();
        self.end_sessions(of, None);
        Ok(Answer::ok(json!({ "ended": ended })))
    }

    pub(super) fn update_user(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        filled(asked, &["id", "username"])?;
        if !is_id(asked.text("id")) {
            let error = "the provided hex string is not a valid ObjectID";
            return Err(Answer::invalid("id", error).accepted(ACCEPTED_ID));
        }
        let password = match asked.text("password") {
            "" => None,
            _ => Some(new_password(asked)?),
        };
        let sent = asked.field("permissions");
        let permissions = if sent.is_null() { None } else { Some(permissions(sent)?) };
        let (name, owner) = (user_name(asked)?, self.owner_of(who));
        let Some(at) = self.user_of(owner, asked.text("id")) else {
            return Err(Answer::refused(404, "Team user not found"));
        };
        if self.is_taken(&name, Some(at)) {
            return Err(Answer::refused(409, "Username already exists").field("username"));
        }
        if let Some((_, granted)) = &permissions {
            self.refuse_strange_grants(owner, granted)?;
        }
        let (now, user) = (self.now, &mut self.users[at]);
        (user.name, user.updated_at) = (name, now);
        if let Some((rights, granted)) = permissions {
            (user.rights, user.granted) = (rights, granted);
        }
        if let Some(password) = password {
            user.password = password;
            self.end_sessions(Who::Team(at), None);
        }
        Ok(message("Team user updated successfully"))
    }

    pub(super) fn delete_user(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        filled(asked, &["id"])?;
        if !is_id(asked.text("id")) {
            return Err(Answer::invalid("id", "Invalid user ID format").accepted(ACCEPTED_ID));
        }
        let Some(at) = self.user_of(self.owner_of(who), asked.text("id")) else {
            return Err(Answer::refused(404, "Team user not found or you don't have permission to delete it"));
        };
        self.users[at].is_deleted = true;
        self.end_sessions(Who::Team(at), None);
        Ok(message("Team user deleted successfully"))
    }

    pub(super) fn update_administrator(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        filled(asked, &["id", "username"])?;
        if !is_id(asked.text("id")) {
            return Err(Answer::invalid("id", "Invalid ID format").accepted(ACCEPTED_ID));
        }
        let owner = &self.owners[self.owner_of(who)];
        if asked.text("username").to_ascii_lowercase() != owner.name {
            return Err(Answer::refused(403, "Username mismatch"));
        }
        if asked.text("id") != owner.id {
            return Err(Answer::refused(404, "Admin not found"));
        }
        Ok(message("Admin updated successfully"))
    }

    /// Passwords are compared by the model as well; the session is given to whoever logs in.
    pub(super) fn log_in(&mut self, asked: &Asked) -> Told {
        not_an_object(asked, "invalid request body")?;
        let name = asked.text("username").to_ascii_lowercase();
        let administrator = self.owners.iter().position(|owner| owner.name == name).map(Who::Administrator);
        let team = || self.users.iter().position(|user| user.name == name && !user.is_deleted).map(Who::Team);
        let who = administrator.or_else(team).filter(|who| self.password_of(*who) == Some(asked.text("password")));
        let who = who.ok_or_else(|| Answer::refused(401, "invalid username or password"))?;
        let session = self.made_up("session");
        self.sessions.insert(session.clone(), who);
        Ok(Answer::ok(json!({ "token": session })))
    }

    fn password_of(&self, who: Who) -> Option<&str> {
        match who {
            Who::Administrator(owner) => self.passwords.get(&owner).map(String::as_str),
            Who::Team(user) => Some(&self.users[user].password),
            Who::Token(_) => None,
        }
    }

    pub(super) fn sign_up(&mut self, asked: &Asked) -> Told {
        not_an_object(asked, "invalid request body")?;
        if asked.text("api_key") != SIGNUP_KEY {
            return Err(Answer::refused(401, "wrong api key"));
        }
        let (name, password) = (user_name(asked)?, new_password(asked)?);
        if self.is_taken(&name, None) {
            return Err(Answer::refused(401, "user already exists"));
        }
        self.passwords.insert(self.owners.len(), password);
        let id = self.made_up("id");
        self.owners.push(Owner { id, name });
        Ok(Answer::ok(json!({"result": "Successfully created admin user."})))
    }

    /// The first administrator is there from the beginning.
    pub(super) fn set_up(asked: &Asked) -> Told {
        not_an_object(asked, "invalid request body")?;
        Err(Answer::refused(401, "invalid or expired setup token"))
    }

    pub(super) fn create_token(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        let invalid =
            |field: &str, accepted: &str| Err(Answer::invalid(field, "Invalid request body").accepted(accepted));
        let (name, owner) = (asked.text("name"), self.owner_of(who));
        if name.trim().is_empty() || name.chars().count() > 100 {
            return invalid("name", "1 to 100 characters, no control characters");
        }
        let given = asked.field("scopes").as_array();
        let scopes: Vec<&str> = given.map_or(vec![SCOPES[0]], |given| {
            SCOPES.into_iter().filter(|scope| given.iter().any(|one| one == scope)).collect()
        });
        let is_known = |scope: &Value| SCOPES.iter().any(|known| scope == known);
        if scopes.is_empty() || !given.into_iter().flatten().all(is_known) {
            return invalid("scopes", "at least one of release:write, telemetry:read, telemetry:import");
        }
        let apps = apps_of_token(asked.field("allowed_apps"))?;
        if apps.is_none() && scopes.contains(&SCOPES[0]) {
            return invalid("allowed_apps", "at least one id of your apps");
        }
        let expires_at = match asked.field("expires_at").as_str() {
            None => None,
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Err(_) => return invalid("expires_at", MOMENT),
                Ok(at) if at.as_millisecond() <= self.now => {
                    return Err(Answer::invalid("expires_at", "expires_at must be in the future").accepted(MOMENT));
                }
                Ok(at) => Some(at.as_millisecond()),
            },
        };
        if let Some(apps) = &apps
            && !apps.iter().all(|app| self.live(owner, Kind::App).any(|one| one.id == *app))
        {
            return Err(invalid_apps());
        }
        let (id, bearer) = (self.made_up("id"), self.made_up("token"));
        let mut shown = json!({
            "id": id, "name": name, "token": bearer, "token_prefix": bearer.replace("token", "prefix"),
            "scopes": scopes, "allowed_apps": apps, "created_at": moment(self.now),
        });
        shown["expires_at"] = expires_at.map(moment).into();
        self.tokens.push(Token {
            id,
            owner,
            name: name.to_owned(),
            bearer,
            scopes,
            apps,
            created_at: self.now,
            expires_at,
            last_used_at: None,
            is_revoked: false,
        });
        Ok(Answer::new(201, shown))
    }

    pub(super) fn list_tokens(&self, who: Who) -> Answer {
        let owner = self.owner_of(who);
        let listed = self.tokens.iter().rev().filter(|token| token.owner == owner && !token.is_revoked);
        let row = |token: &Token| {
            let mut row = json!({
                "id": token.id, "name": token.name, "token_prefix": token.bearer.replace("token", "prefix"),
                "scopes": token.scopes, "allowed_apps": token.apps, "created_at": moment(token.created_at),
            });
            for (key, at) in [("expires_at", token.expires_at), ("last_used_at", token.last_used_at)] {
                if let Some(at) = at {
                    row[key] = moment(at).into();
                }
            }
            row
        };
        Answer::ok(json!({"tokens": listed.map(row).collect::<Vec<_>>()}))
    }

    pub(super) fn delete_token(&mut self, who: Who, asked: &Asked) -> Told {
        not_an_object(asked, "Invalid request body")?;
        filled(asked, &["id"])?;
        if !is_id(asked.text("id")) {
            return Err(Answer::invalid("id", "Invalid token ID format").accepted(ACCEPTED_ID));
        }
        let (owner, id) = (self.owner_of(who), asked.text("id"));
        let is_it = |token: &&mut Token| token.id == id && token.owner == owner && !token.is_revoked;
        let token = self.tokens.iter_mut().find(is_it).ok_or_else(|| Answer::refused(404, "Token not found"))?;
        token.is_revoked = true;
        Ok(message("Token revoked"))
    }
}

fn invalid_apps() -> Answer {
    Answer::invalid("allowed_apps", "one or more allowed_apps are invalid")
        .accepted("ids of your apps, each 24 lowercase hex characters")
}

fn apps_of_token(given: &Value) -> Result<Option<Vec<Name>>, Answer> {
    let Some(given) = given.as_array() else { return Ok(None) };
    if given.is_empty() {
        let refused = Answer::invalid("allowed_apps", "Invalid request body");
        return Err(refused.accepted("at least one id of your apps"));
    }
    let mut apps: Vec<Name> = Vec::new();
    for id in given.iter().map(|id| id.as_str().unwrap()) {
        if !is_id(id) {
            return Err(invalid_apps());
        }
        if !apps.iter().any(|app| app == id) {
            apps.push(id.to_owned());
        }
    }
    Ok(Some(apps))
}
