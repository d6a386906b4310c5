//! How many requests came, by route and class of status.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::http::web;

/// How requests are called that no route answers.
pub(super) const UNKNOWN: &str = "(unknown)";

/// The classes of status, from 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters. The routes are those of the list, so that nobody who asks can add to them.
#[derive(Debug)]
pub(super) struct Requests {
    by_route: HashMap<Box<str>, [AtomicU64; CLASSES.len()]>,
}

impl Requests {
    /// Counters for those routes, for the dashboard, and for requests that none of them answers.
    pub(super) fn of<'a>(routes: impl Iterator<Item = &'a str>) -> Self {
        let by_route = routes.chain([web::ROUTE, UNKNOWN]).map(|route| (route.into(), Default::default())).collect();
        Self { by_route }
    }

    /// Counts an answer.
    pub(super) fn count(&self, route: &str, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        if let Some(classes) = self.by_route.get(route) {
            classes[class].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Route, class and number of all that were counted, in order of the routes.
    pub(super) fn counted(&self) -> Vec<(&str, &'static str, u64)> {
        let mut counted: Vec<_> = self
            .by_route
            .iter()
            .flat_map(|(route, classes)| {
                let counts = classes.iter().map(|count| count.load(Ordering::Relaxed));
                CLASSES.into_iter().zip(counts).map(|(class, count)| (route.as_ref(), class, count))
            })
            .filter(|&(_, _, count)| count > 0)
            .collect();
        counted.sort_unstable();
        counted
    }
}
