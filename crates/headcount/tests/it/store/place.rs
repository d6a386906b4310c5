//! Where a store under test lives.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use headcount::config::RedisSettings;
use headcount::installation::Installation;
use headcount::retention::Retention;
use headcount::store::{Store, StoreError};
use headcount_engine::id::Id;

use crate::app::fresh_directory;
use crate::redis::{Cluster, Log, One, Sentinel};

/// What segments live in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Embedded,
    Redis,
    Sentinel,
    Cluster,
}

/// Servers of one kind, which places may share.
#[derive(Clone)]
pub(super) enum Server {
    None,
    One(Arc<Mutex<One>>),
    Sentinel(Arc<Sentinel>),
    Cluster(Arc<Cluster>),
}

impl Server {
    pub(super) fn start(kind: Kind) -> Self {
        match kind {
            Kind::Embedded => Self::None,
            Kind::Redis => Self::One(Arc::new(Mutex::new(One::start(Log::None)))),
            Kind::Sentinel => Self::Sentinel(Arc::new(Sentinel::start())),
            Kind::Cluster => Self::Cluster(Arc::new(Cluster::start())),
        }
    }

    fn url(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::One(one) => Some(one.lock().unwrap().url()),
            Self::Sentinel(all) => Some(all.url()),
            Self::Cluster(all) => Some(all.url()),
        }
    }

    /// Asks the server that has the key.
    fn ask(&self, key: &str, words: &[&str]) -> String {
        match self {
            Self::None => panic!("there is no server"),
            Self::One(one) => one.lock().unwrap().ask(words).text(),
            Self::Sentinel(all) => all.ask_master(words).text(),
            Self::Cluster(all) => {
                let slot = all.ask(0, &["CLUSTER", "KEYSLOT", key]).text().parse().unwrap();
                all.ask(all.master_of(slot).unwrap(), words).text()
            }
        }
    }

    /// The keys of owners under a prefix.
    fn keys(&self, prefix: &str) -> Vec<String> {
        let of_owners = format!("{prefix}:{{*");
        let words = ["KEYS", &*of_owners];
        let all = match self {
            Self::Cluster(all) => {
                let found = all.masters().into_iter().map(|master| all.ask(master, &words).text());
                found.collect::<Vec<_>>().join("\n")
            }
            Self::None | Self::One(_) | Self::Sentinel(_) => self.ask("", &words),
        };
        all.lines().filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }
}

/// What a place held once.
pub(super) enum Copy {
    File(PathBuf),
    /// Under the names that begin so.
    Keys(String),
}

/// The store of one installation.
pub(super) struct Place {
    server: Server,
    prefix: String,
    pub(super) directory: PathBuf,
    pub(super) installation: Installation,
}

impl Place {
    pub(super) fn fresh(kind: Kind) -> Self {
        let place = Self::on(&Server::start(kind));
        Self { prefix: "hc".to_owned(), ..place }
    }

    /// A place that shares the servers with others.
    pub(super) fn on(server: &Server) -> Self {
        let installation = Installation { id: Id::from_bytes(rand::random()), secret: rand::random() };
        let prefix = format!("of-{}", installation.id);
        Self { server: server.clone(), prefix, directory: fresh_directory(), installation }
    }

    pub(super) async fn open_as(&self, installation: &Installation) -> Result<Store, StoreError> {
        let Some(url) = self.server.url() else {
            return Store::open_embedded(&self.directory.join("store.db"), installation).await;
        };
        Store::open_redis(self.settings(&url, Retention::of_installation(30)), installation).await
    }

    /// The store, to copy another one to it.
    pub(super) async fn open_to_copy(&self) -> Store {
        let opened = match self.server.url() {
            None => Store::open_embedded_to_copy(&self.directory.join("store.db"), &self.installation).await,
            Some(url) => {
                Store::open_redis_to_copy(self.settings(&url, Retention::of_installation(30)), &self.installation).await
            }
        };
        opened.unwrap()
    }

    /// Another place of the same installation.
    pub(super) fn beside(&self, kind: Kind) -> Self {
        Self { installation: self.installation.clone(), ..Self::fresh(kind) }
    }

    fn settings(&self, url: &str, retention: Retention) -> RedisSettings {
        RedisSettings {
            target: url.parse().unwrap(),
            sentinel_password: None,
            ca_file: None,
            prefix: self.prefix.clone(),
            retention,
            replay_window: Duration::from_hours(24),
        }
    }

    /// The store in a Redis, with another retention.
    pub(super) async fn open_with(&self, retention: Retention) -> Store {
        let settings = self.settings(&self.server.url().unwrap(), retention);
        Store::open_redis(settings, &self.installation).await.unwrap()
    }

    pub(super) async fn open(&self) -> Store {
        self.open_as(&self.installation).await.unwrap()
    }

    /// The one server.
    pub(super) fn one(&self) -> MutexGuard<'_, One> {
        let Server::One(one) = &self.server else { panic!("there is not one server") };
        one.lock().unwrap()
    }

    /// Keeps a copy of what lies there. Nobody has it open.
    pub(super) fn copy(&self) -> Copy {
        match &self.server {
            Server::None => {
                let copy = fresh_directory().join("store.db");
                std::fs::copy(self.directory.join("store.db"), &copy).unwrap();
                Copy::File(copy)
            }
            Server::One(one) => Copy::File(one.lock().unwrap().copy()),
            Server::Sentinel(_) | Server::Cluster(_) => {
                let kept = format!("kept-{}", self.prefix);
                self.copy_keys(&self.prefix, &kept);
                Copy::Keys(kept)
            }
        }
    }

    /// Loses what came since the copy was made. Nobody has it open.
    pub(super) fn go_back(&self, copy: &Copy) {
        match (&self.server, copy) {
            (Server::One(one), Copy::File(copy)) => one.lock().unwrap().become_again(copy),
            (_, Copy::File(copy)) => _ = std::fs::copy(copy, self.directory.join("store.db")).unwrap(),
            (server, Copy::Keys(kept)) => {
                for key in server.keys(&self.prefix) {
                    server.ask(&key, &["DEL", &key]);
                }
                self.copy_keys(kept, &self.prefix);
            }
        }
    }

    fn copy_keys(&self, from: &str, to: &str) {
        for key in self.server.keys(from) {
            let copy = format!("{to}{}", key.strip_prefix(from).unwrap());
            assert_eq!(self.server.ask(&key, &["COPY", &key, &copy]), "1");
        }
    }
}
