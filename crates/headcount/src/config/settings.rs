//! THE list of settings. Parsing, `--help`, `headcount config`, `.env.example` and the README follow from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use headcount_engine::name::UserName;
use ipnet::IpNet;
use secrecy::SecretString;

use super::accept;
use super::{ConfigError, Database, Effective, Given, LogFormat, PublicUrl, RedisTarget};

/// One line of the list: what a setting is called, what it means and which form it has.
#[derive(Debug)]
pub struct Setting {
    /// The command line flag, without the dashes. What is only a secret has none: other users could read it in the
    /// process list.
    pub flag: Option<&'static str>,
    /// The environment variable.
    pub variable: &'static str,
    /// Names that other programs use for the same thing and that are accepted too. `variable` wins.
    pub aliases: &'static [&'static str],
    /// The text that applies when nothing else is given; empty for "unset".
    pub default: &'static str,
    /// Whether the value must not be shown.
    pub secret: bool,
    /// The accepted form, in words.
    pub accepted: &'static str,
    /// What the setting does, with its unit.
    pub doc: &'static str,
}

macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $default:literal,
            flag $flag:expr, variable $variable:literal, aliases $aliases:expr, secret $secret:literal,
            accepted $accepted:literal, by $parse:expr;
    )+) => {
        /// Every setting of this installation, parsed.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $field: $type,)+
            /// faynoSync's variables that were given and mean nothing here, to be logged once.
            pub ignored: Vec<String>,
            pub(super) effective: Vec<Effective>,
        }

        const COUNT: usize = [$(stringify!($field)),+].len();

        /// Every setting, in the order in which they are shown.
        pub static SETTINGS: [Setting; COUNT] = [$(Setting {
            flag: $flag,
            variable: $variable,
            aliases: &$aliases,
            default: $default,
            secret: $secret,
            accepted: $accepted,
            doc: concat!($($doc),+),
        },)+];

        impl Config {
            pub(super) fn parse(given: &Given<'_>) -> Result<Self, ConfigError> {
                let [$($field),+] = &SETTINGS;
                let mut effective = Vec::new();
                $(let $field = given.take($field, &mut effective, $parse)?;)+
                Ok(Self { $($field,)+ ignored: given.ignored(), effective })
            }
        }
    };
}

