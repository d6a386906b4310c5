//! Who looks on: how many in all, and how many streams each has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use headcount_engine::id::Id;
use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error};

type Open = Arc<Mutex<HashMap<Id, usize>>>;

/// The streams that are open.
#[derive(Debug)]
pub struct Streams {
    most: usize,
    per_user: usize,
    open: Open,
    pub(super) closing: CancellationToken,
}

/// A stream's place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    user: Id,
    open: Open,
}

impl Streams {
    /// Room for so many streams, and for so many of one user or API token.
    pub fn new(most: usize, per_user: usize) -> Self {
        Self { most, per_user, open: Arc::default(), closing: CancellationToken::new() }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Ends all of them, and those that begin later.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// A place for a stream of that user.
    pub(super) fn take(&self, user: Id) -> Result<Place, Error> {
        let busy = |message: &'static str, most: usize| {
            Err(Error::new(Code::TooMany, message).accepted(format!("at most {most}")).retry_after(30))
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= self.most {
            return busy("too many live streams are open", self.most);
        }
        if open.get(&user).is_some_and(|&of_user| of_user >= self.per_user) {
            return busy("you have too many live streams open", self.per_user);
        }
        *open.entry(user).or_default() += 1;
        Ok(Place { user, open: self.open.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = open.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                open.remove(&self.user);
            }
        }
    }
}
