//! The real program in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::app::fresh_directory;

/// How long a process may take for anything that a test waits for.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// A command that failed with that code and said that one line.
    pub(crate) fn failed(code: i32, line: &str) -> Self {
        Self { code: Some(code), stdout: String::new(), stderr: format!("{line}\n") }
    }

    pub(crate) fn said(stdout: &str) -> Self {
        Self { code: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
    }
}

/// The program, to be run in that folder, with these variables and no others.
fn program(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.current_dir(folder).env_clear().envs(variables.iter().copied());
    command
}

/// How the process ended, or nothing if it did not within the deadline.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Runs a command that ends by itself.
pub(crate) fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Done {
    let mut command = program(folder, variables);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails before it reads closes its end.
    _ = child.stdin.take().unwrap().write_all(input);
    if wait(&mut child).is_none() {
        child.kill().unwrap();
        panic!("{arguments:?} did not end: {:?}", child.wait_with_output().unwrap());
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A command that runs beside the test, and is killed when the test ends.
pub(crate) struct Running(Child);

/// Starts a command and does not wait for it.
pub(crate) fn spawn(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Running {
    let mut command = program(folder, variables);
    let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap())
}

impl Running {
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Kills it as SIGKILL does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `headcount serve` or `headcount demo` on a free loopback port. It is killed when the test ends.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    log: PathBuf,
    address: String,
}

impl Server {
    /// Starts it in that folder, with its data in `./data`, and waits until it serves.
    pub(crate) fn start(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_command("serve", folder, variables, arguments)
    }

    /// The same, on that address.
    pub(crate) fn start_at(folder: &Path, variables: &[(&str, &str)], listen: &str) -> Self {
        let mut command = program(folder, variables);
        command.arg("serve");
        Self::of_at(command, listen)
    }

    /// The same, after a shell has set a limit with `ulimit`.
    pub(crate) fn start_limited(folder: &Path, limit: &str) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit {limit}; exec \"$0\" serve \"$@\"");
        command.current_dir(folder).env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_headcount")]);
        Self::spawn(command, &[])
    }

    /// The same for another command that serves.
    pub(crate) fn start_command(name: &str, folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = program(folder, variables);
        command.arg(name);
        Self::spawn(command, arguments)
    }

    /// The same; where it does not serve, what it said instead.
    pub(crate) fn try_start(folder: &Path, variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = program(folder, variables);
        command.arg("serve");
        Self::try_spawn(command, &[])
    }

    /// The same for a command that ends in `headcount serve` and its flags.
    pub(crate) fn of(command: Command) -> Self {
        Self::spawn(command, &[])
    }

    /// The same, on another address than that of this machine.
    pub(crate) fn of_at(command: Command, listen: &str) -> Self {
        Self::try_spawn_at(command, listen, &[]).unwrap_or_else(|said| panic!("{said}"))
    }

    fn spawn(command: Command, arguments: &[&str]) -> Self {
        Self::try_spawn(command, arguments).unwrap_or_else(|said| panic!("{said}"))
    }

    fn try_spawn(command: Command, arguments: &[&str]) -> Result<Self, String> {
        Self::try_spawn_at(command, "127.0.0.1:0", arguments)
    }

    fn try_spawn_at(mut command: Command, listen: &str, arguments: &[&str]) -> Result<Self, String> {
        let log = fresh_directory().join("log");
        command.args(["--listen", listen]).args(arguments).stdin(Stdio::null());
        let stderr = std::fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("Headcount serves http://").map(str::to_owned);
        let mut server = Self { child, stdout, log, address: String::new() };
        let Some(address) = address else {
            // So that all of it is in the log.
            _ = wait(&mut server.child);
            return Err(format!("{line:?} {}", server.log()));
        };
        server.address = address;
        Ok(server)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next two lines of standard output: the first start says how to create the first administrator.
    pub(crate) fn setup_lines(&mut self) -> [String; 2] {
        self.next_lines()
    }

    /// The next lines of standard output.
    pub(crate) fn next_lines<const COUNT: usize>(&mut self) -> [String; COUNT] {
        [(); COUNT].map(|()| {
            let mut line = String::new();
            self.stdout.read_line(&mut line).unwrap();
            line
        })
    }

    /// Everything that was written to standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Kills it as SIGKILL does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Whether it has not ended.
    #[cfg(feature = "failpoints")]
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal of that name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits until it has ended: how, and the rest of standard output.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child).unwrap_or_else(|| panic!("the server did not end: {}", self.log()));
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
