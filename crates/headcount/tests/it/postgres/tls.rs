//! A database that is reached over TLS.

use super::Postgres;
use crate::app::fresh_directory;
use crate::process::{Done, run};

/// What creating an administrator with that URL says.
fn create(url: &str) -> Done {
    run(&fresh_directory(), &[("DATABASE_URL", url)], &["user", "create-admin", "acme"], b"a long password")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_trusted_by_the_authority_that_is_named_and_for_its_host() {
    let (server, other) = (Postgres::start_with_tls().await, Postgres::start_with_tls().await);
    let (url, authority, foreign) = (server.url(), server.authority(), other.authority());
    let wrong_host = format!("postgres://headcount@localhost:{}/headcount", server.port());
    let refused = [
        // It is the server that asks for TLS: what is trusted below is no plain connection.
        (format!("{url}?sslmode=disable"), "no encryption"),
        (format!("{url}?sslmode=verify-full"), "certificate"),
        (format!("{url}?sslmode=verify-full&sslrootcert={foreign}"), "certificate"),
        (format!("{url}?sslmode=verify-ca&sslrootcert={foreign}"), "certificate"),
        (format!("{wrong_host}?sslmode=verify-full&sslrootcert={authority}"), "certificate"),
    ];
    for (url, why) in refused {
        let done = create(&url);
        assert!(done.code == Some(1) && done.stderr.contains(why), "{url}: {done:?}");
    }
    let created = Done::said("created the administrator acme\n");
    assert_eq!(create(&format!("{url}?sslmode=verify-full&sslrootcert={authority}")), created);
    let exists = Done::failed(1, "headcount: a user named acme exists");
    for trusted in [
        format!("{wrong_host}?sslmode=verify-ca&sslrootcert={authority}"),
        format!("{url}?sslmode=require"),
        url.clone(),
    ] {
        assert_eq!(create(&trusted), exists, "{trusted}");
    }
}
