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
    tls: bool,
    child: Option<Child>,
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        Self::start_as(false).await
    }

    /// One that speaks to nobody without TLS, with a certificate for 127.0.0.1 by an authority of its own.
    pub(super) async fn start_with_tls() -> Self {
        Self::start_as(true).await
    }

    /// The certificate of its authority.
    pub(super) fn authority(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    async fn start_as(tls: bool) -> Self {
        let folder = std::env::temp_dir().join(format!("postgres-{}", hex::encode(rand::random::<[u8; 8]>())));
        std::fs::create_dir(&folder).unwrap();
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        }
        let mut server = Self { folder, port: free_port(), tls, child: None };
        let made = server
            .program("initdb")
            .args(["-D", "db", "-U", "headcount", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success(), "initdb failed");
        if tls {
            server.make_certificates();
            std::fs::write(server.folder.join("db/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
        }
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
        if self.tls {
            command.args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.pem", "-c", "ssl_key_file=../server.key"]);
        }
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

    fn make_certificates(&self) {
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        let of =
            "-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        for arguments in [
            format!("{new} -subj /CN=authority -keyout ca.key -out ca.pem"),
            format!("{new} {of} -subj /CN=server -keyout server.key -out server.pem"),
        ] {
            let mut openssl = Command::new("openssl");
            let done = openssl.args(arguments.split(' ')).current_dir(&self.folder).output().unwrap();
            assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
        }
        if is_root() {
            // The server takes no key that somebody else may change.
            let mut chown = Command::new("chown");
            chown.args(["postgres", "server.key", "server.pem"]).current_dir(&self.folder);
            assert!(chown.status().unwrap().success());
        }
    }

    /// The number that a query gives, in the database of the catalog.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let mut connection = AnyConnection::connect(&self.url()).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await.unwrap();
        sqlx::Row::get(&row, 0)
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

    /// Everything in the database of the catalog, as a text.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let dumped = self.program("pg_dump").args(["-d", &self.url(), "--inserts"]).output().unwrap();
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        dumped.stdout
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
