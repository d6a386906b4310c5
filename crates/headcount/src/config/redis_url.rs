//! Which Redis is meant: one server, one behind Sentinels, or a cluster.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use crate::retention::Retention;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Which Redis is meant, and how one gets there.
#[derive(Debug, Clone)]
pub struct RedisTarget {
    /// How it is set up.
    pub topology: Topology,
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// The nodes that are named: the server, the Sentinels, or some nodes of the cluster.
    pub nodes: Vec<RedisNode>,
    /// Who logs in; the default user if none.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
}

/// How a Redis is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    One,
    /// The master of that name, which Sentinels know.
    Sentinel(String),
    /// A cluster.
    Cluster,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisNode {
    /// The name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl RedisTarget {
    /// One server, reached without TLS and without a password.
    pub(super) fn one(host: String, port: u16, database: u32) -> Self {
        let nodes = vec![RedisNode { host, port }];
        Self { topology: Topology::One, tls: false, nodes, username: None, password: None, database }
    }
}

/// Without user and password: for logs.
impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.topology {
            Topology::One => "",
            Topology::Sentinel(_) => "+sentinel",
            Topology::Cluster => "+cluster",
        };
        let nodes = self.nodes.iter().map(RedisNode::to_string).collect::<Vec<_>>().join(",");
        write!(f, "{}{kind}://{nodes}", if self.tls { "rediss" } else { "redis" })?;
        if let Topology::Sentinel(master) = &self.topology {
            write!(f, "/{master}")?;
        }
        if self.database > 0 { write!(f, "/{}", self.database) } else { Ok(()) }
    }
}

/// What is wrong with the text; it repeats nothing of it that may be secret.
impl FromStr for RedisTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it does not begin with redis:// or another scheme")?;
        let (tls, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", kind) => (false, kind),
            ("rediss", kind) => (true, kind),
            _ => return Err("its scheme is not one of Redis".to_owned()),
        };
        let rest = rest.trim_end_matches('/');
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, nodes) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (username, password) = login.split_once(':').unwrap_or((login, ""));
        let (topology, database, port) = match kind {
            "" => (Topology::One, path, PORT),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("the name of the master is missing behind the Sentinels".to_owned());
                }
                (Topology::Sentinel(decoded(master)?), database, SENTINEL_PORT)
            }
            "cluster" => (Topology::Cluster, path, PORT),
            _ => return Err("its scheme is neither redis, redis+sentinel nor redis+cluster".to_owned()),
        };
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| "what follows the last / is not the number of a database")?,
        };
        if topology == Topology::Cluster && database != 0 {
            return Err("a cluster has the database 0 only".to_owned());
        }
        let nodes: Vec<RedisNode> = nodes.split(',').map(|node| parse_node(node, port)).collect::<Result<_, _>>()?;
        if topology == Topology::One && nodes.len() > 1 {
            return Err("several servers are redis+sentinel:// or redis+cluster://".to_owned());
        }
        Ok(Self {
            topology,
            tls,
            nodes,
            username: Some(decoded(username)?).filter(|name| !name.is_empty()),
            password: Some(decoded(password)?).filter(|password| !password.is_empty()).map(SecretString::from),
            database,
        })
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "it has a percent escape that is not UTF-8".to_owned())
}

fn parse_node(text: &str, port: u16) -> Result<RedisNode, String> {
    // It may be a part of a password with a character that has to be escaped.
    let bad = || "it does not name HOST or HOST:PORT; other characters of a password stand as %XX".to_owned();
    let (host, given) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, given) = rest.split_once(']').ok_or_else(bad)?;
            (host, given.strip_prefix(':').or(given.is_empty().then_some("")).ok_or_else(bad)?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = if given.is_empty() { port } else { given.parse().map_err(|_| bad())? };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(bad());
    }
    Ok(RedisNode { host: host.to_owned(), port })
}

/// How a store in Redis is used.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Which one.
    pub target: RedisTarget,
    /// The certificate authorities that are trusted instead of those of the system, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The password of the Sentinels.
    pub sentinel_password: Option<SecretString>,
    /// What all keys begin with.
    pub prefix: String,
    /// For how many days devices are kept.
    pub retention: Retention,
    /// How long keys stay after that.
    pub replay_window: std::time::Duration,
}
