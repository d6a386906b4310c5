//! A connection's bytes, with deadlines: for the head of a request, between requests, and for taking an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::gate::{Gate, Slow};

/// What the bytes and the requests of one connection know of each other.
#[derive(Debug, Default)]
pub(super) struct Progress {
    // A request is being answered: its own deadline holds.
    busy: AtomicBool,
    // How many were answered.
    answered: AtomicU32,
    // How many lines of the head that is coming in are a Content-Length.
    lengths: AtomicU32,
}

impl Progress {
    /// A head is complete: how many lines of it were a Content-Length, as far as that was seen.
    pub(super) fn begin(&self) -> u32 {
        self.busy.store(true, Ordering::Relaxed);
        self.lengths.swap(0, Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.busy.store(false, Ordering::Relaxed);
    }
}

/// What is waited for between two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing yet: it is found out at the next read.
    Unknown,
    Idle,
    Head,
}

/// The stream.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TcpStream,
    progress: Arc<Progress>,
    gate: Arc<Gate>,
    stage: Stage,
    // How many requests had been answered when the stage began.
    answered: u32,
    read_by: Instant,
    read_alarm: Alarm,
    write_by: Option<Instant>,
    write_alarm: Alarm,
}

impl Guarded {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>, gate: Arc<Gate>) -> Self {
        // Whoever connects is to ask something, at once.
        let read_by = Instant::now() + gate.limits.head_timeout;
        let (read_alarm, write_alarm) = (Alarm::default(), Alarm::default());
        Self {
            stream,
            progress,
            gate,
            stage: Stage::Head,
            answered: 0,
            read_by,
            read_alarm,
            write_by: None,
            write_alarm,
        }
    }

    fn is_busy(&self) -> bool {
        self.progress.busy.load(Ordering::Relaxed)
    }

    /// After an answer the stage begins anew.
    fn notice_answers(&mut self) {
        let answered = self.progress.answered.load(Ordering::Relaxed);
        if answered != self.answered {
            self.answered = answered;
            self.stage = Stage::Unknown;
        }
    }

    fn begin(&mut self, stage: Stage) {
        let limits = &self.gate.limits;
        let time = if stage == Stage::Head { limits.head_timeout } else { limits.idle_timeout };
        self.stage = stage;
        self.read_by = Instant::now() + time;
    }

    fn came(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.is_busy() {
            return;
        }
        self.notice_answers();
        if self.stage != Stage::Head {
            self.begin(Stage::Head);
        }
        // hyper takes two that are equal for one, and drops them where there is a Transfer-Encoding. GET needs neither.
        if bytes[0] != b'G' {
            self.progress.lengths.fetch_add(lengths(bytes), Ordering::Relaxed);
        }
    }

    fn wait_for_bytes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_busy() {
            return Poll::Pending;
        }
        self.notice_answers();
        if self.stage == Stage::Unknown {
            self.begin(Stage::Idle);
        }
        ready!(self.read_alarm.poll(context, self.read_by));
        self.gate.count_slow(if self.stage == Stage::Head { Slow::Head } else { Slow::Idle });
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_by = None;
            return written;
        }
        let timeout = self.gate.limits.write_timeout;
        let by = *self.write_by.get_or_insert_with(|| Instant::now() + timeout);
        ready!(self.write_alarm.poll(context, by));
        self.gate.count_slow(Slow::Answer);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// How many lines of a head begin with the name of the header.
fn lengths(bytes: &[u8]) -> u32 {
    const NAME: &[u8] = b"content-length";
    let is_length = |line: &&[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let lines = bytes.split(|&byte| byte == b'\n');
    // The line that is empty but for its end ends the head.
    lines.take_while(|line| !line.trim_ascii().is_empty()).filter(is_length).count() as u32
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Pending => this.wait_for_bytes(context),
            Poll::Ready(read) => {
                this.came(buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// A timer that is only moved when it rings too early: a deadline that is put off with every request costs nothing.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