settings! {
    /// Address and port to listen on. `PORT` alone sets the port and leaves the address.
    listen: SocketAddr = "127.0.0.1:9000",
        flag Some("listen"), variable "HEADCOUNT_LISTEN", aliases ["PORT"], secret false,
        accepted "ADDR:PORT with an IP address, such as 127.0.0.1:9000 or [::1]:9000", by accept::address;
    /// Address and port on which `/metrics` is served to whoever can reach it. Unset, it is served nowhere.
    metrics_listen: Option<SocketAddr> = "",
        flag Some("metrics-listen"), variable "HEADCOUNT_METRICS_LISTEN", aliases [], secret false,
        accepted "ADDR:PORT with an IP address, such as 127.0.0.1:9100", by accept::optional_address;
    /// Folder of the catalog, the spool, the store and the secrets. One process at a time uses it.
    data_dir: PathBuf = "./data",
        flag Some("data-dir"), variable "HEADCOUNT_DATA_DIR", aliases [], secret false,
        accepted "a path of a folder that can be written to", by accept::path;
    /// Whether checks are counted. Off, they are answered and nothing is stored.
    telemetry: bool = "false",
        flag Some("telemetry"), variable "HEADCOUNT_TELEMETRY", aliases ["ENABLE_TELEMETRY"], secret false,
        accepted "true or false", by accept::switch;
    /// Origins whose web pages may use the administrators' routes, separated by commas.
    allowed_cors: Vec<HeaderValue> = "",
        flag Some("allowed-cors"), variable "HEADCOUNT_ALLOWED_CORS", aliases ["ALLOWED_CORS"], secret false,
        accepted "exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null",
        by accept::origins;
    /// The address by which browsers reach the server. With https, its cookie is sent over TLS only; unset, that follows
    /// `X-Forwarded-Proto` of a trusted proxy.
    public_url: Option<PublicUrl> = "",
        flag Some("public-url"), variable "HEADCOUNT_PUBLIC_URL", aliases [], secret false,
        accepted "an origin without a path, such as https://headcount.example.com or http://localhost:9000",
        by accept::public_url;
    /// The key that `POST /signup` asks for. Unset, signup is off.
    api_key: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_API_KEY", aliases ["API_KEY"], secret true,
        accepted "at least 16 bytes that stand in no public example", by accept::api_key;
    /// The administrator whose applications are meant by a check without `owner`. Unset, the first one ever, as long as
    /// it is there.
    default_owner: Option<UserName> = "",
        flag Some("default-owner"), variable "HEADCOUNT_DEFAULT_OWNER", aliases [], secret false,
        accepted "the name of an administrator, of the form ^[a-z0-9][a-z0-9._@+-]{1,63}$", by accept::user_name;
    /// The Redis where the counted segments live. Unset, they live in the data folder, unless a host is set.
    redis_url: Option<RedisTarget> = "",
        flag None, variable "HEADCOUNT_REDIS_URL", aliases ["REDIS_URL"], secret true,
        accepted "redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS",
        by accept::redis_url;
    /// Host of the Redis where the counted segments live, if no URL is set.
    redis_host: Option<String> = "",
        flag Some("redis-host"), variable "HEADCOUNT_REDIS_HOST", aliases ["REDIS_HOST"], secret false,
        accepted "a host name or an IP address", by accept::host;
    /// Port of the Redis on that host.
    redis_port: u16 = "6379",
        flag Some("redis-port"), variable "HEADCOUNT_REDIS_PORT", aliases ["REDIS_PORT"], secret false,
        accepted "a port number from 0 to 65535", by accept::port;
    /// Number of the database of the Redis on that host.
    redis_db: u32 = "0",
        flag Some("redis-db"), variable "HEADCOUNT_REDIS_DB", aliases ["REDIS_DB"], secret false,
        accepted "a whole number from 0 to 65535", by |text| accept::number(text, &(0..=65_535));
    /// Password of Redis, if its URL has none.
    redis_password: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_REDIS_PASSWORD", aliases ["REDIS_PASSWORD"], secret true,
        accepted "any text", by accept::secret;
    /// Password of the Sentinels.
    redis_sentinel_password: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_REDIS_SENTINEL_PASSWORD", aliases [], secret true,
        accepted "any text", by accept::secret;
    /// File of the certificate authorities that Redis over TLS is trusted by. Unset, those of the system.
    redis_ca_file: Option<PathBuf> = "",
        flag Some("redis-ca-file"), variable "HEADCOUNT_REDIS_CA_FILE", aliases [], secret false,
        accepted "a path of a file of certificates in PEM form", by accept::optional_path;
    /// What the names of all keys in Redis begin with. Each installation in one Redis needs its own.
    redis_prefix: String = "hc",
        flag Some("redis-prefix"), variable "HEADCOUNT_REDIS_PREFIX", aliases [], secret false,
        accepted "1 to 32 of the characters A-Z a-z 0-9 . _ -", by accept::prefix;
    /// Where the catalog and the accounts live. Give a URL with a password by the variable: flags can be seen by others.
    database: Database = "sqlite",
        flag Some("database-url"), variable "HEADCOUNT_DATABASE_URL", aliases ["DATABASE_URL"], secret true,
        accepted "sqlite (a file in the data folder), or postgres://USER:PASSWORD@HOST:PORT/DATABASE", by accept::database;
    /// The key that encrypts the installation's secret and the kept catalog on disk; keep it, they cannot be read without it.
    secret_key: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_SECRET_KEY", aliases ["SECRET_KEY"], secret true,
        accepted "at least 32 bytes, such as what openssl rand -hex 32 prints", by accept::secret_key;
    /// The key before, while a new one takes its place.
    secret_key_old: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_SECRET_KEY_OLD", aliases ["SECRET_KEY_OLD"], secret true,
        accepted "at least 32 bytes", by accept::secret_key;
    /// Days before today for which every device is kept.
    retention_days: u32 = "30",
        flag Some("retention-days"), variable "HEADCOUNT_RETENTION_DAYS", aliases [], secret false,
        accepted "a whole number of days from 1 to 400", by |text| accept::number(text, &(1..=400));
    /// Hours for which shipped events stay in the spool, so that a store that lost its tail is filled again.
    replay_window: Duration = "24",
        flag Some("replay-window-hours"), variable "HEADCOUNT_REPLAY_WINDOW_HOURS", aliases [], secret false,
        accepted "a whole number of hours from 1 to 720", by |text| accept::hours(text, &(1..=720));
    /// Bytes of shipped events that the spool keeps at most, whatever the replay window says.
    replay_window_bytes: u64 = "1073741824",
        flag Some("replay-window-bytes"), variable "HEADCOUNT_REPLAY_WINDOW_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 1048576 (1 MiB)", by accept::bytes;
    /// Bytes of the spool at which new events are skipped instead of recorded.
    spool_max_bytes: u64 = "8589934592",
        flag Some("spool-max-bytes"), variable "HEADCOUNT_SPOOL_MAX_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 1048576 (1 MiB)", by accept::bytes;
    /// Milliseconds between two flushes of counted events to the store.
    flush_interval: Duration = "1000",
        flag Some("flush-interval-ms"), variable "HEADCOUNT_FLUSH_INTERVAL_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 50 to 60000", by |text| accept::milliseconds(text, &(50..=60_000));
    /// Bytes of segments that are kept in memory for reports.
    segment_cache_bytes: u64 = "268435456",
        flag Some("segment-cache-bytes"), variable "HEADCOUNT_SEGMENT_CACHE_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 1048576 (1 MiB)", by accept::bytes;
    /// Events that may wait for their commit; further checks are answered and not counted.
    queue_events: usize = "65536",
        flag Some("queue-events"), variable "HEADCOUNT_QUEUE_EVENTS", aliases [], secret false,
        accepted "a whole number of events from 1 to 16777216", by |text| accept::number(text, &(1..=1 << 24));
    /// Milliseconds that a check waits at most for its commit.
    commit_wait: Duration = "250",
        flag Some("commit-wait-ms"), variable "HEADCOUNT_COMMIT_WAIT_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 1 to 10000", by |text| accept::milliseconds(text, &(1..=10_000));
    /// Versions per application and day that the catalog does not know and that are still counted by name.
    unknown_versions_per_day: usize = "1000",
        flag Some("unknown-versions-per-day"), variable "HEADCOUNT_UNKNOWN_VERSIONS_PER_DAY", aliases [], secret false,
        accepted "a whole number from 0 to 100000", by |text| accept::number(text, &(0..=100_000));
    /// Devices of one application that are counted on a day; checks of further ones are answered and not counted.
    devices_per_day: u64 = "10000000",
        flag Some("devices-per-day"), variable "HEADCOUNT_DEVICES_PER_DAY", aliases [], secret false,
        accepted "a whole number from 1 to 4000000000", by |text| accept::number(text, &(1..=4_000_000_000));
    /// Devices that one source (an IPv4 network of 24 bits, or an IPv6 network of 48) may bring in a minute, on average,
    /// that were not counted before on that day; others are answered and not counted. 0: as many as come.
    new_devices_per_minute: u32 = "0",
        flag Some("new-devices-per-minute"), variable "HEADCOUNT_NEW_DEVICES_PER_MINUTE", aliases [], secret false,
        accepted "a whole number from 0 to 1000000", by |text| accept::number(text, &(0..=1_000_000));
    /// New devices that one source may bring at once.
    new_devices_burst: u32 = "1000",
        flag Some("new-devices-burst"), variable "HEADCOUNT_NEW_DEVICES_BURST", aliases [], secret false,
        accepted "a whole number from 1 to 1000000", by |text| accept::number(text, &(1..=1_000_000));
    /// The OpenID Connect provider with which users sign in besides, by the URL under which it publishes its configuration.
    /// Needs the client's id and the public URL.
    oidc_issuer: Option<String> = "",
        flag Some("oidc-issuer"), variable "HEADCOUNT_OIDC_ISSUER", aliases [], secret false,
        accepted "the issuer as the provider writes it, such as https://login.example.com/realms/main; http on loopback only",
        by accept::issuer;
    /// The id under which the provider knows this server.
    oidc_client_id: Option<String> = "",
        flag Some("oidc-client-id"), variable "HEADCOUNT_OIDC_CLIENT_ID", aliases [], secret false,
        accepted "a text without control characters", by accept::optional_text;
    /// The secret that the provider gave to this server. Unset, it is a public client.
    oidc_client_secret: Option<SecretString> = "",
        flag None, variable "HEADCOUNT_OIDC_CLIENT_SECRET", aliases [], secret true,
        accepted "any text", by accept::secret;
    /// What the sign-in page calls the provider.
    oidc_name: String = "OpenID Connect",
        flag Some("oidc-name"), variable "HEADCOUNT_OIDC_NAME", aliases [], secret false,
        accepted "a text without control characters", by accept::text;
    /// What is asked of the provider, separated by spaces.
    oidc_scopes: String = "openid profile",
        flag Some("oidc-scopes"), variable "HEADCOUNT_OIDC_SCOPES", aliases [], secret false,
        accepted "scopes separated by spaces, openid among them", by accept::scopes;
    /// The claim of the ID token that says what a user is: a text, or a list of texts.
    oidc_role_claim: String = "roles",
        flag Some("oidc-role-claim"), variable "HEADCOUNT_OIDC_ROLE_CLAIM", aliases [], secret false,
        accepted "the name of a claim", by accept::text;
    /// The value of the claim that makes an administrator, with apps and numbers of its own.
    oidc_administrator_role: String = "headcount-administrator",
        flag Some("oidc-administrator-role"), variable "HEADCOUNT_OIDC_ADMINISTRATOR_ROLE", aliases [], secret false,
        accepted "a text without control characters", by accept::text;
    /// The value that makes a team user of the default owner.
    oidc_team_role: String = "headcount-team",
        flag Some("oidc-team-role"), variable "HEADCOUNT_OIDC_TEAM_ROLE", aliases [], secret false,
        accepted "a text without control characters", by accept::text;
    /// Days for which the audit log keeps who changed what.
    audit_days: u32 = "400",
        flag Some("audit-days"), variable "HEADCOUNT_AUDIT_DAYS", aliases [], secret false,
        accepted "a whole number of days from 1 to 3650", by |text| accept::number(text, &(1..=3_650));
    /// Hours for which a login is valid.
    session: Duration = "12",
        flag Some("session-hours"), variable "HEADCOUNT_SESSION_HOURS", aliases [], secret false,
        accepted "a whole number of hours from 1 to 8760", by |text| accept::hours(text, &(1..=8_760));
    /// Bytes of the largest accepted request body; an import is a stream and has no such limit.
    max_body_bytes: usize = "65536",
        flag Some("max-body-bytes"), variable "HEADCOUNT_MAX_BODY_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 1024 to 16777216", by |text| accept::number(text, &(1 << 10..=1 << 24));
    /// Connections that may be open at once; further ones are answered 503. At most as many as the process may have files
    /// open, less 100.
    max_connections: usize = "8192",
        flag Some("max-connections"), variable "HEADCOUNT_MAX_CONNECTIONS", aliases [], secret false,
        accepted "a whole number from 1 to 1000000", by |text| accept::number(text, &(1..=1_000_000));
    /// Connections that one source (an IPv4 address, or an IPv6 network of 64 bits) may have open at once.
    max_connections_per_source: usize = "256",
        flag Some("max-connections-per-source"), variable "HEADCOUNT_MAX_CONNECTIONS_PER_SOURCE", aliases [],
        secret false, accepted "a whole number from 1 to 1000000", by |text| accept::number(text, &(1..=1_000_000));
    /// Whether the limits of one source hold for loopback and private addresses, too.
    limit_local_sources: bool = "false",
        flag Some("limit-local-sources"), variable "HEADCOUNT_LIMIT_LOCAL_SOURCES", aliases [], secret false,
        accepted "true or false", by accept::switch;
    /// Networks of proxies in front of the server, separated by commas: the limits of new devices and of logins hold for
    /// whom they name in `X-Forwarded-For`, and that of connections of one source not for them.
    trusted_proxies: Vec<IpNet> = "",
        flag Some("trusted-proxies"), variable "HEADCOUNT_TRUSTED_PROXIES", aliases [], secret false,
        accepted "IP addresses and networks, such as 10.0.0.0/8,2001:db8::1", by accept::networks;
    /// Requests that may be answered at once; further ones get 503. `/health` and `/ready` are always answered.
    max_in_flight: usize = "4096",
        flag Some("max-in-flight"), variable "HEADCOUNT_MAX_IN_FLIGHT", aliases [], secret false,
        accepted "a whole number from 1 to 1000000", by |text| accept::number(text, &(1..=1_000_000));
    /// Streams of `/telemetry/live` that may be open at once; further ones get 429. They are connections, too, but not
    /// among the requests that are answered at once.
    max_live_streams: usize = "64",
        flag Some("max-live-streams"), variable "HEADCOUNT_MAX_LIVE_STREAMS", aliases [], secret false,
        accepted "a whole number from 0 to 10000", by |text| accept::number(text, &(0..=10_000));
    /// Those of one user, or of one API token.
    max_live_streams_per_user: usize = "4",
        flag Some("max-live-streams-per-user"), variable "HEADCOUNT_MAX_LIVE_STREAMS_PER_USER", aliases [],
        secret false, accepted "a whole number from 1 to 1000", by |text| accept::number(text, &(1..=1_000));
    /// Milliseconds in which the head of a request must have arrived.
    head_timeout: Duration = "5000",
        flag Some("head-timeout-ms"), variable "HEADCOUNT_HEAD_TIMEOUT_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 100 to 60000",
        by |text| accept::milliseconds(text, &(100..=60_000));
    /// Milliseconds that a connection may be idle between two requests.
    idle_timeout: Duration = "60000",
        flag Some("idle-timeout-ms"), variable "HEADCOUNT_IDLE_TIMEOUT_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 100 to 600000",
        by |text| accept::milliseconds(text, &(100..=600_000));
    /// Milliseconds that a request may take from its head to its answer. Imports may take longer.
    request_timeout: Duration = "10000",
        flag Some("request-timeout-ms"), variable "HEADCOUNT_REQUEST_TIMEOUT_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 100 to 600000",
        by |text| accept::milliseconds(text, &(100..=600_000));
    /// Milliseconds that a client may take nothing of its answer.
    write_timeout: Duration = "10000",
        flag Some("write-timeout-ms"), variable "HEADCOUNT_WRITE_TIMEOUT_MS", aliases [], secret false,
        accepted "a whole number of milliseconds from 100 to 600000",
        by |text| accept::milliseconds(text, &(100..=600_000));
    /// Bytes of the largest accepted head of a request.
    max_head_bytes: usize = "16384",
        flag Some("max-head-bytes"), variable "HEADCOUNT_MAX_HEAD_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 1024 to 1048576", by |text| accept::number(text, &(1 << 10..=1 << 20));
    /// Headers that a request may have.
    max_headers: usize = "64",
        flag Some("max-headers"), variable "HEADCOUNT_MAX_HEADERS", aliases [], secret false,
        accepted "a whole number from 16 to 1024", by |text| accept::number(text, &(16..=1024));
    /// Bytes of the longest accepted path and query of a request.
    max_uri_bytes: usize = "8192",
        flag Some("max-uri-bytes"), variable "HEADCOUNT_MAX_URI_BYTES", aliases [], secret false,
        accepted "a whole number of bytes from 256 to 65534", by |text| accept::number(text, &(256..=65_534));
    /// The least important log lines to write.
    log_level: tracing::Level = "info",
        flag Some("log-level"), variable "HEADCOUNT_LOG", aliases [], secret false,
        accepted "error, warn, info, debug or trace", by accept::level;
    /// The form of log lines.
    log_format: LogFormat = "json",
        flag Some("log-format"), variable "HEADCOUNT_LOG_FORMAT", aliases [], secret false,
        accepted "json or text", by accept::log_format;
}

