//! The scripts, and how one is called.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

/// One script: one step at the server.
#[derive(Debug)]
pub(super) struct Script {
    /// What it is called in metrics.
    pub(super) name: &'static str,
    text: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($name:ident = $label:literal, $text:expr;)+) => {
        $(pub(super) static $name: Script = Script {
            name: $label,
            text: $text,
            hash: LazyLock::new(|| redis::Script::new($text).get_hash().to_owned()),
        };)+

        /// All of them.
        pub(super) static ALL: &[&Script] = &[$(&$name),+];
    };
}

scripts! {
    PROBE = "probe", include_str!("probe.lua");
    INSTALLATION = "installation", include_str!("installation.lua");
    APPLY = "apply", concat!(include_str!("head.lua"), include_str!("apply.lua"));
    DAYS = "days", include_str!("days.lua");
    VIEW = "view", include_str!("view.lua");
    DELTAS = "deltas", concat!(include_str!("head.lua"), include_str!("deltas.lua"));
    DICTIONARY = "dictionary", include_str!("dictionary.lua");
    COMPACT = "compact", concat!(include_str!("head.lua"), include_str!("compact.lua"));
    REBUILD = "rebuild", include_str!("rebuild.lua");
    SET_ASIDE = "set_aside", concat!(include_str!("head.lua"), include_str!("set_aside.lua"));
    REMOVE = "remove", include_str!("remove.lua");
    EXPIRE = "expire", include_str!("expire.lua");
    ERASE = "erase", include_str!("erase.lua");
}

/// A script with its keys and arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) script: &'static Script,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    /// What the server calls it.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn call(&'static self) -> Call {
        Call { script: self, keys: Vec::new(), arguments: Vec::new() }
    }
}

impl Call {
    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key.into_bytes());
        self
    }

    pub(super) fn keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.keys.extend(keys.into_iter().map(String::into_bytes));
        self
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    /// By its hash: the server has it, unless it was restarted.
    pub(super) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// With its text, so that the server has it from then on.
    pub(super) fn with_text(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, command: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(command);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        command
    }
}
