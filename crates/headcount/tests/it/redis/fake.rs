//! A Redis that answers some commands as it is told, and leaves the others to a real one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::proxy::{Fate, Proxy};

/// An answer that no server gives when all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An error, such as `OOM command not allowed`.
    Error(String),
    /// These bytes, whatever they are.
    Bytes(&'static [u8]),
    /// These bytes, and then the connection ends.
    Half(&'static [u8]),
}

/// The fake: a proxy with a list of answers.
pub(crate) struct Fake {
    proxy: Proxy,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    waiting: VecDeque<Answer>,
    given: usize,
}

impl Fake {
    /// Stands in front of the Redis on that port. The answers are for those commands.
    pub(crate) async fn of(port: u16, answers_to: fn(&[Vec<u8>]) -> bool) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let kept = answers.clone();
        let judge = move |words: &[Vec<u8>]| {
            if !answers_to(words) {
                return Fate::Forwarded;
            }
            let mut answers = kept.lock().unwrap();
            let Some(answer) = answers.waiting.pop_front() else { return Fate::Forwarded };
            answers.given += 1;
            match answer {
                Answer::Error(text) => Fate::Answered(format!("-{text}\r\n").into_bytes(), false),
                Answer::Bytes(bytes) => Fate::Answered(bytes.to_vec(), false),
                Answer::Half(bytes) => Fate::Answered(bytes.to_vec(), true),
            }
        };
        Self { proxy: Proxy::judging(port, Box::new(judge)).await, answers }
    }

    pub(crate) fn port(&self) -> u16 {
        self.proxy.port()
    }

    pub(crate) fn url(&self) -> String {
        self.proxy.url()
    }

    /// The next commands get these answers, one each.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().waiting.extend(answers);
    }

    /// All further commands are left to the server.
    pub(crate) fn stop(&self) {
        self.answers.lock().unwrap().waiting.clear();
    }

    /// How many answers were given.
    pub(crate) fn given(&self) -> usize {
        self.answers.lock().unwrap().given
    }
}
