//! What a server must be like, and what its errors mean.

use redis::{ErrorKind, RedisError};

use super::super::StoreError;
use super::super::kept::Purpose;
use super::connect::Connection;
use super::keys::Shared;
use super::reply;
use super::script::{INSTALLATION, PROBE};
use crate::clock::Clock;
use crate::installation::Installation;

/// The version of the keys and of what they hold.
pub(super) const FORMAT: i64 = 1;
/// The oldest version that has every command that is used.
const OLDEST: (u32, u32) = (6, 2);
/// From how many milliseconds on two clocks that differ are told about, and count as wrong.
const SKEW: (i64, i64) = (10_000, 3_600_000);

/// What somebody should know about a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Why nothing may be written to it.
    pub(super) refusal: Option<String>,
    /// What may go wrong.
    pub(super) warnings: Vec<String>,
}

/// Looks a server over, or every master of a cluster.
pub(super) async fn look(
    mut connection: Connection,
    shared: &Shared,
    (own, purpose): (&Installation, Purpose),
    address: &str,
) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let reports = connection.everywhere(&redis::cmd("INFO")).await.map_err(|error| failure(&error))?;
    for (node, report) in reports {
        look_at(&reply::text(report)?, &node, &mut findings)?;
    }
    let before = Clock::wall().now();
    let times = connection.everywhere(&redis::cmd("TIME")).await.map_err(|error| failure(&error))?;
    for (node, time) in times {
        let parts = reply::texts(time)?;
        let seconds: i64 = parts.first().and_then(|text| text.parse().ok()).ok_or_else(reply::unexpected)?;
        look_at_clock(seconds.saturating_mul(1000), before.0, &node, &mut findings);
    }
    if findings.refusal.is_some() {
        return Ok(findings);
    }
    let probe = PROBE.call().key(shared.probe());
    let refused = connection.send(&probe.with_text()).await.map_err(|error| failure(&error))?;
    let refused = reply::texts(refused)?;
    if !refused.is_empty() {
        let commands = refused.join(", ");
        findings.refuse(format!("the user of Redis may not use {commands}: grant it what docs/redis.md lists"));
        return Ok(findings);
    }
    check_installation(&mut connection, shared, (own, purpose), address).await?;
    Ok(findings)
}

impl Findings {
    /// Says in the log what there is to say.
    pub(super) fn tell(&self) {
        if let Some(why) = &self.refusal {
            tracing::error!(why, "nothing is shipped to Redis");
        }
        for warning in &self.warnings {
            tracing::warn!(warning, "Redis is not as it should be");
        }
    }

    fn refuse(&mut self, why: String) {
        self.refusal.get_or_insert(why);
    }
}

fn look_at(report: &str, node: &str, findings: &mut Findings) -> Result<(), StoreError> {
    let field = |name: &str| report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    if field("loading") == Some("1") {
        return Err(StoreError::Unavailable(format!("{node} still reads what it holds")));
    }
    let version = field("redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    if (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) < OLDEST {
        findings.refuse(format!("{node} is Redis {version}: at least {}.{} is needed", OLDEST.0, OLDEST.1));
    }
    let policy = field("maxmemory_policy").unwrap_or_default();
    if policy != "noeviction" {
        findings.refuse(format!(
            "{node} may throw keys away that are needed (maxmemory-policy {policy}): set `maxmemory-policy noeviction`"
        ));
    }
    if field("aof_enabled") == Some("0") {
        findings.warnings.push(format!(
            "{node} writes no log: what it is told after its last snapshot is lost when it ends, and has to be shipped \
             again: set `appendonly yes`"
        ));
    }
    Ok(())
}

/// Keys live until a moment of the server's clock.
fn look_at_clock(theirs: i64, ours: i64, node: &str, findings: &mut Findings) {
    let (told, wrong) = SKEW;
    let apart = (theirs - ours).abs();
    let text = || format!("the clock of {node} and that of this machine are {} s apart: set them", apart / 1000);
    if apart >= wrong {
        findings.refuse(text());
    } else if apart >= told {
        findings.warnings.push(text());
    }
}

/// Refuses a store whose pseudonyms were made with another secret: no device would be recognised again.
async fn check_installation(
    connection: &mut Connection,
    shared: &Shared,
    (own, purpose): (&Installation, Purpose),
    address: &str,
) -> Result<(), StoreError> {
    let call = INSTALLATION
        .call()
        .key(shared.installation())
        .arg(own.id.to_string())
        .arg(hex::encode(own.fingerprint()))
        .arg(FORMAT);
    let found = connection.send(&call.with_text()).await.map_err(|error| failure(&error))?;
    let [id, fingerprint, format, copy_of] = reply::array(found)?.try_into().map_err(|_| reply::unexpected())?;
    let (found, fingerprint, format) = (reply::text(id)?, reply::text(fingerprint)?, reply::number::<i64>(format)?);
    let path = address.to_owned();
    if format > FORMAT {
        return Err(StoreError::Newer { path, found: format, known: FORMAT });
    }
    if found != own.id.to_string() || fingerprint != hex::encode(own.fingerprint()) {
        return Err(StoreError::Foreign { path, found, own: own.id.to_string() });
    }
    if purpose == Purpose::Use && reply::optional_bytes(copy_of)?.is_some() {
        return Err(StoreError::Unfinished(path));
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
