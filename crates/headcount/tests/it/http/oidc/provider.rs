//! A certified provider, from the packages of the web client's tests.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A provider that runs as a process of its own until it is dropped.
pub(super) struct RealProvider {
    pub(super) issuer: String,
    process: Child,
}

impl RealProvider {
    /// One that sends browsers back to `callback`.
    pub(super) fn start(callback: &str) -> Self {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
        let is_there = web.join("node_modules/oidc-provider").exists();
        assert!(is_there, "the provider is missing: run `npm ci` in web/, as `make test` does");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("node");
        command.current_dir(&web).args(["e2e/provider.mjs", &port.to_string(), callback]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut issuer = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        assert!(issuer.starts_with("http://127.0.0.1:"), "the provider did not start: {issuer}");
        Self { issuer: issuer.trim_end().to_owned(), process }
    }

    /// Says what somebody's roles are, separated by commas.
    pub(super) async fn set_roles(&self, of: &str, roles: &str) {
        let url = format!("{}/roles?of={of}&roles={roles}", self.issuer);
        assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 204);
    }
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