/// faynoSync's variables that mean nothing here: given, they are listed once and otherwise ignored.
pub(super) const IGNORED: [&str; 30] = [
    "API_URL",
    "DASHBOARD_URL",
    "ENABLE_PRIVATE_APP_DOWNLOADING",
    "GCS_CREDENTIALS_FILE",
    "GCS_PRIVATE_KEY",
    "GCS_SERVICE_ACCOUNT_EMAIL",
    "JWT_SECRET",
    "MINIO_SECURE",
    "MONGODB_URL",
    "MONGODB_URL_TESTS",
    "ONLINE_KEY_DIR",
    "PERFORMANCE_MODE",
    "REPORTS_ENABLED",
    "S3_ACCESS_KEY",
    "S3_BUCKET_NAME",
    "S3_BUCKET_NAME_CDN",
    "S3_BUCKET_NAME_PRIVATE",
    "S3_ENDPOINT",
    "S3_ENDPOINT_CDN",
    "S3_ENDPOINT_PRIVATE",
    "S3_REGION",
    "S3_SECRET_KEY",
    "SLACK_BOT_TOKEN",
    "SLACK_CHANNEL",
    "SLACK_ENABLE",
    "SLACK_NOTIFICATION_TTL",
    "STORAGE_DRIVER",
    "TUF_ENABLED",
    "VITE_API_URL",
    "VITE_PORT",
];
