//! What a server must be like, and what its errors mean.

use redis::{ErrorKind, RedisError};

use super::super::StoreError;
use super::connect::Connection;
use super::keys::Shared;
use super::reply;
use super::script::INSTALLATION;
use crate::installation::Installation;

/// The version of the keys and of what they hold.
pub(super) const FORMAT: i64 = 1;
/// The oldest version that has every command that is used.
const OLDEST: (u32, u32) = (6, 2);

/// Looks a server over: why nothing may be written to it, if there is a reason.
pub(super) async fn look(
    mut connection: Connection,
    shared: &Shared,
    own: &Installation,
    address: &str,
) -> Result<Option<String>, StoreError> {
    let info = connection.send(redis::cmd("INFO").arg("server")).await.map_err(|error| failure(&error))?;
    let memory = connection.send(redis::cmd("INFO").arg("memory")).await.map_err(|error| failure(&error))?;
    if let Some(why) = refusal(&reply::text(info)?, &reply::text(memory)?) {
        return Ok(Some(why));
    }
    check_installation(&mut connection, shared, own, address).await?;
    Ok(None)
}

fn refusal(server: &str, memory: &str) -> Option<String> {
    let version = field(server, "redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    if (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) < OLDEST {
        return Some(format!("Redis is of version {version}: at least {}.{} is needed", OLDEST.0, OLDEST.1));
    }
    let policy = field(memory, "maxmemory_policy").unwrap_or_default();
    (policy != "noeviction").then(|| {
        format!(
            "Redis may throw keys away that are needed (maxmemory-policy {policy}): set `maxmemory-policy noeviction`"
        )
    })
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// Refuses a store whose pseudonyms were made with another secret: no device would be recognised again.
async fn check_installation(
    connection: &mut Connection,
    shared: &Shared,
    own: &Installation,
    address: &str,
) -> Result<(), StoreError> {
    let call = INSTALLATION
        .call()
        .key(shared.installation())
        .arg(own.id.to_string())
        .arg(hex::encode(own.fingerprint()))
        .arg(FORMAT);
    let found = connection.send(&call.with_text()).await.map_err(|error| failure(&error))?;
    let [id, fingerprint, format] = reply::array(found)?.try_into().map_err(|_| reply::unexpected())?;
    let (found, fingerprint, format) = (reply::text(id)?, reply::text(fingerprint)?, reply::number::<i64>(format)?);
    let path = address.to_owned();
    if format > FORMAT {
        return Err(StoreError::Newer { path, found: format, known: FORMAT });
    }
    if found != own.id.to_string() || fingerprint != hex::encode(own.fingerprint()) {
        return Err(StoreError::Foreign { path, found, own: own.id.to_string() });
    }
    Ok(())
}

/// What an error says about the store.
pub(super) fn failure(error: &RedisError) -> StoreError {
    match code(error) {
        "NOAUTH" | "WRONGPASS" => StoreError::Refused(format!("Redis takes neither user nor password: {error}")),
        "NOPERM" => StoreError::Refused(format!("the user of Redis lacks a right: {error}")),
        "WRONGTYPE" => StoreError::Refused(format!("a key in Redis is not what it should be: {error}")),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Whether it is of no use to go on with the connection: it is broken, or leads to a server that does not serve any more,
/// or not us.
pub(super) fn needs_another_connection(error: &RedisError) -> bool {
    matches!(code(error), "READONLY" | "MOVED" | "MASTERDOWN" | "CLUSTERDOWN" | "NOPERM" | "NOAUTH" | "WRONGPASS")
        || matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound)
        || error.is_unrecoverable_error()
}

fn code(error: &RedisError) -> &str {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return "NOAUTH";
    }
    error.code().unwrap_or_default()
}
