//! An answer that is sent piece by piece: its connection is not idle meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as _, Frame, SizeHint};

use super::stream::Progress;

/// The body of an answer that is not there as a whole yet.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    _answering: Answering,
}

/// The request counts as answered when this is dropped.
#[derive(Debug)]
struct Answering(Arc<Progress>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Sending {
    /// The response; the request counts as answered once its body is there as a whole.
    pub(super) fn until_sent(response: Response, progress: Arc<Progress>) -> Response {
        let answering = Answering(progress);
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        response.map(|body| Body::new(Self { body, _answering: answering }))
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
