//! The load generator: kept-alive connections, one request under way on each.
//!
//! Closed loop: a connection sends its next request when the reply is there. Open loop: requests have an intended time,
//! and the latency counts from it, however late the request could be sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::histogram::Histogram;
use crate::requests::{Dice, Requests};

/// Threads that send, as many as wrk is usually given on two cores.
const THREADS: usize = 2;
/// What is sent and not measured at first.
const WARM_UP: Duration = Duration::from_millis(1500);

/// What is sent where, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Requests,
    pub(crate) connections: usize,
    /// How long is measured; a warm-up comes before.
    pub(crate) seconds: f64,
    /// Requests a second over all connections; `None` for a closed loop.
    pub(crate) rate: Option<f64>,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// All replies, those of the warm-up too.
    pub(crate) all: u64,
    /// Those of them that said `recorded`.
    pub(crate) recorded: u64,
    /// Those of them that said `unconfirmed`.
    pub(crate) unconfirmed: u64,
    /// Those of them that said `skipped`.
    pub(crate) skipped: u64,
    /// Those of them that came with 503.
    pub(crate) refused: u64,
    /// Those of them that were no success.
    pub(crate) failed: u64,
    /// The latencies of what was measured.
    pub(crate) latency: Histogram,
    /// How long was measured, in seconds.
    pub(crate) seconds: f64,
}

impl Replies {
    /// Replies a second while it was measured.
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.seconds
    }

    fn merge(&mut self, other: &Self) {
        self.all += other.all;
        self.recorded += other.recorded;
        self.unconfirmed += other.unconfirmed;
        self.skipped += other.skipped;
        self.refused += other.refused;
        self.failed += other.failed;
        self.latency.merge(&other.latency);
    }
}

/// Sends the load and waits for the last reply.
pub(crate) fn run(load: &Load) -> anyhow::Result<Replies> {
    let load = Arc::new(load.clone());
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let load = load.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(send(&load, thread))
            })
        })
        .collect();
    let mut replies = Replies { seconds: load.seconds, ..Replies::default() };
    for thread in threads {
        match thread.join() {
            Ok(part) => replies.merge(&part?),
            Err(_) => bail!("a sending thread failed"),
        }
    }
    Ok(replies)
}

/// The part of one thread.
async fn send(load: &Arc<Load>, thread: usize) -> anyhow::Result<Replies> {
    let places: Vec<usize> = (thread..load.connections).step_by(THREADS).collect();
    // All at once: one after the other, the first would be idle for longer than a server waits for a first request.
    let connections = try_join_all(places.iter().map(|_| Connection::open(load.address))).await?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (place, connection) in places.into_iter().zip(connections) {
        let load = load.clone();
        tasks.spawn(async move {
            match load.rate {
                None => closed(connection, &load, place, start).await,
                Some(rate) => open(connection, &load, place, (start, rate)).await,
            }
        });
    }
    let mut replies = Replies::default();
    while let Some(part) = tasks.join_next().await {
        replies.merge(&part??);
    }
    Ok(replies)
}

async fn closed(mut connection: Connection, load: &Load, place: usize, start: Instant) -> anyhow::Result<Replies> {
    let (from, until) = (start + WARM_UP, start + WARM_UP + Duration::from_secs_f64(load.seconds));
    let mut dice = Dice(rand::random::<u64>() ^ place as u64);
    let (mut replies, mut request) = (Replies::default(), Vec::with_capacity(512));
    loop {
        load.requests.write(&mut dice, &mut request);
        let sent = Instant::now();
        if sent >= until {
            return Ok(replies);
        }
        let reply = connection.exchange(&request).await?;
        let now = Instant::now();
        replies.count(reply);
        if sent >= from && now < until {
            replies.latency.add(now - sent);
        }
    }
}

async fn open(
    mut connection: Connection,
    load: &Load,
    place: usize,
    (start, rate): (Instant, f64),
) -> anyhow::Result<Replies> {
    let (from, until) = (start + WARM_UP, start + WARM_UP + Duration::from_secs_f64(load.seconds));
    let mut dice = Dice(rand::random::<u64>() ^ place as u64);
    let (mut replies, mut request) = (Replies::default(), Vec::with_capacity(512));
    for turn in 0_u64.. {
        let number = turn * load.connections as u64 + place as u64;
        let intended = start + Duration::from_secs_f64(number as f64 / rate);
        if intended >= until {
            break;
        }
        load.requests.write(&mut dice, &mut request);
        tokio::time::sleep_until(intended).await;
        replies.count(connection.exchange(&request).await?);
        if intended >= from {
            replies.latency.add(intended.elapsed());
        }
    }
    Ok(replies)
}

impl Replies {
    fn count(&mut self, reply: Reply) {
        self.all += 1;
        self.failed += u64::from(!reply.success);
        self.refused += u64::from(reply.refused);
        match reply.counting {
            Some(Counting::Recorded) => self.recorded += 1,
            Some(Counting::Unconfirmed) => self.unconfirmed += 1,
            Some(Counting::Skipped) => self.skipped += 1,
            None => {}
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a generator has to know of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reply {
    success: bool,
    refused: bool,
    counting: Option<Counting>,
}

/// What a reply says of its being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Recorded,
    Unconfirmed,
    Skipped,
}

impl Counting {
    fn read(value: &[u8]) -> Option<Self> {
        match value {
            b"recorded" => Some(Self::Recorded),
            b"unconfirmed" => Some(Self::Unconfirmed),
            other => other.starts_with(b"skipped").then_some(Self::Skipped),
        }
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("no connection to the server")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Reply> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed a connection in the middle");
            }
            if let Some(reply) = parse(&self.buffer) {
                return Ok(reply);
            }
        }
    }
}

/// The reply, if all of it is there.
fn parse(bytes: &[u8]) -> Option<Reply> {
    let status = bytes.get(9..12)?;
    let mut reply = Reply { success: status[0] == b'2', refused: status == b"503", counting: None };
    let (mut rest, mut length) = (bytes, 0);
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match line.first() {
            Some(b'\r') => break,
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length: ") {
                    length = std::str::from_utf8(value).ok()?.parse().ok()?;
                }
            }
            Some(b'h' | b'H') => {
                if let Some(value) = value_of(line, b"headcount: ") {
                    reply.counting = Counting::read(value);
                }
            }
            Some(_) | None => {}
        }
    }
    (rest.len() >= length).then_some(reply)
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_to_their_end() {
        let recorded = b"HTTP/1.1 200 OK\r\nHeadcount: recorded\r\nContent-Length: 3\r\n\r\nabc";
        for short in 0..recorded.len() {
            assert_eq!(parse(&recorded[..short]), None, "{short}");
        }
        let reply = |counting| Reply { success: true, refused: false, counting };
        assert_eq!(parse(recorded), Some(reply(Some(Counting::Recorded))));
        let skipped = b"HTTP/1.1 204 No Content\r\nheadcount: skipped; reason=disk\r\n\r\n";
        assert_eq!(parse(skipped), Some(reply(Some(Counting::Skipped))));
        let refused = Reply { success: false, refused: true, counting: None };
        assert_eq!(parse(b"HTTP/1.1 503 No\r\n\r\n"), Some(refused));
    }
}
