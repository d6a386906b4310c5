//! A running server for one test: real sockets, real files, a directory of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use headcount::app::{App, Listeners};
use headcount::catalog::Catalog;
use headcount::catalog::sessions::NewSession;
use headcount::catalog::users::Credentials;
use headcount::clock::Clock;
use headcount::config::{Config, Database, ServeArgs};
use headcount::password::Password;
use headcount_engine::id::OwnerId;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{effort, postgres};

/// A server that listens on a free loopback port and ends with the test.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    address: SocketAddr,
    metrics_address: SocketAddr,
    client: reqwest::Client,
    directory: PathBuf,
    settings: BTreeMap<String, String>,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl TestApp {
    /// A server with telemetry on and an empty catalog.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same, with these settings.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::at(Clock::wall(), settings).await
    }

    /// The same, at a time that the test sets.
    pub(crate) async fn at(clock: Clock, settings: &[(&str, &str)]) -> Self {
        Self::in_directory(fresh_directory(), clock, settings).await
    }

    /// The same, on a directory that holds something already.
    pub(crate) async fn in_directory(directory: PathBuf, clock: Clock, settings: &[(&str, &str)]) -> Self {
        let data_dir = directory.display().to_string();
        let database = postgres::database_of(&directory).await;
        let ours = [
            ("HEADCOUNT_DATA_DIR", &*data_dir),
            ("HEADCOUNT_DATABASE_URL", &*database),
            ("ENABLE_TELEMETRY", "true"),
            // However slow the disk is: a test that wants checks to be unconfirmed says so.
            ("HEADCOUNT_COMMIT_WAIT_MS", "10000"),
        ];
        let settings = ours.iter().chain(settings).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self::open(directory, settings, clock).await
    }

    async fn open(directory: PathBuf, settings: BTreeMap<String, String>, clock: Clock) -> Self {
        let config = Config::load(&ServeArgs::default(), &settings, &BTreeMap::new()).unwrap();
        if effort::database().is_some() {
            assert!(matches!(config.database, Database::Postgres(_)), "the run is not beside PostgreSQL");
        }
        let stop = CancellationToken::new();
        let app = App::open(config, clock.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metrics_address = metrics.local_addr().unwrap();
        let listeners = Listeners { public: listener, metrics: Some(metrics) };
        let server = tokio::spawn(app.clone().run(listeners, stop.clone()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { app, clock, address, metrics_address, client, directory, settings, stop, server: Some(server) }
    }

    /// Stops the server as SIGTERM does, and waits until everything is on disk.
    pub(crate) async fn stop(mut self) {
        self.stop_server().await;
    }

    async fn stop_server(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
    }

    /// Stops the server and starts it again on the same directory.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| {}).await
    }

    /// The same, with the directory changed meanwhile.
    pub(crate) async fn restart_after(mut self, change: impl FnOnce(&std::path::Path)) -> Self {
        self.stop_server().await;
        change(&self.directory);
        Self::open(self.directory.clone(), self.settings.clone(), self.clock.clone()).await
    }

    /// Creates an administrator and logs in: the token to send as Bearer.
    pub(crate) async fn administrator(&self, name: &str) -> String {
        let password = Password::parse(format!("the password of {name}").into()).unwrap();
        let password = self.app.passwords.hash(password).await.unwrap();
        let catalog = &self.app.catalog;
        let user = catalog.create_administrator(&name.parse().unwrap(), &password).await.unwrap().unwrap();
        let known = Credentials { user, owner: OwnerId(user), password };
        catalog
            .open_session(&known, NewSession::bearer(self.app.config.session), None)
            .await
            .unwrap()
            .unwrap()
            .reveal()
            .to_owned()
    }

    /// The tables of the catalog.
    pub(crate) async fn tables(&self) -> Tables {
        let url = match &self.app.config.database {
            Database::Sqlite => format!("sqlite://{}", self.directory.join("catalog.db").display()),
            Database::Postgres(url) => url.expose_secret().to_owned(),
        };
        Tables(AnyConnection::connect(&url).await.unwrap())
    }

    /// The catalog as another process of this installation opens it.
    pub(crate) async fn second_catalog(&self) -> Catalog {
        Catalog::open(&self.app.config, Clock::wall()).await.unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where the metrics are.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.metrics_address)
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> TestRequest {
        TestRequest(self.client.request(method.parse().unwrap(), self.url(path)))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send().await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A request under construction.
pub(crate) struct TestRequest(reqwest::RequestBuilder);

impl TestRequest {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        let (name, value) = (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        Self(self.0.header(name, value))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        Self(self.0.bearer_auth(token))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub(crate) fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub(crate) fn multipart(self, form: reqwest::multipart::Form) -> Self {
        Self(self.0.multipart(form))
    }

    /// Sends the request: the whole reply. Of a stream of events, which has no end, it is what comes first.
    pub(crate) async fn send(self) -> Reply {
        let mut response = self.open().await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if is_stream {
            String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap()
        } else {
            response.text().await.unwrap()
        };
        Reply { status, headers, text }
    }

    /// Sends the request: the reply as soon as its head is there.
    pub(crate) async fn open(self) -> reqwest::Response {
        self.0.send().await.unwrap()
    }
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Status and JSON body, to compare both at once.
    pub(crate) fn both(&self) -> (u16, Value) {
        (self.status, self.json())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All headers of that name.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

/// An empty directory below the build's own, removed by `cargo clean`.
pub(crate) fn fresh_directory() -> PathBuf {
    let name: [u8; 8] = rand::random();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(hex::encode(name));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// An administrator who is logged in.
pub(crate) struct Caller<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> Caller<'a> {
    pub(crate) async fn new(app: &'a TestApp, name: &str) -> Self {
        Self { app, token: app.administrator(name).await }
    }

    /// A user who logs in.
    pub(crate) async fn login(app: &'a TestApp, name: &str, password: &str) -> Self {
        let body = serde_json::json!({"username": name, "password": password});
        let reply = app.request("POST", "/login").json(&body).send().await;
        Self { app, token: created(&reply) }
    }

    /// A team user of that administrator, logged in.
    pub(crate) async fn team(app: &'a TestApp, admin: &Caller<'_>, name: &str, permissions: &Value) -> Self {
        let password = format!("the password of {name}");
        let body = serde_json::json!({"username": name, "password": password, "permissions": permissions});
        let reply = admin.post("/user/create", &body).await;
        assert_eq!(reply.both(), (200, serde_json::json!({"message": "Team user created successfully"})));
        Self::login(app, name, &password).await
    }

    /// The holder of a token that was given before a restart.
    pub(crate) fn known(app: &'a TestApp, token: &str) -> Self {
        Self { app, token: token.to_owned() }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> TestRequest {
        self.app.request(method, path).bearer(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request("DELETE", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path).json(body).send().await
    }

    /// Sends the form that faynoSync's dashboard sends for an app.
    pub(crate) async fn form(&self, path: &str, fields: &Value) -> Reply {
        let form = reqwest::multipart::Form::new().text("data", fields.to_string());
        self.request("POST", path).multipart(form).send().await
    }

    /// Creates a channel, platform or architecture: its id.
    pub(crate) async fn part(&self, kind: &str, name: &str) -> String {
        created(&self.post(&format!("/{kind}/create"), &serde_json::json!({ kind: name })).await)
    }

    /// Creates an app: its id.
    pub(crate) async fn app(&self, name: &str) -> String {
        created(&self.form("/app/create", &serde_json::json!({ "app": name })).await)
    }
}

/// The tables of a server's catalog, as another program sees them that may.
pub(crate) struct Tables(AnyConnection);

impl Tables {
    /// Runs one statement: how many rows it changed.
    pub(crate) async fn run(&mut self, statement: &str, values: &[&str]) -> u64 {
        let mut query = sqlx::query(AssertSqlSafe(statement.to_owned()));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&mut self.0).await.unwrap().rows_affected()
    }

    /// The same, for one that may be refused: what the database says.
    pub(crate) async fn try_run(&mut self, statement: &str) -> Result<u64, String> {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut self.0).await;
        done.map(|done| done.rows_affected()).map_err(|error| error.to_string())
    }

    async fn row(&mut self, query: &str) -> AnyRow {
        sqlx::query(AssertSqlSafe(query.to_owned())).fetch_one(&mut self.0).await.unwrap()
    }

    /// The number that a query gives.
    pub(crate) async fn number(&mut self, query: &str) -> i64 {
        self.row(query).await.get(0)
    }

    /// The text that a query gives.
    pub(crate) async fn text(&mut self, query: &str) -> String {
        self.row(query).await.get(0)
    }
}

/// The id of a reply that has one field.
pub(crate) fn created(reply: &Reply) -> String {
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
    let body = reply.json();
    let fields = body.as_object().unwrap();
    assert_eq!(fields.len(), 1, "{body}");
    fields.values().next().unwrap().as_str().unwrap().to_owned()
}

/// The catalog of a data folder, in SQLite.
pub(crate) async fn catalog_in(data_dir: &std::path::Path) -> Catalog {
    let args = ServeArgs::default().with("data-dir", data_dir.to_string_lossy());
    let config = Config::load(&args, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    Catalog::open(&config, Clock::wall()).await.unwrap()
}
