//! All settings, and the only place that reads the process environment.
//!
//! A flag wins over the environment, the environment over `.env` in the working directory, and that over the default.
//! Within one of them the `HEADCOUNT_` name wins over the names of other programs. An empty value means the default.

mod accept;
mod dotenv;
mod flags;
mod redis_url;
mod settings;
mod show;

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use crate::oidc;
use crate::retention::Retention;

pub use self::dotenv::{parse_dotenv, read_dotenv};
pub use self::flags::ServeArgs;
pub use self::redis_url::{RedisNode, RedisSettings, RedisTarget, Topology};
pub use self::settings::{Config, SETTINGS, Setting};
pub use self::show::{env_example, markdown_table, render_effective};

use self::settings::IGNORED;

/// Names and values of an environment.
pub type Variables = BTreeMap<String, String>;

const PREFIX: &str = "HEADCOUNT_";
const PORT: &str = "PORT";

/// The variable that holds the token of an administrator, for commands that talk to a server. No setting of the server.
pub const TOKEN_VARIABLE: &str = "HEADCOUNT_TOKEN";

/// Where the catalog lives.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file in the data folder.
    Sqlite,
    /// A database of PostgreSQL, by its URL.
    Postgres(SecretString),
}

impl std::str::FromStr for Database {
    type Err = String;

    /// As `DATABASE_URL` takes it.
    fn from_str(text: &str) -> Result<Self, String> {
        accept::database(text)
    }
}

/// The address by which browsers reach the server: an origin, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(pub(super) String);

impl PublicUrl {
    /// Scheme, host and port, as browsers write an origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading in a terminal.
    Text,
}

/// Where a value comes from, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// The process environment.
    Environment,
    /// The file `.env` in the working directory.
    Dotenv,
    /// Nothing was given.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "command line",
            Self::Environment => "environment",
            Self::Dotenv => ".env",
            Self::Default => "default",
        })
    }
}

/// Why the settings were refused. The message names the setting and the accepted form and repeats no secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value does not have the accepted form.
    #[error("{name} ({source_name}): {problem}; accepted: {accepted}")]
    Value {
        /// The flag or the variable.
        name: String,
        /// Where it was given.
        source_name: Source,
        /// What is wrong.
        problem: String,
        /// The form that would be right.
        accepted: &'static str,
    },
    /// A name that is no setting.
    #[error("{name} ({source_name}) is not a setting; accepted: {}", setting_names())]
    Unknown {
        /// The unknown name.
        name: String,
        /// Where it was given.
        source_name: Source,
    },
    /// A setting that another one needs.
    #[error("{by} is set and {name} is not; accepted: {accepted}")]
    Missing {
        /// The one that is not set.
        name: &'static str,
        /// The one that needs it.
        by: &'static str,
        /// The form that it has.
        accepted: &'static str,
    },
    /// A line of `.env` cannot be read.
    #[error(".env, line {line}: {problem}; accepted: NAME=value, a value with spaces, # or $ in 'single quotes'")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// `.env` exists and cannot be read.
    #[error(".env: cannot be read ({problem}); accepted: a UTF-8 text file, or none")]
    File {
        /// What the operating system says.
        problem: String,
    },
}

fn setting_names() -> String {
    SETTINGS.iter().map(|setting| setting.variable).collect::<Vec<_>>().join(", ")
}

impl Config {
    /// The settings that apply, given the flags, the process environment and the file `.env`. Reads nothing else.
    ///
    /// # Errors
    /// The first value that does not have its accepted form, and the first name that is not a setting: a variable that
    /// begins with `HEADCOUNT_`, or any variable of `.env`; and a setting that is missing where another one needs it.
    pub fn load(args: &ServeArgs, env: &Variables, dotenv: &Variables) -> Result<Self, ConfigError> {
        let given = Given { args, env, dotenv };
        given.refuse_unknown_names()?;
        let config = Self::parse(&given)?;
        config.oidc()?;
        Ok(config)
    }

    /// The provider that users may sign in with, if there is one.
    ///
    /// # Errors
    /// If it is set only in part.
    pub fn oidc(&self) -> Result<Option<oidc::Settings>, ConfigError> {
        let Some(issuer) = self.oidc_issuer.clone() else { return Ok(None) };
        let missing = |name: &'static str, accepted: &'static str| ConfigError::Missing {
            name,
            by: "HEADCOUNT_OIDC_ISSUER",
            accepted,
        };
        let client_id = self.oidc_client_id.clone();
        let client_id = client_id.ok_or_else(|| missing("HEADCOUNT_OIDC_CLIENT_ID", "the id of the client"))?;
        let url = self.public_url.as_ref();
        let url =
            url.ok_or_else(|| missing("HEADCOUNT_PUBLIC_URL", "the origin by which browsers reach the server"))?;
        Ok(Some(oidc::Settings {
            issuer,
            client_id,
            client_secret: self.oidc_client_secret.clone(),
            callback: format!("{}{}", url.as_str(), oidc::CALLBACK),
            name: self.oidc_name.clone(),
            scopes: self.oidc_scopes.clone(),
            role_claim: self.oidc_role_claim.clone(),
            administrator_role: self.oidc_administrator_role.clone(),
            team_role: self.oidc_team_role.clone(),
        }))
    }

    /// The Redis where the segments live, if they do not live in the data folder.
    pub fn redis(&self) -> Option<RedisSettings> {
        let host = || Some(RedisTarget::one(self.redis_host.clone()?, self.redis_port, self.redis_db));
        Some(self.redis_at(self.redis_url.clone().or_else(host)?))
    }

