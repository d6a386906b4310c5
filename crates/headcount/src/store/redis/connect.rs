//! How a connection is made.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, RedisResult, TlsCertificates, TlsMode, Value,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::StoreError;
use crate::config::{RedisNode, RedisSettings, RedisTarget, Topology};

/// How long one node may take to take a connection.
const NODE: Duration = Duration::from_secs(2);

/// A connection that any number of callers use at once.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    pub(super) async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    /// Sends a command to every server that is written to: the answers, and whose each of them is.
    pub(super) async fn everywhere(&mut self, command: &Cmd) -> RedisResult<Vec<(String, Value)>> {
        let connection = match self {
            Self::One(_) => return Ok(vec![("the server".to_owned(), self.send(command).await?)]),
            Self::Cluster(connection) => connection,
        };
        let masters = (MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::Special));
        let answers = connection.route_command(command.clone(), RoutingInfo::MultiNode(masters)).await?;
        redis::from_redis_value(answers).map_err(Into::into)
    }
}

/// Makes connections.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    target: RedisTarget,
    sentinel_password: Option<SecretString>,
    ca: Option<Vec<u8>>,
}

impl Connector {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, StoreError> {
        let read = |path: &std::path::PathBuf| {
            let unreadable =
                |error| StoreError::Unavailable(format!("the file {} of certificates: {error}", path.display()));
            std::fs::read(path).map_err(unreadable)
        };
        let ca = settings.ca_file.as_ref().map(read).transpose()?;
        Ok(Self { target: settings.target.clone(), sentinel_password: settings.sentinel_password.clone(), ca })
    }

    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        match &self.target.topology {
            Topology::One => self.one().await.map(Connection::One),
            Topology::Sentinel(master) => self.master(master).await.map(Connection::One),
            Topology::Cluster => self.cluster().await.map(Connection::Cluster),
        }
    }

    async fn one(&self) -> RedisResult<MultiplexedConnection> {
        let Some(node) = self.target.nodes.first() else {
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, "no server is named")));
        };
        let info = self.address(node).into_connection_info()?.set_redis_settings(self.login());
        let tls = self.target.tls;
        let client = if tls { Client::build_with_tls(info, self.certificates())? } else { Client::open(info)? };
        client.get_multiplexed_async_connection_with_config(&config()).await
    }

    async fn master(&self, name: &str) -> RedisResult<MultiplexedConnection> {
        let sentinels = self.target.nodes.iter().map(|node| self.address(node));
        let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?
            .set_client_to_redis_db(i64::from(self.target.database));
        if self.target.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(self.certificates())
                .set_client_to_sentinel_certificates(self.certificates());
        }
        if let Some(username) = &self.target.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = &self.target.password {
            builder = builder.set_client_to_redis_password(password.expose_secret());
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password.expose_secret());
        }
        let mut client: SentinelClient = builder.build()?;
        client.get_async_connection_with_config(&config()).await
    }

    async fn cluster(&self) -> RedisResult<ClusterConnection> {
        let mut infos = Vec::new();
        for node in &self.target.nodes {
            infos.push(self.address(node).into_connection_info()?.set_redis_settings(self.login()));
        }
        // Retries are few and short: the shipper tries again anyway, with what it then knows.
        let mut builder = ClusterClient::builder(infos)
            .connection_timeout(NODE)
            .response_timeout(NODE)
            .retries(4)
            .min_retry_wait(50)
            .max_retry_wait(400);
        if self.target.tls {
            builder = builder.tls(TlsMode::Secure).certs(self.certificates());
        }
        builder.build()?.get_async_connection().await
    }

    fn address(&self, node: &RedisNode) -> ConnectionAddr {
        let RedisNode { host, port } = node.clone();
        if self.target.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        }
    }

    fn login(&self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default().set_db(i64::from(self.target.database));
        if let Some(username) = &self.target.username {
            login = login.set_username(username);
        }
        match &self.target.password {
            Some(password) => login.set_password(password.expose_secret()),
            None => login,
        }
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: self.ca.clone() }
    }
}

/// Commands have a time limit of their own.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(NODE)).set_response_timeout(None)
}
