//! The file `.env`, read without touching the process environment.

use std::io::ErrorKind;
use std::path::Path;

use super::{ConfigError, Variables};

/// Reads `.env` in `folder`; no file is no variables.
///
/// # Errors
/// If the file exists and cannot be read, or as [`parse_dotenv`].
pub fn read_dotenv(folder: &Path) -> Result<Variables, ConfigError> {
    match std::fs::read_to_string(folder.join(".env")) {
        Ok(text) => parse_dotenv(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Variables::new()),
        Err(error) => Err(ConfigError::File { problem: error.to_string() }),
    }
}

/// The variables of a `.env` file.
///
/// # Errors
/// The first line that is not of the form `NAME=value`, has an unquoted `$`, or whose name stood in an earlier line. The message holds the
/// number of the line and not its text, which may be a secret.
pub fn parse_dotenv(text: &str) -> Result<Variables, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.lines().position(substitutes) {
        // It would be replaced by a variable of the process, or by nothing: a key with a $ in it would change silently.
        return Err(ConfigError::Line { line: at + 1, problem: "a $ stands outside 'single quotes'" });
    }
    let mut variables = Variables::new();
    for assignment in dotenvy::Iter::new(text.as_bytes()) {
        let (name, value) = assignment.map_err(|error| malformed(text, &error))?;
        if variables.contains_key(&name) {
            let line = line_of(text, |line| assigns(line, &name), 1);
            return Err(ConfigError::Line { line, problem: "the name stands in an earlier line too" });
        }
        variables.insert(name, value);
    }
    Ok(variables)
}

/// Whether the line has a `$` that does not stand for itself.
fn substitutes(line: &str) -> bool {
    let (mut quote, mut previous) = (None, ' ');
    for letter in line.chars() {
        match (quote, letter) {
            (None, '#') if previous.is_whitespace() => return false,
            (None | Some('"'), '$') if previous != '\\' => return true,
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if letter == open && previous != '\\' => quote = None,
            _ => {}
        }
        previous = letter;
    }
    false
}

fn malformed(text: &str, error: &dotenvy::Error) -> ConfigError {
    let dotenvy::Error::LineParse(bad, _) = error else {
        return ConfigError::Line { line: 1, problem: "cannot be read" };
    };
    let bad = bad.lines().next().unwrap_or_default().trim_end();
    ConfigError::Line { line: line_of(text, |line| line.trim_end() == bad, 0), problem: "is not an assignment" }
}

/// The number, from 1, of the line that matches after `skipped` others that match.
fn line_of(text: &str, matches: impl Fn(&str) -> bool, skipped: usize) -> usize {
    text.lines().enumerate().filter(|(_, line)| matches(line)).nth(skipped).map_or(1, |(at, _)| at + 1)
}

fn assigns(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
}
