//! The way down: what the answers say that rskafka would misunderstand or keep
//! to itself.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    api_versions::{self, throttle_time_at},
    frames::{FrameError, Observer, Start, Tail, field},
    metadata::Listing,
    requests::{
        API_VERSIONS, METADATA, PRODUCE, Request, SASL_AUTHENTICATE, SASL_HANDSHAKE, Unanswered,
    },
    sasl::{self, Word},
    seen::Seen,
};

/// Follows what a broker answers. A frame is known by its length and
/// correlation id.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    unanswered: &'a Unanswered,
    seen: &'a Seen,
    current: Answer,
}

/// What is of interest in the answer that goes by.
#[derive(Debug)]
enum Answer {
    /// Where a produce answer ends: `throttle_time_ms`.
    Produce(Tail<4>),
    /// Where an answer about topics begins: `throttle_time_ms` too, in some
    /// versions; and all of it, where it is about all topics.
    Metadata {
        throttle_time_ms: Option<Start<4>>,
        listing: Option<Listing>,
    },
    /// An answer about versions from where it begins, and the same in it.
    Versions {
        version: i16,
        start: Vec<u8>,
        throttle_time_ms: Start<4>,
    },
    /// Where an answer about credentials begins.
    Sasl { request: Request, start: Vec<u8> },
    /// Nothing.
    Other,
}

impl<'a> Answers<'a> {
    pub(super) fn new(unanswered: &'a Unanswered, seen: &'a Seen) -> Self {
        Self {
            unanswered,
            seen,
            current: Answer::Other,
        }
    }
}

impl Observer<{ ANSWER_HEAD }> for Answers<'_> {
    fn begin(&mut self, head: [u8; ANSWER_HEAD]) -> Result<(), FrameError> {
        let found = i32::from_be_bytes(field(&head, 4));
        let request = match self.unanswered.pop() {
            Some(request) if request.correlation_id == found => request,
            other => {
                let expected = other.map(|request| request.correlation_id);
                return Err(FrameError::Answer { found, expected });
            }
        };
        self.current = match request.api {
            PRODUCE if THROTTLE_TIME_LAST.contains(&request.version) => {
                Answer::Produce(Tail::new())
            }
            PRODUCE => {
                return Err(FrameError::Version {
                    api: request.api,
                    version: request.version,
                    understood: THROTTLE_TIME_LAST,
                });
            }
            METADATA => Answer::Metadata {
                throttle_time_ms: THROTTLE_TIME_FIRST
                    .contains(&request.version)
                    .then(Start::new),
                listing: self
                    .seen
                    .is_listing()
                    .then(|| Listing::new(request.version))
                    .transpose()?,
            },
            API_VERSIONS if api_versions::THROTTLE_TIME.contains(&request.version) => {
                Answer::Versions {
                    version: request.version,
                    start: Vec::new(),
                    throttle_time_ms: Start::new(),
                }
            }
            SASL_HANDSHAKE | SASL_AUTHENTICATE => Answer::Sasl {
                request,
                start: Vec::new(),
            },
            _ => Answer::Other,
        };
        Ok(())
    }

    fn part(&mut self, part: &mut [u8], left: usize) -> Result<(), FrameError> {
        match &mut self.current {
            // Zero goes on in its place, so that rskafka takes the results of
            // the records for what they are, and sends none of them again.
            Answer::Produce(throttle_time_ms) => {
                if let Some(time) = throttle_time_ms.take(part, left) {
                    self.throttled(i32::from_be_bytes(time));
                }
            }
            // Likewise: rskafka would throw the topics away, wait and ask again.
            Answer::Metadata {
                throttle_time_ms,
                listing,
            } => {
                let time = throttle_time_ms.as_mut().and_then(|time| time.take(part));
                let topics = listing.as_mut().map(|listing| listing.take(part, left));
                if let Some(time) = time {
                    self.throttled(i32::from_be_bytes(time));
                }
                if let Some(topics) = topics.transpose()?.flatten() {
                    self.seen.listed(topics);
                }
            }
            // Likewise: rskafka would ask again, as often as it is throttled.
            Answer::Versions {
                version,
                start,
                throttle_time_ms,
            } => {
                let before = start.len();
                extend(start, part, VERSIONS_BYTES);
                if let Some(at) = throttle_time_at(*version, start)
                    && let Some(rest) = part.get_mut(at.saturating_sub(before)..)
                    && let Some(time) = throttle_time_ms.take(rest)
                {
                    self.throttled(i32::from_be_bytes(time));
                }
            }
            Answer::Sasl { request, start } => {
                extend(start, part, SASL_START_BYTES);
                if left == 0 {
                    match sasl::word(*request, start) {
                        Word::Refused(refusal) => self.seen.refused(refusal),
                        Word::Authenticated(lifetime) => self.seen.authenticated(lifetime),
                        Word::Other => {}
                    }
                }
            }
            Answer::Other => {}
        }
        Ok(())
    }
}

impl Answers<'_> {
    fn throttled(&self, milliseconds: i32) {
        let time = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
        if !time.is_zero() {
            self.seen.throttled(time.min(THROTTLE_MAX));
        }
    }
}

/// Adds a part to what is known of an answer, up to a bound.
fn extend(start: &mut Vec<u8>, part: &[u8], bytes_max: usize) {
    let room = bytes_max.saturating_sub(start.len());
    start.extend_from_slice(&part[..room.min(part.len())]);
}

/// The bytes of length and correlation id.
pub(super) const ANSWER_HEAD: usize = 8;

/// The versions of Produce whose answers end with `throttle_time_ms`: before
/// them it is missing, after them tagged fields follow. rskafka speaks 3 to 7.
const THROTTLE_TIME_LAST: RangeInclusive<i16> = 1..=8;

/// The versions of Metadata whose answers begin with `throttle_time_ms`: before
/// them it is missing, after them tagged fields precede. rskafka speaks up to 4.
const THROTTLE_TIME_FIRST: RangeInclusive<i16> = 3..=8;

/// No throttling counts for longer. Brokers ask for at most the span of their
/// quota windows, 11 s by default; a wrong number must not silence a function.
const THROTTLE_MAX: Duration = Duration::from_mins(1);

/// All versions are in this many bytes: ten times what Kafka 4 has to say.
const VERSIONS_BYTES: usize = 8 * 1024;

/// What an answer about credentials begins with: an error and its message, or
/// the last step of a mechanism and how long that is good for.
const SASL_START_BYTES: usize = 512;
