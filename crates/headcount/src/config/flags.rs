//! The flags of `headcount serve`, made from the list of settings.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{SETTINGS, Setting};

/// The settings that were given as flags, not yet parsed. Use it with `#[command(flatten)]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeArgs(BTreeMap<&'static str, String>);

impl ServeArgs {
    /// The same flags and `--flag text`, for commands that fix a setting.
    #[must_use]
    pub fn with(mut self, flag: &'static str, text: impl Into<String>) -> Self {
        self.0.insert(flag, text.into());
        self
    }

    /// What was given for `--flag`.
    pub(super) fn get(&self, flag: &str) -> Option<&str> {
        self.0.get(flag).map(String::as_str)
    }
}

fn flags() -> impl Iterator<Item = (&'static str, &'static Setting)> {
    SETTINGS.iter().filter_map(|setting| Some((setting.flag?, setting)))
}

fn argument(flag: &'static str, setting: &'static Setting) -> Arg {
    let names = [setting.variable].iter().chain(setting.aliases).copied().collect::<Vec<_>>().join(", ");
    let default = if setting.default.is_empty() { "unset" } else { setting.default };
    let accepted = setting.accepted;
    let help = format!("{}\nAccepted: {accepted}\n[default: {default}] [env: {names}]", setting.doc.trim());
    Arg::new(flag).long(flag).value_name("VALUE").help(help)
}

impl Args for ServeArgs {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, (flag, setting)| command.arg(argument(flag, setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (flag, _) in flags() {
            if let Some(text) = matches.get_one::<String>(flag) {
                self.0.insert(flag, text.clone());
            }
        }
        Ok(())
    }
}
