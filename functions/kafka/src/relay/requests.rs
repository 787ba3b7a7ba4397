//! The way up: which requests go by, so that their answers are known.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::frames::{FrameError, Observer, Tail, field};

/// A request that has no answer yet. A broker answers a connection's requests
/// in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

/// The requests of a connection that have no answer yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unanswered(Mutex<VecDeque<Request>>);

impl Unanswered {
    fn push(&self, request: Request) -> Result<(), FrameError> {
        let mut requests = self.0.lock();
        if requests.len() == UNANSWERED_MAX {
            return Err(FrameError::TooManyRequests(UNANSWERED_MAX));
        }
        requests.push_back(request);
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<Request> {
        self.0.lock().pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// Follows what rskafka sends. A frame is known by its length, API, version and
/// correlation id.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    unanswered: &'a Unanswered,
    /// In a request about topics: its last field.
    auto_creation: Option<Tail<1>>,
    /// The last request to begin carries records.
    is_produce: bool,
}

impl<'a> Requests<'a> {
    pub(super) fn new(unanswered: &'a Unanswered) -> Self {
        Self {
            unanswered,
            auto_creation: None,
            is_produce: false,
        }
    }

    /// Whether more may wait behind what went by: the rest of the records, or
    /// the next request, which is sent without waiting for an answer.
    pub(super) fn may_be_followed(&self) -> bool {
        self.is_produce
    }
}

impl Observer<{ REQUEST_HEAD }> for Requests<'_> {
    fn begin(&mut self, head: [u8; REQUEST_HEAD]) -> Result<(), FrameError> {
        let request = Request {
            api: i16::from_be_bytes(field(&head, 4)),
            version: i16::from_be_bytes(field(&head, 6)),
            correlation_id: i32::from_be_bytes(field(&head, 8)),
        };
        let ends_with_auto_creation =
            request.api == METADATA && AUTO_CREATION_LAST.contains(&request.version);
        self.auto_creation = ends_with_auto_creation.then(Tail::new);
        self.is_produce = request.api == PRODUCE;
        self.unanswered.push(request)
    }

    /// `allow_auto_topic_creation` becomes false: nothing that is merely asked
    /// about is to be created, be it a typo or a topic just deleted.
    fn part(&mut self, part: &mut [u8], left: usize) -> Result<(), FrameError> {
        if let Some(tail) = &mut self.auto_creation {
            tail.take(part, left);
        }
        Ok(())
    }
}

/// The bytes of length, API, version and correlation id.
pub(super) const REQUEST_HEAD: usize = 12;

/// Above the records that the producer has in flight, and the few requests
/// about topics beside them.
const UNANSWERED_MAX: usize = 256;

pub(super) const PRODUCE: i16 = 0;
pub(super) const METADATA: i16 = 3;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const SASL_AUTHENTICATE: i16 = 36;

/// The versions of Metadata that end with `allow_auto_topic_creation`: before
/// them it is missing, after them more follows. rskafka speaks up to 4.
const AUTO_CREATION_LAST: std::ops::RangeInclusive<i16> = 4..=7;
