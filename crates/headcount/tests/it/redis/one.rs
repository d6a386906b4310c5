//! One Redis.

use std::path::{Path, PathBuf};

use super::node::Node;
use super::resp::Value;
use crate::app::fresh_directory;

/// Whether a Redis writes down what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// Each command, before it is answered: a kill loses nothing.
    Kept,
    /// Nothing: what is not saved is lost by a kill.
    None,
}

/// One Redis server.
pub(crate) struct One(Node);

impl One {
    pub(crate) fn start(log: Log) -> Self {
        Self::with(log, &[])
    }

    /// The same, with these settings.
    pub(crate) fn with(log: Log, settings: &[(&str, &str)]) -> Self {
        let append = if log == Log::Kept { "yes" } else { "no" };
        let own = [("save", ""), ("appendonly", append), ("appendfsync", "everysec")];
        Self(Node::start(&[&own, settings].concat()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// What it answers, which is no error.
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        self.0.ask(words)
    }

    /// The same; also that it does not answer.
    pub(crate) fn try_ask(&self, words: &[&str]) -> std::io::Result<Value> {
        self.0.try_ask(words)
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill();
    }

    pub(crate) fn start_again(&mut self) {
        self.0.start_again();
    }

    pub(crate) fn pause(&self) {
        self.0.pause();
    }

    pub(crate) fn resume(&self) {
        self.0.resume();
    }

    /// Everything is gone, as after an operator's mistake.
    pub(crate) fn empty(&self) {
        self.ask(&["FLUSHALL"]);
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.ask(&["CONFIG", "SET", name, value]);
    }

    /// The number, or the word, of that name in `INFO`.
    pub(crate) fn reported(&self, name: &str) -> String {
        self.0.reported(name)
    }

    /// Keeps a copy of what it holds now; only for one without a log.
    pub(crate) fn copy(&self) -> PathBuf {
        self.ask(&["SAVE"]);
        let copy = fresh_directory().join("dump.rdb");
        std::fs::rename(self.0.folder.join("dump.rdb"), &copy).unwrap();
        copy
    }

    /// Kills it and starts it again with what it held at the time of the copy.
    pub(crate) fn become_again(&mut self, copy: &Path) {
        self.kill();
        std::fs::copy(copy, self.0.folder.join("dump.rdb")).unwrap();
        self.start_again();
        std::fs::remove_file(self.0.folder.join("dump.rdb")).unwrap();
    }
}
