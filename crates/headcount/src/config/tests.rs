use clap::{Args, Command, FromArgMatches};

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn load(flags: &[(&'static str, &str)], env: &[(&str, &str)], dotenv: &[(&str, &str)]) -> Result<Config, String> {
    let args = flags.iter().fold(ServeArgs::default(), |args, &(flag, text)| args.with(flag, text));
    Config::load(&args, &variables(env), &variables(dotenv)).map_err(|error| error.to_string())
}

fn refusal(flags: &[(&'static str, &str)], env: &[(&str, &str)], dotenv: &[(&str, &str)]) -> String {
    load(flags, env, dotenv).expect_err("must be refused")
}

fn listen(flags: &[(&'static str, &str)], env: &[(&str, &str)], dotenv: &[(&str, &str)]) -> String {
    load(flags, env, dotenv).unwrap().listen.to_string()
}

const KEY: &str = "0123456789abcdef";

#[test]
#[expect(clippy::too_many_lines, reason = "a line for each setting")]
fn nothing_given_means_the_defaults() {
    let config = load(&[], &[("PATH", "/bin"), ("HOME", "")], &[]).unwrap();
    insta::assert_snapshot!(render_effective(&config), @"
    HEADCOUNT_LISTEN=127.0.0.1:9000                  # default
    HEADCOUNT_METRICS_LISTEN=                        # default
    HEADCOUNT_DATA_DIR=./data                        # default
    HEADCOUNT_TELEMETRY=false                        # default
    HEADCOUNT_ALLOWED_CORS=                          # default
    HEADCOUNT_PUBLIC_URL=                            # default
    HEADCOUNT_API_KEY=                               # default
    HEADCOUNT_DEFAULT_OWNER=                         # default
    HEADCOUNT_REDIS_URL=                             # default
    HEADCOUNT_REDIS_HOST=                            # default
    HEADCOUNT_REDIS_PORT=6379                        # default
    HEADCOUNT_REDIS_DB=0                             # default
    HEADCOUNT_REDIS_PASSWORD=                        # default
    HEADCOUNT_REDIS_SENTINEL_PASSWORD=               # default
    HEADCOUNT_REDIS_CA_FILE=                         # default
    HEADCOUNT_REDIS_PREFIX=hc                        # default
    HEADCOUNT_DATABASE_URL=sqlite                    # default
    HEADCOUNT_SECRET_KEY=                            # default
    HEADCOUNT_SECRET_KEY_OLD=                        # default
    HEADCOUNT_RETENTION_DAYS=30                      # default
    HEADCOUNT_REPLAY_WINDOW_HOURS=24                 # default
    HEADCOUNT_REPLAY_WINDOW_BYTES=1073741824         # default
    HEADCOUNT_SPOOL_MAX_BYTES=8589934592             # default
    HEADCOUNT_FLUSH_INTERVAL_MS=1000                 # default
    HEADCOUNT_SEGMENT_CACHE_BYTES=268435456          # default
    HEADCOUNT_QUEUE_EVENTS=65536                     # default
    HEADCOUNT_COMMIT_WAIT_MS=250                     # default
    HEADCOUNT_UNKNOWN_VERSIONS_PER_DAY=1000          # default
    HEADCOUNT_DEVICES_PER_DAY=10000000               # default
    HEADCOUNT_NEW_DEVICES_PER_MINUTE=0               # default
    HEADCOUNT_NEW_DEVICES_BURST=1000                 # default
    HEADCOUNT_OIDC_ISSUER=                           # default
    HEADCOUNT_OIDC_CLIENT_ID=                        # default
    HEADCOUNT_OIDC_CLIENT_SECRET=                    # default
    HEADCOUNT_OIDC_NAME=OpenID Connect               # default
    HEADCOUNT_OIDC_SCOPES=openid profile             # default
    HEADCOUNT_OIDC_ROLE_CLAIM=roles                  # default
    HEADCOUNT_OIDC_ADMINISTRATOR_ROLE=headcount-administrator # default
    HEADCOUNT_OIDC_TEAM_ROLE=headcount-team          # default
    HEADCOUNT_AUDIT_DAYS=400                         # default
    HEADCOUNT_SESSION_HOURS=12                       # default
    HEADCOUNT_MAX_BODY_BYTES=65536                   # default
    HEADCOUNT_MAX_CONNECTIONS=8192                   # default
    HEADCOUNT_MAX_CONNECTIONS_PER_SOURCE=256         # default
    HEADCOUNT_LIMIT_LOCAL_SOURCES=false              # default
    HEADCOUNT_TRUSTED_PROXIES=                       # default
    HEADCOUNT_MAX_IN_FLIGHT=4096                     # default
    HEADCOUNT_MAX_LIVE_STREAMS=64                    # default
    HEADCOUNT_MAX_LIVE_STREAMS_PER_USER=4            # default
    HEADCOUNT_HEAD_TIMEOUT_MS=5000                   # default
    HEADCOUNT_IDLE_TIMEOUT_MS=60000                  # default
    HEADCOUNT_REQUEST_TIMEOUT_MS=10000               # default
    HEADCOUNT_WRITE_TIMEOUT_MS=10000                 # default
    HEADCOUNT_MAX_HEAD_BYTES=16384                   # default
    HEADCOUNT_MAX_HEADERS=64                         # default
    HEADCOUNT_MAX_URI_BYTES=8192                     # default
    HEADCOUNT_LOG=info                               # default
    HEADCOUNT_LOG_FORMAT=json                        # default
    ");
    assert!(config.api_key.is_none());
    assert!(!config.telemetry);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_dotenv() {
    let all = [("HEADCOUNT_LISTEN", "127.0.0.1:2")];
    let weakest = [("HEADCOUNT_LISTEN", "127.0.0.1:3")];
    assert_eq!(listen(&[("listen", "127.0.0.1:1")], &all, &weakest), "127.0.0.1:1");
    assert_eq!(listen(&[], &all, &weakest), "127.0.0.1:2");
    assert_eq!(listen(&[], &[], &weakest), "127.0.0.1:3");
}

#[test]
fn own_names_win_over_aliases_within_one_source_only() {
    let telemetry = |env: &[(&str, &str)], dotenv: &[(&str, &str)]| load(&[], env, dotenv).unwrap().telemetry;
    assert!(telemetry(&[("ENABLE_TELEMETRY", "true")], &[]));
    assert!(!telemetry(&[("ENABLE_TELEMETRY", "true"), ("HEADCOUNT_TELEMETRY", "false")], &[]));
    assert!(telemetry(&[("ENABLE_TELEMETRY", "true")], &[("HEADCOUNT_TELEMETRY", "false")]));
}

#[test]
fn port_sets_the_port_and_leaves_the_address() {
    assert_eq!(listen(&[], &[("PORT", "8080")], &[]), "127.0.0.1:8080");
    assert_eq!(listen(&[], &[("PORT", "8080")], &[("HEADCOUNT_LISTEN", "[::]:1")]), "[::]:8080");
    assert_eq!(listen(&[], &[("PORT", "8080"), ("HEADCOUNT_LISTEN", "0.0.0.0:1")], &[]), "0.0.0.0:1");
    assert_eq!(listen(&[], &[("PORT", "8080")], &[("PORT", "7")]), "127.0.0.1:8080");
    assert_eq!(listen(&[("listen", "127.0.0.1:1")], &[("PORT", "no number")], &[]), "127.0.0.1:1");
}

#[test]
fn an_empty_value_means_the_default_whatever_is_weaker() {
    let config = load(&[], &[("API_KEY", ""), ("HEADCOUNT_RETENTION_DAYS", " ")], &[("API_KEY", KEY)]).unwrap();
    assert!(config.api_key.is_none());
    assert_eq!(config.retention_days, 30);
}

#[test]
fn values_are_parsed_into_what_they_mean() {
    let config = load(
        &[("flush-interval-ms", "50"), ("default-owner", "Acme")],
        &[("ALLOWED_CORS", "http://localhost:3000, chrome-extension://fhdpldnibaoc"), ("HEADCOUNT_LOG", "warn")],
        &[("API_KEY", KEY), ("HEADCOUNT_DATA_DIR", "/srv/headcount")],
    )
    .unwrap();
    assert_eq!(config.flush_interval, std::time::Duration::from_millis(50));
    assert_eq!(config.default_owner.map(|name| name.to_string()), Some("acme".to_owned()));
    assert_eq!(config.allowed_cors, ["http://localhost:3000", "chrome-extension://fhdpldnibaoc"]);
    assert_eq!(config.log_level, tracing::Level::WARN);
    assert_eq!(config.data_dir, std::path::Path::new("/srv/headcount"));
}

#[test]
fn the_source_of_each_value_is_shown_and_secrets_are_not() {
    let config = load(
        &[("log-format", "text")],
        &[("HEADCOUNT_API_KEY", KEY), ("PORT", "81"), ("JWT_SECRET", "s"), ("S3_REGION", "x")],
        &[("ENABLE_TELEMETRY", "true"), ("S3_BUCKET_NAME", "b")],
    )
    .unwrap();
    let shown: Vec<String> =
        render_effective(&config).lines().filter(|line| !line.ends_with("# default")).map(str::to_owned).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    HEADCOUNT_LISTEN=127.0.0.1:81                    # environment: PORT
    HEADCOUNT_TELEMETRY=true                         # .env: ENABLE_TELEMETRY
    HEADCOUNT_API_KEY=(hidden)                       # environment: HEADCOUNT_API_KEY
    HEADCOUNT_LOG_FORMAT=text                        # command line: --log-format
    # ignored, they mean nothing here: JWT_SECRET, S3_BUCKET_NAME, S3_REGION
    ");
    assert!(!format!("{config:?}").contains(KEY), "{config:?}");
    assert_eq!(config.ignored, ["JWT_SECRET", "S3_BUCKET_NAME", "S3_REGION"]);
}

#[test]
fn malformed_values_are_refused_with_the_accepted_form() {
    let cases: [(&str, &str); 27] = [
        ("HEADCOUNT_LISTEN", "localhost:9000"),
        ("HEADCOUNT_LISTEN", "9000"),
        ("PORT", "65536"),
        ("HEADCOUNT_TELEMETRY", "yes"),
        ("ALLOWED_CORS", "*"),
        ("ALLOWED_CORS", "https://a.example,null"),
        ("ALLOWED_CORS", "https://a.example/"),
        ("ALLOWED_CORS", "https://a.example,,https://b.example"),
        ("ALLOWED_CORS", "https://*.example"),
        ("API_KEY", "0123456789abcde"),
        ("API_KEY", "UHp3aKb40fwpoKZluZByWQ"),
        ("HEADCOUNT_DEFAULT_OWNER", "a b"),
        ("DATABASE_URL", "mysql://u:pass@db/headcount"),
        ("DATABASE_URL", "postgres://u:pass@db"),
        ("SECRET_KEY", "0123456789abcdef0123456789abcde"),
        ("HEADCOUNT_SECRET_KEY_OLD", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("HEADCOUNT_RETENTION_DAYS", "0"),
        ("HEADCOUNT_RETENTION_DAYS", "401"),
        ("HEADCOUNT_RETENTION_DAYS", "+30"),
        ("HEADCOUNT_RETENTION_DAYS", "99999999999999999999"),
        ("HEADCOUNT_FLUSH_INTERVAL_MS", "49"),
        ("HEADCOUNT_SPOOL_MAX_BYTES", "8G"),
        ("HEADCOUNT_SPOOL_MAX_BYTES", "9223372036854775808"),
        ("HEADCOUNT_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
        ("HEADCOUNT_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HEADCOUNT_LOG", "verbose"),
        ("HEADCOUNT_LOG_FORMAT", "xml"),
    ];
    let messages: Vec<String> = cases.iter().map(|&case| refusal(&[], &[case], &[])).collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    HEADCOUNT_LISTEN (environment): `localhost:9000` is not an IP address and a port; accepted: ADDR:PORT with an IP address, such as 127.0.0.1:9000 or [::1]:9000
    HEADCOUNT_LISTEN (environment): `9000` is not an IP address and a port; accepted: ADDR:PORT with an IP address, such as 127.0.0.1:9000 or [::1]:9000
    PORT (environment): `65536` is not a whole number in the range; accepted: a port number from 0 to 65535
    HEADCOUNT_TELEMETRY (environment): `yes` is neither; accepted: true or false
    ALLOWED_CORS (environment): `*` is not an origin; accepted: exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null
    ALLOWED_CORS (environment): `null` is not an origin; accepted: exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null
    ALLOWED_CORS (environment): `https://a.example/` is not an origin; accepted: exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null
    ALLOWED_CORS (environment): `` is not an origin; accepted: exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null
    ALLOWED_CORS (environment): `https://*.example` is not an origin; accepted: exact origins in lower case, such as https://admin.example.com,http://localhost:3000; not * and not null
    API_KEY (environment): it has 15 bytes; accepted: at least 16 bytes that stand in no public example
    API_KEY (environment): it stands in a public example; accepted: at least 16 bytes that stand in no public example
    HEADCOUNT_DEFAULT_OWNER (environment): `a b` is not a user name; accepted: the name of an administrator, of the form ^[a-z0-9][a-z0-9._@+-]{1,63}$
    DATABASE_URL (environment): it is neither; accepted: sqlite (a file in the data folder), or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    DATABASE_URL (environment): it is neither; accepted: sqlite (a file in the data folder), or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    SECRET_KEY (environment): it has 31 bytes; accepted: at least 32 bytes, such as what openssl rand -hex 32 prints
    HEADCOUNT_SECRET_KEY_OLD (environment): it is one character; accepted: at least 32 bytes
    HEADCOUNT_RETENTION_DAYS (environment): `0` is not a whole number in the range; accepted: a whole number of days from 1 to 400
    HEADCOUNT_RETENTION_DAYS (environment): `401` is not a whole number in the range; accepted: a whole number of days from 1 to 400
    HEADCOUNT_RETENTION_DAYS (environment): `+30` is not a whole number in the range; accepted: a whole number of days from 1 to 400
    HEADCOUNT_RETENTION_DAYS (environment): `99999999999999999999` is not a whole number in the range; accepted: a whole number of days from 1 to 400
    HEADCOUNT_FLUSH_INTERVAL_MS (environment): `49` is not a whole number in the range; accepted: a whole number of milliseconds from 50 to 60000
    HEADCOUNT_SPOOL_MAX_BYTES (environment): `8G` is not a whole number in the range; accepted: a whole number of bytes from 1048576 (1 MiB)
    HEADCOUNT_SPOOL_MAX_BYTES (environment): `9223372036854775808` is not a whole number in the range; accepted: a whole number of bytes from 1048576 (1 MiB)
    HEADCOUNT_TRUSTED_PROXIES (environment): `proxy.example` is neither an IP address nor a network; accepted: IP addresses and networks, such as 10.0.0.0/8,2001:db8::1
    HEADCOUNT_TRUSTED_PROXIES (environment): `10.0.0.0/33` is neither an IP address nor a network; accepted: IP addresses and networks, such as 10.0.0.0/8,2001:db8::1
    HEADCOUNT_LOG (environment): `verbose` is not a level; accepted: error, warn, info, debug or trace
    HEADCOUNT_LOG_FORMAT (environment): `xml` is neither; accepted: json or text
    ");
    assert!(!messages.join("").contains("pass@"), "a password was repeated");
}

#[test]
fn the_public_url_is_an_origin_as_browsers_write_it() {
    for url in ["https://hc.example.org", "https://hc.example.org:8443", "http://localhost:9000", "http://[::1]:9000"] {
        let config = load(&[], &[("HEADCOUNT_PUBLIC_URL", url)], &[]).unwrap();
        let public = config.public_url.unwrap();
        assert_eq!((public.as_str(), public.is_https()), (url, url.starts_with("https")));
    }
    for url in [
        "https://hc.example.org/",
        "hc.example.org",
        "ftp://hc.example.org",
        "https://HC.example.org",
        "https://hc.example.org:443",
        "https://u@hc.example.org",
        "https://hc.example.org/a?b",
    ] {
        let refused = refusal(&[], &[("HEADCOUNT_PUBLIC_URL", url)], &[]);
        assert!(refused.contains("an origin without a path"), "{refused}");
    }
}

#[test]
fn a_refusal_says_where_the_value_was_given() {
    insta::assert_snapshot!(refusal(&[("retention-days", "x")], &[], &[]), @"--retention-days (command line): `x` is not a whole number in the range; accepted: a whole number of days from 1 to 400");
    insta::assert_snapshot!(refusal(&[], &[], &[("HEADCOUNT_RETENTION_DAYS", "x")]), @"HEADCOUNT_RETENTION_DAYS (.env): `x` is not a whole number in the range; accepted: a whole number of days from 1 to 400");
    insta::assert_snapshot!(refusal(&[], &[("PORT", "1")], &[("HEADCOUNT_LISTEN", "x")]), @"HEADCOUNT_LISTEN (.env): `x` is not an IP address and a port; accepted: ADDR:PORT with an IP address, such as 127.0.0.1:9000 or [::1]:9000");
}

#[test]
fn names_that_are_no_settings_are_refused() {
    insta::assert_snapshot!(refusal(&[], &[("HEADCOUNT_RETENTION", "3")], &[]), @"HEADCOUNT_RETENTION (environment) is not a setting; accepted: HEADCOUNT_LISTEN, HEADCOUNT_METRICS_LISTEN, HEADCOUNT_DATA_DIR, HEADCOUNT_TELEMETRY, HEADCOUNT_ALLOWED_CORS, HEADCOUNT_PUBLIC_URL, HEADCOUNT_API_KEY, HEADCOUNT_DEFAULT_OWNER, HEADCOUNT_REDIS_URL, HEADCOUNT_REDIS_HOST, HEADCOUNT_REDIS_PORT, HEADCOUNT_REDIS_DB, HEADCOUNT_REDIS_PASSWORD, HEADCOUNT_REDIS_SENTINEL_PASSWORD, HEADCOUNT_REDIS_CA_FILE, HEADCOUNT_REDIS_PREFIX, HEADCOUNT_DATABASE_URL, HEADCOUNT_SECRET_KEY, HEADCOUNT_SECRET_KEY_OLD, HEADCOUNT_RETENTION_DAYS, HEADCOUNT_REPLAY_WINDOW_HOURS, HEADCOUNT_REPLAY_WINDOW_BYTES, HEADCOUNT_SPOOL_MAX_BYTES, HEADCOUNT_FLUSH_INTERVAL_MS, HEADCOUNT_SEGMENT_CACHE_BYTES, HEADCOUNT_QUEUE_EVENTS, HEADCOUNT_COMMIT_WAIT_MS, HEADCOUNT_UNKNOWN_VERSIONS_PER_DAY, HEADCOUNT_DEVICES_PER_DAY, HEADCOUNT_NEW_DEVICES_PER_MINUTE, HEADCOUNT_NEW_DEVICES_BURST, HEADCOUNT_OIDC_ISSUER, HEADCOUNT_OIDC_CLIENT_ID, HEADCOUNT_OIDC_CLIENT_SECRET, HEADCOUNT_OIDC_NAME, HEADCOUNT_OIDC_SCOPES, HEADCOUNT_OIDC_ROLE_CLAIM, HEADCOUNT_OIDC_ADMINISTRATOR_ROLE, HEADCOUNT_OIDC_TEAM_ROLE, HEADCOUNT_AUDIT_DAYS, HEADCOUNT_SESSION_HOURS, HEADCOUNT_MAX_BODY_BYTES, HEADCOUNT_MAX_CONNECTIONS, HEADCOUNT_MAX_CONNECTIONS_PER_SOURCE, HEADCOUNT_LIMIT_LOCAL_SOURCES, HEADCOUNT_TRUSTED_PROXIES, HEADCOUNT_MAX_IN_FLIGHT, HEADCOUNT_MAX_LIVE_STREAMS, HEADCOUNT_MAX_LIVE_STREAMS_PER_USER, HEADCOUNT_HEAD_TIMEOUT_MS, HEADCOUNT_IDLE_TIMEOUT_MS, HEADCOUNT_REQUEST_TIMEOUT_MS, HEADCOUNT_WRITE_TIMEOUT_MS, HEADCOUNT_MAX_HEAD_BYTES, HEADCOUNT_MAX_HEADERS, HEADCOUNT_MAX_URI_BYTES, HEADCOUNT_LOG, HEADCOUNT_LOG_FORMAT");
    let in_dotenv = refusal(&[], &[], &[("RETENTION_DAYS", "3")]);
    assert!(
        in_dotenv.starts_with("RETENTION_DAYS (.env) is not a setting; accepted: HEADCOUNT_LISTEN, "),
        "{in_dotenv}"
    );
    assert!(load(&[], &[("RETENTION_DAYS", "3")], &[]).is_ok(), "the environment holds other programs' variables too");
}

#[test]
fn dotenv_files_are_read_and_bad_lines_are_named() {
    let text =
        "\u{feff}# note\nPORT=9001 # a comment\n\nexport API_KEY='a$b c'\nALLOWED_CORS=\"http://x\"\nJWT_SECRET=\n";
    let expected = [("PORT", "9001"), ("API_KEY", "a$b c"), ("ALLOWED_CORS", "http://x"), ("JWT_SECRET", "")];
    assert_eq!(parse_dotenv(text), Ok(variables(&expected)));

    let message = |text: &str| parse_dotenv(text).expect_err("must be refused").to_string();
    insta::assert_snapshot!(message("PORT=1\nAPI_KEY secret\n"), @".env, line 2: is not an assignment; accepted: NAME=value, a value with spaces, # or $ in 'single quotes'");
    insta::assert_snapshot!(message("PORT=1\n=x\n"), @".env, line 2: is not an assignment; accepted: NAME=value, a value with spaces, # or $ in 'single quotes'");
    insta::assert_snapshot!(message("PORT=1\n# PORT=2\n PORT = 3\n"), @".env, line 3: the name stands in an earlier line too; accepted: NAME=value, a value with spaces, # or $ in 'single quotes'");
    insta::assert_snapshot!(message("PORT=1 # $\nAPI_KEY=\"a$HOME b\"\n"), @".env, line 2: a $ stands outside 'single quotes'; accepted: NAME=value, a value with spaces, # or $ in 'single quotes'");
    assert!(!message("API_KEY='open secret\n").contains("secret"));
}

#[test]
fn flags_come_from_the_list_and_unknown_ones_are_refused() {
    let command = || ServeArgs::augment_args(Command::new("serve"));
    let matches = command().try_get_matches_from(["serve", "--listen", "127.0.0.1:1"]).unwrap();
    assert_eq!(ServeArgs::from_arg_matches(&matches).unwrap(), ServeArgs::default().with("listen", "127.0.0.1:1"));
    let refused = command().try_get_matches_from(["serve", "--lissten", "127.0.0.1:1"]).unwrap_err().to_string();
    assert!(refused.starts_with("error: unexpected argument '--lissten' found"), "{refused}");
    let help = command().render_long_help().to_string();
    for setting in &SETTINGS {
        assert_eq!(help.contains(setting.variable), setting.flag.is_some(), "{}", setting.variable);
    }
}

#[test]
fn the_committed_example_is_the_list() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != env_example() {
        std::fs::write(&path, env_example()).unwrap();
        panic!(".env.example was not what the list of settings says; it is written anew, commit it");
    }
    let config = Config::load(&ServeArgs::default(), &Variables::new(), &parse_dotenv(&committed).unwrap()).unwrap();
    assert!(config.telemetry);
    assert!(config.api_key.is_none());

    // With every line in force the values are the defaults.
    let in_force: String = committed
        .lines()
        .filter_map(|line| line.strip_prefix("# HEADCOUNT_"))
        .fold(String::new(), |text, rest| text + "HEADCOUNT_" + rest + "\n");
    let values = parse_dotenv(&in_force).unwrap();
    assert_eq!(values.len(), SETTINGS.len() - 2);
    assert!(Config::load(&ServeArgs::default(), &Variables::new(), &values).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(dotenv in "(PORT|API_KEY|X)?=?[ -~\\n'\"$\u{e9}]{0,40}", value in "\\PC{0,30}", which in 0..SETTINGS.len()) {
        _ = parse_dotenv(&dotenv);
        let env = variables(&[(SETTINGS[which].variable, value.as_str())]);
        _ = Config::load(&ServeArgs::default(), &env, &Variables::new());
    }
}

/// Which Redis is meant, without what is secret.
fn redis(env: &[(&str, &str)]) -> Option<String> {
    load(&[], env, &[]).unwrap().redis().map(|redis| redis.target.to_string())
}

#[test]
fn a_redis_is_named_by_a_url_or_by_its_parts() {
    assert_eq!(redis(&[]), None);
    for (url, shown) in [
        ("redis://db.example", "redis://db.example:6379"),
        ("redis://user:p%40ss@[::1]:7000/3/", "redis://[::1]:7000/3"),
        ("rediss://:pass@db:6380", "rediss://db:6380"),
        ("redis+sentinel://a,b:5/counts/2", "redis+sentinel://a:26379,b:5/counts/2"),
        ("rediss+cluster://pass:word@a,b:5", "rediss+cluster://a:6379,b:5"),
    ] {
        assert_eq!(redis(&[("REDIS_URL", url)]).as_deref(), Some(shown));
    }
    let parts = [("REDIS_HOST", "db"), ("REDIS_PORT", "7000"), ("REDIS_DB", "4"), ("REDIS_PASSWORD", "other")];
    assert_eq!(redis(&parts).as_deref(), Some("redis://db:7000/4"));
    let login = |env: &[(&str, &str)]| {
        let target = load(&[], env, &[]).unwrap().redis().unwrap().target;
        let password = target.password.map(|password| secrecy::ExposeSecret::expose_secret(&password).to_owned());
        (target.username, password)
    };
    assert_eq!(login(&parts), (None, Some("other".to_owned())));
    let both = [&parts[..], &[("REDIS_URL", "redis://me:p%40ss@db")]].concat();
    assert_eq!(login(&both), (Some("me".to_owned()), Some("p@ss".to_owned())));
    let config = load(&[], &both, &[]).unwrap();
    assert!(!format!("{config:?}").contains("p@ss") && !render_effective(&config).contains("p%40ss"), "{config:?}");
}

#[test]
fn malformed_names_of_a_redis_are_refused_and_repeat_no_password() {
    let cases = [
        ("REDIS_HOST", "a/b"),
        ("REDIS_URL", "redis://:pass@/"),
        ("REDIS_URL", "http://:pass@127.0.0.1/"),
        ("REDIS_URL", "redis://a,b"),
        ("REDIS_URL", "redis+sentinel://a:1,b:2"),
        ("REDIS_URL", "redis+cluster://a:1,b:2/3"),
        ("REDIS_URL", "redis://:sl/pass@127.0.0.1/"),
        ("HEADCOUNT_REDIS_PREFIX", "a:{b}"),
    ];
    let messages: Vec<String> = cases.iter().map(|&case| refusal(&[], &[case], &[])).collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    REDIS_HOST (environment): `a/b` is neither a name nor an address; accepted: a host name or an IP address
    REDIS_URL (environment): it does not name HOST or HOST:PORT; other characters of a password stand as %XX; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    REDIS_URL (environment): its scheme is not one of Redis; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    REDIS_URL (environment): several servers are redis+sentinel:// or redis+cluster://; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    REDIS_URL (environment): the name of the master is missing behind the Sentinels; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    REDIS_URL (environment): a cluster has the database 0 only; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    REDIS_URL (environment): what follows the last / is not the number of a database; accepted: redis://[USER:PASSWORD@]HOST[:PORT][/DB], redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] or redis+cluster://HOST[:PORT],HOST[:PORT]; rediss for TLS
    HEADCOUNT_REDIS_PREFIX (environment): `a:{b}` is not such a prefix; accepted: 1 to 32 of the characters A-Z a-z 0-9 . _ -
    ");
    assert!(!messages.join("").contains("pass@"), "a password was repeated");
}

#[test]
fn a_provider_is_set_as_a_whole() {
    let issuer = ("HEADCOUNT_OIDC_ISSUER", "https://login.example.com/realms/main");
    let client = ("HEADCOUNT_OIDC_CLIENT_ID", "headcount");
    let url = ("HEADCOUNT_PUBLIC_URL", "https://headcount.example.com");
    let missing = |given: &[(&str, &str)]| load(&[], given, &[]).unwrap_err();
    assert!(missing(&[issuer, url]).ends_with("HEADCOUNT_OIDC_CLIENT_ID is not; accepted: the id of the client"));
    assert!(missing(&[issuer, client]).contains("HEADCOUNT_PUBLIC_URL is not"));
    let settings = load(&[], &[issuer, client, url], &[]).unwrap().oidc().unwrap().unwrap();
    assert_eq!(settings.callback, "https://headcount.example.com/session/oidc/callback");
    assert!(load(&[], &[client, url], &[]).unwrap().oidc().unwrap().is_none());
    let is_taken = |local: &&str| load(&[], &[("HEADCOUNT_OIDC_ISSUER", *local), client, url], &[]).is_ok();
    assert!(["http://127.0.0.1:8080", "http://localhost/realms/main", "http://[::1]:8080"].iter().all(is_taken));
    for wrong in
        ["http://login.example.com", "login.example.com", "https://login.example.com?x=1", "https://a@b.example"]
    {
        let error = missing(&[("HEADCOUNT_OIDC_ISSUER", wrong), client, url]);
        assert!(error.starts_with("HEADCOUNT_OIDC_ISSUER (environment): `"), "{error}");
    }
    assert!(missing(&[("HEADCOUNT_OIDC_SCOPES", "profile")]).contains("openid is missing"));
}
