//! The way up: what rskafka asks, and what the broker is asked instead.

use std::ops::RangeInclusive;

use bytes::Buf;

use super::frame::{FrameError, LENGTH_BYTES};

pub(super) const PRODUCE: i16 = 0;
pub(super) const METADATA: i16 = 3;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const SASL_AUTHENTICATE: i16 = 36;

/// The bytes of API, version and correlation id, behind the length.
const HEADER_BYTES: usize = 8;

/// The versions of Metadata that end with `allow_auto_topic_creation`: before
/// them it is missing, after them more follows. rskafka speaks up to 4.
const AUTO_CREATION_LAST: RangeInclusive<i16> = 4..=7;

/// What a request is, so that its answer can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) api: i16,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
}

impl Request {
    fn read(frame: &[u8]) -> Option<Self> {
        let mut header = frame.get(LENGTH_BYTES..)?;
        Some(Self {
            api: header.try_get_i16().ok()?,
            version: header.try_get_i16().ok()?,
            correlation_id: header.try_get_i32().ok()?,
        })
    }

    /// Whether it is about the connection itself, before it is of use.
    pub(super) fn is_handshake(&self) -> bool {
        matches!(self.api, API_VERSIONS | SASL_HANDSHAKE | SASL_AUTHENTICATE)
    }
}

/// Tells what a request is, and keeps it from creating topics.
///
/// `allow_auto_topic_creation` becomes false: asking about a topic must not
/// create it, be it a typo or one just deleted.
pub(super) fn edit(frame: &mut [u8]) -> Result<Request, FrameError> {
    let request = Request::read(frame).ok_or_else(|| FrameError::of_length(frame))?;
    if request.api == METADATA
        && AUTO_CREATION_LAST.contains(&request.version)
        && let Some(auto_creation) = frame[LENGTH_BYTES + HEADER_BYTES..].last_mut()
    {
        *auto_creation = 0;
    }
    Ok(request)
}
