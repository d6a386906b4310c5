//! How often passwords may be tried, in the database: across restarts, and across all instances.
//!
//! Every try counts before its password is verified, so that many at once are as few as one after the other; the one
//! that succeeds is taken back. Three counts make a try wait:
//!
//! - of one name from one network: after [`FREE_PAIR`] tries, 1 s, 2 s, 4 s .. up to [`LONGEST_WAIT`];
//! - of one network, whatever the names, after [`FREE_NETWORK`] tries likewise; not of loopback and private networks,
//!   behind which many may sit;
//! - of one name, wherever from, after [`FREE_NAME`] tries, up to [`LONGEST_WAIT_OF_NAME`] only; and not from a network
//!   from which that user has logged in during the last [`KNOWN_FOR`].
//!
//! So nobody is kept out from elsewhere: a user's own networks wait for their own mistakes alone, and a new one for
//! seconds. A refused try counts for nothing, and a count is forgotten an hour after the last one that counted.

use std::net::IpAddr;
use std::time::Duration;

use headcount_engine::id::Id;
use headcount_engine::name::UserName;
use sqlx::{Any, Row as _, Transaction};

use crate::catalog::Catalog;
use crate::catalog::sessions::millis;
use crate::error::{Code, Error};

/// Tries of one name from one network that do not wait. Logins at once are tries until they succeed.
const FREE_PAIR: i64 = 10;
/// Tries of one name that do not wait.
const FREE_NAME: i64 = 20;
/// Tries from one network that do not wait.
const FREE_NETWORK: i64 = 30;
const LONGEST_WAIT: Duration = Duration::from_mins(15);
const LONGEST_WAIT_OF_NAME: Duration = Duration::from_secs(8);
/// How long after the last try a count is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// How long a network stays known after a login.
const KNOWN_FOR: Duration = Duration::from_hours(30 * 24);

/// A count that makes tries wait.
struct Count {
    subject: String,
    free: i64,
    longest: Duration,
}

/// A try that was admitted.
#[derive(Debug)]
pub struct Attempt {
    pair: String,
    others: Vec<String>,
    network: String,
}

impl Catalog {
    /// Counts a try to log in by that name from that network; none for those that no limit of one source holds for.
    ///
    /// # Errors
    /// 429 with the time to wait, if it has to; then it does not count.
    pub async fn attempt_login(&self, name: &str, network: Option<IpAddr>) -> Result<Attempt, Error> {
        let whence = network.map_or_else(|| "local".to_owned(), |network| network.to_string());
        let network_hash = self.subject(&["network", &whence]);
        let pair = Count { subject: self.subject(&["pair", name, &whence]), free: FREE_PAIR, longest: LONGEST_WAIT };
        let now = self.clock.now().0;
        let mut transaction = self.begin_write().await?;
        forget(&mut transaction, now).await?;
        let mut counts = vec![pair];
        if !is_known(&mut transaction, name, &network_hash).await? {
            let subject = self.subject(&["name", name]);
            counts.push(Count { subject, free: FREE_NAME, longest: LONGEST_WAIT_OF_NAME });
        }
        if network.is_some() {
            counts.push(Count { subject: network_hash.clone(), free: FREE_NETWORK, longest: LONGEST_WAIT });
        }
        let mut wait = 0;
        for count in &counts {
            wait = wait.max(waits_till(&mut transaction, &count.subject).await? - now);
        }
        if wait > 0 {
            let seconds = u32::try_from((wait + 999) / 1000).unwrap_or(u32::MAX);
            return Err(Error::new(Code::TooMany, "too many attempts to log in, try again later").retry_after(seconds));
        }
        for count in &counts {
            note(&mut transaction, count, now).await?;
        }
        transaction.commit().await?;
        let mut subjects = counts.into_iter().map(|count| count.subject);
        let pair = subjects.next().unwrap_or_default();
        Ok(Attempt { pair, others: subjects.collect(), network: network_hash })
    }

    /// Takes a try back that has succeeded, and remembers the network for that user.
    pub(super) async fn took_back(
        &self,
        transaction: &mut Transaction<'_, Any>,
        attempt: &Attempt,
        user: Id,
    ) -> Result<(), Error> {
        let now = self.clock.now().0;
        sqlx::query("DELETE FROM login_attempts WHERE subject = $1")
            .bind(&attempt.pair)
            .execute(&mut **transaction)
            .await?;
        for subject in &attempt.others {
            sqlx::query("UPDATE login_attempts SET tries = tries - 1, waits_till = 0 WHERE subject = $1 AND tries > 0")
                .bind(subject)
                .execute(&mut **transaction)
                .await?;
        }
        sqlx::query("DELETE FROM login_attempts WHERE tries <= 0").execute(&mut **transaction).await?;
        sqlx::query(
            "INSERT INTO known_networks (user_id, network, forget_at) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id, network) DO UPDATE SET forget_at = excluded.forget_at",
        )
        .bind(user.to_string())
        .bind(&attempt.network)
        .bind(now.saturating_add(millis(KNOWN_FOR)))
        .execute(&mut **transaction)
        .await?;
        Ok(())
    }

    /// What is kept of a name or an address: only who has the installation's secret can find it again.
    fn subject(&self, parts: &[&str]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.installation.secret);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hex::encode(&hasher.finalize().as_bytes()[..16])
    }
}

async fn forget(transaction: &mut Transaction<'_, Any>, now: i64) -> Result<(), Error> {
    for statement in
        ["DELETE FROM login_attempts WHERE forget_at <= $1", "DELETE FROM known_networks WHERE forget_at <= $1"]
    {
        sqlx::query(statement).bind(now).execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn is_known(transaction: &mut Transaction<'_, Any>, name: &str, network: &str) -> Result<bool, Error> {
    // A name that nobody can have may hold what a database takes for no text.
    let Ok(name) = name.parse::<UserName>() else { return Ok(false) };
    let found = sqlx::query(
        "SELECT 1 FROM known_networks k JOIN users u ON u.id = k.user_id WHERE u.name = $1 AND k.network = $2",
    )
    .bind(name.as_str())
    .bind(network)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(found.is_some())
}

async fn waits_till(transaction: &mut Transaction<'_, Any>, subject: &str) -> Result<i64, Error> {
    let row = sqlx::query("SELECT waits_till FROM login_attempts WHERE subject = $1")
        .bind(subject.to_owned())
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

async fn note(transaction: &mut Transaction<'_, Any>, count: &Count, now: i64) -> Result<(), Error> {
    // Not until now: others that came at the same moment may have read the clock before.
    let row = sqlx::query(
        "INSERT INTO login_attempts (subject, tries, waits_till, forget_at) VALUES ($1, 1, 0, $2) \
         ON CONFLICT (subject) DO UPDATE SET tries = login_attempts.tries + 1, forget_at = excluded.forget_at \
         RETURNING tries",
    )
    .bind(&count.subject)
    .bind(now.saturating_add(millis(FORGOTTEN_AFTER)))
    .fetch_one(&mut **transaction)
    .await?;
    let over: i64 = row.try_get::<i64, _>(0)? - count.free;
    if over >= 0 {
        let doubled = 1_000_i64 << over.min(20);
        sqlx::query("UPDATE login_attempts SET waits_till = $2 WHERE subject = $1")
            .bind(&count.subject)
            .bind(now.saturating_add(doubled.min(millis(count.longest))))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
