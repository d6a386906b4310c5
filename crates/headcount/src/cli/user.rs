//! `headcount user`: accounts, straight in the catalog database, whether the server runs or not.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use headcount_engine::name::UserName;
use secrecy::SecretString;

use crate::catalog::Catalog;
use crate::catalog::users::{Role, User};
use crate::clock::Clock;
use crate::config::{Config, LogFormat};
use crate::password::{Password, PasswordHash, Passwords};

use super::{Failure, folder, log, print, settings_in};

/// The most bytes that are read of a password: more than one may have, with the end of its line.
const MOST_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[arg(long, global = true, value_name = "DIR", help = folder::DATA_DIR)]
    data_dir: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an administrator; the password, one line of 10 to 1024 bytes, is read from standard input
    CreateAdmin {
        /// The name, folded to lower case
        name: String,
    },
    /// List all users
    List,
    /// Change a password, read from standard input, and end the user's sessions
    SetPassword {
        /// The name of the user
        name: String,
    },
    /// Delete a user; an administrator's apps, releases and telemetry are erased too
    Delete {
        /// The name of the user
        name: String,
    },
}

pub(super) fn run(args: UserArgs) -> Result<(), Failure> {
    let config = settings_in(args.data_dir)?;
    log::start(tracing::Level::ERROR, LogFormat::Text);
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    let said = runtime.block_on(act(args.action, config))?;
    print(&said)
}

/// Does it, and answers what to print.
async fn act(action: Action, config: Config) -> anyhow::Result<String> {
    match action {
        Action::CreateAdmin { name } => create_administrator(&user_name(&name)?, config).await,
        Action::List => within(existing_catalog(config).await?, async |it| Ok(table(&it.users().await?))).await,
        Action::SetPassword { name } => {
            let name = user_name(&name)?;
            within(existing_catalog(config).await?, async |catalog| set_password(catalog, &name).await).await
        }
        Action::Delete { name } => {
            let name = user_name(&name)?;
            within(existing_catalog(config).await?, async |catalog| delete(catalog, &name).await).await
        }
    }
}

/// Leaves the database afterwards, so that its file can be moved.
async fn within<T>(catalog: Catalog, work: impl AsyncFnOnce(&Catalog) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let done = work(&catalog).await;
    catalog.close().await;
    done
}

async fn create_administrator(name: &UserName, config: Config) -> anyhow::Result<String> {
    let hash = hash_of_typed_password().await?;
    let shown = config.data_dir.display().to_string();
    folder::make(&config.data_dir).with_context(|| format!("the data folder `{shown}` cannot be made"))?;
    let create = async |catalog: &Catalog| Ok(catalog.create_administrator(name, &hash).await?);
    within(catalog(config).await?, create).await?.ok_or_else(|| anyhow!("a user named {name} exists"))?;
    Ok(format!("created the administrator {name}\n"))
}

async fn set_password(catalog: &Catalog, name: &UserName) -> anyhow::Result<String> {
    let known = catalog.credentials(name).await?.ok_or_else(|| anyhow!("there is no user named {name}"))?;
    let hash = hash_of_typed_password().await?;
    catalog.set_password(known.owner, known.user, &hash, None).await?;
    Ok(format!("changed the password of {name} and ended its sessions\n"))
}

async fn delete(catalog: &Catalog, name: &UserName) -> anyhow::Result<String> {
    if !catalog.delete_user(name).await? {
        bail!("there is no user named {name}");
    }
    Ok(format!("deleted {name}; a running server erases its telemetry, else the next start does\n"))
}

fn user_name(text: &str) -> anyhow::Result<UserName> {
    let name = text.to_ascii_lowercase().parse();
    name.map_err(|_| anyhow!("NAME: {text:?} is not a user name; accepted: {}", UserName::ACCEPTED))
}

async fn catalog(config: Config) -> anyhow::Result<Catalog> {
    Ok(Catalog::open(&config, Clock::wall()).await?)
}

/// A mistyped folder must not become an empty catalog.
async fn existing_catalog(config: Config) -> anyhow::Result<Catalog> {
    if !Catalog::may_exist(&config) {
        bail!("there is no catalog in the data folder `{}`; --data-dir DIR names another", config.data_dir.display());
    }
    catalog(config).await
}

async fn hash_of_typed_password() -> anyhow::Result<PasswordHash> {
    let password = Password::parse(typed_password()?)
        .map_err(|_| anyhow!("the password on standard input must have {}", Password::ACCEPTED))?;
    Ok(Passwords::new().hash(password).await?)
}

/// One line of standard input, without its end.
fn typed_password() -> anyhow::Result<SecretString> {
    let input = std::io::stdin().lock();
    let mut text = String::new();
    if input.is_terminal() {
        drop(input);
        write!(std::io::stderr(), "Password: ")?;
        text = console::Term::stderr().read_secure_line().context("the password cannot be read")?;
    } else {
        input.take(MOST_BYTES).read_to_string(&mut text).context("the password on standard input cannot be read")?;
    }
    let line = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains('\n') {
        bail!("the password on standard input must be one line");
    }
    Ok(line.into())
}

fn table(users: &[User]) -> String {
    let width = users.iter().map(|user| user.name.len()).max().unwrap_or_default().max("NAME".len());
    let mut text = format!("{:<width$}  {:<13}  {:<20}  {}\n", "NAME", "ROLE", "CREATED", "ID");
    for user in users {
        let role = match user.role {
            Role::Administrator => "administrator",
            Role::Team => "team user",
        };
        let created = jiff::Timestamp::from_millisecond(user.created_at.0).unwrap_or_default();
        let created = format!("{created:.0}");
        let note = if user.is_default_owner { "  default owner" } else { "" };
        _ = writeln!(text, "{:<width$}  {role:<13}  {created:<20}  {}{note}", user.name, user.id);
    }
    text
}