    /// The same at another place.
    pub fn redis_at(&self, mut target: RedisTarget) -> RedisSettings {
        if target.password.is_none() {
            target.password.clone_from(&self.redis_password);
        }
        RedisSettings {
            target,
            sentinel_password: self.redis_sentinel_password.clone(),
            ca_file: self.redis_ca_file.clone(),
            prefix: self.redis_prefix.clone(),
            retention: Retention::of_installation(self.retention_days),
            replay_window: self.replay_window,
        }
    }
}

/// The environment of this process.
///
/// # Errors
/// If the value of a setting is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the process environment")]
pub fn process_environment() -> Result<Variables, ConfigError> {
    let mut variables = Variables::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => _ = variables.insert(name, value),
            Err(_) if is_known(&name) || name.starts_with(PREFIX) => {
                let problem = "is not UTF-8".to_owned();
                return Err(ConfigError::Value {
                    name,
                    source_name: Source::Environment,
                    problem,
                    accepted: "UTF-8 text",
                });
            }
            Err(_) => {}
        }
    }
    Ok(variables)
}

fn is_known(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.variable == name || setting.aliases.contains(&name))
}

/// Everything that was given, before it is parsed.
struct Given<'a> {
    args: &'a ServeArgs,
    env: &'a Variables,
    dotenv: &'a Variables,
}

/// One text that was given for a setting.
struct Found {
    source: Source,
    name: String,
    text: String,
}

impl Found {
    fn default_of(setting: &Setting) -> Self {
        Self { source: Source::Default, name: setting.variable.to_owned(), text: setting.default.to_owned() }
    }

    fn refused(&self, problem: String, accepted: &'static str) -> ConfigError {
        ConfigError::Value { name: self.name.clone(), source_name: self.source, problem, accepted }
    }
}

/// One setting as it applies, ready to be shown.
#[derive(Debug, Clone)]
struct Effective {
    setting: &'static Setting,
    shown: String,
    source: Source,
    name: String,
}

impl Given<'_> {
    fn refuse_unknown_names(&self) -> Result<(), ConfigError> {
        let is_unknown = |name: &str| !is_known(name) && name != TOKEN_VARIABLE;
        let in_environment = self.env.keys().filter(|name| name.starts_with(PREFIX) && is_unknown(name));
        let in_dotenv = self.dotenv.keys().filter(|name| is_unknown(name) && !IGNORED.contains(&name.as_str()));
        let unknown = in_environment
            .map(|name| (name, Source::Environment))
            .chain(in_dotenv.map(|name| (name, Source::Dotenv)))
            .next();
        match unknown {
            Some((name, source_name)) => Err(ConfigError::Unknown { name: name.clone(), source_name }),
            None => Ok(()),
        }
    }

    fn ignored(&self) -> Vec<String> {
        IGNORED
            .iter()
            .filter(|&&name| self.env.contains_key(name) || self.dotenv.contains_key(name))
            .map(|&name| name.to_owned())
            .collect()
    }

    /// Parses what applies to a setting and notes how it came about.
    fn take<T>(
        &self,
        setting: &'static Setting,
        effective: &mut Vec<Effective>,
        parse: impl FnOnce(&str) -> accept::Parsed<T>,
    ) -> Result<T, ConfigError> {
        let found = self.winner(setting)?;
        let value = parse(&found.text).map_err(|problem| found.refused(problem, setting.accepted))?;
        let is_hidden = setting.secret && found.source != Source::Default;
        let shown = if is_hidden { "(hidden)".to_owned() } else { found.text };
        effective.push(Effective { setting, shown, source: found.source, name: found.name });
        Ok(value)
    }

    /// The text that applies to a setting.
    fn winner(&self, setting: &'static Setting) -> Result<Found, ConfigError> {
        let mut all = self.candidates(setting).into_iter();
        let first = all.next().unwrap_or_else(|| Found::default_of(setting));
        if first.name != PORT {
            return Ok(first);
        }
        // The port alone was given: the address is the one that applies without it.
        let address = all.find(|found| found.name != PORT).unwrap_or_else(|| Found::default_of(setting));
        let mut listen =
            accept::address(&address.text).map_err(|problem| address.refused(problem, setting.accepted))?;
        listen.set_port(accept::port(&first.text).map_err(|problem| first.refused(problem, accept::PORT_FORM))?);
        Ok(Found { text: listen.to_string(), ..first })
    }

    /// Every text that was given for a setting, the strongest first; the default is always there.
    fn candidates(&self, setting: &'static Setting) -> Vec<Found> {
        let mut all = Vec::new();
        if let Some((flag, text)) = setting.flag.and_then(|flag| Some((flag, self.args.get(flag)?))) {
            all.push(Found { source: Source::Flag, name: format!("--{flag}"), text: text.to_owned() });
        }
        for (source, variables) in [(Source::Environment, self.env), (Source::Dotenv, self.dotenv)] {
            for &name in std::iter::once(&setting.variable).chain(setting.aliases) {
                if let Some(text) = variables.get(name) {
                    all.push(Found { source, name: name.to_owned(), text: text.trim().to_owned() });
                }
            }
        }
        // Set to nothing: nothing weaker applies either, but the default.
        if let Some(empty) = all.iter().position(|found| found.text.is_empty()) {
            all.truncate(empty);
        }
        all.push(Found::default_of(setting));
        all
    }
}

#[cfg(test)]
mod tests;
