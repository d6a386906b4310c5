//! A network between a client and a Redis, that loses what it is told to lose. It knows where a command and where a
//! reply ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::resp::{self, Value};

/// What a network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Works,
    /// Each command takes so much longer.
    Slow(Duration),
    /// Nothing gets through, and what was under way does later.
    Holds,
    /// Nothing gets through, in either direction, and nobody is told.
    Swallows,
    /// Every connection is reset, also new ones.
    Resets,
    /// The server's end of every connection is closed; the client may go on sending.
    HalfClosed,
}

/// What becomes of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered by the server.
    Forwarded,
    /// The server does it; instead of the reply, the connection ends.
    ReplyLost,
    /// It does not reach the server: this is the answer, and whether the connection ends with it.
    Answered(Vec<u8>, bool),
}

/// What becomes of each command, by its words.
pub(super) type Judge = Box<dyn FnMut(&[Vec<u8>]) -> Fate + Send>;

/// A proxy in front of one Redis. It ends with the runtime of its test.
pub(crate) struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    lost: Arc<AtomicU64>,
    accepts: JoinHandle<()>,
}

impl Proxy {
    /// Stands in front of the Redis on that port, and lets everything through.
    pub(crate) async fn of(port: u16) -> Self {
        Self::judging(port, Box::new(|_| Fate::Forwarded)).await
    }

    /// The same, and loses the reply to one in so many of these commands, after the server has done it.
    pub(crate) async fn losing_replies(port: u16, one_in: u64, of: fn(&[Vec<u8>]) -> bool) -> Self {
        let mut seen = 0;
        let judge = move |words: &[Vec<u8>]| {
            seen += u64::from(of(words));
            if of(words) && seen.is_multiple_of(one_in) { Fate::ReplyLost } else { Fate::Forwarded }
        };
        Self::judging(port, Box::new(judge)).await
    }

    pub(super) async fn judging(server: u16, judge: Judge) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (network, seen) = watch::channel(Network::Works);
        let (lost, judge) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(judge)));
        let counter = lost.clone();
        let accepts = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let connection = Connection {
                    client,
                    server,
                    network: seen.clone(),
                    judge: judge.clone(),
                    lost: counter.clone(),
                    waiting: VecDeque::new(),
                };
                tokio::spawn(connection.run());
            }
        });
        Self { port, network, lost, accepts }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on the network does that.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many replies were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.network.send_replace(Network::Resets);
    }
}

struct Connection {
    client: TcpStream,
    server: u16,
    network: watch::Receiver<Network>,
    judge: Arc<Mutex<Judge>>,
    lost: Arc<AtomicU64>,
    // The commands that the server has not answered yet, in order.
    waiting: VecDeque<Fate>,
}

impl Connection {
    async fn run(mut self) {
        // Where it ended in whatever way, both ends see that.
        if let Ok(server) = TcpStream::connect(("127.0.0.1", self.server)).await {
            _ = self.carry(server).await;
        }
        // Whoever reads or writes now is told that the connection was reset.
        _ = self.client.set_zero_linger();
    }

    async fn carry(&mut self, mut server: TcpStream) -> std::io::Result<()> {
        let (mut commands, mut replies) = (Vec::new(), Vec::new());
        loop {
            let network = *self.network.borrow_and_update();
            let reads = match network {
                Network::Works | Network::Slow(_) | Network::Swallows | Network::HalfClosed => true,
                Network::Holds => false,
                Network::Resets => return Ok(()),
            };
            if network == Network::HalfClosed {
                self.client.shutdown().await?;
            }
            tokio::select! {
                changed = self.network.changed() => {
                    // What was swallowed is missing: nothing that follows would be understood.
                    if changed.is_err() || matches!(network, Network::Swallows | Network::HalfClosed) {
                        return Ok(());
                    }
                }
                read = self.client.read_buf(&mut commands), if reads => {
                    if read? == 0 {
                        return Ok(());
                    }
                    match network {
                        Network::Swallows | Network::HalfClosed => commands.clear(),
                        Network::Slow(time) => tokio::time::sleep(time).await,
                        Network::Works | Network::Holds | Network::Resets => {}
                    }
                    self.send(&mut commands, &mut server).await?;
                }
                read = server.read_buf(&mut replies), if reads => {
                    if read? == 0 {
                        return Ok(());
                    }
                    if matches!(network, Network::Swallows | Network::HalfClosed) {
                        replies.clear();
                    }
                    if self.answer(&mut replies).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends on all commands that are there as a whole.
    async fn send(&mut self, commands: &mut Vec<u8>, server: &mut TcpStream) -> std::io::Result<()> {
        while let Some((command, length)) = resp::value(commands) {
            let words = command.words();
            let fate = (self.judge.lock().unwrap())(&words);
            // The reply to something else keeps the place of an answer of our own.
            let sent =
                if matches!(fate, Fate::Answered(..)) { resp::command(&["PING"]) } else { commands[..length].to_vec() };
            self.waiting.push_back(fate);
            commands.drain(..length);
            server.write_all(&sent).await?;
        }
        Ok(())
    }

    /// Hands back all replies that are there as a whole, and says whether the connection ends with them.
    async fn answer(&mut self, replies: &mut Vec<u8>) -> std::io::Result<bool> {
        while let Some((reply, length)) = resp::value(replies) {
            let bytes: Vec<u8> = replies.drain(..length).collect();
            let fate = if matches!(reply, Value::Push(_)) { None } else { self.waiting.pop_front() };
            match fate {
                Some(Fate::ReplyLost) => {
                    self.lost.fetch_add(1, Ordering::SeqCst);
                    return Ok(true);
                }
                Some(Fate::Answered(answer, ends)) => {
                    self.client.write_all(&answer).await?;
                    if ends {
                        self.client.shutdown().await?;
                        return Ok(true);
                    }
                }
                Some(Fate::Forwarded) | None => self.client.write_all(&bytes).await?,
            }
        }
        Ok(false)
    }
}

/// Whether a command runs a script.
pub(crate) fn is_script(words: &[Vec<u8>]) -> bool {
    let is_named = |name: &str| words.first().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    is_named("EVAL") || is_named("EVALSHA")
}

/// Whether a command is a step: it moves a mark.
pub(crate) fn is_step(words: &[Vec<u8>]) -> bool {
    is_script(words) && words.iter().take(8).any(|key| key.ends_with(b":marks"))
}
