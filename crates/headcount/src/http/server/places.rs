//! Who has a connection: how many in all, and from each source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::prefix;

/// The most connections that are told at once that there is no place for them.
const LEAVING: usize = 256;

/// How many connections each source has open.
type Sources = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    free: Arc<Semaphore>,
    leaving: Arc<Semaphore>,
    per_source: usize,
    sources: Sources,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    Connections,
    Source,
}

/// A connection's place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    source: Option<(IpAddr, Sources)>,
}

impl Places {
    pub(super) fn new(most: usize, per_source: usize) -> Self {
        let semaphore = |places: usize| Arc::new(Semaphore::new(places));
        Self { most, free: semaphore(most), leaving: semaphore(LEAVING), per_source, sources: Arc::default() }
    }

    pub(super) fn open(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// A place for a connection; `limited` is its address where the limit of one source holds for it.
    pub(super) fn take(&self, limited: Option<IpAddr>) -> Result<Place, NoPlace> {
        let permit = self.free.clone().try_acquire_owned().map_err(|_| NoPlace::Connections)?;
        let Some(address) = limited else { return Ok(Place { _permit: permit, source: None }) };
        let source = prefix(address, 32, 64);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let open = sources.entry(source).or_default();
        if *open >= self.per_source {
            return Err(NoPlace::Source);
        }
        *open += 1;
        Ok(Place { _permit: permit, source: Some((source, self.sources.clone())) })
    }

    pub(super) fn take_to_leave(&self) -> Option<OwnedSemaphorePermit> {
        self.leaving.clone().try_acquire_owned().ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((source, sources)) = &self.source else { return };
        let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = sources.get_mut(source) {
            *open -= 1;
            if *open == 0 {
                sources.remove(source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_so_many_places_and_gets_them_back() {
        let places = Places::new(4, 2);
        let ip = |text: &str| Some(text.parse().unwrap());
        let first = places.take(ip("203.0.113.1")).unwrap();
        let second = places.take(ip("203.0.113.1")).unwrap();
        assert_eq!(places.take(ip("203.0.113.1")).unwrap_err(), NoPlace::Source);
        let other = places.take(ip("203.0.113.2")).unwrap();
        let exempt = places.take(None).unwrap();
        assert_eq!((places.open(), places.take(None).unwrap_err()), (4, NoPlace::Connections));
        drop(first);
        let again = places.take(ip("203.0.113.1")).unwrap();
        drop((second, other, exempt, again));
        assert_eq!((places.open(), places.sources.lock().unwrap().len()), (0, 0));
        // One household has one network of IPv6 addresses.
        let one = [places.take(ip("2001:db8::1")).unwrap(), places.take(ip("2001:db8::2")).unwrap()];
        assert_eq!(places.take(ip("2001:db8::3")).unwrap_err(), NoPlace::Source);
        assert!(places.take(ip("2001:db8:0:1::3")).is_ok());
        drop(one);
    }
}
