//! One server of PostgreSQL.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

/// How long it may take to serve, or to end.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server on a loopback port, with a database and a user named `headcount`. It is killed when the test ends, however
/// that ends, and its folder is removed.
pub(crate) struct Postgres {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("postgres-{}", hex::encode(rand::random::<[u8; 8]>())));
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        }
        let mut server = Self { folder, port: free_port(), child: None };
        let made = server
            .program("initdb")
            .args(["-D", "db", "-U", "headcount", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb failed");
        server.start_again().await;
        let mut connection = AnyConnection::connect(&server.url_of("postgres")).await.unwrap();
        sqlx::query("CREATE DATABASE headcount").execute(&mut connection).await.unwrap();
        server
    }

    /// What `DATABASE_URL` is.
    pub(crate) fn url(&self) -> String {
        self.url_of("headcount")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://headcount@127.0.0.1:{}/{database}", self.port)
    }

    /// Starts it after a stop, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        let port = self.port.to_string();
        let mut command = self.program("postgres");
        command.args(["-D", "db", "-p", &port, "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        sqlx::any::install_default_drivers();
        let started = Instant::now();
        while AnyConnection::connect(&self.url_of("postgres")).await.is_err() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap();
            assert!(started.elapsed() < DEADLINE, "PostgreSQL does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once, as `pg_ctl stop -m immediate` does: its next start recovers from the log.
    pub(crate) async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let quit = format!("kill -QUIT {}", child.id());
        assert!(Command::new("sh").args(["-c", &quit]).status().unwrap().success());
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < DEADLINE, "PostgreSQL does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Runs a statement in the database of the catalog.
    pub(crate) async fn run(&self, statement: &str) {
        let mut connection = AnyConnection::connect(&self.url()).await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// All of its processes stand still, with their connections, or go on.
    pub(crate) fn signal(&self, name: &str) {
        let server = self.child.as_ref().unwrap().id();
        let kill = format!("kill -{name} {server} $(pgrep -P {server})");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// A program of PostgreSQL in the server's folder, as a user that is not root, which ends with the test.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        }
        command.arg(find(name)).current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its own processes end when they see that it is gone.
            _ = child.kill();
            _ = child.wait();
        }
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Debian keeps the programs in a folder of the version.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let in_versions = versions.map(|version| version.unwrap().path().join("bin").join(program));
    in_versions.filter(|path| path.exists()).max().unwrap_or_else(|| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        assert!(!path.is_empty(), "{program} is missing: install the Debian package postgresql, as scripts/test does");
        path.trim().into()
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A loopback port that nobody has, below those that the system hands out: nobody takes it while the server is away.
fn free_port() -> u16 {
    let ports = (0..1000).map(|_| rand::rng().random_range(10_000..32_000));
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("no port is free")
}
