//! The list of settings as people read it: `headcount config`, `.env.example` and the README's table.

use std::fmt::Write as _;

use super::{Config, SETTINGS, Setting, Source};

/// What a fresh `.env` sets. `make run` writes a random key behind the second name.
const STARTER: [(&str, &str); 2] = [("ENABLE_TELEMETRY", "true"), ("API_KEY", "")];

/// Every setting as it applies and where it comes from, one a line, secrets hidden.
pub fn render_effective(config: &Config) -> String {
    let mut text = String::new();
    for line in &config.effective {
        let assignment = format!("{}={}", line.setting.variable, line.shown);
        let source = line.source;
        _ = match source {
            Source::Default => writeln!(text, "{assignment:<48} # {source}"),
            Source::Flag | Source::Environment | Source::Dotenv => {
                writeln!(text, "{assignment:<48} # {source}: {}", line.name)
            }
        };
    }
    if !config.ignored.is_empty() {
        _ = writeln!(text, "# ignored, they mean nothing here: {}", config.ignored.join(", "));
    }
    text
}

/// The text of `.env.example`: every setting with its meaning, its accepted form and its default.
pub fn env_example() -> String {
    let mut text = "\
# The settings of `headcount serve`, with their defaults. `make run` copies this file to `.env` if there is none, and
# writes a random API_KEY into the copy. The environment and flags win over `.env`. An empty value means the default.
# A value with spaces, # or $ stands in 'single quotes'. A name that is no setting is refused.
"
    .to_owned();
    for setting in &SETTINGS {
        _ = write!(text, "\n# {}\n# Accepted: {}.\n", setting.doc.trim(), setting.accepted);
        let starter = STARTER.iter().find(|(name, _)| setting.aliases.contains(name));
        _ = match starter {
            Some((name, value)) => writeln!(text, "{name}={value}"),
            None if setting.default.contains(' ') => writeln!(text, "# {}='{}'", setting.variable, setting.default),
            None => writeln!(text, "# {}={}", setting.variable, setting.default),
        };
    }
    text
}

/// The README's table of settings.
pub fn markdown_table() -> String {
    let mut text =
        "| variable | flag | also accepted | default | meaning | accepted |\n|---|---|---|---|---|---|\n".to_owned();
    for setting in &SETTINGS {
        _ = writeln!(text, "{}", row(setting));
    }
    text
}

fn row(setting: &Setting) -> String {
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let flag = setting.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
    let aliases = setting.aliases.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
    let (variable, default) = (code(setting.variable), code(setting.default));
    format!("| {variable} | {flag} | {aliases} | {default} | {} | {} |", setting.doc.trim(), setting.accepted)
}
