//! The lines of a body, as it comes in: never more than one line of it is held.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use headcount_api::import::{ImportReply, LINE_BYTES, LineError, MOST_ERRORS};
use headcount_engine::day::{Day, Millis};
use headcount_engine::event::Event;
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::personal::{self, Personal};
use headcount_engine::row::{Row, Tally};

use super::line::{Against, too_long};
use crate::error::{Code, Error};

/// How long the next bytes of a body may take.
const IDLE: Duration = Duration::from_secs(30);

/// A body, read piece by piece.
#[derive(Debug)]
pub(super) struct Pieces(BodyDataStream);

impl Pieces {
    pub(super) fn of(body: Body) -> Self {
        Self(body.into_data_stream())
    }

    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    /// 400 where the body breaks off; 408 where it pauses for too long.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout(IDLE, self.0.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(_))) => Err(Error::invalid("body", "request body could not be read")),
            Err(_) => {
                let seconds = IDLE.as_secs();
                Err(Error::new(Code::TimedOut, format!("the request body paused for more than {seconds} seconds")))
            }
        }
    }
}

/// Under what an id that looks personal is counted.
type Key = (OwnerId, AppId, Day, Personal);

/// Reads lines: what became of them, and the events that they hold.
#[derive(Debug)]
pub(super) struct Reader {
    against: Against,
    partial: Vec<u8>,
    // The line is longer than the limit: the rest of it is passed over.
    too_long: bool,
    /// How many lines were read.
    pub(super) lines: u64,
    /// What became of them.
    pub(super) reply: ImportReply,
    /// Their events, as far as nobody has taken them.
    pub(super) events: Vec<Event>,
    // How often their ids looked personal, by the app and day under which it counts, as far as nobody has taken it.
    personal: BTreeMap<Key, (Millis, u64)>,
}

impl Reader {
    pub(super) fn new(against: Against) -> Self {
        let reply = ImportReply::default();
        let personal = BTreeMap::new();
        Self { against, partial: Vec::new(), too_long: false, lines: 0, reply, events: Vec::new(), personal }
    }

    /// Takes at most so many events as a row, with what is tallied so far.
    pub(super) fn take_row(&mut self, most: usize) -> Row {
        let rest = self.events.split_off(self.events.len().min(most));
        let events = std::mem::replace(&mut self.events, rest);
        let tally = |((owner, app, _, looks), (at, count)): (Key, (Millis, u64))| {
            let (kind, value) = (personal::TALLY.into(), looks.name().into());
            Tally { owner, app, at, kind, value, count }
        };
        let tallies = std::mem::take(&mut self.personal).into_iter().map(tally);
        Row { events, tallies: tallies.collect() }
    }

    /// Reads the lines that end in this piece.
    pub(super) fn read(&mut self, mut piece: &[u8]) {
        while let Some(end) = piece.iter().position(|&byte| byte == b'\n') {
            self.hold(&piece[..end]);
            self.end_line();
            piece = &piece[end + 1..];
        }
        self.hold(piece);
    }

    /// Reads the last line, if it has no line break.
    pub(super) fn end(&mut self) {
        if self.too_long || !self.partial.is_empty() {
            self.end_line();
        }
    }

    fn hold(&mut self, part: &[u8]) {
        if self.partial.len() + part.len() > LINE_BYTES {
            self.too_long = true;
            self.partial.clear();
        }
        if !self.too_long {
            self.partial.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let event = if self.too_long {
            Err(too_long())
        } else if self.partial.trim_ascii().is_empty() {
            // Not a line of anything, but it has its number.
            self.partial.clear();
            return;
        } else {
            self.against.event(&self.partial)
        };
        self.too_long = false;
        self.partial.clear();
        match event {
            Ok((event, personal)) => {
                self.reply.accepted += 1;
                if let Some(kind) = personal {
                    let key = (event.owner, event.app, event.at.day(), kind);
                    self.personal.entry(key).or_insert((event.at, 0)).1 += 1;
                }
                self.events.push(event);
            }
            Err(error) => {
                self.reply.rejected += 1;
                if self.reply.errors.len() < MOST_ERRORS {
                    self.reply.errors.push(LineError { line: self.lines, error });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_may_pause_for_30_seconds() {
        let started = tokio::time::Instant::now();
        let pieces = futures_util::stream::unfold(0, async |piece| {
            let pause = if piece < 2 { Duration::from_millis(29_999) } else { Duration::from_hours(1) };
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>("x"), piece + 1))
        });
        let mut pieces = Pieces::of(Body::from_stream(pieces));
        for _ in 0..2 {
            assert_eq!(pieces.next().await.unwrap(), Some(Bytes::from("x")));
        }
        let error = pieces.next().await.unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (Code::TimedOut, "the request body paused for more than 30 seconds")
        );
        assert_eq!(started.elapsed().as_secs(), 89);
    }
}
