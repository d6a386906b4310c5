//! One process of Redis.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng as _;

use super::resp::{self, Value};
use crate::app::fresh_directory;

/// How long a process may take to serve, and servers to agree.
const DEADLINE: Duration = Duration::from_mins(1);

/// Waits until it is so.
pub(super) fn until(what: &str, is_so: impl FnMut() -> bool) {
    assert!(within(DEADLINE, is_so), "{what}: not within {DEADLINE:?}");
}

/// Whether it is so within that time.
fn within(time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < time {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// A loopback port that nobody has, below those that the system hands out: nobody takes it while a server is away.
pub(crate) fn free_port() -> u16 {
    for _ in 0..1000 {
        let port = rand::rng().random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// A server, or a sentinel, that is killed when the test ends.
pub(super) struct Node {
    program: &'static str,
    pub(super) folder: PathBuf,
    pub(super) port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Node {
    /// A server with these settings, on a free port and in a folder of its own.
    pub(super) fn start(settings: &[(&str, &str)]) -> Self {
        let arguments: Vec<String> =
            settings.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]).collect();
        for _ in 0..5 {
            let mut node = Self::new("redis-server", free_port(), Vec::new());
            node.arguments = [&node.own_settings()[..], &arguments].concat();
            if node.serves() {
                return node;
            }
        }
        panic!("redis-server does not start");
    }

    /// A sentinel with these lines in its file, in which it keeps what it learns.
    pub(super) fn sentinel(lines: &str) -> Self {
        for _ in 0..5 {
            let mut node = Self::new("redis-sentinel", free_port(), Vec::new());
            let file = node.folder.join("sentinel.conf");
            let own: Vec<String> = node.own_settings().chunks(2).map(|line| line.join(" ")).collect();
            let own = own.join("\n").replace("--", "");
            fs::write(&file, format!("{own}\n{lines}")).unwrap();
            node.arguments.push(file.to_str().unwrap().to_owned());
            if node.serves() {
                return node;
            }
        }
        panic!("redis-sentinel does not start");
    }

    fn new(program: &'static str, port: u16, arguments: Vec<String>) -> Self {
        Self { program, folder: fresh_directory(), port, arguments, child: None }
    }

    fn own_settings(&self) -> Vec<String> {
        let folder = self.folder.to_str().unwrap();
        let settings = [
            ("--port", &*self.port.to_string()),
            ("--bind", "127.0.0.1"),
            ("--dir", folder),
            ("--logfile", &format!("{folder}/log")),
        ];
        settings.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
    }

    /// Starts the process and waits until it answers, or has ended.
    fn serves(&mut self) -> bool {
        self.spawn();
        let mut has_ended = false;
        let answers = within(DEADLINE, || {
            has_ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            has_ended || self.try_ask(&["PING"]).is_ok_and(|reply| is_answer(&reply))
        });
        answers && !has_ended
    }

    /// Starts the process and does not wait for it.
    fn spawn(&mut self) {
        match Command::new(self.program).arg("--version").output() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "{} is missing: install the Debian packages redis-server and redis-sentinel, as scripts/test does",
                self.program
            ),
            Err(error) => panic!("{}: {error}", self.program),
        }
        // It gets a SIGKILL when the thread of the test is gone, however that ended.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", self.program]).args(&self.arguments).stdin(Stdio::null());
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// Starts it again after a kill, on the same port and in the same folder, and waits until it serves.
    pub(super) fn start_again(&mut self) {
        assert!(self.serves(), "{} does not start again: {}", self.program, self.log());
    }

    /// Kills it as SIGKILL does, and waits until it is gone.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            _ = child.kill();
            _ = child.wait();
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// It stands still, with its connections, until it is resumed.
    pub(super) fn pause(&self) {
        self.signal("STOP");
    }

    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(super) fn try_ask(&self, words: &[&str]) -> std::io::Result<Value> {
        resp::ask(self.port, words)
    }

    /// What it answers, which is no error.
    pub(super) fn ask(&self, words: &[&str]) -> Value {
        match self.try_ask(words) {
            Ok(Value::Error(error)) => panic!("{words:?}: {error}"),
            Ok(value) => value,
            Err(error) => panic!("{words:?}: {error}: {}", self.log()),
        }
    }

    /// The number of that name in `INFO`, or the word.
    pub(super) fn reported(&self, name: &str) -> String {
        let report = self.ask(&["INFO", "everything"]).text();
        let line = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {report}")).trim().to_owned()
    }
}

/// What a server answers that serves, also one that wants to know a password first.
fn is_answer(reply: &Value) -> bool {
    *reply == Value::Text("PONG".to_owned()) || matches!(reply, Value::Error(text) if text.starts_with("NOAUTH"))
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process of that number runs.
pub(super) fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
