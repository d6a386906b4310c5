//! `headcount import`: checks from a file, to a running server.

mod chunks;
mod upload;

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use headcount_api::import::{ImportReply, LineError, MOST_ERRORS};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;

use crate::config::{TOKEN_VARIABLE, process_environment, read_dotenv};

use self::chunks::Chunks;
use self::upload::Upload;
use super::{Failure, print};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Import checks from a file of JSON lines; broken off and run again, it goes on and counts each line once
    Checks(ChecksArgs),
}

#[derive(Debug, Args)]
struct ChecksArgs {
    /// The file: one JSON object a line, as POST /telemetry/import takes them
    file: PathBuf,
    #[arg(long, value_name = "URL", help = "Where the server is, such as https://headcount.example.org")]
    server: String,
    #[arg(
        long,
        value_name = "FILE",
        help = "A file with the token of an administrator [env: HEADCOUNT_TOKEN holds it]"
    )]
    token_file: Option<PathBuf>,
    /// The id of the import: the same lines count again under another one [default: made of the file's content]
    #[arg(long, value_name = "UUID")]
    import_id: Option<String>,
}

pub(super) fn run(args: ImportArgs) -> Result<(), Failure> {
    let What::Checks(args) = args.what;
    let token = token(args.token_file.as_deref())?;
    let path = args.file.display();
    let mut file = File::open(&args.file).with_context(|| format!("the file `{path}` cannot be opened"))?;
    let id = match args.import_id {
        Some(id) => id,
        None => chunks::id_of(&mut file).with_context(|| format!("the file `{path}` cannot be read"))?,
    };
    let bytes = file.metadata().with_context(|| format!("the file `{path}` cannot be read"))?.len();
    let upload = Upload::new(&args.server, &token, id)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the network cannot be used")?;
    let reply = runtime.block_on(send(&upload, Chunks::of(file), &progress(bytes)))?;
    print(&summary(&reply))
}

/// Sends chunk after chunk. The lines of the reply are those of the file.
async fn send(upload: &Upload, mut chunks: Chunks, progress: &ProgressBar) -> anyhow::Result<ImportReply> {
    let mut total = ImportReply::default();
    while let Some(chunk) = chunks.next().context("the file cannot be read")? {
        let reply = upload.send(&chunk).await?;
        progress.inc(chunk.read);
        total.accepted += reply.accepted;
        total.rejected += reply.rejected;
        let room = MOST_ERRORS - total.errors.len();
        let errors = reply.errors.into_iter().take(room);
        total.errors.extend(errors.map(|error| LineError { line: chunk.lines_before + error.line, ..error }));
    }
    progress.finish_and_clear();
    Ok(total)
}

fn summary(reply: &ImportReply) -> String {
    let mut text = format!("accepted {} lines, rejected {}\n", reply.accepted, reply.rejected);
    for LineError { line, error } in &reply.errors {
        _ = writeln!(text, "line {line}: {error}");
    }
    let more = reply.rejected - reply.errors.len() as u64;
    if more > 0 {
        _ = writeln!(text, "and {more} more");
    }
    text
}

/// By bytes, on standard error, and only where that is a terminal.
fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    match ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// No flag holds the token itself: other users could read it in the process list.
fn token(file: Option<&Path>) -> Result<SecretString, Failure> {
    let (name, text) = if let Some(file) = file {
        let text = std::fs::read_to_string(file);
        ("--token-file", text.with_context(|| format!("the file `{}` cannot be read", file.display()))?)
    } else {
        let mut given = read_dotenv(Path::new("."))?;
        given.extend(process_environment()?);
        (TOKEN_VARIABLE, given.remove(TOKEN_VARIABLE).unwrap_or_default())
    };
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("{name} holds no token; accepted: what POST /login answers an administrator");
        return Err(Failure::Arguments(message));
    }
    Ok(token.into())
}
